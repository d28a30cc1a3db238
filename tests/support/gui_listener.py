"""Events that a window would receive from the only running session, as JSON lines.

    python -m tests.support.gui_listener

A process of its own, as a window is: liblsl is configured once in a process. Orders on stdin go to
the session. It ends with the session, and with a summary.
"""

import json
import sys
import threading
import time
from itertools import pairwise

from gui.operator.session_feed import FileSize, Link, News, OrderResult, SessionFeed, age_of
from gui.operator.session_state import SessionState
from gui.operator.signal_feed import DrawnMarker, DrawnSamples, Item, QualityUpdate, SignalOpened
from rtbci.messages import DecisionMade, Order, SessionReport, from_json
from rtbci.session.control import find, running


def tell(event: str, **values: object) -> None:
    """Print one line."""
    print(json.dumps({"event": event, **values}), flush=True)


class Listener:
    """Follows the session and prints events relevant to tests."""

    def __init__(self) -> None:
        self.feed = SessionFeed(find(None, running()))
        self.state = SessionState(self.feed.about)
        self.state.begin(age_of(self.feed.entry))
        self.items: list[Item] = []
        self._told_decision = False

    def obey(self) -> None:
        """Execute orders of the test."""
        for line in sys.stdin:
            now = self.feed.signal.now()
            order = from_json({**json.loads(line), "stamp": now.stamp, "index": now.index})
            assert isinstance(order, Order)
            self.feed.ask(order)

    def hear(self, news: News) -> None:
        """Process one item."""
        state = self.state
        if isinstance(news, SessionReport):
            state.about = self.feed.about
            state.answer(news)
            tell("status")
        elif isinstance(news, Link):
            if news.state != state.link:
                tell("link", state=news.state)
            state.link = news.state
        elif isinstance(news, OrderResult):
            tell("answer", do=news.order.kind, error=news.error)
        elif isinstance(news, FileSize):
            state.file(news.size)
        else:
            state.hear(news)
            if isinstance(news, DecisionMade):
                tell("decision", part=state.about.part, recording=state.recording(),
                     lamps=state.lamps())  # fmt: skip

    def summary(self) -> None:
        """Summary of the received signal."""
        drawn = [each for each in self.items if isinstance(each, DrawnSamples)]
        tell(
            "summary",
            rates=[each.info.rate for each in self.items if isinstance(each, SignalOpened)],
            whole=all(a.index + len(a.x) == b.index for a, b in pairwise(drawn)),
            chunks=len(drawn),
            head=drawn[-1].index + len(drawn[-1].x) if drawn else None,
            marks=sum(isinstance(each, DrawnMarker) for each in self.items),
            judged=sum(isinstance(each, QualityUpdate) for each in self.items),
            lost=self.state.loss_rows()[0][1],
        )


def main() -> None:
    """Listen until the session is over."""
    listener = Listener()
    listener.feed.start()
    threading.Thread(target=listener.obey, daemon=True).start()
    while listener.state.link != "ended":
        for news in listener.feed.news():
            listener.hear(news)
        listener.items.extend(listener.feed.signal.items())
        time.sleep(0.02)
    listener.feed.close()
    listener.items.extend(listener.feed.signal.items())
    listener.summary()


if __name__ == "__main__":
    main()

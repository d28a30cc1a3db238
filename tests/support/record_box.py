"""``rtbci record`` as a child process, for tests."""

from pathlib import Path

from tests.support.box import Box, Event


class Recorder(Box):
    """One recorder of LSL session ``session``; ``words`` are further options.

    ``before`` is Python that its process runs first.
    """

    def __init__(self, session: str, out: Path, *words: object, before: str = "") -> None:
        options = ("record", "--out", out, "--lsl-session", session, "--lsl-scope", "machine",
                   "--control", "stdin", "--json")  # fmt: skip
        code = f"{before}\nimport sys\nfrom rtbci.cli import main\nsys.exit(main(sys.argv[1:]))"
        super().__init__(*options, *words, code=code)

    def has(self, samples: int, name: str = "eeg") -> Event:
        """Wait until so many samples of ``name`` came."""
        return self.wait(lambda e: e.get("samples", {}).get(name, 0) >= samples)

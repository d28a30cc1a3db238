"""Doctor's checks of the lab streaming layer and of the network below it.

Nothing here loads liblsl, which may hang or abort; child processes load it.
"""

import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from rtbci.doctor.check import Answer, Check, NoAnswer, NotThere, SessionPlace, Task, TooSlow, ask

# Outlets created to test discovery; a lab with several sessions has about this many.
OUTLETS = 40
# Transit from outlet to inlet on one computer, median and 99th percentile, s. Usual values are
# 0.0001 and 0.0003.
SLOW_MEDIAN_S, SLOW_P99_S = 0.002, 0.02
SLOW_FOUND_S = 2.0
# Clock offset between outlet and inlet of the same computer, s.
LARGE_OFFSET_S = 0.001
DISCOVERY_PORT = 16571
# BasePort, and the end of the range that rtbci configures.
FIRST_PORT, LAST_PORT = 16572, 16699
# Multicast groups of LSL: site-local and link-local.
GROUPS = ("239.255.172.215", "224.0.0.183")
# File that shows whether a firewall is on -> (name, text in the file that means on, rule to add).
FIREWALLS = {
    Path("/etc/ufw/ufw.conf"): (
        "ufw",
        "ENABLED=yes",
        f"sudo ufw allow {DISCOVERY_PORT}/udp; sudo ufw allow {FIRST_PORT}:{LAST_PORT}/tcp; "
        f"sudo ufw allow {FIRST_PORT}:{LAST_PORT}/udp",
    ),
    Path("/run/firewalld/dbus.pid"): (
        "firewalld",
        "",
        f"sudo firewall-cmd --add-port={DISCOVERY_PORT}/udp "
        f"--add-port={FIRST_PORT}-{LAST_PORT}/tcp --add-port={FIRST_PORT}-{LAST_PORT}/udp",
    ),
}
OPEN = (
    f"in the firewall, allow UDP {DISCOVERY_PORT} and TCP and UDP {FIRST_PORT} to {LAST_PORT} "
    "within the lab"
)


def library(_: SessionPlace) -> list[Check]:
    """Check that liblsl loads; reports its version and whether it can encrypt."""
    name = "LSL library"
    wanted = os.environ.get("PYLSL_LIB")
    try:
        answer = ask("rtbci.lsl.probe", "library", timeout=4)
    except TooSlow:
        raise
    except NoAnswer as error:
        return [Check(name, "fail", str(error), "nothing live works without it")]
    found = f"liblsl {answer['version']} with pylsl {answer['pylsl']}"
    checks = [Check(name, "ok", found)]
    if wanted and not os.path.isfile(wanted):
        checks = [
            Check(
                name,
                "warn",
                f"PYLSL_LIB names {wanted}, which is no file; {found} was used instead",
                "unset PYLSL_LIB, or correct it",
            )
        ]
    if not answer["encrypts"]:
        checks.append(
            Check(
                "LSL encryption",
                "ok",
                "none, as usual: anyone on the network can read every stream",
                "keep the amplifier's network to yourself (own switch, VLAN or VPN)",
            )
        )
    return checks


def loopback(_: SessionPlace) -> list[Check]:
    """Check discovery, transit, loss and clock service between an outlet and an inlet here."""
    answer = _ask_lsl("loopback", timeout=7)
    if answer["found"] is None:
        return [Check("LSL discovery", "fail", "an outlet of this machine is not found", OPEN)]
    found = _number(answer, "found")
    late = found > SLOW_FOUND_S
    return [
        Check(
            "LSL discovery",
            "warn" if late else "ok",
            f"an outlet of this machine is found in {1000 * found:.0f} ms",
            f"slow: {OPEN}" if late else "",
        ),
        _transit(answer),
        _clock(answer),
    ]


def _transit(answer: Answer) -> Check:
    name, lost = "LSL loopback", _number(answer, "lost")
    sent = _number(answer, "pings") + _number(answer, "burst")
    if lost or answer["median"] is None:
        return Check(
            name, "fail", f"{lost:.0f} of {sent:.0f} samples lost",
            "close programs that keep the machine busy, restart, and run this again",
        )  # fmt: skip
    median, p99 = _number(answer, "median"), _number(answer, "p99")
    slow = median > SLOW_MEDIAN_S or p99 > SLOW_P99_S
    return Check(
        name,
        "warn" if slow else "ok",
        f"{sent:.0f} samples, none lost, outlet to inlet {1000 * median:.2f} ms "
        f"(99th percentile {1000 * p99:.2f} ms)",
        "slow: close programs that keep the machine busy" if slow else "",
    )


def _clock(answer: Answer) -> Check:
    name, after = "LSL clock", _number(answer, "clock_after")
    if answer["offset"] is None:
        return Check(
            name, "fail", f"the clock service did not answer within {after:.1f} s",
            f"streams of other machines could not be aligned: {OPEN}",
        )  # fmt: skip
    offset = _number(answer, "offset")
    large = abs(offset) > LARGE_OFFSET_S
    return Check(
        name,
        "warn" if large else "ok",
        f"answers in {after:.2f} s, {1e6 * abs(offset):.0f} us apart on one machine",
        "too far apart: close programs that keep the machine busy" if large else "",
    )


def outlets(_: SessionPlace) -> list[Check]:
    """Check that all of many outlets of one computer are found."""
    answer = _ask_lsl("ports", str(OUTLETS), timeout=9)
    seen, made = _number(answer, "seen"), _number(answer, "made")
    found = f"{seen:.0f} of {OUTLETS} outlets of this machine are seen"
    if made < OUTLETS:
        few = f"only {made:.0f} of {OUTLETS} could be made ({answer['failed']})"
        step = f"free TCP ports {FIRST_PORT} to {LAST_PORT}: close other LSL programs"
        return [Check("LSL outlets", "warn", few, step)]
    if seen < made:
        step = f"set PortRange = 128 in lsl_api.cfg, and {OPEN}"
        return [Check("LSL outlets", "warn", found, step)]
    return [Check("LSL outlets", "ok", found)]


def lab(place: SessionPlace) -> list[Check]:
    """Check the streams that a session would find now: duplicates, missing ids, other hosts."""
    answer = _ask_lsl("lab", place.session or "", place.scope or "", timeout=8)
    streams, hosts = _names(answer, "streams"), _names(answer, "hosts")
    where = f"LSL session {answer['session']!r}"
    if not streams:
        found = f"no stream in {where}"
        return [Check("lab streams", "ok", found, "start the amplifier's app, then rtbci streams")]
    found = f"{len(streams)} in {where}: {', '.join(dict.fromkeys(streams))}"
    wrong: list[str] = []
    twins = answer["twins"]
    assert isinstance(twins, dict)
    wrong += [f"source_id {source!r} twice ({', '.join(who)})" for source, who in twins.items()]
    wrong += [f"{name!r} has no source_id" for name in _names(answer, "nameless")]
    wrong += _names(answer, "refused")
    checks = [Check("lab streams", "ok", found, "rtbci streams measures them")]
    if wrong:
        step = "LSL cannot find these again after a break; change or stop their senders"
        checks = [Check("lab streams", "warn", f"{found}; {'; '.join(wrong)}", step)]
    if hosts:
        open_to_all = f"streams cross the network unencrypted: {', '.join(hosts)}"
        step = "make sure that only the lab can reach this network"
        checks.append(Check("LSL privacy", "warn", open_to_all, step))
    return checks


def network(place: SessionPlace) -> list[Check]:
    """Check ports, multicast and firewall, which may hide streams of other computers."""
    wrong: list[tuple[str, str]] = []
    if problem := _discovery_port():
        wrong.append(problem)
    taken = [port for port in range(FIRST_PORT, LAST_PORT + 1, 2) if not _can_listen(port)]
    if len(taken) > (LAST_PORT - FIRST_PORT) // 4:
        wrong.append((f"{len(taken)} of LSL's TCP ports are taken", "close other LSL programs"))
    deaf = [group for group in GROUPS if not _hears_itself(group)]
    if len(deaf) == len(GROUPS) and has_network():
        wrong.append(("multicast does not work here",
                      "name the amplifier's computer in lsl_api.cfg: KnownPeers = {its address}; "
                      + OPEN))  # fmt: skip
    on, rules = firewall()
    if on and place.scope != "machine":
        wrong.append((f"{on} is on", f"if streams of other machines are missing: {rules}"))
    if wrong:
        found = "; ".join(text for text, _ in wrong)
        return [Check("network", "warn", found, "; ".join(step for _, step in wrong))]
    if not has_network():
        return [Check("network", "ok", "none: only streams of this machine are seen",
                      "plug in the amplifier's network if it has one")]  # fmt: skip
    return [Check("network", "ok",
                  f"UDP {DISCOVERY_PORT}, TCP {FIRST_PORT} to {LAST_PORT} and multicast work here; "
                  "a firewall elsewhere cannot be seen from here")]  # fmt: skip


def _discovery_port() -> tuple[str, str] | None:
    """Why the discovery port cannot be shared and what to do, or None if it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind(("", DISCOVERY_PORT))
        except OSError as error:
            why = error.strerror or str(error)
            return (f"UDP port {DISCOVERY_PORT} cannot be opened ({why})",
                    "find the program that uses it: sudo ss -lunp | grep 16571")  # fmt: skip
    return None


def _can_listen(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
        try:
            tcp.bind(("", port))
            tcp.listen(1)
        except OSError:
            return False
    return True


def _hears_itself(group: str, timeout: float = 0.4) -> bool:
    """Whether a packet sent to the multicast ``group`` is received on this computer."""
    word = b"rtbci doctor " + os.urandom(8)
    with contextlib.ExitStack() as sockets:
        ear = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        mouth = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            ear.bind(("", DISCOVERY_PORT))
            member = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")  # any interface
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            ear.settimeout(timeout)
            mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            mouth.sendto(word, (group, DISCOVERY_PORT))
            for _ in range(50):  # queries of other programs arrive at the same port
                if ear.recv(2048) == word:
                    return True
        except OSError:
            return False
    return False


def has_network() -> bool:
    """Whether a network interface other than loopback is up."""
    import psutil

    states = psutil.net_if_stats()
    return any(
        state.isup and any(address.family == socket.AF_INET for address in addresses)
        for name, addresses in psutil.net_if_addrs().items()
        if (state := states.get(name)) is not None and not name.startswith("lo")
    )


def firewall() -> tuple[str, str]:
    """Name of an active firewall without a visible rule for LSL, and the rules to add.

    Both are "" if there is none.
    """
    for path, (name, word, rules) in FIREWALLS.items():
        try:
            on = path.is_file() and word in path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            on = path.exists() and not word
        if not on:
            continue
        with contextlib.suppress(OSError):
            known = path.with_name("user.rules").read_text(encoding="utf-8", errors="replace")
            if str(DISCOVERY_PORT) in known:
                continue
        return name, rules
    return "", ""


def _ask_lsl(function: str, *args: str, timeout: float) -> Answer:
    try:
        return ask("rtbci.lsl.probe", function, *args, timeout=timeout)
    except NotThere:
        raise NotThere("the LSL library does not load") from None


def _number(answer: Answer, key: str) -> float:
    value = answer[key]
    assert isinstance(value, int | float), (key, value)
    return float(value)


def _names(answer: Answer, key: str) -> list[str]:
    value = answer[key]
    assert isinstance(value, list), (key, value)
    return [str(each) for each in value]


TASKS: Sequence[Task] = (
    Task("LSL library", library, timeout=5, alone=True),
    Task("LSL loopback", loopback, timeout=8, alone=True),
    Task("LSL outlets", outlets),
    Task("lab streams", lab),
    Task("network", network),
)

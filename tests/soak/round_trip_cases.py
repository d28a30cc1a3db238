"""Random recordings, from a seed: descriptions, values, stamps and markers as a lab could send
them, and as nobody should.

``draw(seed)`` gives a ``Case``. Every stream states in which ways it is odd, so that a reader's
refusal can be judged.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rtbci.recorder import xdf_pack

INTEGERS = ("int8", "int16", "int32", "int64")
FORMATS = ("float32", "double64", *INTEGERS, "string")
ALPHABETS: dict[str, Sequence[str]] = {
    "plain": "abcdefgh XYZ 0123456789-_.",
    "markup": "<&>\"'];[]!{}%\\/$ab",
    "Latin-1": "äöüßéèñçÿ°µ¿",
    "wide": "研究脳波データ漢字",
    "astral": "🧠⚡𝔼𝔼𝔾👩‍🔬",
    "right to left": "שלום مرحبا ",
    "control": "a\x01\x02\x1b\x7f\x0bb\x85\u2028",
    "lines": "a\r\n\tb ",
    "zero": "a\x00b",
    "surrogate": "a\ud800\udcffb",
    "foreign": ("a", "ĸĸĸĸ", "b"),
}
ORDINARY = ("plain", "markup", "Latin-1", "wide", "astral", "right to left", "lines")
DEEP = (51, 60, 400)  # levels of XML, beyond what readers allow
LONG_REMARK = 1_500_000  # fewer characters than are refused, more bytes than are read
FAR = (1e9, 1.7e12, 1.7e18, 1e100, 1e300)  # s: wall clock, ms, ns, and nonsense


@dataclass(frozen=True)
class Stream:
    """One stream of a case, with all its samples."""

    name: str
    kind: str  # content type
    format: str
    rate: float
    labels: tuple[str, ...]
    unit: str
    depth: int  # levels of XML under <desc>, beside the channels
    stamps: np.ndarray  # (n,) s
    values: np.ndarray  # (n, channels)
    cuts: tuple[int, ...]  # rows at which chunks end
    offsets: tuple[tuple[float, float], ...]  # readings of the clock: when, offset, s
    remark: int = 0  # characters of three bytes each in a remark of its description
    odd: tuple[str, ...] = ()  # in which ways the stream is not ordinary

    @property
    def is_signal(self) -> bool:
        """Whether ``rtbci info`` can be asked for it."""
        return self.format != "string" and self.rate > 0 and self.kind != "Markers"


@dataclass(frozen=True)
class Case:
    """What lies in one file."""

    seed: int
    streams: tuple[Stream, ...]
    own: bool  # written by ``XdfWriter`` from our own description, not from LSL's

    @property
    def odd(self) -> tuple[str, ...]:
        """In which ways it is not ordinary, over all streams."""
        many = ("many streams",) if len(self.streams) > 256 else ()
        return tuple(sorted({word for each in self.streams for word in each.odd})) + many


def draw(seed: int, ordinary: bool = False) -> Case:
    """The case of a seed; an ``ordinary`` one has nothing that a reader may refuse."""
    dice = random.Random(seed)
    own = dice.random() < 0.5
    many = not ordinary and dice.random() < 0.005
    count = dice.choice((257, 300)) if many else dice.choice((1, 1, 2, 3, 5))
    streams = [_stream(dice, number, own, ordinary, many) for number in range(1, count + 1)]
    return Case(seed, tuple(streams), own)


def _stream(dice: random.Random, number: int, own: bool, ordinary: bool, small: bool) -> Stream:
    odd = list[str]()
    format = "float32" if small else dice.choice(FORMATS)
    channels = 1 if small or format == "string" else dice.choice((1, 2, 3, 8, 8, 64))
    if format == "string" and dice.random() < 0.1:
        channels = 3
    rate = 0.0 if format == "string" else dice.choice((0.0, 1.0, 100.0, 250.0, 512.3, 1000.0, 5e4))
    kind = "Markers" if format == "string" else dice.choice(("EEG", "EEG", "Gaze", "", "Markers"))
    n = 3 if small else dice.choice((0, 1, 2, 10, 100, 300))
    stamps = _stamps(dice, rate, n, ordinary, odd)
    alphabet = _alphabet(dice, own, ordinary, odd, "name")
    name = _text(dice, alphabet, 20) + f" {number}"
    letters = _alphabet(dice, own, ordinary, odd, "label")
    labels = tuple(_text(dice, letters, 12) + f"{i}" for i in range(channels))
    depth = 0
    if not ordinary and not own and not small and dice.random() < 0.02:
        depth = dice.choice(DEEP)
        odd.append("deep XML")
    remark = 0
    if not ordinary and not own and not small and dice.random() < 0.002:
        remark = LONG_REMARK
        odd.append("long description")
    edges = sorted(dice.sample(range(1, n), min(dice.randrange(4), n - 1))) if n > 1 else []
    return Stream(
        name=name, kind=kind, format=format, rate=rate, labels=labels,
        unit=dice.choice(("microvolts", "microvolts", "uV", "volts", "")), depth=depth,
        stamps=stamps, values=_values(dice, format, (n, channels), ordinary, odd),
        cuts=(*edges, n) if n else (), offsets=_offsets(dice, stamps, ordinary, odd),
        remark=remark, odd=tuple(odd),
    )  # fmt: skip


def _alphabet(
    dice: random.Random, own: bool, ordinary: bool, odd: list[str], where: str
) -> Sequence[str]:
    """The letters of a name; liblsl cannot send lone surrogates, and ends a name at a zero."""
    if ordinary or dice.random() < 0.97:
        return ALPHABETS[dice.choice(ORDINARY)]
    kind = dice.choice(("control", "zero", "surrogate") if own else ("control",))
    odd.append(f"{kind} character in a {where}")
    return ALPHABETS[kind]


def _text(dice: random.Random, alphabet: Sequence[str], longest: int) -> str:
    return "".join(dice.choice(alphabet) for _ in range(dice.randrange(longest)))


def _stamps(dice: random.Random, rate: float, n: int, ordinary: bool, odd: list[str]) -> np.ndarray:
    noise = np.random.default_rng(dice.randrange(2**32))
    t0 = dice.choice((0.5, 1000.0, 123456.789))
    if rate:
        stamps = t0 + np.arange(n) / rate
        if dice.random() < 0.5:
            stamps = stamps + noise.normal(0, 0.05 / rate, n)
    else:
        stamps = t0 + np.cumsum(noise.exponential(0.5, n))
    how = "" if ordinary else dice.choices(("", *WRONG_STAMPS), (40, *(1,) * len(WRONG_STAMPS)))[0]
    if how:
        odd.append(how)
        stamps = WRONG_STAMPS[how](stamps, dice)
    return stamps


def _far(stamps: np.ndarray, dice: random.Random) -> np.ndarray:
    return stamps + dice.choice(FAR) * dice.choice((1, -1))


def _one_far(stamps: np.ndarray, dice: random.Random) -> np.ndarray:
    stamps = stamps.copy()
    if len(stamps):
        stamps[dice.randrange(len(stamps))] = dice.choice(FAR) * dice.choice((1, -1))
    return stamps


def _one(value: float) -> Callable[[np.ndarray, random.Random], np.ndarray]:
    def change(stamps: np.ndarray, dice: random.Random) -> np.ndarray:
        stamps = stamps.copy()
        if len(stamps):
            stamps[dice.randrange(len(stamps))] = value
        return stamps

    return change


def _jump(stamps: np.ndarray, dice: random.Random) -> np.ndarray:
    half = len(stamps) // 2
    return stamps + np.where(np.arange(len(stamps)) < half, 0.0, dice.choice((-5.0, 3600.0, 1e6)))


WRONG_STAMPS: dict[str, Callable[[np.ndarray, random.Random], np.ndarray]] = {
    "stamps far away": _far,
    "one stamp far away": _one_far,
    "no stamps (all zero)": lambda stamps, _: np.zeros(len(stamps)),
    "stamps that stand still": lambda stamps, _: np.full(len(stamps), 1234.5),
    "one stamp NaN": _one(np.nan),
    "all stamps NaN": lambda stamps, _: np.full(len(stamps), np.nan),
    "one stamp infinite": _one(np.inf),
    "stamps that run backwards": lambda stamps, _: stamps[::-1].copy(),
    "a clock that jumps": _jump,
}


def _values(
    dice: random.Random, format: str, shape: tuple[int, int], ordinary: bool, odd: list[str]
) -> np.ndarray:
    noise = np.random.default_rng(dice.randrange(2**32))
    if format == "string":
        return _texts(dice, shape, ordinary, odd)
    if format in INTEGERS:
        limits = np.iinfo(xdf_pack.FORMATS[format] or "")
        return noise.integers(limits.min, limits.max, shape, limits.dtype, endpoint=True)
    values = noise.normal(0, 20, shape).astype(xdf_pack.FORMATS[format])
    if values.size and not ordinary and dice.random() < 0.1:
        odd.append("values NaN or infinite")
        flat = values.reshape(-1)
        for _ in range(dice.randrange(1, 5)):
            flat[dice.randrange(len(flat))] = dice.choice((np.nan, np.inf, -np.inf, 3e38))
        if dice.random() < 0.2:
            flat[:] = np.nan
    return values


def _texts(
    dice: random.Random, shape: tuple[int, int], ordinary: bool, odd: list[str]
) -> np.ndarray:
    kinds = list(ORDINARY)
    if not ordinary and dice.random() < 0.1:
        kinds = [dice.choice(("control", "zero", "surrogate", "foreign"))]
        odd.append(f"{kinds[0]} character in a marker")
    texts = np.empty(shape, object)
    for at in np.ndindex(shape):
        longest = 3000 if dice.random() < 0.02 else 30
        texts[at] = _text(dice, ALPHABETS[dice.choice(kinds)], longest)
    return texts


def _offsets(
    dice: random.Random, stamps: np.ndarray, ordinary: bool, odd: list[str]
) -> tuple[tuple[float, float], ...]:
    if not len(stamps) or dice.random() < 0.7:
        return ()
    first = float(stamps[0])
    offset = dice.choice((0.0, 1e-4, -3.2, 3e5))
    readings = [(first + 5.0 * i, offset + dice.gauss(0, 1e-5)) for i in range(dice.randrange(4))]
    if readings and not ordinary and dice.random() < 0.03:
        odd.append("a clock offset that is no number")
        readings[-1] = (readings[-1][0], dice.choice((np.nan, np.inf, 1e300)))
    return tuple(readings)

"""Headers of EDF, BDF and GDF: do the sizes that they declare fit the file?

EDF+D and BDF+D records may lie apart in time; their onsets are read here, since MNE joins them.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtbci.errors import BadInput
from rtbci.foreign_text import clean
from rtbci.formats.draft import check_sizes
from rtbci.formats.source import regular

MAX_UPSAMPLED = 2**31  # float64 values; MNE brings all channels to the highest rate
_TAL = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14([^\x00]*)\x00")


@dataclass(frozen=True)
class EdfHeader:
    """Fields of the main header and the signal headers."""

    path: Path
    size: int  # bytes of the headers
    sample_bytes: int  # 2 in EDF, 3 in BDF
    records: int
    record_s: float
    samples: tuple[int, ...]  # one a signal, in each record
    labels: tuple[str, ...]
    discontinuous: bool

    @property
    def record_bytes(self) -> int:
        """Bytes of one data record."""
        return sum(self.samples) * self.sample_bytes

    def tals(self) -> Iterator[tuple[int, float, tuple[str, ...]]]:
        """``(record, onset in s, texts)`` of every annotation; the record's own has no text."""
        first = [sum(self.samples[:i]) * self.sample_bytes for i in range(len(self.samples))]
        with open(self.path, "rb") as file:
            for record in range(self.records):
                file.seek(self.size + record * self.record_bytes)
                data = file.read(self.record_bytes)
                for i, label in enumerate(self.labels):
                    if label not in ("EDF Annotations", "BDF Annotations"):
                        continue
                    part = data[first[i] : first[i] + self.samples[i] * self.sample_bytes]
                    for onset, _, texts in _TAL.findall(part):
                        words = [clean(t.decode("utf-8", "replace")) for t in texts.split(b"\x14")]
                        yield record, float(onset), tuple(word for word in words if word)


def edf_header(path: Path) -> EdfHeader:
    """The header of an EDF or BDF file; raises ``BadInput`` where it does not fit the file."""
    size = regular(path)
    with open(path, "rb") as file:
        head = file.read(256)
        bdf = head[:8] == b"\xffBIOSEMI"
        if len(head) < 256 or not (bdf or head[:8].strip() == b"0"):
            raise BadInput(f"{path} does not start with an EDF or BDF header; copy it again")
        try:
            header_bytes, records, n = int(head[184:192]), int(head[236:244]), int(head[252:256])
            record_s = float(head[244:252])
        except ValueError:
            raise _damaged(path, size, "its header holds no numbers where sizes belong") from None
        check_sizes(n, 1.0, path)
        if header_bytes != 256 * (n + 1):
            raise _damaged(
                path,
                size,
                f"its header declares {header_bytes} bytes; {n} signals need {256 * (n + 1)}",
            )
        signals = file.read(256 * n)
    try:
        samples = tuple(int(signals[216 * n + 8 * i : 216 * n + 8 * i + 8]) for i in range(n))
    except ValueError:
        raise _damaged(path, size, "its signal headers hold no sample counts") from None
    labels = tuple(signals[16 * i : 16 * i + 16].decode("latin-1").strip() for i in range(n))
    if min(samples) < 1 or not 0 < record_s < 1e6:
        raise _damaged(
            path, size, f"it declares records of {record_s:g} s with {min(samples)} samples"
        )
    width = 3 if bdf else 2
    record_bytes = sum(samples) * width
    body = size - header_bytes
    if records == -1:  # a recorder that was not closed
        records = body // record_bytes
    elif records * record_bytes != body:
        raise _damaged(
            path, size,
            f"its header declares {records} records of {record_bytes} bytes = "
            f"{records * record_bytes} bytes of signal but {body} are there",
        )  # fmt: skip
    if records < 1:
        raise _damaged(path, size, "it holds no whole data record")
    signal = [k for k, label in zip(samples, labels, strict=True) if "Annotations" not in label]
    if not signal:
        raise BadInput(f"{path} holds annotations only, no signal; give the file with the EEG")
    check_sizes(len(signal), max(signal) / record_s, path)
    if max(signal) * records * len(signal) > max(MAX_UPSAMPLED, 16 * size):
        raise BadInput(f"{path} mixes rates so far apart that it does not fit into memory")
    apart = head[192:197] in (b"EDF+D", b"BDF+D")
    return EdfHeader(path, header_bytes, width, records, record_s, samples, labels, apart)


def _damaged(path: Path, size: int, what: str) -> BadInput:
    """The error for ``what``, naming text-mode transfer where its traces are plain."""
    if text_mode(path):
        return BadInput(
            f"{path}: {what}; every line feed follows a carriage return, so it was copied or "
            "committed in text mode: get the file again as binary"
        )
    return BadInput(f"{path}: {what}; it was cut or damaged, get the file again ({size} bytes now)")


def text_mode(path: Path) -> bool:
    """Whether every LF in a binary file follows a CR, as text-mode transfer leaves it."""
    pairs = feeds = 0
    last = b""
    with open(path, "rb") as file:
        while block := file.read(2**20):
            feeds += block.count(b"\n")
            pairs += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
            last = block[-1:]
    return feeds >= 20 and pairs == feeds


def check_gdf(path: Path) -> None:
    """Raises ``BadInput`` where the sizes that a GDF header declares do not fit the file."""
    size = regular(path)
    with open(path, "rb") as file:
        head = file.read(256)
        if len(head) < 256 or head[:3] != b"GDF":
            raise BadInput(f"{path} does not start with a GDF header; copy it again")
        version = head[4:8].decode("latin-1").strip()
        (records,) = struct.unpack_from("<q", head, 236)
        if version < "1.9":
            (header_bytes,) = struct.unpack_from("<q", head, 184)
            (n,) = struct.unpack_from("<I", head, 252)
        else:
            header_bytes = struct.unpack_from("<H", head, 184)[0] * 256
            (n,) = struct.unpack_from("<H", head, 252)
        check_sizes(n, 1.0, path)
        signals = file.read(256 * n)
    if header_bytes < 256 * (n + 1) or header_bytes > size or len(signals) < 256 * n:
        raise _damaged(path, size, f"its header of {header_bytes} bytes does not fit {n} signals")
    samples = struct.unpack_from(f"<{n}I", signals, 216 * n)
    types = struct.unpack_from(f"<{n}I", signals, 220 * n)
    widths = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 8, 8: 8, 16: 4, 17: 8, 279: 3, 535: 3}
    if any(kind not in widths for kind in types):
        raise _damaged(path, size, "it declares an unknown data type")
    record_bytes = sum(k * widths[kind] for k, kind in zip(samples, types, strict=True))
    if records < 1 or records * record_bytes > size - header_bytes:
        raise _damaged(
            path,
            size,
            f"it declares {records} records of {record_bytes} bytes, more than there are",
        )
    if max(samples) * records * n > max(MAX_UPSAMPLED, 16 * size):
        raise BadInput(f"{path} mixes rates so far apart that it does not fit into memory")

"""``verify`` and ``recover``: every whole chunk is counted and kept, everything else is said."""

import hashlib
import io
import json
import random
import struct
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from rtbci import cli
from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.xdf_salvage import salvage
from rtbci.recorder import xdf_pack
from rtbci.recorder.verify import holes, look, recover
from rtbci.recorder.xdf_writer import XdfWriter
from rtbci.types import StreamInfo

pytestmark = pytest.mark.usefixtures("quiet_pyxdf")
EEG = StreamInfo("cap", 250.0, ("Cz", "Pz"), ("EEG", "EEG"))
EVENTS = StreamInfo("events", 0.0, ("marker",), ("MARKER",), unit="")


def write(
    path: Path, seconds: int = 20, *, t0: float = 100.0, skip: tuple[int, int] = (0, 0),
    footers: bool = True,
) -> Path:  # fmt: skip
    """Two streams in chunks of 40 ms; ``skip`` (first, count) samples never come."""
    writer = XdfWriter(path, about={"session": "x"})
    eeg = writer.add_stream(EEG, about={"source_id": "amp"})
    events = writer.add_stream(EVENTS, kind="Markers", format="string")
    for n in range(0, seconds * 250, 10):
        if skip[0] <= n < sum(skip):
            continue
        stamps = t0 + np.arange(n, n + 10) / 250
        writer.samples(eeg, stamps, np.arange(n, n + 10)[:, None] + [0.0, 0.5])
        if n % 250 == 0:
            writer.samples(events, stamps[:1], [f"go {n} é研"])
            writer.clock_offset(eeg, stamps[0], 0.001)
        if n % 2500 == 0:
            writer.boundary()
    writer.close(footers=footers)
    return path


def run(*words: object) -> tuple[int, dict]:
    """Exit code and JSON object of a command."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        code = cli.main([*map(str, words), "--json"])
    return code, json.loads(out.getvalue() or "{}")


def test_a_whole_file_is_counted_and_fine(tmp_path):
    code, said = run("verify", write(tmp_path / "a.xdf"))
    assert code == 0
    assert said["fine"]
    part = said["recordings"][0]["parts"][0]
    assert part["footers"]
    assert part["torn_bytes"] == 0
    assert part["boundaries"] == 2
    assert part["about"]["session"] == "x"
    eeg, events = part["streams"]
    assert (eeg["samples"], eeg["footer_samples"], eeg["clock_offsets"]) == (5000, 5000, 20)
    assert (eeg["first"], eeg["last"]) == (100.0, pytest.approx(119.996))
    assert eeg["effective_rate"] == pytest.approx(250)
    assert eeg["gaps"] == []
    assert (events["samples"], events["rate"], events["effective_rate"]) == (20, 0.0, None)


def test_people_get_a_table(tmp_path, capsys):
    path = write(tmp_path / "a.xdf", skip=(2500, 250))
    assert cli.main(["verify", str(path)]) == 0
    out = capsys.readouterr().out
    assert "cap" in out
    assert "250 samples missing before 111.000 s" in out
    assert "ended properly" in out


def test_a_gap_is_information_and_no_fault(tmp_path):
    code, said = run("verify", write(tmp_path / "a.xdf", skip=(2500, 250)))
    eeg = said["recordings"][0]["parts"][0]["streams"][0]
    assert code == 0
    assert eeg["missing"] == 250
    assert eeg["gaps"] == [{"stamp": 111.0, "missing": 250}]


def test_a_file_without_footers_was_not_ended_but_is_fine(tmp_path):
    code, said = run("verify", write(tmp_path / "a.xdf", footers=False))
    assert code == 0
    assert not said["recordings"][0]["parts"][0]["footers"]


def test_a_torn_tail_is_told_and_trimmed_and_the_original_stays(tmp_path, capsys):
    whole = write(tmp_path / "whole.xdf", footers=False).read_bytes()
    path = tmp_path / "a.xdf"
    path.write_bytes(whole[:-50])
    code, said = run("verify", path)
    assert code == 1
    assert not said["fine"]
    torn = said["recordings"][0]["parts"][0]["torn_bytes"]
    assert cli.main(["recover", str(path)]) == 0
    sentence = capsys.readouterr().out
    assert f"{torn} of {len(whole) - 50} bytes were cut, which held 10 samples" in sentence
    assert path.read_bytes() == whole[:-50]
    code, said = run("verify", tmp_path / "a_recovered.xdf")
    assert code == 0
    part = said["recordings"][0]["parts"][0]
    assert part["footers"]
    assert part["streams"][0]["samples"] == 4990
    assert len(read(tmp_path / "a_recovered.xdf").signal) == 4990


def test_a_copy_is_never_written_over_anything(tmp_path, capsys):
    path = write(tmp_path / "a.xdf", footers=False)
    (tmp_path / "a_recovered.xdf").write_text("precious")
    assert cli.main(["recover", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "a_recovered.xdf").read_text() == "precious"
    with pytest.raises(BadInput, match="exists already"):
        recover(path, path)


def test_there_is_nothing_to_recover_from_a_whole_file(tmp_path, capsys):
    assert cli.main(["recover", str(write(tmp_path / "a.xdf"))]) == 0
    assert "is whole" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["a.xdf"]


def test_a_folder_with_a_copy_beside_the_torn_file_is_still_one_recording(tmp_path):
    path = write(tmp_path / "a.xdf", footers=False)
    recover(path)
    assert len(read(tmp_path).signal) == 5000


def test_behind_damage_everything_from_the_next_boundary_on_is_kept(tmp_path):
    path = write(tmp_path / "a.xdf")
    data = bytearray(path.read_bytes())
    found = salvage(path)
    struck = found.of(xdf_pack.SAMPLES, 1)[20]
    data[struck.start] = 77
    path.write_bytes(data)
    code, said = run("verify", path)
    part = said["recordings"][0]["parts"][0]
    assert code == 1
    assert part["torn_bytes"] == 0
    assert [d["start"] for d in part["damaged"]] == [struck.start]
    assert part["streams"][0]["samples"] == 200 + 2500 - 10  # up to it, and from 10 s on
    target, _ = recover(path)
    assert target is not None
    stream = pyxdf.load_xdf(str(target), dejitter_timestamps=False)[0][0]
    assert stream["time_series"][:, 0].tolist() == [*range(200), *range(2510, 5000)]


def test_zeros_behind_a_power_cut_are_no_samples(tmp_path):
    path = write(tmp_path / "a.xdf", footers=False)
    data = path.read_bytes()
    for cut in (len(data) - 60, salvage(path).spans[-1].start):
        path.write_bytes(data[:cut] + bytes(4096))
        assert look(path).streams[0].samples in (4990, 5000)
        assert look(path).torn


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"PK\3\4" * 99, "does not start with"), (b"XDF:", "no whole stream")],
)
def test_what_is_no_recording_is_refused_in_a_sentence(tmp_path, capsys, content, said):
    (tmp_path / "a.xdf").write_bytes(content)
    assert cli.main(["verify", str(tmp_path / "a.xdf")]) == 2
    assert said in capsys.readouterr().err
    assert cli.main(["recover", str(tmp_path / "a.xdf")]) == 2


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path)]) == 2
    assert "holds no XDF file" in capsys.readouterr().err
    assert cli.main(["verify", str(tmp_path / "nothing.xdf")]) == 2


def test_parts_are_told_together_with_the_hole_between_them(tmp_path):
    first = write(tmp_path / "a.xdf", 4, footers=False)
    write(tmp_path / "a_part-02.xdf", 4, t0=106.0)
    for place in (first, tmp_path):
        code, said = run("verify", place)
        assert code == 0
        (group,) = said["recordings"]
        assert [Path(part["path"]).name for part in group["parts"]] == ["a.xdf", "a_part-02.xdf"]
        hole = group["holes"][0]
        assert (hole["stream"], hole["missing"]) == ("cap", 500)
        assert hole["seconds"] == pytest.approx(2.004)
    assert holes([look(first)]) == []


def test_a_folder_shows_what_can_be_read_beside_what_cannot(tmp_path):
    write(tmp_path / "a.xdf", 2)
    (tmp_path / "b.xdf").write_bytes(b"no")
    code, said = run("verify", tmp_path)
    assert code == 2
    assert len(said["unreadable"]) == 1
    assert said["recordings"][0]["parts"][0]["streams"][0]["samples"] == 500


def test_a_changed_line_in_the_log_of_a_session_is_found(tmp_path):
    write(tmp_path / "a.xdf", 2)
    lines, previous = list[bytes](), "0" * 64
    for number in range(4):
        lines.append(json.dumps({"n": number, "previous": previous}).encode())
        previous = hashlib.sha256(lines[-1]).hexdigest()
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n".join(lines) + b"\n")
    code, said = run("verify", tmp_path)
    assert (code, said["events"]) == (0, {"lines": 4, "broken": []})
    lines[1] = lines[1].replace(b'"n": 1', b'"n": 9')
    log.write_bytes(b"\n".join(lines) + b"\n")
    code, said = run("verify", tmp_path)
    assert code == 1
    assert said["events"]["broken"] == ["line 3 does not follow the line before it"]


def test_a_footer_that_lies_is_found(tmp_path):
    path = write(tmp_path / "a.xdf", 2)
    text = path.read_bytes()
    path.write_bytes(text.replace(b"<sample_count>500<", b"<sample_count>499<"))
    code, said = run("verify", path)
    assert code == 1
    assert (
        "holds 500 samples, its footer says 499" in said["recordings"][0]["parts"][0]["problems"][0]
    )


def test_cut_anywhere_the_copy_opens_in_pyxdf_with_every_whole_chunk(tmp_path):
    path = write(tmp_path / "whole.xdf", 4)
    data, found = path.read_bytes(), salvage(path)
    start = found.of(xdf_pack.STREAM_HEADER)[-1].stop
    dice = random.Random(7)
    for number in range(60):
        size = dice.randrange(start, len(data))
        cut = tmp_path / f"{number}.xdf"
        cut.write_bytes(data[:size])
        chunks = [s for s in found.of(xdf_pack.SAMPLES, 1) if s.stop <= size]
        target, _ = recover(cut, tmp_path / f"{number}_copy.xdf")
        streams = pyxdf.load_xdf(str(target), dejitter_timestamps=False)[0]
        assert streams[0]["time_series"][:, 0].tolist() == [*range(10 * len(chunks))]


def test_no_broken_file_makes_a_traceback(tmp_path, capsys):
    path = write(tmp_path / "whole.xdf", 3)
    data, dice, codes = path.read_bytes(), random.Random(11), list[int]()
    broken = tmp_path / "b.xdf"
    for _ in range(150):
        bad = bytearray(data)
        for _ in range(dice.choice((1, 3, 30))):
            at = dice.randrange(len(bad))
            bad[at : at + 4] = struct.pack("<I", dice.getrandbits(32))[: len(bad) - at]
        broken.write_bytes(bad[: dice.randrange(5, len(bad))] if dice.random() < 0.3 else bad)
        codes.append(cli.main(["verify", str(broken), "--json"]))
    assert set(codes) <= {0, 1, 2}
    assert "defect" not in capsys.readouterr().err

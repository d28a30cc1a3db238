"""A session is data: a live one, a replay and a take-over are three specs, and files tell them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from calibration.fitting.training import CalibrationSettings, calibrate
from gui.operator.about import read_about
from rtbci.decoding.bundle import Bundle, load_bundle
from rtbci.errors import BadInput
from rtbci.session.control import SessionEntry
from rtbci.session.folder import SessionFolder, load_config, new_folder
from rtbci.session.kinds import (
    CommandLine,
    DecodingSettings,
    live_spec,
    replay_spec,
    take_over_spec,
)
from rtbci.session.processes import Bus
from rtbci.session.spec import SessionConfig, SessionSpec, read_config
from sims.generate import generate

BUS = Bus("lab-3", "machine")
ASKED = CommandLine("live", {"rename": Path("names.csv"), "markers": ("shown",), "duration": None})
OLD = {  # as sessions were written before they were specs
    "format": "rtbci session", "version": 1, "command": "live", "subject": "sub-02",
    "options": {"stream": "Amp", "markers": ["shown"], "unit": "uV", "no_record": True},
    "bundle_sha256": {}, "lsl_session": None, "lsl_scope": "link", "versions": {"rtbci": "0.1"},
    "kind": "live", "bundle": "/b", "decoding": ["--stream=Amp"], "record": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    """A saved bundle of a simulated person."""
    recording = generate(1, n_trials=60, channels=4, soa=0.6)
    settings = CalibrationSettings("sub-07", {"1": "house", "2": "face"})
    made = calibrate([recording], settings, lambda *_: None, permute=False).bundle
    return load_bundle(made.save(tmp_path_factory.mktemp("bundles")))


def written(spec: SessionSpec) -> dict[str, Any]:
    """The ``session.json`` of a spec."""
    with SessionFolder(spec.folder) as folder:
        folder.write_config(spec.config.as_json())
    return load_config(spec.folder)


def live(folder: Path, bundle: Bundle, **more: Any) -> SessionSpec:
    """A live session of this bundle."""
    decoding = DecodingSettings("Amp", ("shown",), "uV", every=2.0)
    return live_spec(new_folder(folder, bundle.subject), BUS, bundle, decoding, ASKED, **more)


def test_a_live_session_is_a_recorder_and_a_decoder_until_its_time_is_over(tmp_path, bundle):
    spec = live(tmp_path, bundle, duration=60.0)
    (record,), (part,) = spec.processes, spec.parts
    assert record.command[:3] == ("record", "--out", str(spec.folder / "recording.xdf"))
    assert part.decoder.command[:3] == ("decode", "--bundle", str(bundle.path))
    assert {"--stream=Amp", "--unit=uV", "--every=2.0", "--markers=shown"} <= {
        *part.decoder.command
    }
    assert (part.player, spec.end.seconds, spec.end.played) == (None, 60.0, False)
    assert live(tmp_path, bundle, record=False).processes == ()


def test_a_replay_plays_each_recording_to_a_decoder_of_its_own(tmp_path, bundle):
    files = (Path("/runs/a.xdf"), Path("/runs/b.xdf"))
    spec = replay_spec(
        new_folder(tmp_path, "sub-07"), BUS, replace(bundle, path=None), files, ("--rate=250",),
        CommandLine("replay", {"files": files}), speed=8.0,
    )  # fmt: skip
    assert [each.name for each in spec.processes] == ["record"]
    players = [part.player for part in spec.parts]
    assert [each and each.command[1:4] for each in players] == [
        (str(file), "--speed", "8") for file in files
    ]
    assert all(each and "--rate=250" in each.command for each in players)
    assert [part.file for part in spec.parts] == ["a.xdf", "b.xdf"]
    assert spec.end.played
    saved = Path(str(spec.config.bundle))  # one that was never saved lies in the session's folder
    assert saved.is_relative_to(spec.folder)
    about = written(spec)
    assert (about["files"], about["speed"], about["record"]) == (["a.xdf", "b.xdf"], 8.0, True)
    assert set(about["bundle_sha256"]) == {"subject.json", "weights.safetensors"}


def test_a_take_over_is_the_same_session_with_an_adopted_recorder(tmp_path, bundle):
    spec = live(tmp_path, bundle)
    written(spec)
    me = psutil.Process()
    entry = SessionEntry(
        id=spec.folder.name, lsl_session="lab-3", pid=me.pid, created=1000.0,
        folder=str(spec.folder), address="", key_file="", recorder_pid=me.pid,
        recorder_created=me.create_time(),
    )  # fmt: skip
    heir = take_over_spec(spec.folder, entry, duration=5.0)
    assert heir.take_over is not None
    assert heir.take_over.recorder is not None
    assert (heir.take_over.recorder.pid, heir.end.seconds) == (me.pid, 5.0)
    same = ("folder", "bus", "processes", "parts")
    assert [getattr(heir, name) for name in same] == [getattr(spec, name) for name in same]
    alone = take_over_spec(spec.folder, None)
    assert alone.take_over is not None
    assert alone.take_over.recorder is None


def test_what_a_replay_played_cannot_be_taken_over(tmp_path):
    (tmp_path / "session.json").write_text('{"kind": "replay"}')
    with pytest.raises(BadInput, match="was a replay"):
        take_over_spec(tmp_path, None)


def test_the_file_keeps_the_keys_of_before_and_the_window_reads_no_option(tmp_path, bundle):
    spec = live(tmp_path, bundle)
    values = written(spec)
    assert values.keys() >= OLD.keys()
    assert values["options"]["rename"] == "names.csv"
    values["options"] = {}
    (spec.folder / "session.json").write_text(json.dumps(values))
    about = read_about(spec.folder)
    assert (about.part, about.stream, about.unit) == ("LIVE Amp", "Amp", "uV")
    assert (about.markers, about.recorded, about.subject) == (("shown",), True, "sub-07")
    assert about.classes == bundle.decoder.classes


def test_a_session_of_before_opens_in_the_window_and_can_be_taken_over(tmp_path):
    (tmp_path / "session.json").write_text(json.dumps(OLD))
    about = read_about(tmp_path)
    assert (about.part, about.recorded, about.markers) == ("LIVE Amp", False, ("shown",))
    heir = take_over_spec(tmp_path, None)
    assert heir.processes == ()
    assert "--stream=Amp" in heir.parts[0].decoder.command
    assert heir.bus == Bus(None, "link")


@pytest.mark.parametrize("wrong", [{"decoding": 3}, {"options": []}, {"kind": None}])
def test_a_damaged_file_is_one_sentence(tmp_path, wrong):
    (tmp_path / "session.json").write_text(json.dumps({**OLD, **wrong}))
    with pytest.raises(BadInput, match=r"session\.json is damaged: (decoding|options|kind)"):
        read_config(tmp_path)


def test_what_is_unknown_keeps_its_default():
    assert SessionConfig().record is None
    assert SessionConfig.model_validate({"from the future": 1}).kind == ""

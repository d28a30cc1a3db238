"""The recording of one run of the picture dataset."""

from dataclasses import replace

from rtbci.errors import BadInput
from rtbci.formats import read
from rtbci.formats.dataset_run import Run
from rtbci.signal.recording import Recording


def recording_of(run: Run) -> Recording:
    """The signal with one marker a trial, and no others; raises ``BadInput``."""
    recording = read(run.array)
    if not run.trials_only:
        return recording
    markers = [marker for marker in recording.markers if marker.label in run.classes]
    if run.images:
        markers = [marker for marker in markers if "image" in marker.fields]
    if [marker.label for marker in markers] != list(run.names):
        raise BadInput(
            f"{run.array} holds {len(markers)} of the {len(run.labels)} trials in its "
            "events.tsv; take events outside the recording out of the table"
        )
    return replace(recording, markers=tuple(markers))

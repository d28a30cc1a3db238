"""What a network is told about the sessions that the trials of a batch come from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtbci.decoding.decoders.scaling import Preparation


@dataclass(frozen=True)
class RecordingContext:
    """One row a session; ``group`` (B,) beside a batch says each trial's row."""

    subjects: tuple[str, ...]
    mask: Tensor  # (sites, C) bool, electrodes that are there and good
    covariance: Tensor | None = None  # (sites, C, C) of prepared windows, for whitening

    def take(self, rows: Tensor) -> "RecordingContext":
        """Only the sites of these rows."""
        return RecordingContext(
            tuple(self.subjects[row] for row in rows.tolist()),
            self.mask[rows],
            None if self.covariance is None else self.covariance[rows],
        )


def sites_of(subjects: Sequence[str], prepared: Sequence[Preparation]) -> RecordingContext:
    """The rows for sessions that were prepared so."""
    return RecordingContext(
        tuple(subjects),
        torch.tensor(np.stack([each.good for each in prepared])),
        torch.tensor(np.stack([each.covariance for each in prepared]), dtype=torch.float32),
    )

"""Per-session context of a batch: subject, good electrodes and covariance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rtbci.decoding.decoders.scaling import Preparation


@dataclass(frozen=True)
class RecordingContext:
    """Context of the sessions in a batch, one row ("site") each.

    A network gets it together with ``group`` (B,), the row of each trial.
    """

    subjects: tuple[str, ...]
    mask: Tensor  # (sites, C) bool, electrodes that are present and good
    covariance: Tensor | None = None  # (sites, C, C) of prepared windows, for whitening

    def take(self, rows: Tensor) -> "RecordingContext":
        """Context of these rows only."""
        return RecordingContext(
            tuple(self.subjects[row] for row in rows.tolist()),
            self.mask[rows],
            None if self.covariance is None else self.covariance[rows],
        )


def sites_of(subjects: Sequence[str], prepared: Sequence[Preparation]) -> RecordingContext:
    """Context of sessions with these subjects and preparations."""
    return RecordingContext(
        tuple(subjects),
        torch.tensor(np.stack([each.good for each in prepared])),
        torch.tensor(np.stack([each.covariance for each in prepared]), dtype=torch.float32),
    )

"""Model with a shared backbone, a shared head and one head per subject.

    output = model(x, sites, group)     embedding (B, d), logits (B, K), text (B, 384)

The heads map an embedding to the classes and to the text space. The shared head learns what
subjects have in common; each subject's own head starts at zero and adds the difference. A subject
that is not in a batch gets no gradient, so its parameters do not change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rtbci.networks.dims import Dims
from rtbci.networks.electrodes import Electrodes
from rtbci.networks.layers import TrialDropout, number_dropouts
from rtbci.networks.recordings import RecordingContext


class BackboneModule(nn.Module):
    """Base class of the backbones; each network's module names its own ``Backbone``."""

    electrodes: Electrodes

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """Embeddings ``(B, d)`` of scaled windows ``x`` (B, C, T).

        ``group`` (B,) int64 is the row of ``sites`` that each trial comes from.
        """
        raise NotImplementedError

    def mount(self, channels: Sequence[str]) -> None:
        """Set the electrodes of the input; raises ``BadInput`` if the network cannot use them."""
        self.electrodes.mount(channels)

    def add_subject(self, subject: str) -> None:
        """Add the parameters of ``subject``, if any; at first they do not change the output."""


@dataclass(frozen=True)
class Output:
    """Output of a model for a batch of trials."""

    embedding: Tensor  # (B, d)
    logits: Tensor  # (B, K)
    text: Tensor | None  # (B, text), not normalised


class SubjectHead(nn.Module):
    """Linear layers to the classes and to the text space."""

    def __init__(self, embedding: int, classes: int, text: int, own: bool) -> None:
        super().__init__()
        self.classes = nn.Linear(embedding, classes)
        self.text = nn.Linear(embedding, text) if text else None
        nn.init.zeros_(self.classes.bias)
        if not own:
            # Small weights, so that no class is favoured at random and has to be unlearned.
            nn.init.normal_(self.classes.weight, std=0.01)
        else:
            nn.init.zeros_(self.classes.weight)
            if self.text is not None:
                nn.init.zeros_(self.text.weight)
                nn.init.zeros_(self.text.bias)


class Model(nn.Module):
    """Backbone, shared head and one head per subject."""

    backbone: BackboneModule

    def __init__(self, backbone: BackboneModule, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.backbone = backbone
        self.drop = TrialDropout(0.2)
        self.shared = SubjectHead(dims.embedding, len(dims.classes), dims.text, own=False)
        self.heads = nn.ModuleDict()
        for subject in dims.subjects:
            self._add_head(subject)
        number_dropouts(self)

    def add_subject(self, subject: str) -> None:
        """Add the parameters of one more subject: alignment at the identity, head at zero."""
        self.backbone.add_subject(subject)
        self._add_head(subject)

    def _add_head(self, subject: str) -> None:
        dims = self.dims
        self.heads[subject] = SubjectHead(dims.embedding, len(dims.classes), dims.text, own=True)

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Output:
        """Output for scaled windows ``x`` (B, C, T); ``group`` (B,) int64: rows of ``sites``."""
        used, group = torch.unique(group, return_inverse=True)
        # Rows that are not in the batch must get no gradient at all, not one of zero.
        sites = sites.take(used)
        embedding = self.backbone(x, sites, group)
        return self.read(self.drop(embedding), sites.subjects, group, embedding)

    def read(
        self, dropped: Tensor, subjects: Sequence[str], group: Tensor, embedding: Tensor
    ) -> Output:
        """Output of the heads: the shared head plus, for known subjects, their own."""
        logits = self.shared.classes(dropped)
        text = None if self.shared.text is None else self.shared.text(dropped)
        for subject in dict.fromkeys(subjects):
            head = self.own(subject)
            if head is None:
                continue
            rows = [number for number, each in enumerate(subjects) if each == subject]
            chosen = torch.isin(group, torch.tensor(rows)).nonzero()[:, 0]
            if not len(chosen):
                continue
            own = dropped[chosen]
            logits = logits.index_add(0, chosen, head.classes(own))
            if text is not None and head.text is not None:
                text = text.index_add(0, chosen, head.text(own))
        return Output(embedding, logits, text)

    def own(self, subject: str | None) -> SubjectHead | None:
        """Head of ``subject``, or None if the subject is unknown."""
        if subject is None or subject not in self.heads:
            return None
        head = self.heads[subject]
        assert isinstance(head, SubjectHead)
        return head

    def of_subject(self, subject: str) -> list[nn.Parameter]:
        """Parameters that belong to ``subject`` alone."""
        return [p for n, p in self.named_parameters() if subject in n.split(".")]


def assemble(kind: Callable[[Dims], BackboneModule], dims: Dims, seed: int) -> Model:
    """Model with initial weights drawn from ``seed``, independent of the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(kind(dims), dims)

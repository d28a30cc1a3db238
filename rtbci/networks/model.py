"""One backbone for everybody, heads for each: from windows to classes and to the text space.

    output = model(x, sites, group)     embedding (B, d), logits (B, K), text (B, 384)

A head that all share carries what is common to people; each subject's own head, zero at first,
adds what is not. A subject that is not in a batch has no gradient, so that nothing of it moves.
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
    """What the file of a network defines as ``Backbone``, made from ``Dims``."""

    electrodes: Electrodes  # what it knows of its input's electrodes

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Tensor:
        """Embeddings ``(B, d)`` of scaled windows ``x`` (B, C, T).

        ``group`` (B,) int64 says which row of ``sites`` each trial comes from.
        """
        raise NotImplementedError

    def mount(self, channels: Sequence[str]) -> None:
        """Take ``channels`` as the electrodes of the input; ``BadInput`` where it cannot."""
        self.electrodes.mount(channels)

    def add_subject(self, subject: str) -> None:
        """Parts of ``subject`` alone, where there are any: at first they change nothing."""


@dataclass(frozen=True)
class Output:
    """What a model says of a batch."""

    embedding: Tensor  # (B, d)
    logits: Tensor  # (B, K)
    text: Tensor | None  # (B, text), not of unit length


class SubjectHead(nn.Module):
    """Linear layers to the classes and to the text space."""

    def __init__(self, embedding: int, classes: int, text: int, own: bool) -> None:
        super().__init__()
        self.classes = nn.Linear(embedding, classes)
        self.text = nn.Linear(embedding, text) if text else None
        nn.init.zeros_(self.classes.bias)
        if not own:  # begins nearly undecided: what is sure at random is only unlearnt
            nn.init.normal_(self.classes.weight, std=0.01)
        else:
            nn.init.zeros_(self.classes.weight)
            if self.text is not None:
                nn.init.zeros_(self.text.weight)
                nn.init.zeros_(self.text.bias)


class Model(nn.Module):
    """A backbone, a shared head, and a head a subject."""

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
        """Parts for one more subject: an alignment at the identity, heads at zero."""
        self.backbone.add_subject(subject)
        self._add_head(subject)

    def _add_head(self, subject: str) -> None:
        dims = self.dims
        self.heads[subject] = SubjectHead(dims.embedding, len(dims.classes), dims.text, own=True)

    def forward(self, x: Tensor, sites: RecordingContext, group: Tensor) -> Output:
        """``x`` (B, C, T) scaled windows, ``group`` (B,) int64 row of ``sites``."""
        used, group = torch.unique(group, return_inverse=True)
        sites = sites.take(used)  # what is not in the batch must not even have a gradient of 0
        embedding = self.backbone(x, sites, group)
        return self.read(self.drop(embedding), sites.subjects, group, embedding)

    def read(
        self, dropped: Tensor, subjects: Sequence[str], group: Tensor, embedding: Tensor
    ) -> Output:
        """The heads' answers: the shared one's plus, for known subjects, their own."""
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
        """The head of ``subject``; None for one that is not known."""
        if subject is None or subject not in self.heads:
            return None
        head = self.heads[subject]
        assert isinstance(head, SubjectHead)
        return head

    def of_subject(self, subject: str) -> list[nn.Parameter]:
        """The parameters that belong to ``subject`` alone."""
        return [p for n, p in self.named_parameters() if subject in n.split(".")]


def assemble(kind: Callable[[Dims], BackboneModule], dims: Dims, seed: int) -> Model:
    """A model with weights that follow from ``seed``, whatever was drawn before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Model(kind(dims), dims)

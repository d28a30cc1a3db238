"""Checkpoint of the training state between two epochs, in one file that is replaced atomically.

Weights, moving averages, moments of the optimiser and the best epoch are arrays of a safetensors
file; numbers stand in its header as JSON. Nothing in it can run code.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from calibration.pretraining.loop import State
from calibration.pretraining.windows import into_place
from rtbci.errors import BadInput

NAME = "checkpoint.safetensors"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of AdamW


def save(state: State, folder: Path, of: Mapping[str, str]) -> None:
    """Write the checkpoint of ``folder``, in place of the last.

    ``of`` says what it is of: a word a person knows (``labels``) to the hash of what it was.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in state.model.state_dict().items():
        tensors[f"model.{name}"] = value.detach().clone()
    for kind, values in (("average", state.average), ("best", state.best)):
        tensors |= {f"{kind}.{name}": value.detach().clone() for name, value in values.items()}
    for name, p in state.model.named_parameters():
        moments = state.optimiser.state.get(p, {})
        tensors |= {f"{kind}.{name}": moments[kind].clone() for kind in MOMENTS if kind in moments}
    document = {
        "of": dict(of), "epoch": state.epoch, "steps": state.steps,
        "updates": state.updates, "history": state.history,
    }  # fmt: skip
    metadata = {"state": json.dumps(document)}
    into_place(folder / NAME, lambda part: save_file(tensors, part, metadata))


def resume(state: State, folder: Path, of: Mapping[str, str]) -> bool:
    """Put the checkpoint of ``folder`` into ``state``; False if there is none.

    Raises ``BadInput`` for one that is not ``of`` the same: a network must not learn half of its
    epochs from one dataset and half from another.
    """
    path = folder / NAME
    if not path.exists():
        return False
    try:
        with safe_open(path, "pt") as file:
            document = json.loads((file.metadata() or {}).get("state", "{}"))
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, ValueError, OSError) as error:
        raise BadInput(f"{path} is damaged ({error}); delete it to begin anew") from error
    begun = document.get("of")
    if begun != of:
        known = begun if isinstance(begun, dict) else {}
        other = [name for name in of if known.get(name) != of[name]]
        raise BadInput(
            f"{path} belongs to a run with other {', '.join(other)}, and training cannot go on "
            "with these; delete it to begin anew, or name another folder with --out"
        )
    state.model.load_state_dict(_below(tensors, "model"))
    state.average = _below(tensors, "average")
    state.best = _below(tensors, "best")
    by_name = dict(state.model.named_parameters())
    for name, p in by_name.items():
        moments = {
            kind: tensors[f"{kind}.{name}"] for kind in MOMENTS if f"{kind}.{name}" in tensors
        }
        if moments:
            state.optimiser.state[p] = moments
    state.epoch, state.steps = int(document["epoch"]), int(document["steps"])
    state.updates = {name: int(n) for name, n in document["updates"].items()}
    state.history = list(document["history"])
    return True


def _below(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    start = f"{kind}."
    return {n.removeprefix(start): v for n, v in tensors.items() if n.startswith(start)}

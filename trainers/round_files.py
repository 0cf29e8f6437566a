"""The state of a warm-up on disk: what a later process goes on from, to the same bits."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from trainers.checkpoints import save_arrays
from trainers.warmup import RoundReport, RoundState

RESIDUAL = "residual."


def save_checkpoint(path: Path, state: RoundState, reports: Sequence[RoundReport]) -> None:
    """Write all of ``state``, and what its rounds did; a reader sees all of it or nothing."""
    arrays = {"parameters": state.parameters} | _beside_parameters(state)
    _save(path, arrays, {"rounds": str(state.rounds), "reports": "\n".join(to_lines(reports))})


def load_checkpoint(path: Path) -> tuple[RoundState, list[RoundReport]]:
    """What :func:`save_checkpoint` wrote."""
    arrays, metadata = _load(path)
    reports = from_lines(metadata["reports"].splitlines())
    return _state(arrays.pop("parameters"), arrays, metadata), reports


def save_outer_state(path: Path, state: RoundState) -> None:
    """Write what ``state`` has beside the parameters, which lie in a file of weights."""
    _save(path, _beside_parameters(state), {"rounds": str(state.rounds)})


def load_outer_state(path: Path, parameters: Tensor) -> RoundState:
    """What :func:`save_outer_state` wrote, with ``parameters``."""
    return _state(parameters, *_load(path))


def to_lines(reports: Iterable[RoundReport]) -> list[str]:
    """A line of JSON for each."""
    return [json.dumps(asdict(report)) for report in reports]


def from_lines(lines: Iterable[str]) -> list[RoundReport]:
    """What :func:`to_lines` wrote."""
    return [RoundReport(**json.loads(line)) for line in lines]


def _beside_parameters(state: RoundState) -> dict[str, Tensor]:
    residuals = {RESIDUAL + language: vector for language, vector in state.residuals.items()}
    kept = {"moment1": state.moment1, "moment2": state.moment2, "moved": state.moved}
    return kept | residuals


def _state(parameters: Tensor, arrays: dict[str, Tensor], metadata: dict[str, str]) -> RoundState:
    residuals = {
        name.removeprefix(RESIDUAL): vector
        for name, vector in arrays.items()
        if name.startswith(RESIDUAL)
    }
    return RoundState(
        parameters,
        arrays["moment1"],
        arrays["moment2"],
        int(metadata["rounds"]),
        arrays["moved"],
        residuals,
    )


def _save(path: Path, arrays: dict[str, Tensor], metadata: dict[str, str]) -> None:
    save_arrays(path, {name: tensor.numpy() for name, tensor in arrays.items()}, metadata)


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, "pt") as file:
        return {name: torch.clone(file.get_tensor(name)) for name in file.keys()}, file.metadata()  # noqa: SIM118

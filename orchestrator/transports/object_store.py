"""Ray's object store: works between any nodes, and survives whatever Ray survives.

A round puts one flat array for all workers: what lies outside the word embedding. The embedding is
put once, and with each round the rows of it that some language has moved since. Ends come back as
one flat array a language; the driver reads them where they lie.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
import torch
from torch import Tensor

from orchestrator.transports.base import DriverReduces
from orchestrator.transports.crew import Crew
from trainers.flat import Layout
from trainers.settings import WarmupSettings
from trainers.warmup import LanguageEnd, RoundState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from orchestrator.actors import Host

Sent = tuple[str, "NDArray[Any]", "NDArray[np.int64]", "NDArray[np.float32]", float, float, Any]
"""The fields of a :class:`LanguageEnd` as arrays; bfloat16 travels as int16."""


@dataclass(frozen=True, slots=True)
class PatchedStart:
    """Parameters before a round, put together from what was put at different times.

    Args:
        dense: Outside the table, ``(D,)``.
        table: As it was at the beginning, ``(V, H)``.
        moved: Rows that have moved since, ascending, ``(A,)``.
        patch: Those rows now, ``(A, H)``.
    """

    dense: Tensor
    table: Tensor
    moved: Tensor
    patch: Tensor

    def rows(self, ids: Tensor) -> Tensor:
        """Rows ``ids`` ``(R,)`` of the table as it is now, ``(R, H)``."""
        rows = self.table[ids]
        if len(self.moved):
            at = torch.searchsorted(self.moved, ids).clamp_(max=len(self.moved) - 1)
            newer = self.moved[at] == ids
            rows[newer] = self.patch[at[newer]]
        return rows


class ObjectStoreRounds(DriverReduces):
    """Rounds whose parameters and ends travel through Ray's object store."""

    name = "object-store"

    def __init__(
        self, crew: Crew, settings: WarmupSettings, layout: Layout, threads: int = 1
    ) -> None:
        super().__init__(settings, layout, threads)
        self._crew = crew
        self._table: Any = None

    def begin(self, state: RoundState) -> None:
        """Put the table; it is the one large object that stays."""
        super().begin(state)
        self._table = ray.put(self.layout.table_of(state.parameters).numpy())

    def ends(self) -> Sequence[LanguageEnd]:
        """Views of the object store, which keeps what they show as long as they are held."""
        state = self.state
        dense = ray.put(self.layout.dense_of(state.parameters).numpy())
        moved = ray.put(state.moved.numpy())
        patch = ray.put(self.layout.table_of(state.parameters)[state.moved].numpy())
        answers = self._crew.run(
            run_from_store,
            lambda language: (
                dense,
                self._table,
                moved,
                patch,
                state.rounds,
                language,
                _array(state.residuals.get(language)),
            ),
        )
        ends = [received(answer) for answer in answers.values()]
        self._crew.learn_from(ends)
        return ends


def run_from_store(
    host: "Host",
    dense: "NDArray[np.float32]",
    table: "NDArray[np.float32]",
    moved: "NDArray[np.int64]",
    patch: "NDArray[np.float32]",
    z: int,
    language: str,
    residual: "NDArray[np.float32] | None",
) -> Sent:
    """K steps of ``language`` from a :class:`PatchedStart`; Ray copies the end as it is."""
    start = PatchedStart(view(dense), view(table), view(moved), view(patch))
    lost = None if residual is None else view(residual)
    return sent(host.worker.run_steps(start, z, language, lost))


def sent(end: LanguageEnd) -> Sent:
    """``end`` as arrays."""
    dense = end.dense.cpu()
    if dense.dtype is torch.bfloat16:
        dense = dense.view(torch.int16)
    return (
        end.language,
        dense.numpy(),
        end.rows.numpy(),
        end.table.numpy(),
        end.loss,
        end.seconds,
        _array(end.residual),
    )


def received(answer: Sent) -> LanguageEnd:
    """What :func:`sent` made arrays of, as read-only views."""
    language, dense, rows, table, loss, seconds, residual = answer
    vector = view(dense)
    if vector.dtype is torch.int16:
        vector = vector.view(torch.bfloat16)
    lost = None if residual is None else view(residual)
    return LanguageEnd(language, vector, view(rows), view(table), loss, seconds, lost)


def _array(tensor: Tensor | None) -> "NDArray[np.float32] | None":
    return None if tensor is None else tensor.cpu().numpy()


def view(array: "NDArray[Any]") -> Tensor:
    """A view of an array in the object store; nobody writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)

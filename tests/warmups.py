"""A warm-up without a model: languages whose steps are pure functions of numbers."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from trainers.flat import Layout
from trainers.settings import Deltas, WarmupSettings
from trainers.warmup import LanguageEnd, RoundState, Start

LAYOUT = Layout(dense=400_003, rows=500, width=16)
"""Several chunks, the last one odd, and a table of which a round touches few rows."""

TOUCHED = 20


class ToyWorker:
    """Moves like a language worker: all of the dense part, and some rows of the table.

    Args:
        settings: Its ``deltas``.
        kill: A file by language; who is asked for that language removes it and dies in mid-round.
    """

    def __init__(self, settings: WarmupSettings, kill: Mapping[str, Path]) -> None:
        self._settings = settings
        self._kill = kill
        self._replica = torch.full((LAYOUT.size,), float("nan"))
        self.layout = LAYOUT
        self.device = torch.device("cpu")

    def live_in(self, vector: Tensor) -> None:
        self._replica = vector

    def run_steps(
        self, start: Start, z: int, language: str, residual: Tensor | None = None
    ) -> LanguageEnd:
        draw = torch.Generator().manual_seed(1000 * z + sum(map(ord, language)))
        rows = torch.randperm(LAYOUT.rows, generator=draw)[:TOUCHED].sort().values
        dense, table = LAYOUT.dense_of(self._replica), LAYOUT.table_of(self._replica)
        dense.copy_(start.dense).mul_(0.99).add_(torch.randn(LAYOUT.dense, generator=draw))
        self._die_if_asked(language, z)
        table[rows] = start.rows(rows) * 0.9 + torch.randn(TOUCHED, LAYOUT.width, generator=draw)
        sent, lost = dense, None
        if self._settings.deltas is Deltas.BFLOAT16:
            move = dense - start.dense + (0 if residual is None else residual)
            sent = move.bfloat16()
            lost = move - sent
        seconds = 1.0 + len(language)
        return LanguageEnd(language, sent, rows, table[rows], float(z), seconds, lost)

    def _die_if_asked(self, language: str, z: int) -> None:
        fuse = self._kill.get(language)
        if z >= 1 and fuse is not None and fuse.exists():
            fuse.unlink()
            time.sleep(0.1)  # the others are at it meanwhile
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class ToyJob:
    """A warm-up of toy workers; see :class:`ToyWorker` for ``kill``."""

    settings: WarmupSettings
    languages: tuple[str, ...] = ("de", "es", "nl")
    kill: Mapping[str, Path] = field(default_factory=dict)

    def worker(self) -> ToyWorker:
        return ToyWorker(self.settings, self.kill)

    def costs(self) -> Mapping[str, float]:
        return dict.fromkeys(self.languages, 1.0)

    def start(self) -> RoundState:
        parameters = torch.randn(LAYOUT.size, generator=torch.Generator().manual_seed(7))
        return RoundState.start(parameters, self.settings.outer_optimizer)

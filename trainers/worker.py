"""A language worker: one replica of the model, and the pseudo-labelled data of some languages."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from trainers.batches import BatchOrder
from trainers.collation import Batch, collate_parts
from trainers.encoding import EncodedCorpus
from trainers.errors import TrainingDivergedError
from trainers.flat import FlatModel, Layout
from trainers.seeding import stream_seed
from trainers.settings import Deltas, WarmupSettings
from trainers.tagger import Tagger
from trainers.warmup import LanguageEnd, Start


def warmup_order(corpus: EncodedCorpus, batch_size: int, seed: int, language: str) -> BatchOrder:
    """Batches of the warm-up of one language; step k of round z is number ``z * K + k``."""
    return BatchOrder(len(corpus), batch_size, seed, "warmup", language)


def rows_touched(parts: Sequence[Batch]) -> Tensor:
    """Rows of the word embedding that a batch reads, ascending, ``(R,)``."""
    touched: Tensor = torch.cat([part.piece_ids_BP.flatten() for part in parts]).unique()
    return touched


class BatchesAhead:
    """The K batches of a language in a round, collated while nobody asked for them yet.

    Args:
        read: Reads the corpus of a language; each is read once, when it is first asked for.
        padding: Piece id to pad with.
        device: Where the batches are to be.
        settings: K.
        batch_size: Sentences a step.
        seed: Of the run.
    """

    def __init__(
        self,
        read: Callable[[str], EncodedCorpus],
        padding: int,
        device: torch.device,
        settings: WarmupSettings,
        batch_size: int,
        seed: int,
    ) -> None:
        self._read = read
        self._padding = padding
        self._device = device
        self._settings = settings
        self._batch_size = batch_size
        self._seed = seed
        self._corpora: dict[str, tuple[EncodedCorpus, BatchOrder]] = {}
        self._ahead: dict[tuple[str, int], Future[list[list[Batch]]]] = {}
        self._thread = ThreadPoolExecutor(1, "batches-ahead")

    def __call__(self, language: str, z: int) -> list[list[Batch]]:
        """Batches of round ``z``, in parts."""
        ready = self._ahead.pop((language, z), None)
        return ready.result() if ready else self._collated(language, z)

    def prepare(self, language: str, z: int) -> None:
        """Collate the batches of round ``z`` beside whatever comes now."""
        if z < self._settings.rounds and (language, z) not in self._ahead:
            self._ahead[language, z] = self._thread.submit(self._collated, language, z)

    def _collated(self, language: str, z: int) -> list[list[Batch]]:
        corpus, order = self._corpus(language)
        first = z * self._settings.steps
        numbers = range(first, first + self._settings.steps)
        return [collate_parts(corpus, order(k), self._padding, self._device) for k in numbers]

    def _corpus(self, language: str) -> tuple[EncodedCorpus, BatchOrder]:
        if language not in self._corpora:
            corpus = self._read(language)
            order = warmup_order(corpus, self._batch_size, self._seed, language)
            self._corpora[language] = corpus, order
        return self._corpora[language]


class LanguageWorker:
    """Takes the K steps of Eq. 8, for any language.

    What it returns depends on the parameters it is sent, the language, the round and the seed, and
    on nothing that it did before.

    Args:
        tagger: On its device; its parameters become views into one vector.
        read: Reads the pseudo-labelled corpus of a language.
        settings: K and beta.
        batch_size: Sentences a step.
        seed: Of the run.
    """

    def __init__(
        self,
        tagger: Tagger,
        read: Callable[[str], EncodedCorpus],
        settings: WarmupSettings,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self._tagger = tagger.train()
        self._flat = FlatModel(tagger, sparse_rows=tagger.word_embedding)
        self._settings = settings
        self._seed = seed
        self._batches = BatchesAhead(read, tagger.padding, self.device, settings, batch_size, seed)

    @property
    def layout(self) -> Layout:
        """Of the vectors it is sent; the table is the word embedding."""
        return self._flat.layout

    @property
    def device(self) -> torch.device:
        """Where the replica is."""
        return self._flat.values.device

    @property
    def parameters(self) -> Tensor:
        """The replica's parameters, ``(N,)``; a view."""
        return self._flat.values

    def live_in(self, vector: Tensor) -> None:
        """Keep the replica's parameters in ``vector`` ``(N,)``, on the same device, from now on."""
        self._flat.move_to(vector)

    def run_steps(
        self, start: Start, z: int, language: str, residual: Tensor | None = None
    ) -> LanguageEnd:
        """K steps of ``language`` from ``start`` in round ``z`` (from 0).

        Of ``start`` it reads the dense part and the rows that its batches touch; rows of the
        replica that no batch touches hold anything.

        Args:
            start: Shared parameters before the round.
            z: The round.
            language: Any that can be read.
            residual: What bfloat16 lost in the round before, ``(D,)``; None for nothing.

        Returns:
            ``dense`` is on the replica's device and may be a view of it: copy it if it is to
            outlast the next call. The rest is on the CPU.

        Raises:
            TrainingDivergedError: A loss is not finite.
        """
        clock = time.perf_counter()
        batches = self._batches(language, z)
        rows_of = [
            torch.cat([part.piece_ids_BP.flatten() for part in parts]).unique() for parts in batches
        ]
        rows = torch.cat(rows_of).unique()
        dense, table = self._dense_and_table(self._flat.values)
        dense.copy_(start.dense)
        table[rows] = start.rows(rows.cpu()).to(self.device)
        losses: list[float] = []
        for k, parts in enumerate(batches):
            losses.append(self._step(language, z, k, parts, rows_of[k], losses))
        if not math.isfinite(dense.sum() + table[rows].sum()):
            where = f"warm-up round {z + 1}, language {language}, whose last step broke the weights"
            raise TrainingDivergedError(where, math.nan, losses[-1])
        self._batches.prepare(language, z + 1)
        sent, lost = self._deltas(start, dense, residual)
        return LanguageEnd(
            language,
            sent,
            rows.cpu(),
            table[rows].cpu(),
            sum(losses) / len(losses),
            time.perf_counter() - clock,
            lost,
        )

    def _step(
        self,
        language: str,
        z: int,
        k: int,
        parts: Sequence[Batch],
        rows: Tensor,
        before: Sequence[float],
    ) -> float:
        torch.manual_seed(stream_seed(self._seed, "warmup dropout", language, z, k))
        dense_gradient, table_gradient = self._dense_and_table(self._flat.gradients)
        dense_gradient.zero_()
        table_gradient[rows] = 0.0
        value = self._tagger.backward(parts)
        if not math.isfinite(value):
            where = f"warm-up round {z + 1}, step {k + 1}, language {language}"
            raise TrainingDivergedError(where, value, before[-1] if before else None)
        dense, table = self._dense_and_table(self._flat.values)
        dense.add_(dense_gradient, alpha=-self._settings.inner_lr)
        table[rows] = table[rows].add_(table_gradient[rows], alpha=-self._settings.inner_lr)
        return value

    def _dense_and_table(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        return self.layout.dense_of(vector), self.layout.table_of(vector)

    def _deltas(
        self, start: Start, dense: Tensor, residual: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """What is sent of the dense part, and what is lost by it."""
        if self._settings.deltas is Deltas.EXACT:
            return dense, None
        move = dense - start.dense.to(self.device)
        if residual is not None:
            move += residual.to(self.device)
        sent = move.bfloat16()
        return sent, move.sub_(sent)

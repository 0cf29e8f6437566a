"""A language worker: one replica of the model, and the pseudo-labelled data of some languages."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from trainers.batches import BatchOrder
from trainers.collation import collate
from trainers.encoding import EncodedCorpus
from trainers.errors import TrainingDivergedError
from trainers.flat import FlatModel
from trainers.seeding import stream_seed
from trainers.tagger import Tagger
from trainers.warmup import LanguageEnd, WarmupSettings


def warmup_order(corpus: EncodedCorpus, batch_size: int, seed: int, language: str) -> BatchOrder:
    """Batches of the warm-up of one language; step k of round z is number ``z * K + k``."""
    return BatchOrder(corpus.lengths, batch_size, seed, "warmup", language)


class LanguageWorker:
    """Takes the K steps of Eq. 8 for the languages that it holds.

    What it returns depends on the parameters it is sent, the language, the round and the seed, and
    on nothing that it did before.

    Args:
        tagger: On its device; its parameters become views into one vector.
        corpora: Pseudo-labelled corpus of each language that it holds.
        settings: K and beta.
        batch_size: Sentences a step.
        seed: Of the run.
    """

    def __init__(
        self,
        tagger: Tagger,
        corpora: Mapping[str, EncodedCorpus],
        settings: WarmupSettings,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        self._tagger = tagger.train()
        self._flat = FlatModel(tagger, sparse_rows=tagger.word_embedding)
        self._corpora = corpora
        self._settings = settings
        self._seed = seed
        self._orders = {
            language: warmup_order(corpus, batch_size, seed, language)
            for language, corpus in corpora.items()
        }

    @property
    def parameters(self) -> Tensor:
        """The replica's parameters, ``(N,)``; a view."""
        return self._flat.values

    def run_steps(self, parameters: Tensor, z: int, languages: Sequence[str]) -> list[LanguageEnd]:
        """K steps from ``parameters`` for each of ``languages`` in round ``z`` (from 0).

        Raises:
            TrainingDivergedError: A loss is not finite.
        """
        return [self._run_language(parameters, z, language) for language in languages]

    def _run_language(self, parameters: Tensor, z: int, language: str) -> LanguageEnd:
        self._flat.values.copy_(parameters)
        losses: list[float] = []
        for k in range(self._settings.steps):
            losses.append(self._step(language, z, k, losses))
        if not math.isfinite(self._flat.values.sum()):
            where = f"warm-up round {z + 1}, language {language}, whose last step broke the weights"
            raise TrainingDivergedError(where, math.nan, losses[-1])
        return LanguageEnd(language, self._flat.values.cpu().clone(), sum(losses) / len(losses))

    def _step(self, language: str, z: int, k: int, before: Sequence[float]) -> float:
        corpus, values = self._corpora[language], self._flat.values
        which = self._orders[language](z * self._settings.steps + k)
        batch = collate(corpus, which, self._tagger.padding, values.device)
        torch.manual_seed(stream_seed(self._seed, "warmup dropout", language, z, k))
        self._flat.gradients.zero_()
        loss = self._tagger.loss(batch)
        loss.backward()
        value = loss.item()
        if not math.isfinite(value):
            where = f"warm-up round {z + 1}, step {k + 1}, language {language}"
            raise TrainingDivergedError(where, value, before[-1] if before else None)
        values.add_(self._flat.gradients, alpha=-self._settings.inner_lr)
        return value

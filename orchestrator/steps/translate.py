"""``translate``: the training corpus in a target language, by a translator."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from orchestrator.fingerprints import Json, placement
from orchestrator.steps.base import Step, Surroundings
from orchestrator.steps.sources import Source
from projection.translators import (
    LanguagePair,
    TranslationMemory,
    Translator,
    TranslatorName,
    TranslatorSettings,
    fixed_version,
    make_translator,
)
from projection.translators.blocks import translate_blocks

if TYPE_CHECKING:
    import torch

TRANSLATION = "translation.txt"
MEMORY = "translations.sqlite"
"""The translation memory of a store: all studies share it."""


@dataclass(frozen=True, kw_only=True)
class TranslateStep(Step):
    """Translate the labelled blocks of the source corpus, one tokenised line a block."""

    kind: ClassVar[str] = "translate"

    source: Source
    pair: LanguagePair
    translator: TranslatorName
    version_of_translator: str
    """Everything that changes its translations: rules, weights, search settings."""
    settings: TranslatorSettings = placement()
    """How to have the translator; ``version_of_translator`` says what it is."""

    def title(self) -> str:
        """Names the languages and the translator."""
        return f"translate {self.pair} ({self.translator})"

    @property
    def trains(self) -> bool:
        """True if the translator is a neural model, which wants a GPU where there is one."""
        return self.translator is TranslatorName.SEQ2SEQ

    def run(self, folder: Path, around: Surroundings) -> dict[str, Json]:
        """Write ``translation.txt``; return how many translations could not be used, and why."""
        corpus = self.source.read(around.store)
        wanted = set(corpus.block_of)
        found = translate_blocks(
            corpus.blocks,
            wanted,
            load_translator(self.settings, around.device),
            self.pair,
            TranslationMemory(around.store.root / MEMORY),
            lambda done, of: around.report({"done": done, "of": of}),
        )
        (folder / TRANSLATION).write_text(found.as_text(), encoding="utf-8")
        dropped: dict[str, Json] = {
            str(reason): count for reason, count in sorted(found.dropped.items())
        }
        return {"blocks": len(wanted), "dropped": dropped}


def load_translator(settings: TranslatorSettings, device: "torch.device | None") -> Translator:
    """The translator, its model loaded where it has one.

    Args:
        settings: Which one.
        device: For a model; None for the GPU where there is one.

    Raises:
        InputError: It is not installed, has no key, or its model cannot be had.
    """
    if settings.translator is not TranslatorName.SEQ2SEQ:
        return make_translator(settings)
    import torch

    from trainers.backbones import resolve_checkpoint
    from trainers.seq2seq import Seq2Seq

    usual = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Seq2Seq(
        resolve_checkpoint(str(settings.model)),
        beams=settings.beams,
        max_pieces=settings.max_pieces,
        codes=settings.codes,
        device=device or usual,
    )
    return make_translator(settings, model)


def translator_version(settings: TranslatorSettings, pair: LanguagePair) -> str:
    """What :meth:`Translator.version` will say, without loading a model or asking for a key.

    Raises:
        InputError: The translator, the pair or the model cannot be had.
    """
    if settings.translator is not TranslatorName.SEQ2SEQ:
        return fixed_version(settings, pair)
    from trainers.backbones import resolve_checkpoint
    from trainers.seq2seq import version_of

    checkpoint = resolve_checkpoint(str(settings.model))
    return version_of(checkpoint, settings.beams, settings.max_pieces, settings.codes)

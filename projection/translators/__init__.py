"""Translators behind one protocol: running text in, running text out, a batch at a time."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import BaseModel, Field, model_validator

from projection.translators import deepl, google
from projection.translators.apertium import Apertium
from projection.translators.base import LanguagePair, TranslationError, Translator
from projection.translators.memory import TranslationMemory, translate_once

__all__ = [
    "LanguagePair",
    "TranslationError",
    "TranslationMemory",
    "Translator",
    "TranslatorName",
    "TranslatorSettings",
    "fixed_version",
    "make_translator",
    "translate_once",
]


class TranslatorName(StrEnum):
    """Which translator."""

    APERTIUM = "apertium"
    """Rules and dictionaries, offline."""
    SEQ2SEQ = "seq2seq"
    """A MarianMT, M2M100 or NLLB checkpoint."""
    DEEPL = "deepl"
    GOOGLE = "google"


_READ_BY: Mapping[str, frozenset[TranslatorName]] = MappingProxyType(
    {
        "via": frozenset({TranslatorName.APERTIUM}),
        "model": frozenset({TranslatorName.SEQ2SEQ}),
        "beams": frozenset({TranslatorName.SEQ2SEQ}),
        "max_pieces": frozenset({TranslatorName.SEQ2SEQ}),
        "codes": frozenset({TranslatorName.SEQ2SEQ}),
        "server": frozenset({TranslatorName.DEEPL, TranslatorName.GOOGLE}),
    }
)


class TranslatorSettings(BaseModel, frozen=True, extra="forbid"):
    """A translator and its settings."""

    translator: TranslatorName
    """Which."""
    via: str | None = None
    """``apertium``: the language between two that no installed mode connects; None for Spanish."""
    model: str | None = None
    """``seq2seq``: a Hugging Face id or a local folder."""
    beams: int = Field(default=5, ge=1)
    """``seq2seq``: width of the beam."""
    max_pieces: int = Field(default=256, ge=8)
    """``seq2seq``: longest input and output."""
    codes: Mapping[str, str] = Field(default_factory=dict)
    """``seq2seq``: what the model calls a language, where its ISO code does not tell."""
    server: str | None = None
    """``deepl``, ``google``: another address than the service's own."""

    @model_validator(mode="after")
    def _only_what_it_reads(self) -> "TranslatorSettings":
        given = self.model_fields_set - {"translator"}
        useless = sorted(key for key in given if self.translator not in _READ_BY[key])
        if useless:
            raise ValueError(f"the translator {self.translator} does not read {', '.join(useless)}")
        if self.translator is TranslatorName.SEQ2SEQ and not self.model:
            raise ValueError("the translator seq2seq needs a model, such as facebook/m2m100_418M")
        return self


def make_translator(settings: TranslatorSettings, seq2seq: Translator | None = None) -> Translator:
    """The translator that ``settings`` describe.

    Args:
        settings: Which one.
        seq2seq: The loaded model, where it is ``seq2seq``: models belong to the layer above.

    Raises:
        InputError: It is not installed or has no key.
    """
    match settings.translator:
        case TranslatorName.APERTIUM:
            return Apertium(settings.via)
        case TranslatorName.DEEPL:
            return deepl.deepl_service(settings.server)
        case TranslatorName.GOOGLE:
            return google.google_service(settings.server)
    if seq2seq is None:
        raise ValueError("the translator seq2seq needs its model")
    return seq2seq


def fixed_version(settings: TranslatorSettings, pair: LanguagePair) -> str:
    """Version of a translator that is no model of ours; needs no key.

    Raises:
        InputError: Apertium cannot translate the pair, or is not installed.
    """
    if settings.translator is TranslatorName.APERTIUM:
        return Apertium(settings.via).version(pair)
    return {TranslatorName.DEEPL: deepl.API, TranslatorName.GOOGLE: google.API}[settings.translator]

"""Tiny labelled corpora in four languages, and taggers on the tiny checkpoints."""

from collections.abc import Sequence
from pathlib import Path

from projection.records import Sentence, Span
from projection.schemes import TagScheme
from trainers.backbones import BackboneSettings, load_tokenizer
from trainers.encoding import EncodedCorpus, TagVocabulary, encode_corpus
from trainers.tagger import Tagger, build_tagger

LABELS = ("PER", "LOC", "ORG")
TAGS = TagVocabulary.of(LABELS, TagScheme.BIOES)


def sentence(language: str, text: str, *spans: tuple[int, int, str]) -> Sentence:
    """Words are separated by spaces; a span is ``(start, end, label)``."""
    return Sentence(text, language, tuple(text.split(" ")), tuple(Span(*span) for span in spans))


ENGLISH = (
    sentence(
        "en",
        "Anna Berg visited Oslo and Bergen with the team of Nordic Rail on Friday .",
        (0, 2, "PER"),
        (3, 4, "LOC"),
        (5, 6, "LOC"),
        (10, 12, "ORG"),
    ),
    sentence("en", "the team of Nordic Rail visited Bergen", (3, 5, "ORG"), (6, 7, "LOC")),
    sentence("en", "Anna visited Lima", (0, 1, "PER"), (2, 3, "LOC")),
    sentence("en", "the team on Friday ."),
)
SPANISH = (
    sentence("es", "Ana visitó Oslo con el equipo .", (0, 1, "PER"), (2, 3, "LOC")),
    sentence(
        "es",
        "Tomás , Jürgen y Marieke salieron de Lima !",
        (0, 1, "PER"),
        (2, 3, "PER"),
        (4, 5, "PER"),
        (7, 8, "LOC"),
    ),
    sentence("es", "¿ Quién ?"),
)
GERMAN = (
    sentence(
        "de",
        "Anna besuchte Bergen mit der Mannschaft von Nordic Rail .",
        (0, 1, "PER"),
        (2, 3, "LOC"),
        (7, 9, "ORG"),
    ),
    sentence("de", "Jürgen besuchte Oslo .", (0, 1, "PER"), (2, 3, "LOC")),
)
DUTCH = (
    sentence("nl", "Anna bezocht Oslo met de ploeg ;", (0, 1, "PER"), (2, 3, "LOC")),
    sentence("nl", "Marieke bezocht Nordic Rail", (0, 1, "PER"), (2, 4, "ORG")),
)
EVERYTHING = ENGLISH + SPANISH + GERMAN + DUTCH


def encoded(
    folder: Path, sentences: Sequence[Sentence] = EVERYTHING, *, max_pieces: int = 128
) -> EncodedCorpus:
    """``sentences`` with their labels, by the tokenizer of the checkpoint in ``folder``."""
    return encode_corpus(sentences, load_tokenizer(folder), TAGS, max_pieces=max_pieces)


def tagger(folder: Path, *, dropout: float = 0.1, num_layers: int = 1, seed: int = 1) -> Tagger:
    """A tagger of ``LABELS`` on the checkpoint in ``folder``."""
    settings = BackboneSettings(name="tiny", num_layers=num_layers, dropout=dropout)
    return build_tagger(folder, settings, len(TAGS.tags), seed=seed)

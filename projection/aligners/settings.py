"""What aligners can be told, one record for all of them."""

from enum import StrEnum

from pydantic import BaseModel, Field


class AlignmentKeys(StrEnum):
    """What statistical aligners count as the same word."""

    SURFACE = "surface"
    """The word as it stands."""
    LOWER = "lower"
    """Lower-cased."""
    FOLDED = "folded"
    """Lower-cased, punctuation at its edges removed."""


class Symmetrization(StrEnum):
    """How the links of the two directions are combined."""

    FORWARD = "forward"
    """Those of the model that explains the target words by the source words, alone."""
    BACKWARD = "backward"
    UNION = "union"
    INTERSECTION = "intersection"
    GROW_DIAG = "grow-diag"
    GROW_DIAG_FINAL = "grow-diag-final"
    GROW_DIAG_FINAL_AND = "grow-diag-final-and"


class Extraction(StrEnum):
    """How links are read off a matrix of word similarities (Jalili Sabet et al. 2020)."""

    ARGMAX = "argmax"
    """Words that are each other's most similar one."""
    ITERMAX = "itermax"
    """Argmax, repeated on the words that are still without a link."""
    MATCH = "match"
    """The one-to-one matching with the greatest sum."""


class Vote(StrEnum):
    """What becomes of the links of a second aligner."""

    SUPPLEMENT = "supplement"
    """Added where they give a link to a word that has none."""
    UNION = "union"
    INTERSECTION = "intersection"


class AlignmentSettings(BaseModel, frozen=True, extra="forbid"):
    """Settings of the aligners; each says which of them it reads."""

    keys: AlignmentKeys | None = None
    """Statistical aligners; None: surface, and folded for ``best``."""
    fold_numbers: bool = False
    """Statistical aligners: every digit counts as 0."""
    symmetrize: Symmetrization = Symmetrization.GROW_DIAG_FINAL_AND
    """Statistical aligners and programs."""
    anchors: int = Field(default=0, ge=0)
    """How often a word that stands on both sides of a pair is added as a pair of its own.

    Names that a translation keeps then align with themselves; it helps most on small corpora.
    """
    layer: int = Field(default=7, ge=1)
    """``embedding`` and ``best``: word vectors are read after this layer of the encoder."""
    extract: Extraction = Extraction.ITERMAX
    """``embedding`` and ``best``."""
    second: str | None = None
    """Another aligner whose links count too."""
    vote: Vote = Vote.SUPPLEMENT
    """How they count."""

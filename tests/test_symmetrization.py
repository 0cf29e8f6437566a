"""Links of two directions made one: our own combination against the library's, and by hand."""

import pytest

from projection.aligners.base import symmetrize
from projection.aligners.settings import AlignmentKeys, AlignmentSettings, Symmetrization
from projection.aligners.statistical import STATISTICAL, StatisticalAligner
from projection.records import Alignment
from tests.test_aligners import BOOKS, corpus_of

FORWARD, BACKWARD = [(0, 0), (1, 1), (2, 1)], [(0, 0), (1, 2), (3, 3)]
BY_HAND = {
    "forward": FORWARD,
    "backward": BACKWARD,
    "union": [*FORWARD, *BACKWARD],
    "intersection": [(0, 0)],
    # (1, 1) is diagonal to (0, 0); from it the growth reaches (1, 2) and (2, 1): each brings in a
    # word without a link. (3, 3) touches neither.
    "grow-diag": [(0, 0), (1, 1), (1, 2), (2, 1)],
    "grow-diag-final": [(0, 0), (1, 1), (1, 2), (2, 1), (3, 3)],
    "grow-diag-final-and": [(0, 0), (1, 1), (1, 2), (2, 1), (3, 3)],
}


@pytest.mark.parametrize("how", Symmetrization)
def test_symmetrize_gives_the_links_worked_by_hand(how):
    assert symmetrize(FORWARD, BACKWARD, (4, 4), how) == Alignment(BY_HAND[how])


@pytest.mark.parametrize("how", Symmetrization)
def test_symmetrizing_two_directions_is_what_the_statistical_aligners_do(how):
    settings = AlignmentSettings(keys=AlignmentKeys.FOLDED, symmetrize=how)
    aligner = StatisticalAligner(STATISTICAL["ibm1"], settings)
    corpus = corpus_of(BOOKS)
    directions = zip(*aligner.directions(corpus), strict=True)
    own = [
        symmetrize(*(zip(*one.nonzero(), strict=True) for one in both), both[0].shape, how)
        for both in directions
    ]
    assert own == aligner.align(corpus)

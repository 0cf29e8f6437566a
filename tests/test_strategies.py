"""The strategies are those of the paper, and a mistyped one is refused with the nearest."""

import pytest

from projection.errors import InputError
from trainers.strategies import STRATEGIES, strategy

# What a model for German is trained on, whether one model serves all targets, and whether the
# warm-up comes first: the rows of the table in the design, by hand.
TABLE = {
    "zero-shot": (("en",), True, False),
    "target-only": (("de",), False, False),
    "bilingual": (("en", "de"), False, False),
    "multilingual": (("en", "de", "es"), True, False),
    "mtl-ws": (("en",), True, True),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_strategy_is_the_row_of_the_papers_table(name):
    languages, once_for_all, warm_start = TABLE[name]
    found = strategy(name)
    served = ("de", "es") if once_for_all else ("de",)
    assert found.training_languages("en", served) == languages
    assert found.once_for_all == once_for_all
    assert found.warm_start == warm_start


def test_the_table_has_the_papers_five_strategies_and_no_other():
    assert list(STRATEGIES) == list(TABLE)


@pytest.mark.parametrize("name", ["zero-shot", "target-only", "bilingual", "multilingual"])
def test_ws_after_an_adaptation_changes_its_start_and_nothing_else(name):
    cold, warm = strategy(name), strategy(f"{name}+ws")
    assert (cold.warm_start, warm.warm_start) == (False, True)
    assert (warm.source, warm.translations) == (cold.source, cold.translations)


def test_mtl_ws_is_zero_shot_after_a_warm_start():
    assert strategy("zero-shot+ws") == strategy("mtl-ws")


def test_monolingual_trains_on_the_language_of_the_study_alone_and_is_none_of_the_papers_five():
    assert strategy("monolingual").training_languages("tr", ("tr",)) == ("tr",)
    assert "monolingual" not in STRATEGIES


@pytest.mark.parametrize(
    ("mistyped", "nearest"),
    [
        ("mtl_ws", "mtl-ws"),
        ("zeroshot", "zero-shot"),
        ("Bilingual", "bilingual"),
        ("multilingual-ws", "multilingual"),
        ("mtl-ws+ws", "mtl-ws"),
        ("monolingual+ws", "monolingual"),
    ],
)
def test_an_unknown_strategy_is_refused_with_the_nearest_known_one(mistyped, nearest):
    with pytest.raises(
        InputError, match=rf"'{mistyped.replace('+', '.')}'; did you mean {nearest}\?"
    ):
        strategy(mistyped)


def test_a_strategy_like_no_other_is_refused_with_all_names():
    with pytest.raises(InputError) as refusal:
        strategy("qqq")
    message = str(refusal.value)
    assert "did you mean" not in message
    assert all(name in message for name in TABLE)

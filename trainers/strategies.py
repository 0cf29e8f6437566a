"""The strategies of the paper as one table (DESIGN §4): what is trained on, and from where.

Beyond the paper there are strategies of several others' models: their weights are averaged, or they
vote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum, auto
from types import MappingProxyType

from projection.errors import InputError


class Translations(StrEnum):
    """Which pseudo-labelled translations an adaptation trains on."""

    NONE = auto()
    EVALUATED = auto()
    """Only that of the language it will be evaluated on: one model for each target."""
    ALL = auto()


@dataclass(frozen=True, slots=True)
class Strategy:
    """An adaptation (paper §3, §4) and whether the multilingual warm-up comes before it (§5)."""

    source: bool
    translations: Translations
    warm_start: bool = False
    averages: tuple[str, ...] = ()
    """Strategies whose models it is the mean of; then it trains none of its own."""
    votes: tuple[str, ...] = ()
    """Strategies whose models vote; then it trains none of its own."""

    @property
    def members(self) -> tuple[str, ...]:
        """Strategies whose models it is made of; none if it trains its own."""
        return self.averages or self.votes

    @property
    def once_for_all(self) -> bool:
        """True if one model serves all target languages."""
        return self.translations is not Translations.EVALUATED

    def training_languages(self, source: str, targets: Sequence[str]) -> tuple[str, ...]:
        """Languages whose training corpora are used by a model that serves ``targets``."""
        translated = () if self.translations is Translations.NONE else tuple(targets)
        return ((source,) if self.source else ()) + translated


_WARM_SUFFIX, _MEAN_SIGN, _VOTE_SIGN = "+ws", "~", "^"

STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "zero-shot": Strategy(source=True, translations=Translations.NONE),
        "target-only": Strategy(source=False, translations=Translations.EVALUATED),
        "bilingual": Strategy(source=True, translations=Translations.EVALUATED),
        "multilingual": Strategy(source=True, translations=Translations.ALL),
        "mtl-ws": Strategy(source=True, translations=Translations.NONE, warm_start=True),
    }
)

MONOLINGUAL = "monolingual"
"""The bound that the paper's Table 4 gives: gold labels of the language that is tested. It has
studies of its own, of one language, so that no study of transfer can come to read target gold."""


def strategy(name: str) -> Strategy:
    """The strategy called ``name``.

    ``NAME+ws`` warm-starts any other adaptation (paper §5.2). ``NAME~NAME`` is the mean of the
    weights of the models that the strategies named train on the same seed, each model weighing the
    same (Wortsman et al. 2022, "model soups"; Schmidt et al. 2023 for cross-lingual transfer): they
    all start from the same encoder and the same output layer. ``NAME^NAME`` leaves the models as
    they are and takes the mean of their probabilities, for the cost of all of them at every
    prediction; means may vote, too.

    Raises:
        InputError: No such strategy; names the nearest one.
    """
    if _VOTE_SIGN in name:
        names = _members(name, _VOTE_SIGN)
        return replace(_joint(names), votes=names)
    if _MEAN_SIGN in name:
        names = _members(name, _MEAN_SIGN)
        return replace(_joint(names), averages=names)
    if name in STRATEGIES:
        return STRATEGIES[name]
    if name == MONOLINGUAL:
        return Strategy(source=True, translations=Translations.NONE)
    base = STRATEGIES.get(name.removesuffix(_WARM_SUFFIX))
    if name.endswith(_WARM_SUFFIX) and base and not base.warm_start:
        return replace(base, warm_start=True)
    known = (*STRATEGIES, MONOLINGUAL)
    near = get_close_matches(name.replace("_", "-"), known, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise InputError(f"unknown strategy {name!r}{hint} Known: {', '.join(known)}")


def _members(name: str, sign: str) -> tuple[str, ...]:
    names = tuple(name.split(sign))
    if len(set(names)) != len(names):
        raise InputError(f"the strategy {name!r} names one strategy twice; name each once")
    return names


def _joint(names: Sequence[str]) -> Strategy:
    parts = [strategy(one) for one in names]
    translated = any(part.translations is not Translations.NONE for part in parts)
    return Strategy(
        source=any(part.source for part in parts),
        translations=Translations.ALL if translated else Translations.NONE,
        warm_start=any(part.warm_start for part in parts),
    )

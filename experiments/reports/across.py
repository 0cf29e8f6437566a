"""Is a strategy of one study better than one of another, or is it chance? The tests are those
within a study (:mod:`experiments.reports.significance`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.reports.evidence import counts_of
from experiments.reports.resampling import Counts, Pair
from experiments.reports.significance import Comparison, Question, answer
from orchestrator.plan import Plan
from orchestrator.predictions import GoldSet, TestSet, read_predictions
from orchestrator.results import AVERAGE
from orchestrator.store import StepStore
from projection.errors import InputError
from trainers.strategies import strategy


@dataclass(frozen=True, slots=True)
class Arm:
    """A strategy of a study.

    >>> Arm("table5", "target-only").name
    'table5: target-only'
    """

    study: str
    strategy: str

    @property
    def name(self) -> str:
        """As comparisons call it."""
        return f"{self.study}: {self.strategy}"


def arms_of(plans: Iterable[Plan], only: Sequence[str] = ()) -> list[Arm]:
    """Every strategy of every study; only some strategies if ``only`` names any."""
    return [
        Arm(plan.study.name, how)
        for plan in plans
        for how in plan.study.strategies
        if not only or how in only
    ]


def counterparts(arms: Sequence[Arm], baseline: str) -> dict[Arm, Arm]:
    """What each arm is compared with; those that have nothing are left out.

    Args:
        arms: Of all studies.
        baseline: ``STUDY:STRATEGY``, with which all are compared; or ``STUDY``: each with the
            same strategy there or, of a strategy that is warm-started, with the cold one.

    Raises:
        InputError: None of ``arms`` is of such a study or strategy.

    >>> arms = [Arm("ner", "zero-shot"), Arm("ner", "bilingual"), Arm("warm", "bilingual+ws")]
    >>> found = counterparts(arms, "ner")
    >>> [(ours.name, theirs.name) for ours, theirs in found.items()]
    [('warm: bilingual+ws', 'ner: bilingual')]
    """
    study, _, how = baseline.partition(":")
    there = [arm for arm in arms if arm.study == study and how in ("", arm.strategy)]
    if not there:
        known = ", ".join(dict.fromkeys(arm.study for arm in arms))
        named = ", ".join(f"{arm.study}:{arm.strategy}" for arm in arms)
        raise InputError(f"--baseline {baseline}: there are the studies {known}, and {named}")
    if how:
        return {arm: there[0] for arm in arms if arm != there[0]}
    by_name = {arm.strategy: arm for arm in there}
    found = {arm: by_name.get(arm.strategy) or _cold(arm, there) for arm in arms}
    return {ours: theirs for ours, theirs in found.items() if theirs not in (None, ours)}


def _cold(arm: Arm, there: Sequence[Arm]) -> Arm | None:
    wanted = replace(strategy(arm.strategy), warm_start=False)
    return next((one for one in there if strategy(one.strategy) == wanted), None)


def compare_arms(
    plans: Sequence[Plan], store: StepStore, pairs: Mapping[Arm, Arm]
) -> list[Comparison]:
    """Every arm with its counterpart, on each language that both were tested on, over the seeds
    that both have; on the average as well if both have the same languages. P is corrected for all
    of these.

    Args:
        plans: Of one task, of studies with different names.
        store: Where their tests are.
        pairs: See :func:`counterparts`.

    Raises:
        InputError: Two studies are not tested on the same sentences.
    """
    targets = {plan.study.name: plan.study.targets for plan in plans}
    counts = _counts(plans, store)
    return answer(counts, list(_questions(pairs, targets, counts)))


def _counts(plans: Sequence[Plan], store: StepStore) -> dict[str, Counts]:
    """Of all models of all studies, by language."""
    tests: dict[str, dict[str, TestSet]] = {}
    for plan in plans:
        for language, test in read_predictions(plan, store).items():
            tests.setdefault(language, {})[plan.study.name] = test
    return {language: _together(language, some) for language, some in tests.items()}


def _together(language: str, tests: Mapping[str, TestSet]) -> Counts:
    (first, reference), *others = tests.items()
    for name, test in others:
        if not _same(reference.gold, test.gold):
            raise InputError(
                f"{first} and {name} are not tested on the same {language} sentences and labels, "
                "so nothing can be said of their difference; leave one out, or --baseline"
            )
    counts = {name: counts_of(test) for name, test in tests.items()}
    return Counts(
        tuple(
            (Arm(name, how).name, seed) for name, one in counts.items() for how, seed in one.models
        ),
        np.concatenate([one.correct for one in counts.values()]),
        np.concatenate([one.predicted for one in counts.values()]),
        next(iter(counts.values())).gold,
    )


def _same(one: GoldSet, other: GoldSet) -> bool:
    """Same sentences, same spans, same labels; what else models could predict may differ."""

    def columns(gold: GoldSet) -> list[NDArray[Any]]:
        spans = gold.spans
        labels = np.array(gold.labels)[spans.label]
        return [gold.unit, spans.lengths, spans.sentence, spans.start, spans.end, labels]

    pairs = zip(columns(one), columns(other), strict=True)
    return all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def _questions(
    pairs: Mapping[Arm, Arm], targets: Mapping[str, Sequence[str]], counts: Mapping[str, Counts]
) -> Iterator[Question]:
    for ours, theirs in pairs.items():
        common = [one for one in targets[ours.study] if one in targets[theirs.study]]
        columns: dict[str, tuple[str, ...]] = {one: (one,) for one in common}
        if set(targets[ours.study]) == set(targets[theirs.study]):
            columns[AVERAGE] = tuple(common)
        for column, languages in columns.items():
            seeds = _common_seeds(ours, theirs, languages, counts)
            if seeds:
                yield Question(column, languages, Pair(ours.name, theirs.name, seeds))


def _common_seeds(
    ours: Arm, theirs: Arm, languages: Sequence[str], counts: Mapping[str, Counts]
) -> tuple[int, ...]:
    found = [
        counts[language].seeds_of(arm.name) if language in counts else set()
        for language in languages
        for arm in (ours, theirs)
    ]
    return tuple(sorted(set.intersection(*found)))

"""Sections of a sweep's report on what matters: each setting alone, Z by K, the learning rate."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from experiments.reports.document import NOT_DONE, Cell, Figure, Section, Table, count
from experiments.reports.document import number as score_cell
from experiments.reports.figures import Drawing, panels
from experiments.reports.sweep_figures import RATE, ROUNDS, STEPS
from experiments.reports.sweep_numbers import (
    Effect,
    HeatMap,
    explained,
    heat_map,
    is_compared,
    marginal,
)
from orchestrator.sweep.records import Sweep, Trial, counts

PARTIAL = "†"
"""Mark of a mean that lacks some trials."""

Trials = Sequence[Trial]


def _left_out(trials: Trials) -> str:
    left = [one for one in trials if not is_compared(one)]
    if not left:
        return ""
    states = ", ".join(f"{n} {state}" for state, n in counts(left).items() if n)
    return (
        f"{len(left)} of {len(trials)} trials are in no mean: {states}. Where some are left out, a "
        "mean is over fewer of the other settings than its neighbours'."
    )


def effects_section(sweep: Sweep, trials: Trials, drawn: Mapping[str, Drawing]) -> Section:
    """How much each setting matters, and the score of each of its values."""
    found = {name: marginal(name, trials, one) for name, one in sweep.parameters.items()}
    shares = Table(
        "matters",
        "How much each setting matters by itself",
        ("setting", "best value", "best less worst mean", "spread within", "% of variance"),
        tuple(_share_row(name, effects) for name, effects in found.items()),
        "Spread within: standard deviation over the other settings, mean over the values. % of "
        "variance: between the values, of all (eta squared); in a full grid, what is left of 100 "
        "is how settings interact.",
    )
    rows = [_effect_row(name, one) for name, effects in found.items() for one in effects]
    columns = ("setting", "trials", "mean", "spread", "lowest", "highest", "left out")
    table = Table(
        "effects",
        f"{sweep.metric} (%) by the value of one setting, whatever the others are",
        columns,
        tuple(rows),
        _left_out(trials),
    )
    figure = Figure(
        "effects",
        "A dot is a trial, the bar the mean of those with the value",
        lambda: panels("effects", [drawn[f"effect-{name}"] for name in found]),
    )
    return Section("effects", "What matters", (), (shares, figure, table))


def _share_row(name: str, effects: Sequence[Effect]) -> tuple[Cell, ...]:
    known = [one for one in effects if one.scores]
    means = [one.mean or 0.0 for one in known]
    share = explained(effects)
    return (
        Cell(name),
        Cell(known[means.index(max(means))].level.label),
        score_cell(max(means) - min(means)),
        score_cell(fmean(one.spread for one in known)),
        score_cell(None if share is None else 100.0 * share, 0),
    )


def _effect_row(name: str, effect: Effect) -> tuple[Cell, ...]:
    scores = effect.scores
    return (
        Cell(f"{name} = {effect.level.label}"),
        count(len(scores)),
        score_cell(effect.mean),
        score_cell(effect.spread if len(scores) > 1 else None),
        score_cell(min(scores, default=None)),
        score_cell(max(scores, default=None)),
        count(effect.left_out),
    )


def heat_section(sweep: Sweep, trials: Trials, drawn: Mapping[str, Drawing]) -> Section:
    """Z by K, where both were searched."""
    heat = heat_map(ROUNDS, STEPS, trials, sweep.parameters)
    known = [mean for row in heat.means() for mean in row if mean is not None]
    low, high = min(known), max(known)

    def cell(effect: Effect) -> Cell:
        if effect.mean is None:
            return Cell(NOT_DONE, f" ({effect.left_out})" if effect.left_out else "")
        share = (effect.mean - low) / (high - low) if high > low else 0.0
        text, mark = f"{effect.mean:.2f}", PARTIAL if effect.left_out else ""
        return Cell(text, mark=mark, best=text == f"{high:.2f}", value=effect.mean, share=share)

    table = Table(
        "heat",
        f"{sweep.metric} (%) by Z (down) and K (across), mean over the other settings",
        ("Z \\ K", *(one.label for one in heat.columns)),
        tuple(
            (Cell(row.label), *(cell(heat.at(row, column)) for column in heat.columns))
            for row in heat.rows
        ),
        _holes(heat),
    )
    figure = Figure(
        "heat",
        "Z by K; hatched where no trial can be compared",
        lambda: panels("heat-map", [drawn["heat-map"]]),
    )
    return Section("heat", "Rounds by steps (Z by K)", (), (table, figure))


def _holes(heat: HeatMap) -> str:
    """What the signs of a table with gaps mean."""
    effects = heat.cells.values()
    signs = []
    if any(one.mean is not None and one.left_out for one in effects):
        signs.append(f"{PARTIAL} over some of the other settings only")
    if any(one.mean is None for one in effects):
        signs.append("- no trial to compare")
    if any(one.mean is None and one.left_out for one in effects):
        signs.append("(n) trials that failed, were stopped, or have not ended")
    return "; ".join(signs) + "." if signs else ""


def rate_section(sweep: Sweep, trials: Trials, drawn: Mapping[str, Drawing]) -> Section:
    """The curve of the learning rate, where it was searched."""
    effects = [one for one in marginal(RATE, trials, sweep.parameters[RATE]) if one.scores]
    table = Table(
        "rate",
        f"{sweep.metric} (%) by learning rate, over the other settings",
        ("learning rate", "mean", "best"),
        tuple(
            (Cell(one.level.label), score_cell(one.mean), score_cell(max(one.scores)))
            for one in effects
        ),
    )
    figure = Figure(
        "rate",
        "Score by learning rate: every trial, their mean and their best",
        lambda: panels("learning-rate", [drawn["learning-rate"]]),
    )
    return Section("rate", "Learning rate", (), (table, figure))

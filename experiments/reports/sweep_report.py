"""The report of a sweep: the best setting, every trial, what matters, what it cost."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from experiments.corpus_sizes import read_paper
from experiments.reports.document import NOT_DONE, Cell, Document, Section, Table, count
from experiments.reports.latex import render_latex
from experiments.reports.page import render_page
from experiments.reports.paper_numbers import BACKBONES
from experiments.reports.sweep_effects import effects_section, heat_section, rate_section
from experiments.reports.sweep_figures import RATE, ROUNDS, STEPS, drawings, pngs
from experiments.reports.sweep_numbers import (
    is_compared,
    near_the_best,
    ranking,
    spent,
    value_text,
)
from experiments.reports.text import render_text
from experiments.stores import time_text
from orchestrator.sweep.records import Sweep, Trial, TrialState, best, counts

SHOWN_DIGITS = 12
"""Of a fingerprint."""

Trials = Sequence[Trial]


def sweep_document(sweep: Sweep, trials: Trials) -> Document:
    """Everything that is known so far; sections without anything to show are left out."""
    drawn = drawings(sweep, trials)
    sections = [_best(sweep, trials), _trials(sweep, trials)]
    if any(is_compared(one) for one in trials):
        sections.append(effects_section(sweep, trials, drawn))
        if {ROUNDS, STEPS} <= sweep.parameters.keys():
            sections.append(heat_section(sweep, trials, drawn))
        if RATE in sweep.parameters:
            sections.append(rate_section(sweep, trials, drawn))
    sections.append(_cost(trials))
    return Document(f"Sweep of {sweep.study}", tuple(sections))


def _best(sweep: Sweep, trials: Trials) -> Section:
    return Section(
        "best", "Best setting", tuple(_words(sweep, trials)), tuple(_beside(sweep, trials))
    )


def _words(sweep: Sweep, trials: Trials) -> Iterator[str]:
    seeds = ", ".join(str(seed) for seed in sweep.seeds)
    yield (
        f"{sweep.strategy} of {sweep.study}: {sweep.task}, {sweep.backbone}, {sweep.source} to "
        f"{', '.join(sweep.targets)}. Trials are judged by {sweep.metric} (%), mean over seeds "
        f"{seeds}; searcher {sweep.searcher}, scheduler {sweep.scheduler}; sweep "
        f"{sweep.fingerprint[:SHOWN_DIGITS]}."
    )
    states = ", ".join(f"{n} {state}" for state, n in counts(trials).items() if n)
    yield f"{len(trials)} trials: {states or 'none has begun'}."
    winner = best(filter(is_compared, trials))
    if winner is None:
        yield "No trial has finished, so there is no best setting yet."
        return
    chosen = ", ".join(f"{name} {value_text(winner.settings[name])}" for name in sweep.parameters)
    yield f"Best: trial {winner.number} with {_score_text(winner)}: {chosen}."
    others = len(near_the_best(trials)) - 1
    if len(sweep.seeds) > 1:
        yield (
            f"{others or 'No'} other trial{'' if others == 1 else 's'} came within one standard "
            "deviation over seeds of it."
        )
    else:
        yield "With one seed a trial, differences of the size that seeds make cannot be told apart."


def _score_text(trial: Trial) -> str:
    spread = f" ± {trial.spread:.2f}" if len(trial.scores) > 1 else ""
    return f"{trial.score:.2f}{spread}"


def _beside(sweep: Sweep, trials: Trials) -> Iterator[Table]:
    """The best setting, the study's own, and the paper's where it speaks of the task."""
    winner, paper = best(filter(is_compared, trials)), _paper(sweep)
    rows = [
        (
            Cell(name),
            Cell(value_text(winner.settings[name]), best=True) if winner else Cell(NOT_DONE),
            Cell(value_text(sweep.base[name])),
            *(Cell(_printed(column, name)) for column in paper.values()),
        )
        for name in sweep.parameters
    ]
    beside = "; the paper's Table 6 and the ranges of its A.1" if paper else ""
    yield Table(
        "best",
        f"The best setting, and what the study says without a sweep{beside}",
        ("setting", "best", "study", *paper),
        tuple(rows),
    )


def _paper(sweep: Sweep) -> dict[str, Mapping[str, Any]]:
    """What the paper chose and searched; with the sweep's encoder alone if the paper has it."""
    numbers = read_paper("numbers.yaml")
    same = [key for key, (model, _) in BACKBONES.items() if model == sweep.backbone]
    chosen = {
        f"paper, {BACKBONES[key][1]}": numbers["table6"][key][sweep.task]
        for key in same or BACKBONES
        if sweep.task in numbers["table6"][key]
    }
    return chosen | {"the paper searched": numbers["a1"]} if chosen else {}


def _printed(column: Mapping[str, Any], name: str) -> str:
    value: Any = column
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, list):
        return ", ".join(value_text(one) for one in value)
    return NOT_DONE if value is None else value_text(value)


def _trials(sweep: Sweep, trials: Trials) -> Section:
    winner = best(filter(is_compared, trials))
    rows = tuple(_trial_row(sweep, trial, trial is winner) for trial in ranking(trials))
    judged = ("trial", sweep.metric, *sweep.parameters, "state")
    columns = (*judged, "seeds", "steps", "new steps", "time")
    note = (
        "Steps: of fine-tuning, every model. New steps: of warm-up and fine-tuning, those that no "
        "earlier trial had taken. Time: of the computing steps, added up. In brackets: scores of "
        "trials that did not come to their end, and are not compared."
    )
    table = Table("trials", "All trials, the best first", columns, rows, note)
    return Section("trials", "Trials", (), (table,))


def _trial_row(sweep: Sweep, trial: Trial, is_best: bool) -> tuple[Cell, ...]:
    spread = f" ± {trial.spread:.2f}" if len(trial.scores) > 1 else ""
    score = Cell(NOT_DONE)
    if is_compared(trial):
        score = Cell(f"{trial.score:.2f}", spread, best=is_best, value=trial.score)
    elif trial.score is not None:
        score = Cell(f"({trial.score:.2f})", spread, value=trial.score)
    return (
        count(trial.number),
        score,
        *(_value_cell(trial.settings[name]) for name in sweep.parameters),
        Cell(": ".join(filter(None, (trial.state, trial.reason)))),
        Cell(f"{len(trial.scores)} of {len(trial.seeds)}"),
        count(trial.finetune_steps),
        count(trial.executed.warmup + trial.executed.finetune),
        Cell(time_text(trial.seconds), value=trial.seconds),
    )


def _value_cell(value: Any) -> Cell:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(value_text(value), value=float(value) if is_number else None)


def _cost(trials: Trials) -> Section:
    rows = [
        (
            Cell(one.part),
            count(one.naive),
            count(one.executed),
            Cell(f"{one.factor:.1f} x", value=one.factor) if one.factor else Cell(NOT_DONE),
        )
        for one in spent(trials)
    ]
    table = Table(
        "cost",
        "Gradient steps if every trial had trained alone, and those that were taken",
        ("part", "alone", "taken", "fewer"),
        tuple(rows),
        "Of a warm-up: of each of its languages (Z x K).",
    )
    seconds = sum(trial.seconds for trial in trials)
    nothing = sum(
        one.state is TrialState.FINISHED and one.executed.warmup + one.executed.finetune == 0
        for one in trials
    )
    said = f"Computing time of all steps together: {time_text(seconds)}."
    if nothing:
        said += f" {nothing} finished trials needed nothing that was not there already."
    return Section("cost", "Cost", (said,), (table,))


def sweep_csv(sweep: Sweep, trials: Trials) -> str:
    """One row a trial, the best first."""
    names = list(sweep.parameters)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    seeds = [f"{sweep.metric}.seed{seed}" for seed in sweep.seeds]
    costs = [f"{kind}.{part}" for kind in ("executed", "naive") for part in ("warmup", "finetune")]
    tail = ["finetune_steps", *costs, "seconds", "id"]
    writer.writerow(["trial", "state", "reason", *names, sweep.metric, "std", *seeds, *tail])
    for one in ranking(trials):
        writer.writerow(
            [one.number, one.state.value, one.reason]
            + [one.settings[name] for name in names]
            + [one.score, one.spread if len(one.scores) > 1 else None]
            + [one.scores.get(seed) for seed in sweep.seeds]
            + [one.finetune_steps, one.executed.warmup, one.executed.finetune]
            + [one.naive.warmup, one.naive.finetune, round(one.seconds, 1), one.id]
        )
    return out.getvalue()


FORMATS: Mapping[str, Callable[[Sweep, Trials], str]] = {
    "text": lambda sweep, trials: render_text(sweep_document(sweep, trials), "text"),
    "markdown": lambda sweep, trials: render_text(sweep_document(sweep, trials), "markdown"),
    "latex": lambda sweep, trials: render_latex(sweep_document(sweep, trials)),
    "csv": sweep_csv,
    "html": lambda sweep, trials: render_page(sweep_document(sweep, trials)),
}
"""Of ``xlwarm report --sweep``."""


def logged_files(sweep: Sweep, trials: Trials) -> dict[str, str | bytes]:
    """What is put beside a sweep in MLflow, by file name."""
    texts = {"sweep.md": "markdown", "trials.csv": "csv", "sweep.html": "html"}
    found: dict[str, str | bytes] = {
        name: FORMATS[form](sweep, trials) for name, form in texts.items()
    }
    return found | dict(pngs(drawings(sweep, trials)))

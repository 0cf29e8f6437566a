"""Sweeps in MLflow: one run for each trial below one for the sweep, by fingerprint (DESIGN §7).

Logged from the driver out of the records, so a trial that is told again, by a retry or by the next
execution, updates its run. Parameters have the names of the study file, so that MLflow's parallel
coordinates need no preparation.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

from mlflow.entities import Metric

from orchestrator.mlflow_runs import MlflowRuns
from orchestrator.store import StepStore
from orchestrator.sweep.live import saved
from orchestrator.sweep.records import Cost, Sweep, SweepRecords, Trial, TrialState, best
from orchestrator.sweep.trials import TrialPlanner
from orchestrator.tracking import common_tags, flat_names, settings_of
from orchestrator.tracking.background import Background
from projection.errors import InputError
from trainers.strategies import strategy

STATUS = {
    TrialState.FINISHED: "FINISHED",
    TrialState.FAILED: "FAILED",
    TrialState.STOPPED: "KILLED",
}
"""MLflow's word for the end of a trial."""


class SweepTracker:
    """Writes a sweep into the experiment of its study.

    Args:
        sweep: Its record.
        planner: Knows all settings of a trial.
        store: Where the records are.
        uri: Of the tracking server or database.
    """

    def __init__(self, sweep: Sweep, planner: TrialPlanner, store: StepStore, uri: str) -> None:
        self._sweep, self._planner = sweep, planner
        self._records = SweepRecords(store.files, sweep.fingerprint)
        self._runs = MlflowRuns(sweep.study, store, uri, common_tags(planner.study))
        self._tags = {"xlwarm.strategy": sweep.strategy}
        name = f"sweep-{sweep.strategy}"
        self._parent = self._runs.run("sweep", sweep.fingerprint, name, None, self._tags)
        self._runs.client.update_run(self._parent, status="RUNNING")
        self._runs.write(self._parent, [], dict(_parent_params(sweep)), _parent_tags(sweep))

    def log(self, trial: Trial) -> None:
        """Bring the run of ``trial`` up to its record."""
        if trial.state is TrialState.PENDING:
            return
        run = self._runs.run("trial", trial.id, f"trial-{trial.number}", self._parent, self._tags)
        client = self._runs.client
        if trial.state is TrialState.RUNNING:
            client.update_run(run, status="RUNNING")
            self._runs.write(run, [], self._params(trial), {})
            return
        tags = {"xlwarm.state": trial.state, "xlwarm.reason": trial.reason}
        self._runs.write(
            run, list(trial_metrics(self._sweep.metric, trial)), self._params(trial), tags
        )
        client.set_terminated(run, STATUS[trial.state])

    def _params(self, trial: Trial) -> dict[str, str]:
        try:
            study = self._planner.trial_study(trial.settings)
        except InputError:  # its settings do not go together
            return dict(flat_names(trial.settings))
        chosen = settings_of(study)
        chosen["strategy"] = self._sweep.strategy
        chosen["targets"] = ",".join(self._sweep.targets)
        if strategy(self._sweep.strategy).warm_start:
            chosen["warmup"] = study.warmup
        return dict(flat_names(chosen))

    def finish(self, status: str) -> None:
        """Log every trial once more, and the whole; close the run of the sweep."""
        trials = self._records.trials()
        for trial in trials:
            self.log(trial)
            if trial.state is TrialState.RUNNING:
                run = self._runs.run("trial", trial.id, "")
                self._runs.client.set_terminated(run, "KILLED")
        now = int(1000 * datetime.now().timestamp())
        metrics = [Metric(name, value, now, 0) for name, value in summary(self._sweep, trials)]
        winner = best(trials)
        tags = {"xlwarm.best": winner.id} if winner else {}
        self._runs.write(self._parent, metrics, {}, tags)
        self._runs.client.set_terminated(self._parent, status)


def _parent_params(sweep: Sweep) -> Iterator[tuple[str, str]]:
    yield "strategy", sweep.strategy
    yield "metric", sweep.metric
    yield "seeds", ",".join(str(seed) for seed in sweep.seeds)
    yield "swept", ",".join(sorted(sweep.parameters))


def _parent_tags(sweep: Sweep) -> dict[str, str]:
    """What may differ from one execution to the next, which a parameter may not."""
    return {
        "xlwarm.searcher": sweep.searcher,
        "xlwarm.scheduler": sweep.scheduler,
        "xlwarm.space": sweep.model_dump_json(include={"parameters"}),
    }


def trial_metrics(metric: str, trial: Trial) -> Iterator[Metric]:
    """Everything measured of a trial that has ended."""
    when = int(1000 * datetime.fromisoformat(trial.ended).timestamp()) if trial.ended else 0
    if trial.score is not None:
        yield Metric(metric, trial.score, when, 0)
        yield Metric(f"{metric}_std", trial.spread, when, 0)
    for seed, score in trial.scores.items():
        yield Metric(f"{metric}.seed{seed}", score, when, 0)
    for point in trial.curve:
        yield Metric(f"{metric}_by_step", point.score, when, point.step)
    yield Metric("finetune_steps", trial.finetune_steps, when, 0)
    yield Metric("compute_seconds", trial.seconds, when, 0)
    for name, value in (*_named("executed", trial.executed), *_named("alone", trial.naive)):
        yield Metric(name, value, when, 0)


def _named(what: str, cost: Cost) -> list[tuple[str, float]]:
    return [(f"warmup_steps_{what}", cost.warmup), (f"finetune_steps_{what}", cost.finetune)]


def summary(sweep: Sweep, trials: Sequence[Trial]) -> Iterator[tuple[str, float]]:
    """Numbers of a whole sweep."""
    for state in TrialState:
        yield f"trials_{state}", sum(one.state is state for one in trials)
    executed, alone = saved(trials)
    yield from (*_named("executed", executed), *_named("alone", alone))
    winner = best(trials)
    if winner is not None and winner.score is not None:
        yield f"best_{sweep.metric}", winner.score


class BackgroundSweepTracking:
    """Logs beside a running sweep, in one thread; a server that is away costs nothing."""

    def __init__(self, sweep: Sweep, planner: TrialPlanner, store: StepStore, uri: str) -> None:
        self._log = Background(partial(SweepTracker, sweep, planner, store, uri))
        self._last: dict[str, TrialState] = {}

    @property
    def problem(self) -> str | None:
        """Why nothing is sent at present; None if all is well."""
        return self._log.problem

    def noted(self, trial: Trial) -> None:
        """Log a trial whose state has changed."""
        if self._last.get(trial.id) is not trial.state:
            self._last[trial.id] = trial.state
            self._log.submit(lambda: self._log.attempt(lambda tracker: tracker.log(trial)))

    def close(self, status: str) -> None:
        """Wait for what is being logged, log what is missing, close the run of the sweep."""
        self._log.close(lambda tracker: tracker.finish(status))

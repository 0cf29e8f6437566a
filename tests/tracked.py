"""A tiny study that was really trained, and a tracking database that watched it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from experiments.tables import logged_tables
from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from orchestrator.tracking import BackgroundTracking
from tests.studies import write_study

STRATEGIES = ("zero-shot", "target-only", "mtl-ws")
TARGETS = ("es", "de")


@dataclass(frozen=True)
class Tracked:
    """A finished study in a store, and the URI of the database in which it was logged."""

    plan: Plan
    store: StepStore
    uri: str

    @property
    def experiment(self) -> str:
        """Id of the study's experiment."""
        found = MlflowClient(tracking_uri=self.uri).get_experiment_by_name(self.plan.study.name)
        assert found is not None
        return str(found.experiment_id)

    @property
    def runs_page(self) -> str:
        """Where the dashboard lists the runs of the study, as of a model that is trained."""
        return f"/#/experiments/{self.experiment}/runs?workflowType=machine_learning"

    def page(self, kind: str, fingerprint: str) -> str:
        """Where the dashboard shows the run of this kind and fingerprint."""
        client = MlflowClient(tracking_uri=self.uri)
        which = f"tags.`xlwarm.kind` = '{kind}' and tags.`xlwarm.fingerprint` = '{fingerprint}'"
        (run,) = client.search_runs([self.experiment], which)
        return f"/#/experiments/{self.experiment}/runs/{run.info.run_id}"


def track(folder: Path, backbone: Path, new_tracking: Callable[[Path], str]) -> Tracked:
    """Write the study into ``folder``, train it, and log it meanwhile as ``xlwarm run`` does."""
    study = write_study(folder, backbone, strategies=list(STRATEGIES), targets=list(TARGETS))
    plan, store = make_plan(read_study(study)), StepStore(folder / "store")
    uri = new_tracking(store.root)
    tracking = BackgroundTracking(plan, store, uri)
    run_steps(plan.steps, store, InProcessLauncher(store.root), [tracking])
    tracking.close("FINISHED", logged_tables(plan, store))
    assert tracking.problem is None
    return Tracked(plan, store, uri)

"""Trained models in MLflow's registry, one name a strategy and one version a model.

``<study>-<strategy>`` has an alias for every seed (``seed-1``; ``de-seed-1`` where a model serves
one language) and ``best`` (``best-de``) for the version with the highest F1 on the source
development set. Test scores choose nothing.
"""

import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from orchestrator.export import export_model
from orchestrator.mlflow_runs import FINGERPRINT, MlflowRuns
from orchestrator.plan import Plan, RunSpec
from orchestrator.store import StepStore
from orchestrator.tracking.names import common_tags
from orchestrator.trained import TrainedModel
from projection.errors import InputError
from projection.inputs import Input
from trainers.strategies import strategy

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

CODE = Path(__file__).with_name("registered_model.py")
NEEDED = ("mlflow", "numpy", "pandas", "torch", "transformers")


def register_study(
    plan: Plan, store: StepStore, uri: str, chosen: Collection[RunSpec] | None = None
) -> Iterator[str]:
    """Log and register finished models of a study, and set the aliases; yields their names.

    What is registered already is not logged again. ``best`` is the best of those registered.

    Args:
        plan: Of the study.
        store: Where its models are.
        uri: Of MLflow.
        chosen: Models to register; None for all.

    Raises:
        InputError: MLflow has no run of a model.
    """
    runs = MlflowRuns(plan.study.name, store, uri, common_tags(plan.study))
    wanted = plan.specs if chosen is None else chosen
    for each in dict.fromkeys(spec.strategy for spec in wanted):
        name = f"{plan.study.name}-{each}"
        if strategy(each).votes:  # its models are registered under their own strategies
            continue
        registered: list[tuple[RunSpec, ModelVersion]] = []
        for spec in plan.specs:
            if spec.strategy == each and store.is_done(spec.model):
                found = _registered(runs.client, name, spec.fingerprint)
                if found is None and spec in wanted:
                    model = TrainedModel(store, spec.model.fingerprint, plan.study.name, spec)
                    found = _register(runs, model, name, uri)
                registered += [(spec, found)] if found else []
        aliases = dict(_aliases(registered, store))
        for alias, version in aliases.items():
            runs.client.set_registered_model_alias(name, alias, version.version)
        if aliases:
            yield f"{name}: {', '.join(f'{a} = v{v.version}' for a, v in sorted(aliases.items()))}"


def _aliases(
    registered: Sequence[tuple[RunSpec, ModelVersion]], store: StepStore
) -> Iterator[tuple[str, ModelVersion]]:
    best: dict[str, float] = {}
    for spec, found in registered:
        served = "" if strategy(spec.strategy).once_for_all else f"{spec.targets[0]}-"
        yield f"{served}seed-{spec.seed}", found
        alias = f"best-{spec.targets[0]}" if served else "best"
        dev_f1 = float(store.outputs(spec.model)["dev_f1"])
        if dev_f1 > best.get(alias, -1.0):
            best[alias] = dev_f1
            yield alias, found


def _registered(client: MlflowClient, name: str, fingerprint: str) -> ModelVersion | None:
    found = client.search_model_versions(f"name = '{name}'")
    return next((one for one in found if one.tags.get(FINGERPRINT) == fingerprint), None)


def _register(runs: MlflowRuns, model: TrainedModel, name: str, uri: str) -> ModelVersion:
    """Log the exported folder as a model of its run, and register it."""
    import mlflow
    from mlflow.models import Model

    assert model.spec is not None
    if ("model", model.spec.fingerprint) not in runs.found:
        raise InputError(
            f"{uri} has no run of {model.name} to register it with; `xlwarm sync` with the same "
            "study logs it"
        )
    tags = {FINGERPRINT: model.spec.fingerprint, "xlwarm.step": model.fingerprint}
    with TemporaryDirectory(prefix="xlwarm-model-") as work, tracking_at(uri):
        folder = Path(work) / model.name
        export_model(model, folder)
        inputs = [Input(one) for one in model.encoding["inputs"]["inputs"]]
        logged = Model.log(
            None,
            mlflow.pyfunc,
            name=model.name,
            run_id=runs.run("model", model.spec.fingerprint, model.name),
            registered_model_name=name,
            python_model=str(CODE),
            artifacts={"model": str(folder)},
            signature=_signature(inputs),
            input_example=_example(inputs),
            pip_requirements=[
                f"{one}=={metadata.version(one).partition('+')[0]}" for one in NEEDED
            ],
        )
    found = runs.client.get_model_version(name, str(logged.registered_model_version))
    for key, value in tags.items():
        runs.client.set_model_version_tag(name, found.version, key, value)
    return found


@contextmanager
def tracking_at(uri: str) -> Iterator[None]:
    """MLflow's fluent calls go to ``uri`` inside, and to where they went before after it."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # what MLflow uses of pandas
            # Values of different types in a dictionary have no type that MLflow could check.
            warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType")
            yield
    finally:
        mlflow.set_tracking_uri(before)


def _signature(inputs: Sequence[Input]) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Array, DataType

    words = Array(DataType.string)
    columns: dict[str, Any] = {"tokens": words} if inputs else {"text": DataType.string}
    if Input.POS in inputs:
        columns["pos"] = words
    if Input.PREDICATE in inputs:
        columns["predicate"] = DataType.long
    return ModelSignature(inputs=Schema([ColSpec(kind, name) for name, kind in columns.items()]))


def _example(inputs: Sequence[Input]) -> Any:
    import pandas as pd

    if not inputs:
        return pd.DataFrame({"text": ["Anna Berg visited Oslo."]})
    row: dict[str, Any] = {"tokens": ["She", "left"]}
    if Input.POS in inputs:
        row["pos"] = ["PRON", "VERB"]
    if Input.PREDICATE in inputs:
        row["predicate"] = 1
    return pd.DataFrame([row])

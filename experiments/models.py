"""``xlwarm export`` and ``xlwarm predict``: trained models to take away and to use."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from experiments.options import plan_of, set_option, store_option
from projection.errors import InputError
from projection.unlabelled import STANDARD_INPUT, Layout, layout_of, read_passages

if TYPE_CHECKING:
    from orchestrator.trained import TrainedModel
    from trainers.span_tagger import SpanTagger

Command = TypeVar("Command", bound=Callable[..., Any])

OUTPUT_FORMS = ("conll", "jsonl", "colour")


def run_options(command: Command) -> Command:
    """``--study``, ``--set``, ``--store`` and ``--tracking``: where RUN is looked up."""
    for decorate in (
        click.option(
            "--tracking",
            metavar="URI",
            help="MLflow tracking URI, if RUN is the id of an MLflow run [default: in the store].",
        ),
        store_option,
        set_option,
        click.option(
            "--study",
            "study_file",
            metavar="STUDY",
            type=click.Path(path_type=Path),
            help="The study that RUN is a model of.",
        ),
    ):
        command = decorate(command)
    return command


@click.command()
@click.argument("run")
@click.option(
    "--to",
    required=True,
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder to write; one that was exported before is replaced.",
)
@click.option(
    "--register",
    is_flag=True,
    help="Also log the model to MLflow and register it; needs --study.",
)
@run_options
def export(
    run: str,
    to: Path,
    register: bool,
    study_file: Path | None,
    overrides: tuple[str, ...],
    store: str,
    tracking: str | None,
) -> None:
    """Write the trained model RUN as an ordinary Hugging Face model folder.

    RUN is the name of a model of --study (mtl-ws-seed1), or the first 6 or more digits of the
    fingerprint of a finetune or evaluate step in the store, or the id of an MLflow run.
    """
    from orchestrator.export import check_folder, export_model
    from orchestrator.logged import default_tracking
    from orchestrator.store import open_store
    from orchestrator.trained import find_model

    check_folder(to)
    steps = open_store(store)
    plan = plan_of(study_file, overrides, None) if study_file else None
    if register and plan is None:
        raise InputError("--register needs --study, which names the model and its seed")
    uri = tracking or default_tracking(steps.root)
    model = find_model(run, steps, plan, uri)
    export_model(model, to)
    click.echo(f"{model.name} -> {to} (how to use it: {to / 'README.md'})")
    if register and plan and model.spec:
        from orchestrator.tracking.registry import register_study

        for name in register_study(plan, steps, uri, [model.spec]):
            click.echo(f"registered {name}")


@click.command()
@click.argument("model")
@click.argument("file", default=STANDARD_INPUT, type=click.Path(path_type=Path))
@click.option(
    "--from",
    "layout",
    type=click.Choice([str(one) for one in Layout]),
    help="Form of FILE [default: by its name, else text].",
)
@click.option(
    "--to",
    "form",
    type=click.Choice(OUTPUT_FORMS),
    help="Form of the output [default: colour on a terminal, else conll].",
)
@click.option("--device", metavar="DEVICE", help="cpu, cuda, cuda:1 [default: a GPU if there is].")
@run_options
def predict(
    model: str,
    file: Path,
    layout: str | None,
    form: str | None,
    device: str | None,
    study_file: Path | None,
    overrides: tuple[str, ...],
    store: str,
    tracking: str | None,
) -> None:
    """Tag FILE, or standard input, with MODEL.

    MODEL is a folder that `xlwarm export` wrote, or a RUN as there. FILE is plain text, a passage a
    line, however long; CoNLL columns with the word first; or JSON lines with "text" or "tokens".
    """
    from orchestrator.tagged_output import OUTPUTS

    chosen = Layout(layout) if layout else layout_of(file)
    tagger = _tagger(model, study_file, overrides, store, tracking)
    tagger.model.to(_device(device))
    show = OUTPUTS[form or ("colour" if sys.stdout.isatty() else "conll")](tagger.labels)
    passages = read_passages(file, chosen, sys.stdin.buffer, tagger.inputs)
    for passage, tagged in tagger.tag_passages(passages):
        click.echo(show(passage, tagged), nl=False, color=True if form == "colour" else None)


def _tagger(
    model: str,
    study_file: Path | None,
    overrides: tuple[str, ...],
    store: str,
    tracking: str | None,
) -> "SpanTagger":
    from orchestrator.export import load_exported, load_trained
    from orchestrator.trained import HEXADECIMAL

    if study_file is None and (Path(model).is_dir() or not HEXADECIMAL.fullmatch(model)):
        return load_exported(Path(model))
    return load_trained(_trained(model, study_file, overrides, store, tracking))


def _trained(
    run: str,
    study_file: Path | None,
    overrides: tuple[str, ...],
    store: str,
    tracking: str | None,
) -> "TrainedModel":
    from orchestrator.logged import default_tracking
    from orchestrator.store import open_store
    from orchestrator.trained import find_model

    steps = open_store(store)
    plan = plan_of(study_file, overrides, None) if study_file else None
    return find_model(run, steps, plan, tracking or default_tracking(steps.root))


def _device(name: str | None) -> str:
    import torch

    try:
        chosen = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {name}: {str(error).splitlines()[0]}") from None
    return str(chosen)

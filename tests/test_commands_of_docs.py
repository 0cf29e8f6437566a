"""Every command in the README and the documentation is one that works.

All of them go through the real parser, in a folder that has the files they name. What needs no
cluster, no server and no minutes of training is executed there as well.
"""

import shutil
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

import click
import pytest
import yaml
from click.testing import CliRunner

from experiments.options import study_of
from orchestrator.cli import COMMANDS, xlwarm
from orchestrator.cluster_file import ClusterFile
from orchestrator.execute import Outcome, run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.steps.base import Step
from orchestrator.store import StepStore
from orchestrator.study import Study
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.command_blocks import LANGUAGES, PAGES, PYTHON, ROOT, YAML, Block, Command, blocks
from tests.command_blocks import commands as commands_of
from tests.sweeps import Sweeping

CLICK: Mapping[str, str] = MappingProxyType(
    {"ray": "ray.scripts.scripts:cli", "mlflow": "mlflow.cli:cli"}
)
"""Programs of others whose parsers are asked, too."""

PROGRAMS: Mapping[str, str] = MappingProxyType(
    {
        "cat": "writes its file to the next command, which is checked",
        "export": "sets variables of the shell",
        "kubectl": "needs a Kubernetes cluster; tests/test_deploy.py reads the files",
        "mlflow": "starts a server; tests/test_tracking_server.py does",
        "pip": "installs packages",
        "ray": "starts a cluster on several machines; deploy/ does, and tests/three_nodes.py",
        "sbatch": "needs Slurm; tests/test_deploy.py reads the file",
        "source": "is of the shell",
        "xdg-open": "opens a browser",
    }
)
"""Programs that are not xlwarm, and why no test starts them."""

NOT_EXECUTED: Mapping[str, str] = MappingProxyType(
    {
        "xlwarm sweep": "takes minutes on Ray Tune; tests/test_sweep_ray.py does it",
        "xlwarm ui": "serves until Ctrl-C; tests/test_ui.py",
        "xlwarm translate": "needs Apertium; tests/test_apertium.py",
        "xlwarm doctor": "says what this machine lacks; tests/test_doctor.py",
        "--register": "logs models as large as their encoders; tests/test_tracking.py",
        "--log": "needs the run of a sweep in MLflow; tests/test_sweep_report.py",
        "--address": "needs that cluster; tests/test_ray.py, tests/test_jobs.py",
        "--tracking": "needs that server; tests/test_tracking_server.py",
        "s3://bucket/store": "needs that bucket; tests/test_store.py has stores that are no folder",
        "/shared/store": "needs that folder",
        "data_root=FOLDER": "needs corpora that may not be given away",
        "make": "make runs the others",
        "python": "benchmarks take minutes",
    }
)
"""Words of a command that is parsed, but not executed, and why."""

SWEPT, EXPORTED = "4be0c1", "2614d17aeb"
"""Fingerprints in the documentation, which those of the test stand for."""

LONG, SHORT = "400", "8"
"""Training steps that the documentation gives, and those that are taken."""

FILES: Mapping[str, str] = MappingProxyType(
    {
        "en.conll": "en.train.conll",
        "es.txt": "es.train.txt",
        "news.txt": "es.train.txt",
        "test.conll": "es.test.conll",
        "GOLD": "es.test.conll",
        "PREDICTED": "es.test.conll",
    }
)
"""Files that commands name, and which of the tiny study they are."""


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path, new_tracking: Callable[[Path], str]
) -> Path:
    """A folder with the files that the documentation names: studies, a store with a finished
    study and a finished sweep, corpora.
    """
    folder = tmp_path_factory.mktemp("world")
    sweeping = Sweeping(
        folder,
        tiny_bert,
        name="my-study",
        targets=["es", "de"],
        strategies=["zero-shot", "mtl-ws"],
        sweep={"parameters": {"warmup.rounds": [2, 3]}},
    )
    sweeping.execute()
    plan = make_plan(read_study(folder / "study.yaml"))
    run_steps(plan.steps, sweeping.store, InProcessLauncher(folder / "store"), [])
    for store in ("store", "FOLDER"):
        new_tracking(folder / store)
    content = yaml.safe_load((folder / "study.yaml").read_text())
    (folder / "experiments").mkdir()
    for name in ("my-study", "other-study", "other", "big-study", "small-study"):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content | {"name": name}))
    here = content | {"name": "quickstart", "data_root": ".."}
    for name in ("quickstart", "quickstart-sweep"):
        (folder / "experiments" / f"{name}.yaml").write_text(yaml.safe_dump(here))
    shutil.copytree(ROOT / "experiments" / "small", folder / "experiments" / "small")
    for name, of in FILES.items():
        shutil.copy(folder / of, folder / name)
    source = (folder / "en.train.conll").read_text().split("\n\n")
    words = [" ".join(row.split()[0] for row in one.splitlines()) for one in source if one.strip()]
    lines = (folder / "es.train.txt").read_text().splitlines()
    pairs = zip(words, lines, strict=True)
    (folder / "PARALLEL.txt").write_text("".join(f"{a} ||| {b}\n" for a, b in pairs))
    for block in (one for page in PAGES for one in blocks(page) if one.title == "nodes.yaml"):
        (folder / block.title).write_text(block.text)
    return folder


def _all() -> list[Command]:
    programs = frozenset({"xlwarm", "make", "python", *PROGRAMS})
    return [one for page in PAGES for one in commands_of(page, programs)]


def test_every_block_of_the_pages_says_what_it_is() -> None:
    for page in PAGES:
        for block in blocks(page) if page.parent != ROOT else ():
            assert block.language in LANGUAGES, f"{block}: {block.language or 'indented'}"


@pytest.mark.parametrize("command", _all(), ids=str)
def test_every_command_is_understood(
    command: Command, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    program, *rest = command.words
    for word in command.words:
        if word.startswith(("experiments/", "deploy/")):
            assert (ROOT / word).exists(), word
    if program == "xlwarm":
        _check(_understood(xlwarm, rest))
    elif program == "make":
        assert f"\n{rest[0]}:" in (ROOT / "Makefile").read_text()
    elif program == "python":
        assert rest[0] == "-m"
        assert (ROOT / f"{rest[1].replace('.', '/')}.py").is_file()
    elif program in CLICK:
        module, name = CLICK[program].split(":")
        _understood(getattr(import_module(module), name), rest)
    else:
        assert program in PROGRAMS, "say in PROGRAMS why it is not executed"


def _understood(command: click.Command, words: list[str]) -> click.Context:
    """What the parser makes of ``words``; raises where a user would be told."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        inner = command.get_command(context, words[0])
        assert inner is not None, f"no command {words[0]}"
        return _understood(inner, words[1:])
    return command.make_context(command.name, list(words))


def _check(context: click.Context) -> None:
    """The studies that a command names, with the settings that it gives."""
    given = context.params
    named = [given.get("study_file"), given.get("study"), *given.get("studies", ())]
    for study in (one for one in named if one is not None):
        if not str(study).endswith(".yaml"):
            continue
        try:
            study_of(Path(study), given.get("overrides", ()), given.get("only"))
        except InputError as error:
            if not all("no such file" in line for line in str(error).splitlines()):
                raise


def _executable(command: Command) -> bool:
    line = " ".join(command.words)
    return command.words[0] == "xlwarm" and not any(one in line for one in NOT_EXECUTED)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of ``xlwarm run`` are computed in the test itself, not on Ray."""

    def compute(  # type: ignore[type-arg]
        _plan: Plan, steps: list[Step], missing: list[Step], store: StepStore, observers: list
    ) -> Outcome:
        return run_steps(steps, store, InProcessLauncher(store.root), observers)

    monkeypatch.setattr("orchestrator.driver._compute", compute)


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_what_needs_no_cluster_and_no_server_does_what_it_says(
    world: Path, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    plan = make_plan(read_study(world / "my-study.yaml"))
    stand_ins = {
        EXPORTED: plan.specs[-1].model.fingerprint[:10],
        SWEPT: next((world / "store" / "sweeps").iterdir()).name[:10],
    }
    tiny = ("--encoder", str(tiny_bert), "--set", "alignment.layer=2")
    done: set[tuple[str, ...]] = set()
    for command in filter(_executable, _all()):
        words = tuple(stand_ins.get(one, one).replace(LONG, SHORT) for one in command.words[1:])
        if words not in done:
            more = tiny if words[0] in ("align", "project") else ()
            text = (world / "news.txt").read_text(encoding="utf-8")
            said = CliRunner().invoke(
                xlwarm, [*words, *more], input=text, standalone_mode=False, catch_exceptions=False
            )
            assert said.return_value in (None, 0), f"{command}: {said.output}"
            done.add(words)
    assert {words[0] for words in done} == set(COMMANDS) - {"sweep", "ui", "translate", "doctor"}


def _yaml_blocks() -> list[Block]:
    return [one for page in PAGES for one in blocks(page) if one.language == YAML]


@pytest.mark.parametrize("block", _yaml_blocks(), ids=str)
def test_every_excerpt_of_a_study_is_one(block: Block, world: Path) -> None:
    excerpt = yaml.safe_load(block.text)
    if "base" in excerpt:
        study = world / "on-a-base.yaml"
        study.write_text(yaml.safe_dump(excerpt | {"base": "my-study.yaml"}))
        assert read_study(study).name == excerpt["name"]
        return
    if set(excerpt) <= set(ClusterFile.model_fields):
        assert ClusterFile.model_validate(excerpt).model_fields_set == set(excerpt)
        return
    content = yaml.safe_load((world / "my-study.yaml").read_text())
    given = excerpt if set(excerpt) <= set(Study.model_fields) else {"data": excerpt}
    _put(content, given)
    assert set(given) <= Study.model_validate(content).model_fields_set


def _put(content: dict, excerpt: Mapping) -> None:  # type: ignore[type-arg]
    """Put an excerpt over a study; what cannot stand beside it goes."""
    data = excerpt.get("data") or {}
    if "dev_share" in data:
        content["data"].pop("dev")
    for key, value in excerpt.items():
        if key == "data":
            content["data"] |= value
        else:
            content[key] = value


def _python_blocks() -> list[Block]:
    return [one for page in PAGES for one in blocks(page) if one.language == PYTHON]


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("block", _python_blocks(), ids=str)
def test_python_of_the_docs_runs(
    block: Block, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    code = compile(block.text.replace(LONG, SHORT), str(block), "exec")
    if "models:/" in block.text:
        return  # the registry: tests/test_tracking.py
    if not (world / "my-tagger").exists():
        export = "export mtl-ws-seed1 --study my-study.yaml --to my-tagger"
        xlwarm.main(export.split(), standalone_mode=False)
    names: dict[str, object] = {}
    exec(code, names)
    assert names.keys() > {"__builtins__"}, "a block that does nothing"

"""`xlwarm plan`: what is shared, what it costs, how it would go on a described cluster."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.forecasts import load_picture
from orchestrator.cli import xlwarm
from orchestrator.cluster_file import read_cluster
from orchestrator.costs import CPU_GUESS, GPU_GUESS, PACE, Basis, Costs, Estimate
from orchestrator.fingerprints import identity
from orchestrator.forecast import HOUR, Forecast, forecast
from orchestrator.graph import dot, mermaid
from orchestrator.outlook import Outlook
from orchestrator.plan import Plan, make_plan
from orchestrator.resources import ResourceSettings
from orchestrator.schedule import Demand, Nodes, Resources
from orchestrator.sharing import Shared, critical_path, sharing
from orchestrator.steps.base import Step, Surroundings
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.generators import law
from tests.studies import write_study

KINDS = set(ResourceSettings.model_fields) - {"default"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Plan:
    study = write_study(tmp_path_factory.mktemp("study"), tiny_bert)
    return make_plan(read_study(study, ["seeds=[1, 2]"]))


def _row(plan: Plan, kind: str, done: int = 0) -> Shared:
    rows = sharing(plan, lambda step: step.kind == kind and bool(done))
    return next(row for row in rows if row.kind == kind)


def test_sharing_counts_what_each_cell_would_need_alone(plan: Plan) -> None:
    # 5 strategies x 3 languages x 2 seeds = 30 cells, of which 6 are mtl-ws. For each seed the
    # three once-for-all strategies have one model, the two others one for each language.
    assert _row(plan, "evaluate") == Shared("evaluate", 30, 30, 0)
    assert _row(plan, "finetune", done=1) == Shared("finetune", 30, 2 * (3 + 2 * 3), 18)
    assert _row(plan, "warmup") == Shared("warmup", 6, 2, 0)
    assert _row(plan, "project") == Shared("project", 3 * 30, 3, 0)
    assert _row(plan, "encode") == Shared("encode", 30, 1, 0)


def test_kinds_are_listed_in_the_order_in_which_they_need_each_other(plan: Plan) -> None:
    kinds = [row.kind for row in sharing(plan, lambda _step: False)]
    needed_first = ["project", "encode", "warmup", "finetune", "evaluate"]
    assert [kind for kind in kinds if kind in needed_first] == needed_first


SECONDS = {"project": 1.0, "encode": 10.0, "warmup": 100.0, "finetune": 1000.0, "evaluate": 1.0}


def test_the_critical_path_goes_through_the_warmup(plan: Plan) -> None:
    path = critical_path(plan, lambda step: SECONDS.get(step.kind, 0.0))
    assert [step.kind for step in path] == ["project", "encode", "warmup", "finetune", "evaluate"]


def test_the_critical_path_leaves_out_what_is_done(plan: Plan) -> None:
    left = {kind: 0.0 if kind in ("project", "encode") else s for kind, s in SECONDS.items()}
    path = critical_path(plan, lambda step: left.get(step.kind, 0.0))
    assert [step.kind for step in path] == ["warmup", "finetune", "evaluate"]
    assert critical_path(plan, lambda _step: 0.0) == []


def _steps(plan: Plan, kind: str) -> list[Step]:
    return [step for step in plan.steps if step.kind == kind]


def _record(step: Step, seconds: float, **changes: Any) -> dict[str, Any]:
    inputs: dict[str, Any] = json.loads(json.dumps(identity(step)))
    record = {"kind": step.kind, "inputs": inputs, "seconds": seconds, "device": "cpu"}
    return record | changes


def test_a_step_that_was_measured_costs_what_it_took(plan: Plan) -> None:
    first, second, *_ = _steps(plan, "finetune")
    costs = Costs([_record(first, 12.0)])
    assert costs.of(first) == Estimate(12.0, Basis.ITSELF)
    assert costs.of(second) == Estimate(12.0, Basis.ALIKE)


def test_steps_alike_are_scaled_by_their_training_steps(plan: Plan) -> None:
    step = _steps(plan, "finetune")[0]
    half, double = _record(step, 4.0), _record(step, 28.0)
    half["inputs"]["training"]["steps"] = 3  # the study trains 6
    double["inputs"]["training"]["steps"] = 12
    # 4/3 and 28/12 seconds a step are 11/6 on average, times 6.
    estimate = Costs([half, double]).of(step)
    assert estimate.seconds == pytest.approx(11.0)
    assert estimate.basis is Basis.ALIKE


def test_steps_on_other_data_count_only_where_none_is_alike(plan: Plan) -> None:
    step = _steps(plan, "finetune")[0]
    other = _record(step, 600.0)
    other["inputs"]["encoding"] = "of another corpus"
    assert Costs([other]).of(step) == Estimate(600.0, Basis.SAME_KIND)
    assert Costs([other, _record(step, 6.0)]).of(step).seconds == 6.0


def test_without_measurements_costs_are_guesses_by_the_amount_of_work(plan: Plan) -> None:
    finetune, warmup = _steps(plan, "finetune")[0], _steps(plan, "warmup")[0]
    assert Costs([]).of(finetune) == Estimate(6 * CPU_GUESS["finetune"], Basis.GUESS)
    assert Costs([], gpu=True).of(finetune).seconds == pytest.approx(6 * GPU_GUESS["finetune"])
    # 3 rounds of 2 steps for 3 languages: one after the other, two workers, three workers.
    paces = [Costs([]).of(warmup, workers).seconds / CPU_GUESS["warmup"] for workers in (1, 2, 3)]
    assert paces == pytest.approx([18, 12, 6])


def test_a_warmup_on_other_workers_is_scaled_by_the_languages_of_each(plan: Plan) -> None:
    warmup = _steps(plan, "warmup")[0]
    costs = Costs([_record(warmup, 30.0, workers=3)])
    assert costs.of(warmup, 3) == Estimate(30.0, Basis.ITSELF)
    assert costs.of(warmup, 1) == Estimate(90.0, Basis.ALIKE)


def test_what_ran_on_a_gpu_says_nothing_of_cores_and_the_other_way_round(plan: Plan) -> None:
    step = _steps(plan, "finetune")[0]
    records = [_record(step, 9.0), _record(step, 1.0, device="cuda:0")]
    assert Costs(records).of(step).seconds == 9.0
    assert Costs(records, gpu=True).of(step).seconds == 1.0


def test_a_record_of_an_older_version_of_a_step_is_passed_over(plan: Plan) -> None:
    step = _steps(plan, "finetune")[0]
    old = _record(step, 5.0) | {"inputs": {"languages": ["en"]}}
    assert Costs([old]).of(step).basis is Basis.GUESS


def test_every_kind_of_step_of_a_study_has_a_guess_and_a_pace() -> None:
    assert set(PACE) == set(CPU_GUESS) == KINDS


def test_a_graph_has_every_step_and_every_need(plan: Plan) -> None:
    needs = sum(len(step.needs) for step in plan.steps)
    done = {step.fingerprint for step in _steps(plan, "project")}
    drawn = mermaid(plan.steps, lambda step: step.fingerprint in done)
    assert drawn.startswith("flowchart LR\n")
    assert drawn.count(" --> ") == needs
    assert drawn.count(":::") == len(plan.steps)
    thick = drawn.splitlines()[-1]
    assert thick.startswith("  class project_")
    assert thick.count("project_") == 3
    drawn = dot(plan.steps, lambda step: step.fingerprint in done)
    assert drawn.count(" -> ") == needs
    assert drawn.count("penwidth=3") == 3
    assert drawn.count("{") == drawn.count("}") == 1


@dataclass(frozen=True, kw_only=True)
class Work(Step):
    kind: ClassVar[str] = "toy"
    name: str
    after: tuple[Step, ...] = ()
    seconds: int = 1

    def title(self) -> str:
        return self.name

    def run(self, folder: Path, around: Surroundings) -> dict[str, Any]:
        raise AssertionError("a forecast computes nothing")


def _forecast(
    steps: list[Work], nodes: Nodes, speeds: Mapping[str, float] | None = None
) -> Forecast:
    def demand(_step: Step) -> Demand:
        return (Resources(1),)

    def seconds(step: Step) -> float:
        assert isinstance(step, Work)
        return step.seconds

    return forecast(steps, frozenset(), nodes, demand, seconds, speeds or {})


def test_a_forecast_worked_by_hand() -> None:
    # Two nodes of one core. The long chain goes first: a (4 s) then c (2 s) on one node; b (3 s)
    # on the other, which then stands idle for 3 s while only c and the end of a run.
    a, b = Work(name="a", seconds=4), Work(name="b", seconds=3)
    c = Work(name="c", seconds=2, after=(a,))
    found = _forecast([a, b, c], {"one": Resources(1), "two": Resources(1)})
    assert found.makespan == 6
    assert {span.step.title(): (span.start, span.end) for span in found.spans} == {
        "a": (0, 4),
        "b": (0, 3),
        "c": (4, 6),
    }
    assert found.used("one", 0, 6) == 1
    assert found.used("two", 0, 6) == 0.5
    assert found.busy_hours("cpus") * HOUR == pytest.approx(9)
    assert {kinds: hours * HOUR for kinds, hours in found.idle().items()} == pytest.approx(
        {("toy",): 3}
    )
    assert load_picture(found, "two") == "█" * 24 + " " * 24


def test_a_node_of_twice_the_speed_takes_half_the_time() -> None:
    chain = [Work(name="a", seconds=4)]
    chain.append(Work(name="b", seconds=2, after=(chain[0],)))
    assert _forecast(chain, {"one": Resources(1)}, {"one": 2.0}).makespan == 3


def test_what_fits_no_node_is_named_and_the_rest_goes_on() -> None:
    wide, thin = Work(name="wide"), Work(name="thin", seconds=2)

    def demand(step: Step) -> Demand:
        return (Resources(8 if step is wide else 1),)

    nodes = {"one": Resources(1)}
    found = forecast([wide, thin], frozenset(), nodes, demand, lambda _step: 2.0, {})
    assert [step.title() for step, _ in found.refused] == ["wide"]
    assert found.makespan == 2


@st.composite
def plans_and_nodes(draw: st.DrawFn) -> tuple[list[Work], Nodes]:
    steps: list[Work] = []
    for number in range(draw(st.integers(1, 8))):
        after = draw(st.lists(st.sampled_from(steps), unique=True)) if steps else []
        seconds = draw(st.integers(1, 5))
        steps.append(Work(name=f"s{number}", after=tuple(after), seconds=seconds))
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    return steps, {f"n{number}": Resources(size) for number, size in enumerate(sizes)}


@law
@given(plans_and_nodes())
def test_no_forecast_beats_its_longest_chain_or_its_cores_or_loses_an_hour(
    case: tuple[list[Work], Nodes],
) -> None:
    steps, nodes = case
    found = _forecast(steps, nodes)
    work, cores = sum(step.seconds for step in steps), sum(node.cpus for node in nodes.values())
    chains = {}
    for step in steps:
        before = max((chains[needed.fingerprint] for needed in step.after), default=0)
        chains[step.fingerprint] = before + step.seconds
    assert max(chains.values()) <= found.makespan + 1e-9
    assert work / cores <= found.makespan + 1e-9
    assert found.makespan <= work
    idle = sum(found.idle().values())
    assert idle + found.busy_hours("cpus") == pytest.approx(cores * found.makespan / HOUR)
    assert all(found.used(node, 0, found.makespan) <= 1 + 1e-9 for node in nodes)


CLUSTER = """\
nodes:
  - {name: fast, count: 2, cpus: 8, gpus: 2, memory_gib: 64, speed: 2}
  - {name: head, cpus: 4}
overhead_seconds: 0
gpu_overhead_seconds: 3
"""


def _cluster(tmp_path: Path, text: str = CLUSTER) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    return path


def test_a_cluster_file_names_every_node(tmp_path: Path) -> None:
    cluster = read_cluster(_cluster(tmp_path))
    nodes = cluster.all_nodes()
    assert nodes["fast-2"] == Resources(8, 2, 64 * 2**30)
    assert set(nodes) == {"fast-1", "fast-2", "head"}
    assert cluster.speeds() == {"fast-1": 2, "fast-2": 2, "head": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cpus: 4", "cpus: 0"), r"cluster.yaml:3: nodes.1.cpus: Input should be greater than 0"),
        (("count: 2", "number: 2"), r"cluster.yaml:2: nodes.0.number: Extra inputs"),
        (("name: head", "name: fast"), r"cluster.yaml:1: cluster: nodes named twice: fast"),
        (("nodes:", "nodes"), r"cluster.yaml:\d: not YAML"),
        ((CLUSTER, "- 1\n"), r"cluster.yaml:1: expected a cluster"),
    ],
)
def test_a_wrong_cluster_file_is_refused_with_its_line(
    change: tuple[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read_cluster(_cluster(tmp_path, CLUSTER.replace(*change)))


def test_on_gpus_models_are_trained_there_and_cores_count_for_the_rest(
    plan: Plan, tmp_path: Path
) -> None:
    outlook = Outlook(plan, StepStore(tmp_path / "store"))
    found = outlook.on(read_cluster(_cluster(tmp_path)))
    assert not found.refused
    for span in found.spans:
        assert bool(sum(part.gpus for part in span.seat.demand)) == span.step.trains
        assert all(node.startswith("fast") for node in span.seat.nodes) or not span.step.trains
    guess = GPU_GUESS["finetune"] * plan.study.training.steps
    trained = next(span for span in found.spans if span.step.kind == "finetune")
    assert trained.end - trained.start == pytest.approx((3 + guess) / 2)  # at twice the speed


def _xlwarm_plan(*arguments: str | Path) -> None:
    assert not xlwarm.main(["plan", *map(str, arguments)], standalone_mode=False)


def test_the_command_shows_what_is_shared_and_starts_nothing(
    tmp_path: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, store = write_study(tmp_path, tiny_bert), tmp_path / "store"
    cluster = _cluster(tmp_path)
    _xlwarm_plan(study, "--store", store, "--cluster", cluster)
    shown = capsys.readouterr().out
    assert "5 strategies x 3 languages x 1 seeds = 15 models asked for, 9 distinct" in shown
    (warmups,) = (line.split() for line in shown.splitlines() if line.startswith("warmup"))
    assert warmups[1:5] == ["3", "1", "0", "1"]
    assert "on 2 x fast (8 cores, 2 GPUs, speed 2) and 1 x head (4 cores): " in shown
    assert "guesses are of any machine" in shown
    assert not store.exists()


def test_the_command_writes_json_and_graphs_to_a_file(tmp_path: Path, tiny_bert: Path) -> None:
    study, out = write_study(tmp_path, tiny_bert), tmp_path / "out"
    options = (study, "--store", tmp_path / "store", "--out", out)
    _xlwarm_plan(*options, "--format", "json", "--cluster", _cluster(tmp_path))
    content = json.loads(out.read_text())
    assert content["models"] == {"asked": 15, "distinct": 9}
    assert len(content["forecast"]["spans"]) == len(content["steps"])
    _xlwarm_plan(*options, "--graph", "dot")
    assert out.read_text().startswith("digraph")

from pathlib import Path

import pytest

from orchestrator.plan import make_plan
from orchestrator.resources import ResourceSettings, StepResources
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study

KINDS = ("translate", "project", "encode", "warmup", "finetune", "average", "vote", "evaluate")


def test_a_kind_that_says_nothing_has_what_the_default_says() -> None:
    settings = ResourceSettings(default=StepResources(cpus=2, retries=5))
    assert all(settings.of(kind) == StepResources(cpus=2, retries=5) for kind in KINDS)


def test_what_a_kind_says_goes_before_the_default_even_if_it_says_none() -> None:
    default = StepResources(timeout_minutes=10, retries=5)
    settings = ResourceSettings(default=default, warmup=StepResources(timeout_minutes=None))
    assert settings.of("warmup") == StepResources(timeout_minutes=None, retries=5)
    assert settings.of("finetune") == default


def test_without_a_block_steps_are_tried_again_three_times_and_nothing_is_reserved() -> None:
    assert ResourceSettings().of("finetune") == StepResources(
        cpus=None, gpus=None, memory_gib=None, retries=3, timeout_minutes=None
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("resources.finetune.gpus=1.5", "resources.finetune.gpus: a fraction of a GPU is below 1"),
        ("resources.finetune.gpus=-1", "resources.finetune.gpus: .*got -1"),
        ("resources.warmup.cpus=0", "resources.warmup.cpus: .*got 0"),
        ("resources.warmup.retries=-1", "resources.warmup.retries: .*got -1"),
        ("resources.default.timeout_minutes=0", "resources.default.timeout_minutes: .*got 0"),
        ("resources.finetine.gpus=1", "unknown key 'finetine'; did you mean 'finetune'"),
        ("resources.finetune.gpu=1", "unknown key 'gpu'; did you mean 'gpus'"),
    ],
)
def test_an_impossible_resource_is_refused(
    override: str, message: str, tmp_path: Path, tiny_bert: Path
) -> None:
    with pytest.raises(InputError, match=message):
        read_study(write_study(tmp_path, tiny_bert), [override])


def test_resources_change_no_fingerprint(tmp_path: Path, tiny_bert: Path) -> None:
    study = write_study(tmp_path, tiny_bert)
    plain = make_plan(read_study(study))
    placed = make_plan(read_study(study, ["resources.finetune={gpus: 0.5, memory_gib: 4}"]))
    assert [step.fingerprint for step in plain.steps] == [s.fingerprint for s in placed.steps]

import shutil
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.plan import Plan, make_plan
from orchestrator.study_file import read_study
from projection.errors import InputError
from tests.studies import write_study


@pytest.fixture
def study(tmp_path: Path, tiny_bert: Path) -> Path:
    return write_study(tmp_path, tiny_bert)


def _plan(study: Path, *overrides: str) -> Plan:
    return make_plan(read_study(study, overrides))


def _fingerprints(plan: Plan, kind: str) -> set[str]:
    return {step.fingerprint for step in plan.steps if step.kind == kind}


def test_five_strategies_on_three_targets_need_nine_models_one_warmup_and_fifteen_tests(
    study: Path,
) -> None:
    kinds = Counter(step.kind for step in _plan(study).steps)
    assert kinds.pop("probe") == 1
    assert kinds == {"project": 3, "encode": 1, "warmup": 1, "finetune": 9, "evaluate": 15}


def test_seeds_share_projection_and_encoding_but_no_model(study: Path) -> None:
    kinds = Counter(step.kind for step in _plan(study, "seeds=[1, 2]").steps)
    assert kinds.pop("probe") == 1
    assert kinds == {"project": 3, "encode": 1, "warmup": 2, "finetune": 18, "evaluate": 30}


def test_needed_steps_come_before_those_that_need_them(study: Path) -> None:
    plan = _plan(study)
    place = {step.fingerprint: k for k, step in enumerate(plan.steps)}
    for step in plan.steps:
        assert all(place[n.fingerprint] < place[step.fingerprint] for n in step.needs)


def test_strategies_that_train_the_same_model_share_it(study: Path) -> None:
    one_target = ["targets=[es]", "strategies=[bilingual, multilingual]"]
    kinds = Counter(step.kind for step in _plan(study, *one_target).steps)
    assert (kinds["finetune"], kinds["evaluate"]) == (1, 1)


def test_changing_target_gold_changes_nothing_but_the_final_tests(study: Path) -> None:
    before = _plan(study)
    test = study.parent / "es.test.conll"
    text = test.read_text()
    assert "-PER\n" in text
    test.write_text(text.replace("-PER\n", "-ORG\n"))
    after = _plan(study)
    for kind in ("project", "encode", "warmup", "finetune"):
        assert _fingerprints(before, kind) == _fingerprints(after, kind)
    changed = _fingerprints(before, "evaluate") - _fingerprints(after, "evaluate")
    assert len(changed) == 5  # Spanish, once for each strategy


@pytest.mark.parametrize(
    ("override", "unchanged"),
    [
        ("cluster.warmup_workers=3", {"project", "encode", "warmup", "finetune", "evaluate"}),
        ("name=other", {"project", "encode", "warmup", "finetune", "evaluate"}),
        ("training.learning_rate=0.02", {"project", "encode", "warmup"}),
        ("warmup.rounds=4", {"project", "encode"}),
        ("threads=2", {"project", "encode"}),
        ("data.mapping=word-to-word", set()),
        ("data.mapping.max_gap=2", set()),
        ("data.alignment={keys: folded}", set()),
        ("data.encoder=nowhere", {"project", "encode", "warmup", "finetune", "evaluate"}),
    ],
)
def test_a_setting_changes_just_the_steps_whose_result_it_can_change(
    override: str, unchanged: set[str], study: Path
) -> None:
    only = "strategies=[mtl-ws]"
    before, after = _plan(study, only), _plan(study, only, override)
    for kind in ("project", "encode", "warmup", "finetune", "evaluate"):
        same = _fingerprints(before, kind) == _fingerprints(after, kind)
        assert same == (kind in unchanged), kind


def test_an_encoder_is_named_by_its_content_where_words_are_compared(
    study: Path, tiny_bert: Path, tiny_xlmr: Path, tmp_path: Path
) -> None:
    overrides = ["data.aligner=embedding", "data.alignment.layer=2"]
    bert, xlmr = (_plan(study, *overrides, f"data.encoder={one}") for one in (tiny_bert, tiny_xlmr))
    assert _fingerprints(bert, "project") != _fingerprints(xlmr, "project")
    moved = shutil.copytree(tiny_bert, tmp_path / "moved")
    same = _plan(study, *overrides, f"data.encoder={moved}")
    assert _fingerprints(bert, "project") == _fingerprints(same, "project")


def test_a_moved_folder_is_the_same_study(
    study: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = tmp_path_factory.mktemp("moved")
    for file in study.parent.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    assert _plan(study).fingerprint == _plan(moved / study.name).fingerprint


BAD_DATA = {
    "too few columns": ("en.train.conll", "Oslo\n\n", r"en.train.conll:1: expected 'word"),
    "illegal tag": ("en.train.conll", "Oslo X-LOC\n\n", r"en.train.conll:1: illegal tag"),
    "label of another task": ("de.test.conll", "Oslo B-POS\n\n", r"de.test.conll:1: .*POS"),
    "other block count": ("nl.train.txt", "one\ntwo\n", r"nl.train.txt: expected 24 .*got 2"),
    "empty translation": ("nl.train.txt", "\n" * 24, r"nl.train.txt:1: every sentence is empty"),
    "mixed schemes": (
        "en.dev.conll",
        "a I-PER\nb O\nc B-LOC\n\na I-ORG\nb O\nc B-ORG\n\n",
        r"en.dev.conll: mixed tag schemes",
    ),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_found_before_anything_is_computed(case: str, study: Path) -> None:
    name, content, message = BAD_DATA[case]
    (study.parent / name).write_text(content)
    with pytest.raises(InputError, match=message):
        _plan(study)


def test_an_alignment_index_out_of_range_is_found_before_anything_is_computed(study: Path) -> None:
    for language in ("es", "de", "nl"):
        (study.parent / f"{language}.talp").write_text("0-0\n" * 23 + "0-99\n")
    with pytest.raises(InputError, match=r"es.talp:24: alignment pair 0-99 lies outside"):
        _plan(study, "data.aligner=pharaoh:{language}.talp")


def test_bytes_of_another_encoding_are_found_with_line_and_cure(study: Path) -> None:
    (study.parent / "de.test.conll").write_bytes("Köln B-LOC\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"de.test.conll:1: expected utf-8, got the byte 0xf6"):
        _plan(study)


ANY_LABELS = "task={name: places, scheme: oi, labels: []}"


def test_a_task_without_labels_has_those_of_the_training_corpus_in_order(study: Path) -> None:
    (encode,) = (step for step in _plan(study, ANY_LABELS).steps if step.kind == "encode")
    assert encode.tags.tags == ("O", "I-LOC", "I-MISC", "I-ORG", "I-PER")


def test_a_label_that_only_a_test_set_has_is_read_and_one_of_the_dev_set_refused(
    study: Path,
) -> None:
    (study.parent / "es.test.conll").write_text("Oslo B-CITY\n\n")
    assert _plan(study, ANY_LABELS).steps
    (study.parent / "en.dev.conll").write_text("in O\nOslo B-CITY\n\n")
    with pytest.raises(InputError, match=r"en.dev.conll: the label CITY \(sentence en-0\)"):
        _plan(study, ANY_LABELS)


def test_a_file_without_the_inputs_of_the_task_is_refused_by_name(study: Path) -> None:
    with pytest.raises(InputError, match=r"en.train.conll: sentence en-0 has no predicate"):
        _plan(study, "task={name: own, scheme: oi, labels: [], inputs: [pos, predicate]}")


def test_the_size_of_a_pos_embedding_is_refused_where_the_task_has_no_pos(study: Path) -> None:
    with pytest.raises(InputError, match="the task ner has no POS tags among its inputs"):
        _plan(study, "tagger.pos_size=32")


ONE_LANGUAGE = ["targets=[en]", "strategies=[monolingual]", "data.test=en.dev.conll"]


def test_a_study_of_one_language_needs_no_translation_and_trains_the_model_of_zero_shot(
    study: Path,
) -> None:
    alone = _plan(study, *ONE_LANGUAGE, "data.translations=null")
    assert {step.kind for step in alone.steps} == {"encode", "probe", "finetune", "evaluate"}
    (spec,) = alone.specs
    assert spec.model.languages == ("en",)
    assert [one.language for one in spec.evaluations] == ["en"]
    assert spec.model.encoding.projections == ()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["strategies=[zero-shot, monolingual]"], r"monolingual trains and tests in one language"),
        (
            ["targets=[en]"],
            r"a study of one language has one strategy: strategies: \[monolingual\]",
        ),
        (["data.translations=null"], r"data\.translations lacks es de nl"),
    ],
)
def test_gold_of_the_tested_language_is_trained_on_in_a_study_of_one_language_alone(
    study: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _plan(study, *overrides)


def test_every_warm_started_strategy_starts_from_the_one_warm_up_of_its_seed(study: Path) -> None:
    warm = "strategies=[mtl-ws, target-only+ws, bilingual+ws, multilingual+ws]"
    plan, usual = _plan(study, warm), _plan(study, "strategies=[mtl-ws]")
    assert len(plan.specs) == 1 + 3 + 3 + 1
    (warmup,) = _fingerprints(usual, "warmup")
    starts = {spec.model.warmup.fingerprint for spec in plan.specs if spec.model.warmup}
    assert starts == {warmup} == _fingerprints(plan, "warmup")
    assert all(spec.model.warmup for spec in plan.specs)
    assert _fingerprints(usual, "finetune") < _fingerprints(plan, "finetune")

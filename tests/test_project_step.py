"""The project step does what its settings say, through the same door as a study."""

from pathlib import Path

import pytest
import torch

from orchestrator.local import in_process_pool
from orchestrator.plan import make_plan
from orchestrator.steps.base import Step, Surroundings, perform
from orchestrator.steps.project import SENTENCES
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.columns import read_blocks
from projection.jsonl import read_sentences
from projection.records import Sentence
from tests.studies import TRAIN_SENTENCES, write_study


@pytest.fixture
def study(tmp_path: Path, tiny_bert: Path) -> Path:
    return write_study(tmp_path, tiny_bert)


def _projected(study: Path, *overrides: str) -> list[Sentence]:
    plan = make_plan(read_study(study, ["targets=[es]", "strategies=[target-only]", *overrides]))
    step: Step = plan.steps[0]
    store = StepStore(study.parent / "store")
    around = Surroundings(store=store, device=torch.device("cpu"), pool=in_process_pool)
    perform(step, around)
    return read_sentences(store.folder(step) / SENTENCES)


@pytest.mark.parametrize("aligner", ["embedding", "best"])
def test_word_vectors_of_any_encoder_can_align_and_rescore(
    aligner: str, study: Path, tiny_xlmr: Path
) -> None:
    sentences = _projected(
        study,
        f"data.aligner={aligner}",
        f"data.encoder={tiny_xlmr}",
        "data.alignment={layer: 2, second: hmm}",
        "data.mapping={max_gap: 2, rescore: true, recover: copy}",
    )
    assert len(sentences) == TRAIN_SENTENCES
    assert sum(len(sentence.spans) for sentence in sentences) > TRAIN_SENTENCES


def test_single_translations_that_cannot_be_used_are_dropped_and_the_others_are_not(
    study: Path,
) -> None:
    path = study.parent / "es.train.txt"
    lines = path.read_text().splitlines()
    copied = " ".join(read_blocks(study.parent / "en.train.conll")[3].tokens)
    path.write_text("\n".join([*lines[:3], copied, "", "no " * 200, *lines[6:]]) + "\n")
    sentences = _projected(study, "data.aligner=ibm1")
    left = {f"en-{k}" for k in range(TRAIN_SENTENCES)} - {sentence.id for sentence in sentences}
    assert left == {"en-3", "en-4", "en-5"}


def test_extra_parallel_text_is_trained_on_and_not_labelled(study: Path) -> None:
    extra = "".join(f"word{k} ||| palabra{k}\n" for k in range(50))
    (study.parent / "more.txt").write_text(extra)
    sentences = _projected(study, "data.parallel_text=[more.txt]", "data.aligner=ibm1")
    assert len(sentences) == TRAIN_SENTENCES


def test_links_that_were_made_before_are_read_from_their_file(study: Path) -> None:
    (study.parent / "es.talp").write_text("0-0\n" * TRAIN_SENTENCES)
    sentences = _projected(study, "data.aligner=pharaoh:{language}.talp")
    assert len(sentences) == TRAIN_SENTENCES
    spans = [span for sentence in sentences for span in sentence.spans]
    assert spans
    assert all((span.start, span.end) == (0, 1) for span in spans)

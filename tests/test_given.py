"""Labels that come with a translation are taken as they are."""

from pathlib import Path

import pytest

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import make_plan
from orchestrator.steps.project import SENTENCES, GivenLabelsStep
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.errors import InputError
from projection.given import given_projections
from projection.jsonl import read_sentences
from projection.parallel import pair_up
from projection.records import Corpus, DropReason, Sentence, Span
from tests.shipped import SMALL, tiny
from tests.studies import write_study
from tests.tiny_corpora import PLACES


def corpus(language: str, *sentences: tuple[str, list[Span]]) -> Corpus:
    """A corpus whose first block is a marker without a labelled sentence."""
    labelled = [
        Sentence(f"{language}-{k}", language, tuple(text.split()), tuple(spans))
        for k, (text, spans) in enumerate(sentences, start=1)
    ]
    blocks = (("-DOCSTART-",), *(one.tokens for one in labelled))
    return Corpus(language, tuple(labelled), blocks, tuple(range(1, len(blocks))))


PER, LOC = Span(0, 1, "PER"), Span(2, 3, "LOC")


def test_given_spans_are_kept_and_source_spans_are_counted_by_label() -> None:
    source = corpus("en", ("Anna visited Oslo", [PER, LOC]), ("Anna visited Oslo", [PER, LOC]))
    target = corpus(
        "es", ("Oslo visitó Anna", [Span(0, 1, "LOC"), Span(2, 3, "PER")]), ("a b c", [LOC])
    )
    paired = pair_up(source, target.blocks, "es")
    both, one = given_projections(paired, target)
    assert both.sentence
    assert (both.sentence.id, both.sentence.spans) == ("en-1", target.sentences[0].spans)
    assert (both.kept, both.dropped) == ((PER, LOC), ())
    assert (one.kept, one.dropped) == ((LOC,), ((PER, DropReason.UNALIGNED),))


def test_a_sentence_without_a_translation_is_lost_whatever_labels_there_are() -> None:
    source = corpus("en", ("Anna visited Oslo", [PER]), ("Anna slept", [PER]))
    target = corpus("es", ("Anna visitó Oslo", [PER]), ("Anna durmió", [PER]))
    paired = pair_up(source, [*target.blocks[:2], None], "es")
    kept, lost = given_projections(paired, target)
    assert kept.sentence
    assert lost.sentence is None
    assert lost.dropped == ((PER, DropReason.UNTRANSLATED),)


def test_a_study_with_labelled_translations_trains_on_their_labels(
    tmp_path: Path, tiny_xlmr: Path
) -> None:
    plan = make_plan(tiny(SMALL / "ote-gold.yaml", tmp_path, {"e5": tiny_xlmr}))
    steps = [step for step in plan.steps if isinstance(step, GivenLabelsStep)]
    assert [step.language for step in steps] == ["es", "fr"]
    store = StepStore(tmp_path / "store")
    run_steps(steps, store, InProcessLauncher(store.root), [])
    for step in steps:
        for one in read_sentences(store.folder(step) / SENTENCES):
            who, where = ((one.tokens[s.start : s.end]) for s in one.spans)
            assert who == one.tokens[:1]
            assert " ".join(where) in PLACES


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.dev={path: en.dev.conll, labelled: true}", r"labelled is of translations alone"),
        (
            "data.translations={path: '{language}.test.conll', labelled: true}",
            r"expected 24 blocks",
        ),
    ],
)
def test_labels_that_cannot_be_given_are_refused(
    override: str, message: str, tmp_path: Path, tiny_bert: Path
) -> None:
    study = write_study(tmp_path, tiny_bert)
    with pytest.raises(InputError, match=message):
        make_plan(read_study(study, [override]))


def test_labelled_translations_of_a_task_with_predicates_are_refused(
    tmp_path: Path, tiny_bert: Path
) -> None:
    study = write_study(tmp_path, tiny_bert)
    task = "task={name: own, scheme: oi, labels: [], inputs: [predicate]}"
    given = "data.translations={path: '{language}.train.txt', labelled: true}"
    with pytest.raises(InputError, match="labelled translations say nothing of them"):
        read_study(study, [task, given])

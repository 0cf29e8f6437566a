"""POS tags of translations by stanza, played by a module that tags by the length of words."""

import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import make_plan
from orchestrator.steps.project import SENTENCES, ProjectStep, TaggedProjectStep
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection import pos_taggers
from projection.errors import InputError
from projection.jsonl import read_sentences
from projection.pos_taggers import PosSource, make_tagger, retagged, tagger_version
from projection.records import Sentence, Span
from tests.shipped import SMALL, tiny
from tests.studies import write_study


class PlayedPipeline:
    """Long words are nouns, others are symbols."""

    def __init__(self, language: str, **settings: object) -> None:
        if language == "xx":
            raise OSError("no resources")
        assert settings["tokenize_pretokenized"] is True
        self.texts: list[list[str]] = []
        pipelines.append(self)

    def __call__(self, sentences: list[list[str]]) -> SimpleNamespace:
        self.texts += sentences
        return SimpleNamespace(
            sentences=[
                SimpleNamespace(
                    words=[SimpleNamespace(upos="NOUN" if len(w) > 2 else "SYM") for w in words]
                )
                for words in sentences
            ]
        )


pipelines: list[PlayedPipeline] = []


@pytest.fixture
def stanza(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("stanza")
    module.Pipeline = PlayedPipeline  # type: ignore[attr-defined]
    module.DownloadMethod = SimpleNamespace(REUSE_RESOURCES=1)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "stanza", module)
    monkeypatch.setattr(pos_taggers, "version", lambda _name: "1.8.0")
    pipelines.clear()


def absent(_name: str) -> str:
    raise PackageNotFoundError


@pytest.fixture
def no_stanza(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stanza", None)
    monkeypatch.setattr(pos_taggers, "version", absent)


def sentence(text: str, number: int, predicate: int) -> Sentence:
    words = tuple(text.split())
    spans = (Span(0, 1, "A0"),)
    return Sentence(str(number), "es", words, spans, ("X",) * len(words), predicate)


@pytest.mark.usefixtures("stanza")
def test_sentences_get_the_taggers_tags_and_keep_all_else() -> None:
    given = [sentence("Ana va a Oslo", 0, 1), sentence("Ana visita Oslo", 1, 1)]
    tagged = retagged(given, make_tagger(PosSource.STANZA, "es"))
    assert [one.pos for one in tagged] == [("NOUN", "SYM", "SYM", "NOUN"), ("NOUN",) * 3]
    assert [(one.id, one.tokens, one.spans, one.predicate) for one in tagged] == [
        (one.id, one.tokens, one.spans, one.predicate) for one in given
    ]


@pytest.mark.usefixtures("stanza")
def test_a_sentence_with_two_predicates_is_tagged_once() -> None:
    retagged(
        [sentence("Ana va", 0, 0), sentence("Ana va", 1, 1)], make_tagger(PosSource.STANZA, "es")
    )
    assert [one.texts for one in pipelines] == [[["Ana", "va"]]]


def test_a_tagger_that_gives_no_universal_tag_for_each_word_is_found_out() -> None:
    short = SimpleNamespace(tag=lambda _sentences: [("NOUN",)])
    with pytest.raises(ValueError, match="1 POS tags for the 2 words 'Ana va'"):
        retagged([sentence("Ana va", 0, 0)], short)
    other = SimpleNamespace(tag=lambda _sentences: [("NN", "VB")])
    with pytest.raises(ValueError, match="'NN' is no universal POS tag"):
        retagged([sentence("Ana va", 0, 0)], other)


@pytest.mark.usefixtures("no_stanza")
def test_without_stanza_the_message_says_how_to_have_it_and_how_to_do_without() -> None:
    for attempt in (
        lambda: tagger_version(PosSource.STANZA),
        lambda: make_tagger(PosSource.STANZA, "es"),
    ):
        with pytest.raises(InputError, match=r"pip install 'xlwarm\[stanza\]'.* data\.pos: proj"):
            attempt()


@pytest.mark.usefixtures("stanza")
def test_a_language_without_a_model_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"no model for xx here.*OSError: no resources"):
        make_tagger(PosSource.STANZA, "xx-YY")


POS_TASK = "task={name: own, scheme: bioes, labels: [PER, LOC, ORG, MISC], inputs: [pos]}"


def test_a_task_without_pos_tags_needs_no_tagger(tmp_path: Path, tiny_bert: Path) -> None:
    study = write_study(tmp_path, tiny_bert)
    with pytest.raises(InputError, match=r"data\.pos says where .* the task ner has none"):
        read_study(study, ["data.pos=stanza"])
    assert read_study(study, [POS_TASK, "data.pos=stanza"]).data.pos is PosSource.STANZA


@pytest.mark.usefixtures("stanza")
def test_a_study_with_stanza_projects_the_same_labels_in_other_steps_with_its_tags(
    tmp_path: Path, tiny_xlmr: Path
) -> None:
    study = tiny(SMALL / "srl.yaml", tmp_path, {"e5": tiny_xlmr})
    asked = study.model_copy(
        update={"data": study.data.model_copy(update={"pos": PosSource.STANZA})}
    )
    store = StepStore(tmp_path / "store")
    found = []
    for one, kind in ((study, ProjectStep), (asked, TaggedProjectStep)):
        steps = [step for step in make_plan(one).steps if step.kind == "project"]
        assert {type(step) for step in steps} == {kind}
        outcome = run_steps(steps, store, InProcessLauncher(store.root), [])
        assert len(outcome.computed) == len(steps) == 2
        found.append(read_sentences(store.folder(steps[0]) / SENTENCES))
    plain, tagged = found
    assert [one.spans for one in plain] == [one.spans for one in tagged]
    assert {one.pos for one in plain} == {("PROPN", "VERB", *("PROPN",) * n) for n in (2, 3)}
    assert {one.pos for one in tagged} == {("NOUN",) * n + ("SYM",) for n in (3, 4)}

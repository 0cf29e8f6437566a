"""Whole studies of semantic roles and of aspects, from their own formats to their scores."""

import math
from itertools import product
from pathlib import Path

import pytest
import yaml
from seqeval.metrics import f1_score

from orchestrator.execute import run_steps
from orchestrator.local import InProcessLauncher
from orchestrator.plan import Plan, make_plan
from orchestrator.results import results
from orchestrator.steps.encode import EncodeStep
from orchestrator.steps.evaluate import PREDICTIONS
from orchestrator.steps.project import SENTENCES, ProjectStep
from orchestrator.store import StepStore
from orchestrator.study_file import read_study
from projection.columns import read_blocks
from projection.jsonl import read_sentences
from trainers.strategies import STRATEGIES

pytestmark = pytest.mark.slow

TARGETS = ("es", "de")
PEOPLE, PLACES = ("Anna", "Marieke", "Jürgen"), ("Oslo", "Bergen", "Lima")
TEAM = "@team"
WORDS = {
    "en": {"visited": "visited", "and": "and", TEAM: "team"},
    "es": {"visited": "visitó", "and": "y", TEAM: "el equipo"},
    "de": {"visited": "besuchte", "and": "und", TEAM: "der Mannschaft"},
}
"""Words of the tiny checkpoint's vocabulary; the team is two words in translation."""


def write_task_study(folder: Path, backbone: Path, task: str, data: dict[str, object]) -> Path:
    study = {
        "name": task,
        "task": task,
        "backbone": {"name": str(backbone), "num_layers": 2},
        "source": "en",
        "targets": list(TARGETS),
        "seeds": [1],
        "data": data,
        "training": {
            "learning_rate": 0.01,
            "batch_size": 8,
            "steps": 60,
            "select_after": 40,
            "evaluate_every": 20,
        },
        "warmup": {"rounds": 3, "steps": 2, "outer_lr": 0.001},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    return path


def run(study: Path, root: Path) -> tuple[Plan, StepStore]:
    plan, store = make_plan(read_study(study)), StepStore(root)
    outcome = run_steps(plan.steps, store, InProcessLauncher(root), [])
    assert not [failure.message for _, failure in outcome.failed.values()]
    assert len(outcome.computed) == len(plan.steps)
    return plan, store


def words_of(key: str, language: str) -> list[str]:
    return WORDS[language].get(key, key).split()


def clauses() -> list[list[tuple[str, str, str]]]:
    """Sentences of one or two clauses, who visits what; the last says nothing of the kind."""
    single = [[(who, "visited", what)] for who, what in product(PEOPLE, [*PLACES, TEAM])]
    double = [[(a, "visited", "Oslo"), (b, "visited", "Lima")] for a, b in product(PEOPLE, PEOPLE)]
    return [*single, *double, []]


Roles = list[dict[int, str]]


def sentence(of: list[tuple[str, str, str]], language: str) -> tuple[list[str], list[int], Roles]:
    """Words, predicates, and for each predicate the role of every argument's last word."""
    words: list[str] = []
    predicates: list[int] = []
    roles: Roles = []
    for number, (who, does, what) in enumerate(of):
        words += words_of("and", language) if number else []
        words += words_of(who, language)
        first = len(words) - 1
        words += words_of(does, language)
        predicates.append(len(words) - 1)
        words += words_of(what, language)
        roles.append({first: "A0", len(words) - 1: "A1"})
    return [*words, "."], predicates, roles


def up_rows(words: list[str], predicates: list[int], roles: Roles) -> str:
    rows = []
    for k, word in enumerate(words):
        flag = ["Y", "visit.01"] if k in predicates else ["_", "_"]
        pos = "VERB" if k in predicates else "PUNCT" if word == "." else "PROPN"
        arguments = [one.get(k, "_") for one in roles]
        rows.append([str(k + 1), word, word, pos, pos, "_", "0", "dep", *flag, *arguments])
    return "# sentence-text: x\n" + "".join("\t".join(row) + "\n" for row in rows) + "\n"


def links(of: list[tuple[str, str, str]], language: str) -> str:
    """Every source word with all words of its translation."""
    keys = [key for number, one in enumerate(of) for key in (*(["and"] if number else []), *one)]
    pairs, j = [], 0
    for i, key in enumerate([*keys, "."]):
        for _ in words_of(key, language):
            pairs.append(f"{i}-{j}")
            j += 1
    return " ".join(pairs)


@pytest.fixture(scope="module")
def srl(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> tuple[Plan, StepStore]:
    folder = tmp_path_factory.mktemp("srl")
    blocks = clauses()
    for name, chosen in (("train", blocks), ("dev", blocks[::3])):
        text = "".join(up_rows(*sentence(one, "en")) for one in chosen)
        (folder / f"en-{name}.conllu").write_text(text)
    for language in TARGETS:
        lines = [" ".join(sentence(one, language)[0]) for one in blocks]
        (folder / f"{language}.txt").write_text("\n".join(lines) + "\n")
        talp = "".join(links(one, language) + "\n" for one in blocks)
        (folder / f"{language}.talp").write_text(talp)
        text = "".join(up_rows(*sentence(one, language)) for one in blocks[::2])
        (folder / f"{language}-test.conllu").write_text(text)
    study = write_task_study(
        folder,
        tiny_xlmr,
        "srl",
        {
            "train": "en-train.conllu",
            "dev": "en-dev.conllu",
            "test": "{language}-test.conllu",
            "translations": "{language}.txt",
            "aligner": "pharaoh:{language}.talp",
        },
    )
    return run(study, tmp_path_factory.mktemp("srl-store"))


def test_roles_are_projected_onto_single_words_with_their_predicate_and_pos(
    srl: tuple[Plan, StepStore],
) -> None:
    plan, store = srl
    steps = [step for step in plan.steps if isinstance(step, ProjectStep)]
    assert [step.language for step in steps] == list(TARGETS)
    predicates = sum(len(one) for one in clauses())
    for step in steps:
        projected = read_sentences(store.folder(step) / SENTENCES)
        assert len(projected) == predicates == 30
        verb = WORDS[step.language]["visited"]
        assert {one.tokens[one.predicate or 0] for one in projected} == {verb}
        assert {span.end - span.start for one in projected for span in one.spans} == {1}
        assert all([span.label for span in one.spans] == ["A0", "A1"] for one in projected)
        assert all(one.pos is not None for one in projected)
        two_words = set(WORDS[step.language][TEAM].split())
        [on_team] = [one for one in projected if "Anna" in one.tokens and two_words < {*one.tokens}]
        assert on_team.tokens[on_team.spans[1].start] in two_words


def labelled_words(path: Path) -> list[tuple[int, int, str]]:
    """Sentence, word and role of every prediction that was written."""
    blocks = path.read_text(encoding="utf-8").strip("\n").split("\n\n")
    rows = [
        (k, j, row.split("\t")) for k, b in enumerate(blocks) for j, row in enumerate(b.split("\n"))
    ]
    return [(k, j, row[-1][2:]) for k, j, row in rows if row[-1] != "O"]


def test_scores_of_roles_are_those_of_the_written_predictions(
    srl: tuple[Plan, StepStore],
) -> None:
    plan, store = srl
    f1s = []
    for spec in plan.specs:
        for evaluation in spec.evaluations:
            tested = [sentence(one, evaluation.language)[2] for one in clauses()[::2]]
            by_predicate = [roles for one in tested for roles in one]
            gold = {(k, j, role) for k, one in enumerate(by_predicate) for j, role in one.items()}
            predicted = labelled_words(store.folder(evaluation) / PREDICTIONS)
            right = len(gold.intersection(predicted))
            f1s.append(200 * right / (len(gold) + len(predicted)))
            micro = store.outputs(evaluation)["micro"]
            assert math.isclose(micro["f1"], f1s[-1])
            assert (micro["gold"], micro["correct"]) == (len(gold), right)
    assert {(r.strategy, r.language) for r in results(plan, store)} == set(
        product(STRATEGIES, TARGETS)
    )
    assert max(f1s) > 50


OPINIONS = {"positive": "POS", "negative": "NEG"}


def reviews() -> list[tuple[str, str | None]]:
    """Place and opinion, each place its own; without an opinion the sentence is out of scope."""
    said = [("Oslo", "positive"), ("Bergen", "positive"), ("Lima", "negative")] * 10
    return [*said[:12], ("Nordic Rail", None), *said[12:]]


def review_words(place: str, polarity: str | None, language: str) -> list[str]:
    verb = WORDS[language]["visited"]
    return ["Jürgen" if polarity is None else "Anna", verb, *place.split(), "."]


def xml(language: str) -> str:
    rows = []
    for place, polarity in reviews():
        text = " ".join(review_words(place, polarity, language))
        start = text.index(place)
        opinion = (
            f'<Opinion target="{place}" category="X" polarity="{polarity}" '
            f'from="{start}" to="{start + len(place)}"/>'
        )
        scope = "" if polarity else ' OutOfScope="TRUE"'
        rows.append(
            f"<sentence{scope}><text>{text}</text>"
            f"<Opinions>{opinion if polarity else ''}</Opinions></sentence>\n"
        )
    return f"<Reviews><sentences>\n{''.join(rows)}</sentences></Reviews>\n"


@pytest.fixture(scope="module")
def absa(tmp_path_factory: pytest.TempPathFactory, tiny_xlmr: Path) -> tuple[Plan, StepStore]:
    folder = tmp_path_factory.mktemp("absa")
    (folder / "en.xml").write_text(xml("en"))
    (folder / "es.xml").write_text(xml("es"))
    for language in TARGETS:
        lines = [" ".join(review_words(*one, language)) for one in reviews()]
        (folder / f"{language}.txt").write_text("\n".join(lines) + "\n")
    chunks = "".join(
        "".join(f"{word}\t{tag.replace('B-', 'T-')}\tX\n" for word, tag in one) + "\n"
        for one in gold("de")
    )
    (folder / "de.chunks").write_text(chunks)
    study = write_task_study(
        folder,
        tiny_xlmr,
        "absa",
        {
            "train": "en.xml",
            "dev_share": 0.2,
            "test": {"es": "es.xml", "de": {"path": "de.chunks", "format": "chunks"}},
            "translations": "{language}.txt",
            "aligner": "ibm1",
        },
    )
    return run(study, tmp_path_factory.mktemp("absa-store"))


def gold(language: str) -> list[list[tuple[str, str]]]:
    """Words and tags of the reviews that are in scope."""
    return [
        [
            (word, f"B-{OPINIONS[polarity]}" if word == place else "O")
            for word in review_words(place, polarity, language)
        ]
        for place, polarity in reviews()
        if polarity
    ]


def test_a_fifth_of_the_reviews_selects_models_and_is_never_trained_on(
    absa: tuple[Plan, StepStore],
) -> None:
    plan, store = absa
    [encode] = [step for step in plan.steps if isinstance(step, EncodeStep)]
    train, dev = ({one.id for one in part.read().sentences} for part in (encode.train, encode.dev))
    assert not train & dev
    in_scope = {f"en-{k}" for k, (_, polarity) in enumerate(reviews()) if polarity}
    assert train | dev == in_scope
    assert len(dev) == round(0.2 * len(in_scope)) == 6
    for step in encode.projections:
        projected = {one.id for one in read_sentences(store.folder(step) / SENTENCES)}
        assert projected
        assert projected <= train


def test_scores_of_aspects_are_those_of_seqeval_on_the_written_predictions(
    absa: tuple[Plan, StepStore],
) -> None:
    plan, store = absa
    f1s = []
    for spec in plan.specs:
        for evaluation in spec.evaluations:
            predicted = read_blocks(store.folder(evaluation) / PREDICTIONS)
            expected = gold(evaluation.language)
            assert [list(one.tokens) for one in predicted] == [
                [word for word, _ in one] for one in expected
            ]
            tags = [[tag for _, tag in one] for one in expected]
            f1s.append(100 * f1_score(tags, [list(one.tags) for one in predicted]))
            assert math.isclose(store.outputs(evaluation)["micro"]["f1"], f1s[-1])
    assert len(f1s) == len(STRATEGIES) * len(TARGETS)
    assert max(f1s) > 50

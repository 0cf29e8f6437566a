"""Every translator keeps one contract; what it gives is remembered, checked and cut into words."""

import ast
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from projection.errors import InputError
from projection.parallel import Unusable
from projection.translators import (
    LanguagePair,
    TranslationError,
    TranslationMemory,
    TranslatorSettings,
    make_translator,
    translate_once,
)
from projection.translators.base import Limits, batches
from projection.translators.blocks import translate_blocks
from projection.translators.quality import check_languages, unusable
from projection.translators.text import to_text, to_words
from tests.generators import law

ROOT = Path(__file__).parents[1]
PAIR = LanguagePair("en", "es")
TEXTS = ["Anna visited Oslo.", "Berg", "the team of Nordic Rail on Friday", "Berg"]


class Upper:
    """Translates by shouting; counts what it was asked, and may break after some batches."""

    name = "upper"
    limits = Limits(texts=2, characters=100)

    def __init__(self, breaks_after=99, answer=str.upper):
        self.asked = []
        self._breaks_after = breaks_after
        self._answer = answer

    def version(self, _pair):
        return "1"

    def translate(self, texts, _pair):
        if len(self.asked) == self._breaks_after:
            raise TranslationError("the line is dead")
        self.asked.append(list(texts))
        return [self._answer(text) for text in texts]


@pytest.fixture
def memory(tmp_path):
    return TranslationMemory(tmp_path / "deep" / "memory.sqlite")


def test_nothing_is_translated_twice_and_an_interrupted_job_goes_on(memory):
    texts = ["a", "b", "a", "c", "d", "e"]
    broken = Upper(breaks_after=1)
    with pytest.raises(TranslationError, match="the line is dead"):
        translate_once(texts, broken, PAIR, memory)
    assert broken.asked == [["a", "b"]]
    seen = []
    later = Upper()
    found = translate_once(texts, later, PAIR, memory, lambda *state: seen.append(state))
    assert found == ["A", "B", "A", "C", "D", "E"]
    assert later.asked == [["c", "d"], ["e"]]
    assert seen == [(2, 5), (4, 5), (5, 5)]


class Over(Upper):
    """Goes over German into whatever else; marks every text with the language that it is in."""

    def version(self, pair):
        return str(pair)

    def legs(self, pair):
        if "de" in (pair.source, pair.target):
            return [(self, pair)]
        return [(self, LanguagePair(pair.source, "de")), (self, LanguagePair("de", pair.target))]

    def translate(self, texts, pair):
        assert "de" in (pair.source, pair.target)
        return [f"{text}>{pair.target}" for text in super().translate(texts, pair)]


def test_what_two_ways_have_in_common_is_translated_once(memory):
    over, texts = Over(), ["a", "b", "c"]
    french = translate_once(texts, over, LanguagePair("en", "fr"), memory)
    assert french == ["A>DE>fr", "B>DE>fr", "C>DE>fr"]
    over.asked.clear()
    italian = translate_once([*texts, "d"], over, LanguagePair("en", "it"), memory)
    assert italian == ["A>DE>it", "B>DE>it", "C>DE>it", "D>DE>it"]
    assert over.asked == [["d"], ["A>de", "B>de"], ["C>de", "D>de"]]
    over.asked.clear()
    assert translate_once(texts, over, LanguagePair("en", "de"), memory) == ["A>de", "B>de", "C>de"]
    assert not over.asked


def test_another_version_language_or_translator_is_another_memory(memory):
    translate_once(["a"], Upper(), PAIR, memory)
    assert memory.known("upper", "1", PAIR, ["a", "b"]) == {"a": "A"}
    assert memory.known("upper", "2", PAIR, ["a"]) == {}
    assert memory.known("other", "1", PAIR, ["a"]) == {}
    assert memory.known("upper", "1", LanguagePair("en", "fr"), ["a"]) == {}
    assert memory.known("upper", "1", LanguagePair("es", "en"), ["a"]) == {}


def test_a_translator_that_loses_a_text_is_refused_and_nothing_of_the_batch_is_kept(memory):
    class Loses(Upper):
        def translate(self, texts, pair):
            return super().translate(texts, pair)[1:]

    with pytest.raises(TranslationError, match="upper gave 1 translations for 2 texts"):
        translate_once(["a", "b"], Loses(), PAIR, memory)
    assert memory.known("upper", "1", PAIR, ["a", "b"]) == {}


STORE_MANY = """
import sys
from pathlib import Path
from projection.translators import LanguagePair, TranslationMemory
memory, first = TranslationMemory(Path(sys.argv[1])), int(sys.argv[2])
for k in range(first, first + 30):
    new = {f"text {k}": f"TEXT {k}", "shared": f"by {first}"}
    memory.store("upper", "1", LanguagePair("en", "es"), new)
"""


def test_processes_share_one_memory(tmp_path):
    path = tmp_path / "memory.sqlite"
    command = [sys.executable, "-c", STORE_MANY, str(path)]
    workers = [subprocess.Popen([*command, first], cwd=ROOT) for first in ("0", "30")]
    assert [worker.wait() for worker in workers] == [0, 0]
    texts = [f"text {k}" for k in range(60)]
    found = TranslationMemory(path).known("upper", "1", PAIR, [*texts, "shared"])
    assert found.pop("shared") in ("by 0", "by 30")
    assert found == {text: text.upper() for text in texts}


TRANSLATE = """
import os, signal, sys, time
from pathlib import Path
from projection.translators import LanguagePair, TranslationMemory, translate_once
from projection.translators.base import Limits

memory, log, dies_after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

class Slow:
    name, limits, asked = "upper", Limits(texts=1, characters=100), 0

    def version(self, pair):
        return "1"

    def translate(self, texts, pair):
        if self.asked == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.asked += 1
        with log.open("a") as file:
            file.write("".join(text + "\\n" for text in texts))
        time.sleep(0.05)
        return [f"{text} by {os.getpid()}" for text in texts]

texts = [f"text {k}" for k in range(30)]
print(translate_once(texts, Slow(), LanguagePair("en", "es"), TranslationMemory(memory)))
"""


def _translating(folder: Path, log: str, dies_after: int = 99) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", TRANSLATE, str(folder / "memory.sqlite"), str(folder / log)]
    return subprocess.Popen(
        [*command, str(dies_after)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_job_goes_on_and_nothing_that_was_answered_is_asked_for_again(tmp_path):
    killed = _translating(tmp_path, "log", dies_after=12)
    assert killed.communicate()[0] == ""
    assert killed.returncode == -signal.SIGKILL
    later = _translating(tmp_path, "log")
    assert len(ast.literal_eval(later.communicate()[0])) == 30
    assert (tmp_path / "log").read_text().splitlines() == [f"text {k}" for k in range(30)]


def test_processes_that_translate_the_same_texts_at_once_share_the_work(tmp_path):
    for log in ("one", "other"):
        (tmp_path / log).touch()
    both = [_translating(tmp_path, log) for log in ("one", "other")]
    told = [ast.literal_eval(process.communicate()[0]) for process in both]
    texts = [f"text {k}" for k in range(30)]
    held = TranslationMemory(tmp_path / "memory.sqlite").known("upper", "1", PAIR, texts)
    assert told[0] == told[1] == [held[text] for text in texts]
    asked = [(tmp_path / log).read_text().split("\n") for log in ("one", "other")]
    assert sum(map(len, asked)) - 2 <= 30 + 2  # where they start together, and where they meet


def test_a_memory_that_cannot_be_used_is_named_and_keeps_what_it_has(tmp_path, monkeypatch):
    path = tmp_path / "memory.sqlite"
    memory = TranslationMemory(path)
    memory.store("upper", "1", PAIR, {"a": "A"})
    connect = sqlite3.connect

    def small(*arguments, **options):
        database = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 4")
        return database

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(InputError, match=r"memory.sqlite: .*full.*still there"):
        memory.store("upper", "1", PAIR, {str(k): "long " * 1000 for k in range(100)})
    monkeypatch.undo()
    assert memory.known("upper", "1", PAIR, ["a", "0"]) == {"a": "A"}
    other = tmp_path / "notes.txt"
    other.write_text("not a database " * 100)
    with pytest.raises(InputError, match=r"notes.txt: .*not a database"):
        TranslationMemory(other)
    with pytest.raises(InputError, match="cannot make its folder"):
        TranslationMemory(other / "memory.sqlite")


@law
@given(st.lists(st.text("ab", min_size=1)), st.integers(1, 4), st.integers(1, 9))
def test_batches_keep_the_order_and_the_limits(texts, most, characters):
    found = list(batches(texts, Limits(most, characters)))
    assert [text for batch in found for text in batch] == texts
    for batch in found:
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or sum(map(len, batch)) <= characters


USABLE = {
    "a translation": ("He never went there", "Él nunca fue allí", None),
    "nothing": ("He never went there", "", Unusable.EMPTY),
    "a copy": ("He never went there", "he never WENT there", Unusable.COPIED),
    "a name": ("Anna Berg , Oslo", "Anna Berg , Oslo", None),
    "names and scores": (
        "Essex 194 - D. Rix not out , J. Lo v Kent",
        "Essex 194 - D. Rix not out , J. Lo v Kent",
        None,
    ),
    "numbers": ("1 2 3 4 5 6", "1 2 3 4 5 6", None),
    "too long": ("One two three", "uno dos tres " * 4, Unusable.LENGTH),
    "short and longer": ("No", "no lo creo así", None),
}


@pytest.mark.parametrize("case", USABLE)
def test_what_cannot_be_used_is_told_with_its_reason(case):
    source, target, reason = USABLE[case]
    assert unusable(tuple(source.split()), tuple(target.split())) is reason


ENGLISH = "the old man and his dog went slowly down to the river because it was very hot"
SPANISH = "el viejo y su perro bajaron despacio hasta el río porque hacía mucho calor hoy"


def test_sides_the_wrong_way_round_and_copies_are_refused_and_the_right_way_is_not():
    english, spanish = [tuple(ENGLISH.split())] * 30, [tuple(SPANISH.split())] * 30
    check_languages(english, spanish, PAIR, "es.txt")
    check_languages(english, [None, *spanish[1:]], PAIR, "es.txt")
    with pytest.raises(InputError, match=r"es.txt: .*the wrong way round"):
        check_languages(spanish, english, PAIR, "es.txt")
    with pytest.raises(InputError, match=r"es.txt: .*got the source, copied"):
        check_languages(english, [*english[:16], *spanish[:14]], PAIR, "es.txt")


def test_blocks_are_translated_as_text_and_come_back_as_words(memory):
    blocks = [("Anna", "did", "n't", "go", "."), ("-DOCSTART-",), ("So", "what", "?"), ("No", "!")]
    translator = Upper(answer=lambda text: "¿" + text.replace("No!", ""))
    found = translate_blocks(blocks, {0, 2, 3}, translator, PAIR, memory)
    assert translator.asked == [["Anna didn't go.", "So what?"], ["No!"]]
    assert found.words == (
        ("¿", "Anna", "didn", "'", "t", "go", "."),
        (),
        ("¿", "So", "what", "?"),
        ("¿",),
    )
    assert found.as_text() == "¿ Anna didn ' t go .\n\n¿ So what ?\n¿\n"
    assert not found.dropped


def test_empty_and_copied_translations_are_counted_drops_and_the_others_stay(memory):
    blocks = [("He", "never", "went", "there"), ("Go", "!"), ("She", "never", "went", "there")]
    answers = {
        "He never went there": "",
        "Go!": "¡Vete!",
        "She never went there": "She never went there",
    }
    found = translate_blocks(blocks, {0, 1, 2}, Upper(answer=answers.get), PAIR, memory)
    assert found.words == ((), ("¡", "Vete", "!"), ())
    assert found.dropped == {Unusable.EMPTY: 1, Unusable.COPIED: 1}


def test_words_and_text_follow_the_language():
    assert to_text(("(", "L'", "amico", ")"), "it") == "(L'amico)"
    assert to_words("S'il vous plaît, M. Dupont!", "fr")[:2] == ("S'", "il")
    with pytest.raises(InputError, match="zh is written without spaces"):
        to_words("你好", "zh")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"translator": "seq2seq"}, "seq2seq needs a model"),
        ({"translator": "apertium", "model": "x"}, "apertium does not read model"),
        ({"translator": "deepl", "via": "ca"}, "deepl does not read via"),
        ({"translator": "babelfish"}, "apertium"),
    ],
)
def test_settings_that_a_translator_does_not_read_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        TranslatorSettings(**settings)


def test_a_translator_without_its_key_is_refused_by_the_name_of_the_variable(monkeypatch):
    monkeypatch.delenv("DEEPL_AUTH_KEY", raising=False)
    with pytest.raises(InputError, match="deepl needs its key in the variable DEEPL_AUTH_KEY"):
        make_translator(TranslatorSettings(translator="deepl"))

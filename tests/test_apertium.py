"""Apertium: modes and versions against a program that stands in for it, translations by the real
one where it is installed (``make apertium``)."""

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projection.errors import InputError
from projection.translators import (
    LanguagePair,
    TranslationError,
    TranslationMemory,
    translate_once,
)
from projection.translators import apertium as module
from projection.translators.apertium import Apertium, reachable
from projection.translators.apertium_stream import from_stream, to_stream
from tests.generators import law

PAIR = LanguagePair("en", "es")
NEEDED = {"eng-spa", "eng-cat", "es-fr", "cat-fra"}
STANDS_IN = """#!/bin/sh
case "$1" in
  -l) echo "  eng-spa"; echo "  spa-ita"; echo "  es-pt"; echo "  es-pt_BR"; echo "  cat-eng";;
  -V) echo "Apertium 3.8.3";;
  -z) mode=$5; {body};;
esac
"""


def _forget() -> None:
    for remembered in (module.installed_modes, module.program_version, module.content_of):
        remembered.cache_clear()


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    _forget()
    yield
    _forget()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Apertium]:
    """Put a program ``apertium`` on the PATH whose translation is the shell command given."""

    def put(body: str) -> Apertium:
        program = tmp_path / "bin" / "apertium"
        program.parent.mkdir(exist_ok=True)
        program.write_text(STANDS_IN.replace("{body}", body))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return Apertium()

    return put


def test_a_third_language_is_gone_over_where_there_is_no_direct_mode(stand_in):
    translator = stand_in('sed -z "s/^/$mode: /"')
    assert translator.translate(["one two", "three"], PAIR) == [
        "eng-spa: one two",
        "eng-spa: three",
    ]
    italian = LanguagePair("en", "it")
    assert translator.translate(["one"], italian) == ["spa-ita: eng-spa: one"]
    assert translator.version(italian).startswith("eng-spa+spa-ita@")
    with pytest.raises(InputError, match=r"en-fr \(via es\); installed modes: cat-eng, eng-spa"):
        translator.version(LanguagePair("en", "fr"))


def test_reachable_languages_come_with_their_modes_and_without_variants(stand_in):
    stand_in("cat")
    assert reachable("en") == {"es": ["eng-spa"]}
    assert reachable("en", "es") == {"it": ["eng-spa", "spa-ita"], "pt": ["eng-spa", "es-pt"]}
    assert reachable("en", "ca") == {}


def test_a_failure_and_merged_texts_are_named(stand_in):
    with pytest.raises(TranslationError, match="exit code 3: no such dictionary"):
        stand_in("echo no such dictionary >&2; exit 3").translate(["a"], PAIR)
    with pytest.raises(TranslationError, match="gave 1 translations for 2 texts"):
        stand_in("cat > /dev/null; echo merged").translate(["a", "b"], PAIR)
    with pytest.raises(TranslationError, match="gave 3 translations for 2 texts"):
        stand_in(r"cat; printf 'more\0'").translate(["a", "b"], PAIR)


def test_a_missing_program_is_named_with_its_cure(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="`make apertium` installs it"):
        Apertium().version(PAIR)


def test_the_version_follows_the_dictionaries_of_every_mode_on_the_path(stand_in, tmp_path):
    translator = stand_in("cat")
    data = tmp_path / "share" / "apertium"
    (data / "modes").mkdir(parents=True)
    for mode in ("eng-spa", "spa-ita"):
        (data / f"{mode}.bin").write_text(mode)
        (data / "modes" / f"{mode}.mode").write_text(f"lt-proc '{data}/{mode}.bin'")

    def versions() -> tuple[str, str]:
        _forget()
        return translator.version(PAIR), translator.version(LanguagePair("en", "it"))

    spanish, italian = versions()
    assert versions() == (spanish, italian)
    (data / "spa-ita.bin").write_text("a better dictionary")
    assert versions()[0] == spanish
    assert versions()[1] != italian
    (data / "spa-ita.bin").write_text("spa-ita")
    assert versions() == (spanish, italian)


@law
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_put_in_the_stream_comes_out_but_for_spaces(text):
    assert from_stream(to_stream(text)) == " ".join(text.replace("\0", " ").split())


@pytest.fixture
def real() -> Apertium:
    """The installed Apertium."""
    if shutil.which("apertium") is None or not module.installed_modes() >= NEEDED:
        pytest.skip("Apertium is not installed with its pairs; `make apertium`")
    return Apertium()


def test_a_translation_does_not_depend_on_the_texts_before_it(real):
    # "bore" has readings that the tagger of eng-spa was not trained with; with one tagger for all
    # texts, unknown words are misread from there on: "Da las gracias a, Zorbel."
    texts = ["It bore fruit.", "Thanks, Zorbel.", "Zorbel said no."]
    assert real.translate(texts, PAIR)[1] == "Gracias, Zorbel."
    assert real.translate(texts, PAIR) == real.translate(texts[::-1], PAIR)[::-1]
    assert real.translate(texts, PAIR) == [real.translate([text], PAIR)[0] for text in texts]


def test_a_long_batch_keeps_its_order_and_its_number(real):
    texts = [f"zq{k} " + "the dogs " * (k % 3) for k in range(100)]
    found = real.translate(texts, PAIR)
    assert [text.split()[0].lower() for text in found] == [f"zq{k}" for k in range(100)]


@pytest.mark.parametrize("language", ["es", "ca", "fr"])
def test_characters_with_a_meaning_for_apertium_survive(real, language):
    marks = [*"^$[]{}/\\@<>*#~+|%=_`", "[<zq>]", "^zq$", ".[]", "[]"]
    found = real.translate(
        [f"The dogs {mark} sleep" for mark in marks], LanguagePair("en", language)
    )
    for mark, text in zip(marks, found, strict=True):
        assert mark in text
        assert "\\" not in text.replace(mark, "")


def test_unknown_words_stay_and_are_not_marked(real):
    (found,) = real.translate(["Xyzzyq and 😀 sleep."], PAIR)
    assert "Xyzzyq" in found.split()
    assert "😀" in found.split()
    assert "*" not in found


def test_breaks_and_nothing_inside_of_a_text_do_not_move_the_others(real):
    dogs, no, the_dogs = real.translate(["dogs dogs", "no", "the dogs"], PAIR)
    texts = ["dogs\n\ndogs", "", "dogs\0dogs", "no", " ", "the dogs"]
    assert real.translate(texts, PAIR) == [dogs, "", dogs, no, "", the_dogs]


@pytest.mark.parametrize(
    ("via", "modes"), [(None, "eng-spa+es-fr"), ("es", "eng-spa+es-fr"), ("ca", "eng-cat+cat-fra")]
)
def test_going_over_a_third_language_is_translating_twice(real, via, modes, tmp_path):
    texts = ["The dog ate my book.", "Where does she sleep?"]
    pivot, french = via or "es", LanguagePair("en", "fr")
    halfway = real.translate(texts, LanguagePair("en", pivot))
    found = Apertium(via).translate(texts, french)
    assert found == real.translate(halfway, LanguagePair(pivot, "fr"))
    assert found[0].startswith("Le chien a mangé")
    memory = TranslationMemory(tmp_path / "memory.sqlite")
    assert translate_once(texts, Apertium(via), french, memory) == found
    spoken = Apertium().version(LanguagePair("en", pivot))
    known = memory.known("apertium", spoken, LanguagePair("en", pivot), texts)
    assert list(known.values()) == halfway
    assert Apertium(via).version(french).startswith(f"{modes}@")

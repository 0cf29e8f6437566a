"""``xlwarm project``, ``align`` and ``translate``: files in, files out, block for block."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.align import align
from orchestrator.cli import xlwarm
from orchestrator.output import write_whole
from orchestrator.project import project
from orchestrator.translate import translate
from projection.aligners import AlignmentSettings
from projection.columns import DOCSTART, read_blocks, read_columns
from projection.errors import InputError
from projection.mapping import MappingSettings

XLWARM = [sys.executable, "-c", "from orchestrator.cli import main; main()"]
CORPUS = Path(__file__).parents[1] / "experiments" / "quickstart"

SOURCE = """-DOCSTART- O

Anna B-PER
Berg I-PER
visited O
Oslo B-LOC

in O
Bergen B-LOC

she O
never O
went O
to O
Lima B-LOC
"""
TRANSLATION = "- DOK -\nAna Berg visitó Oslo\n\nshe never went to Lima\n"
"""Of the four blocks one is a marker, one has no translation, one is copied."""
LINKS = "\n0-0 1-1 2-2 3-3\n\n4-4\n"


@pytest.fixture
def files(tmp_path):
    (tmp_path / "en.conll").write_text(SOURCE)
    (tmp_path / "es.txt").write_text(TRANSLATION)
    (tmp_path / "links").write_text(LINKS)
    return tmp_path


def _arguments(folder, **changed):
    options = {
        "source": folder / "en.conll",
        "translation": folder / "es.txt",
        "languages": "en-es",
        "aligner": f"pharaoh:{folder / 'links'}",
        "out": folder / "out.conll",
    }
    options |= changed
    every = [[f"--{name.replace('_', '-')}", str(value)] for name, value in options.items()]
    return ["project", *(one for pair in every for one in pair)]


def _run(*arguments):
    return subprocess.run([*XLWARM, *arguments], capture_output=True, text=True, check=False)


def _invoke(*arguments):
    return CliRunner().invoke(xlwarm, [str(one) for one in arguments], catch_exceptions=False)


def test_project_writes_a_block_a_block_and_a_marker_where_nothing_can_be_carried(files):
    done = _run(*_arguments(files))
    assert done.returncode == 0, done.stderr
    blocks = read_blocks(files / "out.conll")
    assert [block.tokens for block in blocks] == [
        (DOCSTART,),
        ("Ana", "Berg", "visitó", "Oslo"),
        (DOCSTART,),
        (DOCSTART,),
    ]
    assert blocks[1].tags == ("B-PER", "I-PER", "O", "B-LOC")
    assert "sentences: 3, 1 labelled, 2 lost (translations: 1 empty, 1 copied)" in done.stderr
    assert "spans: 4, 2 kept, 2 dropped (50.0 %)" in done.stderr
    assert done.stdout == ""


def test_project_writes_another_scheme_and_to_standard_output(files):
    done = _invoke(*_arguments(files, scheme="bioes", out="-"))
    assert done.stdout.split("\n\n")[1].splitlines() == [
        "Ana\tB-PER",
        "Berg\tE-PER",
        "visitó\tO",
        "Oslo\tS-LOC",
    ]


def test_a_translation_may_be_columns_whose_tags_are_ignored(files):
    columns = "DOK O\n\nAna B-X\nBerg O\nvisitó O\nOslo O\n\nen O\n\nfue O\na O\nLima O\n"
    (files / "es.txt").write_text(columns)
    (files / "links").write_text("\n3-3\n\n4-2\n")
    _invoke(*_arguments(files))
    read = read_columns(files / "out.conll", "es").corpus
    assert [len(one.spans) for one in read.sentences] == [1, 0, 1]


def test_the_audit_is_a_page_and_its_numbers_beside_it_and_knows_gold(files):
    named = "Ana B-PER\nBerg O\nvisitó O\nOslo B-LOC\n"
    gold = "\n".join(["D O\n", named, "x O\n", "she O\nnever O\nwent O\nto O\nLima O\n"])
    (files / "gold").write_text(gold)
    done = _invoke(*_arguments(files, audit=files / "a.html", gold=files / "gold"))
    audit = json.loads((files / "a.json").read_text())
    assert audit["gold"]["errors"] == {"too long": 1}
    assert audit["spans"]["dropped_by_reason"] == {"untranslated": 2}
    assert (files / "a.html").read_text().startswith("<!doctype html>")
    assert "against gold, exact: precision 50.00, recall 50.00" in done.stderr


def test_word_vectors_any_setting_and_a_named_mapping_with_changes(files, tiny_xlmr):
    settings = ["alignment.layer=2", "alignment.second=ibm1", "mapping.max_gap=1"]
    sets = [one for setting in settings for one in ("--set", setting)]
    mapped = _arguments(
        files, aligner="embedding", encoder=tiny_xlmr, mapping="best", audit=files / "a"
    )
    done = _invoke(*mapped, *sets)
    assert done.exit_code == 0
    used = json.loads((files / "a.json").read_text())["settings"]
    assert used["mapping.max_gap"] == "1"
    assert used["mapping.trim_edges"] == "True"


PREDICATES = """1\tshe\t_\tPRON\t_\t_\t_\t_\t_\t_\tA0\tA0
2\tsings\t_\tVERB\t_\t_\t_\t_\tY\tsing.01\t_\t_
3\tand\t_\tCCONJ\t_\t_\t_\t_\t_\t_\t_\t_
4\tdances\t_\tVERB\t_\t_\t_\t_\tY\tdance.01\t_\t_

1\tyes\t_\tINTJ\t_\t_\t_\t_\t_\t_
"""


def test_propbank_gives_a_block_a_predicate_with_a_column_that_flags_it(files):
    (files / "en.conll").write_text(PREDICATES)
    (files / "es.txt").write_text("ella canta y baila\nsí\n")
    (files / "links").write_text("0-0 1-1 2-2 3-3\n0-0\n")
    done = _invoke(*_arguments(files, format="propbank"))
    assert done.exit_code == 0
    blocks = (files / "out.conll").read_text().split("\n\n")
    assert blocks[0].splitlines() == ["ella\t_\tB-A0", "canta\tV\tO", "y\t_\tO", "baila\t_\tO"]
    assert blocks[1].splitlines()[3] == "baila\tV\tO"
    assert blocks[2] == f"{DOCSTART}\t_\tO"


ENGLISH = "the old man and his dog went slowly down to the river because it was very hot"
SPANISH = "el viejo y su perro bajaron despacio hasta el río porque hacía mucho calor hoy"


def _columns(text, times):
    return "\n".join("".join(f"{word} O\n" for word in text.split()) for _ in range(times))


BAD = {
    "empty translation": ({"es.txt": "\n\n\n\n"}, {}, "every sentence is empty"),
    "other number of lines": ({"es.txt": "a b\nc\n"}, {}, "es.txt: expected 4 lines"),
    "all of it copied": (
        {"en.conll": _columns(ENGLISH, 3), "es.txt": f"{ENGLISH}\n" * 3},
        {},
        "es.txt: expected a translation en-es, got the source, copied",
    ),
    "short sentences, all copied": (
        {"en.conll": _columns("she went there", 3), "es.txt": "she went there\n" * 3},
        {},
        "es.txt: expected a translation en-es, got the source, copied",
    ),
    "nothing usable": (
        {"en.conll": _columns("so be it", 1), "es.txt": "no " * 30 + "\n"},
        {},
        r"es.txt: expected a translation, but no sentence can be used (1 length)",
    ),
    "the wrong way round": (
        {"en.conll": _columns(SPANISH, 30), "es.txt": f"{ENGLISH}\n" * 30},
        {},
        "got them the wrong way round",
    ),
    "link out of range": ({"links": "\n0-0 3-4\n\n\n"}, {}, "links:2: alignment pair 3-4 lies"),
    "link that is none": ({"links": "\n0:0\n\n\n"}, {}, "links:2: expected pairs 'i-j'"),
    "a broken row": ({"en.conll": "Anna\n"}, {}, "en.conll:1: expected 'word ... tag'"),
    "one language": ({}, {"languages": "en-en"}, "expected two different languages"),
    "unknown aligner": ({}, {"aligner": "giza"}, "unknown aligner 'giza'; known: fast_align"),
    "unknown mapping": ({}, {"mapping": "eq2"}, "unknown mapping 'eq2'"),
    "unknown key": ({}, {"set": "alignment.key=folded"}, "did you mean 'keys'?"),
    "bad value": ({}, {"set": "alignment.keys=low"}, "alignment.keys: Input should be"),
    "no such folder": ({}, {"out": "nowhere/x"}, "no such folder"),
    "no such file": ({}, {"source": "none.conll"}, "none.conll: cannot be read"),
    "other words in gold": (
        {"gold": "a O\n\nb O\n\nc O\n\nd O\n"},
        {"gold": "gold"},
        "gold: block 2 has the words 'b'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_one_message_and_writes_nothing(case, files, monkeypatch):
    contents, changed, message = BAD[case]
    for name, content in contents.items():
        (files / name).write_text(content)
    monkeypatch.chdir(files)
    with pytest.raises(InputError) as caught:
        _invoke(*_arguments(files, **changed))
    assert message in str(caught.value)
    assert not (files / "out.conll").exists()


def test_bad_input_ends_the_command_with_two_and_no_traceback(files):
    (files / "es.txt").write_text("\n\n\n\n")
    done = _run(*_arguments(files))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: {files / 'es.txt'}:1: every sentence")
    assert "Traceback" not in done.stderr


def test_an_input_is_never_overwritten(files):
    with pytest.raises(InputError, match=r"es\.txt: is an input"):
        _invoke(*_arguments(files, out=files / "es.txt"))
    assert (files / "es.txt").read_text() == TRANSLATION


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one_and_no_rest(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    path = tmp_path / "out"
    path.write_text("old")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InputError, match=r"out: cannot be written \(No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_align_keeps_line_for_line_and_lines_with_an_empty_side_have_no_links(tmp_path):
    path = tmp_path / "text"
    path.write_text("the house ||| la casa\n ||| hola\nhello |||\n |||\nthe book ||| el libro\n")
    done = _run("align", str(path), "--aligner", "ibm1", "--symmetrize", "intersection")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert len(lines) == 6
    assert [bool(line) for line in lines] == [True, False, False, False, True, False]


@pytest.mark.parametrize("aligner", ["fast_align", "eflomal", "hmm", "ibm1"])
def test_align_takes_a_file_without_any_pair(aligner, tmp_path):
    (tmp_path / "text").write_text(" ||| hola\nhello |||\n")
    assert _invoke("align", tmp_path / "text", "--aligner", aligner).stdout == "\n\n"


def test_align_refuses_a_line_without_two_sides_and_links_out_of_range(tmp_path):
    path, links = tmp_path / "text", tmp_path / "links"
    path.write_text("a ||| b\nc\n")
    with pytest.raises(InputError, match=r"text:2: expected 'source words \|\|\| target words'"):
        _invoke("align", path)
    path.write_text("a ||| b\nc ||| d\n")
    links.write_text("0-0\n0-1\n")
    with pytest.raises(InputError, match=r"links:2: alignment pair 0-1 lies outside"):
        _invoke("align", path, "--aligner", f"pharaoh:{links}")


def test_align_and_project_use_the_same_links(files):
    source = read_columns(files / "en.conll", "en").corpus
    targets = TRANSLATION.split("\n")
    pairs = zip(source.blocks, targets, strict=False)
    text = [f"{' '.join(words)} ||| {target}" for words, target in pairs]
    # Project leaves the marker and the unusable pair out of the training text.
    (files / "text").write_text(" ||| \n" + text[1] + "\n ||| \n ||| \n")
    _invoke("align", files / "text", "--aligner", "hmm", "--out", files / "links")
    _invoke(*_arguments(files))
    given = (files / "out.conll").read_text()
    _invoke(*_arguments(files, aligner="hmm"))
    assert (files / "out.conll").read_text() == given


class Shouts:
    """A translator without a model."""

    name = "shouts"

    def __init__(self):
        from projection.translators.base import Limits

        self.limits = Limits(texts=1, characters=100)
        self.asked = []

    def version(self, _pair):
        return "1"

    def translate(self, texts, _pair):
        from projection.translators import TranslationError

        if len(self.asked) == 2:
            raise TranslationError("the line is dead")
        self.asked += texts
        return [text.upper().replace("V", "B") for text in texts]


def test_translate_gives_a_line_a_block_and_goes_on_where_it_broke_off(files, monkeypatch):
    made = []

    def load(_settings, _device):
        made.append(Shouts())
        return made[-1]

    monkeypatch.setattr("orchestrator.translate.load_translator", load)
    command = ["translate", "--source", files / "en.conll", "--languages", "en-es"]
    command += ["--translator", "apertium", "--memory", files / "m", "--out", files / "t.txt"]
    broken = CliRunner().invoke(xlwarm, [str(one) for one in command])
    assert broken.exit_code == 1
    assert "the line is dead; what was translated before is in" in broken.stderr
    assert not (files / "t.txt").exists()
    done = _invoke(*command)
    assert done.exit_code == 0, done.stderr
    assert made[1].asked == ["she never went to Lima"]
    lines = (files / "t.txt").read_text().splitlines()
    assert lines == ["", "ANNA BERG BISITED OSLO", "IN BERGEN", "SHE NEBER WENT TO LIMA"]


def test_translate_refuses_settings_that_the_translator_does_not_read(files):
    command = ["translate", "--source", files / "en.conll", "--languages", "en-es", "--out", "-"]
    with pytest.raises(InputError, match="the translator apertium does not read model"):
        _invoke(*command, "--translator", "apertium", "--model", "x")


def test_the_users_page_explains_every_setting():
    page = (CORPUS.parents[1] / "docs" / "projection.md").read_text()
    settings = [f"alignment.{key}" for key in AlignmentSettings.model_fields]
    settings += [f"mapping.{key}" for key in MappingSettings.model_fields if key != "rule"]
    assert [one for one in settings if f"`{one}`" not in page] == []
    for command in (align, project, translate):
        options = [one for each in command.params for one in each.opts if one.startswith("--")]
        assert [one for one in options if f"`{one}" not in page and f" {one} " not in page] == []

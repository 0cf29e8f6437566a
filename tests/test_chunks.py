"""Columns without boundary marks: a run of one label is a span."""

import re

import pytest

from projection.chunks import read_chunks
from projection.errors import InputError
from projection.records import Span


@pytest.fixture
def file(tmp_path):
    def write(*tags, category=True):
        """A file of one sentence whose words have these tags."""
        more = "\tCATEGORY" if category else ""
        path = tmp_path / "chunks.txt"
        path.write_text("".join(f"w{k}\t{tag}{more}\n" for k, tag in enumerate(tags)))
        return path

    return write


RUNS = {
    "a run is one span": (["T-POS", "T-POS", "O", "T-POS"], [(0, 2, "POS"), (3, 4, "POS")]),
    "another label begins a span": (["T-POS", "T-NEG"], [(0, 1, "POS"), (1, 2, "NEG")]),
    "neighbours of one label are one span": (["O", "T-NEU", "T-NEU"], [(1, 3, "NEU")]),
    "a stray B begins a span": (["T-POS", "B-POS", "I-POS"], [(0, 1, "POS"), (1, 3, "POS")]),
    "a stray S begins a span": (["S-POS", "S-POS"], [(0, 1, "POS"), (1, 2, "POS")]),
    "a stray E goes on": (["T-POS", "E-POS"], [(0, 2, "POS")]),
    "no label, no span": (["O", "O"], []),
}


@pytest.mark.parametrize("rule", RUNS)
def test_runs_of_labels_are_spans(file, rule):
    tags, spans = RUNS[rule]
    for category in (True, False):
        [one] = read_chunks(file(*tags, category=category), "en").sentences
        assert one.spans == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize("tag", ["X-POS", "POS", "T-", "-POS", "T_POS", "t-POS", "T-JOY"])
def test_an_illegal_tag_is_refused_with_its_line(file, tag):
    path = file("O", "T-POS", tag)
    message = f"{path}:3: illegal tag {tag!r}: expected O or T-POS T-NEG"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        read_chunks(path, "en", labels=("POS", "NEG"))


def test_without_labels_any_is_read(file):
    [one] = read_chunks(file("T-JOY"), "en").sentences
    assert one.spans == (Span(0, 1, "JOY"),)

"""Blocks of code in the documentation: found, told apart, and their commands split into words."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
SHELL, YAML, PYTHON, OUTPUT = "sh", "yaml", "python", "text"
LANGUAGES = (SHELL, YAML, PYTHON, OUTPUT)


@dataclass(frozen=True)
class Block:
    """A block of code.

    Args:
        page: Of the repository.
        line: Of its fence, from 1.
        language: What its fence says; empty for an indented block.
        title: Of the file that it shows, if it is one.
        text: Without the fence.
    """

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a block, as words."""

    block: Block
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block}: {shlex.join(self.words)}"


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Every block of code of ``page``."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    found = []
    for token in tokens:
        if token.type in ("fence", "code_block") and token.map:
            language, _, rest = token.info.partition(" ")
            title = re.search(r'title="(.+?)"', rest)
            line = token.map[0] + 1
            found.append(Block(page, line, language, title[1] if title else "", token.content))
    return tuple(found)


def commands(page: Path, programs: frozenset[str]) -> Iterator[Command]:
    """Every command of the shell blocks of ``page``; pipes are several.

    Indented blocks, which do not say what they are, count line by line: those that begin with one
    of ``programs``.
    """
    for block in blocks(page):
        if block.language not in ("", SHELL):
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            if block.language or set(line.split()[:1]) & programs:
                yield from (Command(block, part) for part in _piped(_words(line)) if part)


def _words(line: str) -> tuple[str, ...]:
    """The words of a line; ``[--option]`` is given."""
    return tuple(shlex.split(re.sub(r"\[(--[^\]]*)\]", r"\1", line), comments=True))


def _piped(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    while "|" in words:
        at = words.index("|")
        yield words[:at]
        words = words[at + 1 :]
    yield words

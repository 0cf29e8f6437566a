"""The translation memory: nothing is translated, or paid for, twice."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from projection.errors import InputError
from projection.translators.base import (
    LanguagePair,
    Relay,
    TranslationError,
    Translator,
    batches,
)

WAIT = 120.0
"""Seconds to wait for another process that writes."""
ASKED_AT_ONCE = 500
"""Texts of one query; SQLite takes a limited number of values."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS translations (
    translator TEXT NOT NULL, version TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
    text TEXT NOT NULL, translation TEXT NOT NULL,
    PRIMARY KEY (translator, version, source, target, text)
) WITHOUT ROWID
"""

_LOOK_UP = """
SELECT text, translation FROM translations
WHERE translator = ? AND version = ? AND source = ? AND target = ?
"""

Observe = Callable[[int, int], None]
"""Told how many of how many texts have a translation."""


class TranslationMemory:
    """Translations by translator, its version, language pair and text, in one SQLite file.

    Several processes may use one file at the same time, also on a network drive whose locks work.

    Args:
        path: Of the file; it and its folder are made if need be.

    Raises:
        InputError: Here and in every method: the file is not a translation memory, cannot be
            written, the disk is full, or another process keeps it locked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{path}: cannot make its folder ({error.strerror or error})"
            ) from None
        with self._database() as database:
            database.execute(_SCHEMA)

    def known(
        self, translator: str, version: str, pair: LanguagePair, texts: Sequence[str]
    ) -> dict[str, str]:
        """The translations that are there, by text."""
        found: dict[str, str] = {}
        key = (translator, version, pair.source, pair.target)
        with self._database() as database:
            for start in range(0, len(texts), ASKED_AT_ONCE):
                some = texts[start : start + ASKED_AT_ONCE]
                asked = f"{_LOOK_UP} AND text IN ({', '.join('?' * len(some))})"
                rows = database.execute(asked, (*key, *some))
                found.update(rows.fetchall())
        return found

    def store(
        self, translator: str, version: str, pair: LanguagePair, translated: Mapping[str, str]
    ) -> int:
        """Add translations by text; of two for one text the first stays.

        Returns:
            How many were new.
        """
        key = (translator, version, pair.source, pair.target)
        with self._database() as database:
            before = database.total_changes
            database.executemany(
                "INSERT OR IGNORE INTO translations VALUES (?, ?, ?, ?, ?, ?)",
                [(*key, text, translation) for text, translation in translated.items()],
            )
            return database.total_changes - before

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed as a whole, or not at all."""
        try:
            database = sqlite3.connect(self._path, timeout=WAIT)
            try:
                with database:
                    yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise InputError(
                f"{self._path}: the translation memory cannot be used ({error}); what it held "
                "before is still there. Make room, free the file, or name another with --memory"
            ) from None


def translate_once(
    texts: Sequence[str],
    translator: Translator,
    pair: LanguagePair,
    memory: TranslationMemory,
    observe: Observe = lambda _done, _of: None,
) -> list[str]:
    """Translations of ``texts``, in their order; only what ``memory`` lacks is translated.

    Every batch is stored before the next is begun, so a job that ends early goes on where it
    stopped. Processes that translate the same texts at the same time share the work: the one whose
    batch another has stored meanwhile goes on from the other end. What is returned is what the
    memory holds.

    Where the way goes over other languages, every leg is remembered: what was translated into
    Spanish on the way to French is not translated into Spanish again on the way to Italian.

    Args:
        texts: Lines of running text, none empty; the same may come several times.
        translator: Of the texts that are not known.
        pair: The languages.
        memory: Where translations are kept.
        observe: Told after every batch.

    Raises:
        InputError: The translator lacks something, or the memory cannot be used.
        TranslationError: The translator failed or gave another number of texts.
    """
    distinct = list(dict.fromkeys(texts))
    version = translator.version(pair)
    found = memory.known(translator.name, version, pair, distinct)
    observe(len(found), len(distinct))
    missing = [text for text in distinct if text not in found]
    last, last_pair, halfway = _up_to_the_last_leg(missing, translator, pair, memory, observe)
    waiting = deque(batches(missing, translator.limits))
    while waiting:
        batch = waiting.popleft()
        found |= memory.known(translator.name, version, pair, batch)
        asked = [text for text in batch if text not in found]
        new = _translate([halfway[text] for text in asked], last, last_pair) if asked else []
        added = dict(zip(asked, new, strict=True))
        if memory.store(translator.name, version, pair, added) < len(added):
            waiting.reverse()
            added = memory.known(translator.name, version, pair, asked)
        found |= added
        observe(len(found), len(distinct))
    return [found[text] for text in texts]


def _up_to_the_last_leg(
    texts: Sequence[str],
    translator: Translator,
    pair: LanguagePair,
    memory: TranslationMemory,
    observe: Observe,
) -> tuple[Translator, LanguagePair, dict[str, str]]:
    """What translates last, between which languages, and what it is given, by text."""
    legs = translator.legs(pair) if texts and isinstance(translator, Relay) else ()
    if len(legs) < 2:
        return translator, pair, dict(zip(texts, texts, strict=True))
    halfway = list(texts)
    for one, leg in legs[:-1]:
        halfway = translate_once(halfway, one, leg, memory, observe)
    return *legs[-1], dict(zip(texts, halfway, strict=True))


def _translate(texts: Sequence[str], translator: Translator, pair: LanguagePair) -> list[str]:
    translated = translator.translate(texts, pair)
    if len(translated) != len(texts):
        raise TranslationError(
            f"{translator.name} gave {len(translated)} translations for {len(texts)} texts"
        )
    return translated

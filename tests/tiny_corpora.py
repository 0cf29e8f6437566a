"""Tiny corpora in the formats and at the places that a study names, so that any study can be run.

Everywhere are the same sentences, who visits which place, in every language with another verb. The
places of a study's files are those of the study; what stands in them is written here.
"""

import gzip
from collections.abc import Sequence
from itertools import product

from orchestrator.data_settings import FileSettings
from orchestrator.study import Study
from projection.corpora import Format

PEOPLE, PLACES = ("Anna", "Marieke", "Tomás"), ("Oslo", "Bergen", "Lima", "Nordic Rail")
VERBS = {"en": "visited", "es": "visitó", "de": "besuchte", "nl": "bezocht"}
"""A word of the tiny checkpoints' vocabulary; other languages borrow the Spanish one."""
ROLES = ("A0", "A1")
POLARITIES = {"POS": "positive", "NEG": "negative", "NEU": "neutral"}

Visit = tuple[str, str]
"""Who, and where."""
VISITS: Sequence[Visit] = tuple(product(PEOPLE, PLACES))


def furnish(study: Study) -> None:
    """Write every file that ``study`` names."""
    for keys, path in study.files():
        language = keys[2] if len(keys) > 2 else study.source
        path.parent.mkdir(parents=True, exist_ok=True)
        text = _text(study, keys, language)
        written = text.encode()
        path.write_bytes(gzip.compress(written, mtime=0) if path.suffix == ".gz" else written)


def _text(study: Study, keys: Sequence[str], language: str) -> str:
    if keys[1] == "translations":
        file = study.data.translation_of(language)
        if isinstance(file, FileSettings) and file.labelled:
            return WRITERS[file.format or study.task.form](language, study.task.labels)
        return "".join(f"{' '.join(words(one, language))}\n" for one in VISITS)
    if keys[1] == "aligner":
        return "".join(f"{links(one)}\n" for one in VISITS)
    settings = getattr(study.data, keys[1])
    file = study.data.test_of(language) if keys[1] == "test" else settings
    assert isinstance(file, FileSettings)
    labels = study.task.labels or ROLES
    return WRITERS[file.format or study.task.form](language, labels)


def words(visit: Visit, language: str) -> list[str]:
    who, where = visit
    return [who, VERBS.get(language, VERBS["es"]), *where.split(), "."]


def links(visit: Visit) -> str:
    """Every word with the one at its place; all languages have the same order."""
    return " ".join(f"{k}-{k}" for k in range(len(words(visit, "en"))))


def _tags(visit: Visit, labels: Sequence[str], begin: str, inside: str) -> list[str]:
    rest = [f"{inside}-{labels[-1]}"] * (len(visit[1].split()) - 1)
    return [f"{begin}-{labels[0]}", "O", f"{begin}-{labels[-1]}", *rest, "O"]


def _columns(language: str, labels: Sequence[str]) -> str:
    return _rows(language, labels, "B", "I")


def _chunks(language: str, labels: Sequence[str]) -> str:
    return _rows(language, labels, "T", "T")


def _rows(language: str, labels: Sequence[str], begin: str, inside: str) -> str:
    return "".join(
        "".join(
            f"{word}\t{tag}\n"
            for word, tag in zip(
                words(one, language), _tags(one, labels, begin, inside), strict=True
            )
        )
        + "\n"
        for one in VISITS
    )


def _semeval(language: str, labels: Sequence[str]) -> str:
    sentences = ""
    for who, where in VISITS:
        text = " ".join(words((who, where), language))
        opinions = "".join(
            f'<Opinion target="{what}" category="X" polarity="{POLARITIES[label]}" '
            f'from="{text.index(what)}" to="{text.index(what) + len(what)}"/>'
            for what, label in ((who, labels[0]), (where, labels[-1]))
        )
        sentences += f"<sentence><text>{text}</text><Opinions>{opinions}</Opinions></sentence>\n"
    return f"<Reviews><sentences>\n{sentences}</sentences></Reviews>\n"


def _propbank(language: str, labels: Sequence[str]) -> str:
    """The roles stand on the first word of who and where; the verb is the predicate."""
    blocks = []
    for one in VISITS:
        cells = {0: labels[0], 2: labels[-1]}
        rows = [
            [str(k + 1), word, word, "VERB" if k == 1 else "PROPN", "_", "_", "0", "dep"]
            + (["Y", "visit.01"] if k == 1 else ["_", "_"])
            + [cells.get(k, "_")]
            for k, word in enumerate(words(one, language))
        ]
        blocks.append("".join("\t".join(row) + "\n" for row in rows) + "\n")
    return "".join(blocks)


WRITERS = {
    Format.COLUMNS: _columns,
    Format.CHUNKS: _chunks,
    Format.SEMEVAL: _semeval,
    Format.PROPBANK: _propbank,
}

"""Aligners that others install: the programs fast_align and eflomal, and the package systran-align.

None of them is needed by xlwarm; each is used when it is asked for by name. eflomal is under the
GPL, so it is only ever run as a program.
"""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from projection.aligners.base import symmetrize
from projection.aligners.keys import Pair, key_pairs, training_text
from projection.aligners.settings import AlignmentKeys, AlignmentSettings, Symmetrization
from projection.errors import InputError
from projection.parallel import ParallelCorpus, TextPair, parse_pharaoh
from projection.records import Alignment

SEPARATOR = " ||| "
RunProgram = Callable[[str, Path], tuple[list[str], list[str]]]
"""Align a file of ``source ||| target`` lines; Pharaoh lines of both directions, as (source,
target)."""


class ProgramAligner:
    """An installed aligner program, trained on the pairs it aligns."""

    def __init__(
        self, name: str, settings: AlignmentSettings, extra: Sequence[TextPair] = ()
    ) -> None:
        self._name = name
        self._settings = settings
        self._extra = extra

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Run the program in both directions and symmetrise.

        Raises:
            InputError: The program is not installed.
            RuntimeError: It failed, or did not give one line a pair.
        """
        executable, run = PROGRAMS[self._name]
        path = shutil.which(executable)
        if path is None:
            raise InputError(
                f"aligner program:{self._name} needs the program {executable} on the PATH; install "
                "it, or use one of the built-in aligners"
            )
        pairs = key_pairs(corpus.texts, self._settings, AlignmentKeys.SURFACE)
        text = training_text(pairs, self._extra, self._settings, AlignmentKeys.SURFACE)
        with TemporaryDirectory(prefix="xlwarm-align-") as folder:
            forward, backward = run(path, _write(text, Path(folder) / "text"))
        if not len(forward) == len(backward) == len(text):
            raise RuntimeError(
                f"{executable} gave {len(forward)} and {len(backward)} lines for {len(text)} pairs"
            )
        return [
            symmetrize(
                parse_pharaoh(there).pairs,
                parse_pharaoh(back).pairs,
                (len(pair[0]), len(pair[1])),
                self._settings.symmetrize,
            )
            for there, back, pair in zip(forward, backward, pairs, strict=False)
        ]


class SystranAligner:
    """fast_align as the package ``systran-align`` has it; grow-diag-final-and only."""

    def __init__(self, settings: AlignmentSettings, extra: Sequence[TextPair] = ()) -> None:
        if settings.symmetrize is not Symmetrization.GROW_DIAG_FINAL_AND:
            raise InputError(
                f"the aligner systran symmetrises by grow-diag-final-and alone, got "
                f"{settings.symmetrize}"
            )
        self._settings = settings
        self._extra = extra

    def align(self, corpus: ParallelCorpus) -> list[Alignment]:
        """Train on the pairs and align them.

        Raises:
            InputError: The package is not installed.
        """
        try:
            import systran_align
        except ImportError:
            raise InputError(
                "the aligner systran needs the package systran-align: pip install 'xlwarm[systran]'"
            ) from None
        pairs = key_pairs(corpus.texts, self._settings, AlignmentKeys.SURFACE)
        text = training_text(pairs, self._extra, self._settings, AlignmentKeys.SURFACE)
        with TemporaryDirectory(prefix="xlwarm-align-") as folder:
            forward, backward = f"{folder}/forward", f"{folder}/backward"
            systran_align.generate_alignment_probabilities(
                str(_write(text, Path(folder) / "text")),
                forward,
                backward,
                favor_diagonal=True,
                optimize_tension=True,
                variational_bayes=True,
            )
            model = systran_align.Aligner(forward, backward)
            found = model.align_batch([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        return [Alignment(map(tuple, one["alignments"])) for one in found]


def _write(pairs: Sequence[Pair], path: Path) -> Path:
    """One ``source ||| target`` line a pair; a word that is the separator itself is masked."""
    with path.open("w", encoding="utf-8") as out:
        for source, target in pairs:
            out.write(SEPARATOR.join(" ".join(map(_masked, side)) for side in (source, target)))
            out.write("\n")
    return path


def _masked(word: str) -> str:
    return "|" if word == SEPARATOR.strip() else word


def _fast_align(program: str, text: Path) -> tuple[list[str], list[str]]:
    """Settings as in its documentation: favour the diagonal, optimise the tension, Dirichlet."""
    command = [program, "-i", str(text), "-d", "-o", "-v"]
    forward, backward = (_output([*command, *reverse]) for reverse in ((), ("-r",)))
    return forward.splitlines(), backward.splitlines()


def _eflomal(program: str, text: Path) -> tuple[list[str], list[str]]:
    forward, backward = text.with_name("forward"), text.with_name("backward")
    _output([program, "-i", str(text), "-m", "3", "-f", str(forward), "-r", str(backward)])
    return forward.read_text().splitlines(), backward.read_text().splitlines()


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(
            f"{command[0]} ended with exit code {done.returncode}: {said[-1] if said else ''}"
        )
    return done.stdout


PROGRAMS: Mapping[str, tuple[str, RunProgram]] = MappingProxyType(
    {"fast_align": ("fast_align", _fast_align), "eflomal": ("eflomal-align", _eflomal)}
)
"""The executable of each program, and how it is run."""

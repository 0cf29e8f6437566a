"""No transport at all: one worker in this process takes the steps of all languages."""

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.steps.base import WarmupJob
from orchestrator.transports.base import DriverReduces
from trainers.flat import Layout
from trainers.warmup import LanguageEnd, WholeStart


class InProcessRounds(DriverReduces):
    """Rounds without Ray, one language after the other."""

    name = "in-process"

    def __init__(self, job: WarmupJob, layout: Layout) -> None:
        super().__init__(job.settings, layout)
        self._languages = job.languages
        self._worker = job.worker()

    def ends(self) -> Sequence[LanguageEnd]:
        """A copy of every end: the worker has but one replica."""
        return [self._end(language) for language in self._languages]

    def _end(self, language: str) -> LanguageEnd:
        start = WholeStart(self.state.parameters, self.layout)
        residual = self.state.residuals.get(language)
        end = self._worker.run_steps(start, self.state.rounds, language, residual)
        return replace(end, dense=end.dense.cpu().clone())

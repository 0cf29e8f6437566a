"""The live view of a running study."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from orchestrator.costs import Costs
from orchestrator.execute import Failure
from orchestrator.steps.base import Step
from orchestrator.steps.evaluate import EvaluateStep
from orchestrator.steps_view import State, StepsView, share_done
from orchestrator.store import StepStore


class ProgressView(StepsView):
    """Shows steps done and running, their speed, the time left and the scores so far.

    Args:
        steps: Of the plan.
        store: Read for scores.
        console: Terminal or not.
    """

    def __init__(self, steps: Sequence[Step], store: StepStore, console: Console) -> None:
        super().__init__(console)
        self._store = store
        self._total = Counter(step.kind for step in steps)
        self._done: Counter[str] = Counter()
        self._costs = Costs()
        self._cost_left = sum(map(self._cost, steps))
        self._enough = max(map(self._cost, steps), default=0.0)
        self._cost_here = 0.0
        self._scores: list[str] = []

    def started(self, step: Step) -> None:
        """Show ``step`` among the running ones."""
        super().started(step)
        self._line(f"start  {step.title()}")

    def finished(self, step: Step) -> None:
        """Count ``step``; show its score."""
        self._done[step.kind] += 1
        self._cost_left -= self._cost(step)
        _, since = self.running.pop(step.fingerprint, (step, None))
        if since is None:
            return
        self._cost_here += self._cost(step)
        score = self._score(step)
        self._line(f"done   {step.title()} in {time.monotonic() - since:.0f} s{score}")
        if isinstance(step, EvaluateStep):
            self._scores.append(f"{step.title()}{score}")

    def _score(self, step: Step) -> str:
        outputs = self._store.outputs(step)
        if step.kind == "finetune":
            return f": dev F1 {outputs['dev_f1']:.1f} at step {outputs['best_step']}"
        if step.kind in ("average", "vote"):
            return f": dev F1 {outputs['dev_f1']:.1f}"
        if step.kind == "evaluate":
            return f": F1 {outputs['micro']['f1']:.1f}"
        if step.kind == "project":
            return f": {outputs['kept']} spans kept, {outputs['drop_rate']:.1%} dropped"
        return ""

    def failed(self, step: Step, failure: Failure) -> None:
        """Say so."""
        super().failed(step, failure)
        self._cost_left -= self._cost(step)

    def summary(self, states: Mapping[str, State]) -> Sequence[str]:
        """Steps done by kind, and the time left."""
        counts = "  ".join(f"{kind} {self._done[kind]}/{n}" for kind, n in self._total.items())
        return [f"{counts}   {self._time_left(states)}"]

    def below(self) -> Sequence[RenderableType]:
        """The latest scores."""
        return [Text("\n".join(self._scores[-6:]), style="dim")]

    def _cost(self, step: Step) -> float:
        """A guess; only ratios of it count."""
        return self._costs.of(step).seconds

    def _line(self, text: str) -> None:
        if not self.live:
            self.say(text)

    def _time_left(self, states: Mapping[str, State]) -> str:
        begun = sum(
            self._cost(step) * share_done(states.get(step.fingerprint, {}))
            for step, _ in self.running.values()
        )
        if self._cost_here + begun < self._enough:
            return "time left: not known yet"
        spent = time.monotonic() - self.begin
        left = spent / (self._cost_here + begun) * (self._cost_left - begun)
        return f"about {left / 60:.0f} min left"

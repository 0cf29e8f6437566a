"""The ``resources`` block of a study: what a step of each kind takes, and how often it is tried.

Placement: nothing here enters a fingerprint, because nothing here can change a result.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def _whole_or_fraction(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError(f"a fraction of a GPU is below 1, and several are whole; got {gpus:g}")
    return gpus


Gpus = Annotated[float, Field(ge=0), AfterValidator(_whole_or_fraction)]


class StepResources(BaseModel, frozen=True, extra="forbid"):
    """What one step takes while it runs; for a warm-up, what each of its workers takes."""

    cpus: float | None = Field(default=None, gt=0)
    """Cores reserved; None: as many as the step has threads. Never changes the threads."""
    gpus: Gpus | None = None
    """GPUs, or a fraction of one; None: one for a step that runs a model, where there are GPUs."""
    memory_gib: float | None = Field(default=None, gt=0)
    """GiB of memory reserved on the node; None: what was measured, where anything was."""
    retries: int = Field(default=3, ge=0)
    """How often a step whose process or node died is started again; bad input never is."""
    timeout_minutes: float | None = Field(default=None, gt=0)
    """A step that takes longer is ended and has failed; None: it may take for ever."""


class ResourceSettings(BaseModel, frozen=True, extra="forbid"):
    """By kind of step; what a kind leaves out it takes from ``default``."""

    default: StepResources = StepResources()
    translate: StepResources = StepResources()
    project: StepResources = StepResources()
    encode: StepResources = StepResources()
    probe: StepResources = StepResources()
    warmup: StepResources = StepResources()
    finetune: StepResources = StepResources()
    average: StepResources = StepResources()
    vote: StepResources = StepResources()
    evaluate: StepResources = StepResources()

    def of(self, kind: str) -> StepResources:
        """Of a step of ``kind``, one of the fields.

        >>> settings = ResourceSettings(
        ...     default=StepResources(retries=1), evaluate=StepResources(gpus=0.25)
        ... )
        >>> settings.of("evaluate").gpus, settings.of("evaluate").retries
        (0.25, 1)
        """
        own = getattr(self, kind).model_dump(exclude_unset=True)
        return self.default.model_copy(update=own)

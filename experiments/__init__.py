"""What to run and what to show: studies, the paper's numbers, tables, reports."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.notebook import Study

__all__ = ["Study"]


def __getattr__(name: str) -> Any:
    """``Study``, imported when it is asked for: ``xlwarm --help`` must not wait for it."""
    if name != "Study":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from experiments.notebook import Study

    return Study

"""What a sweep varies: a setting's values, or a range that they are drawn from."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, model_validator

Value = bool | int | float | str
"""Of a setting."""

RANGES = ("uniform", "log-uniform", "integer", "log-integer")
LISTS = ("choice", "grid")


def _number(value: object) -> object:
    """YAML takes ``5e-4``, which lacks a point, for text."""
    try:
        return float(value) if isinstance(value, str) and "e" in value else value
    except ValueError:
        return value


class Values(BaseModel, frozen=True, extra="forbid"):
    """A list of values."""

    kind: Literal["choice", "grid"]
    """``grid``: every value with every value of the other grids; ``choice``: drawn at random,
    except by the searcher ``grid``."""
    values: tuple[Annotated[Value, BeforeValidator(_number)], ...] = Field(min_length=1)
    """Each once."""

    @model_validator(mode="after")
    def _distinct(self) -> "Values":
        twice = sorted({str(one) for one in self.values if self.values.count(one) > 1})
        if twice:
            raise ValueError(f"value listed twice: {', '.join(twice)}")
        return self


class Range(BaseModel, frozen=True, extra="forbid"):
    """All numbers from ``low`` to ``high``, both included."""

    kind: Literal["uniform", "log-uniform", "integer", "log-integer"]
    """Real or whole numbers; ``log-``: equal ratios are equally likely."""
    low: float
    """The least value; above 0 for ``log-``."""
    high: float
    """The greatest value."""

    @model_validator(mode="after")
    def _is_one(self) -> "Range":
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"{self.kind} needs finite ends, got {self.low:g} and {self.high:g}")
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        if self.low == self.high:
            raise ValueError(f"empty range: low and high are both {self.low:g}; set it instead")
        if self.is_log and self.low <= 0:
            raise ValueError(f"{self.kind} starts above 0, got {self.low:g}")
        if self.is_whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"{self.kind} needs whole ends, got {self.low:g} and {self.high:g}")
        return self

    def rounded(self, value: float) -> float:
        """A drawn ``value`` to six digits: a searcher gives a point back as it was but for the
        last bits, and it must be found again.

        >>> Range(kind="uniform", low=0.1, high=0.7).rounded(0.12345678)
        0.123457
        """
        return value if self.is_whole else min(max(float(f"{value:.6g}"), self.low), self.high)

    @property
    def is_log(self) -> bool:
        """True if equal ratios are equally likely."""
        return self.kind.startswith("log-")

    @property
    def is_whole(self) -> bool:
        """True if its values are integers."""
        return self.kind.endswith("integer")


def _spelled_out(value: object) -> object:
    """``[1, 2]`` and ``{uniform: [1, 2]}`` with the names of their parts."""
    if isinstance(value, list | tuple):
        return {"kind": "choice", "values": value}
    if _form(value) is not None:
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((kind, content),) = value.items()
        if kind in RANGES and isinstance(content, list | tuple) and len(content) == 2:
            return {"kind": kind, "low": content[0], "high": content[1]}
        if kind in LISTS:
            return {"kind": kind, "values": content}
    raise ValueError(
        f"expected a list of values, {{choice: [...]}}, {{grid: [...]}}, or one of "
        f"{', '.join(RANGES)} with [low, high]; got {value!r}"
    )


def _form(value: object) -> str | None:
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    if kind in RANGES:
        return "range"
    return "values" if kind in LISTS else None


Parameter = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Values, Tag("values")],
    Discriminator(_form),
    BeforeValidator(_spelled_out),
]
"""What a sweep tries for one setting."""


def _by_dotted_name(value: object) -> object:
    """Blocks in blocks as dotted names, which ``--set sweep.parameters.warmup.steps=[5, 10]`` is
    taken for; what comes last counts.
    """
    return dict(_dotted(value)) if isinstance(value, Mapping) else value


def _dotted(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        is_block = isinstance(value, Mapping) and not {"kind", *RANGES, *LISTS} & set(value)
        if is_block and "." not in str(name):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


Space = Annotated[dict[str, Parameter], BeforeValidator(_by_dotted_name)]
"""By the dotted name of a setting."""

Settings = dict[str, Any]
"""One point of a space: a value for every parameter."""

"""A cluster that need not exist, described in a YAML file, for ``xlwarm plan --cluster``.

::

    nodes:
      - {name: a100, count: 2, cpus: 32, gpus: 4, memory_gib: 256, speed: 1.5}
      - {name: head, cpus: 8}
    overhead_seconds: 0.5
    gpu_overhead_seconds: 8.0
"""

from math import inf
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from orchestrator.schedule import Nodes, Resources
from orchestrator.yaml_file import line_of, read_mapping
from projection.errors import InputError

GIB = 2**30


class NodeKind(BaseModel, frozen=True, extra="forbid"):
    """Some nodes that are alike."""

    name: str = Field(default="node", pattern=r"^[\w.-]+$")
    """Of the kind; several nodes of a kind are numbered."""
    count: int = Field(default=1, ge=1)
    """Nodes of this kind."""
    cpus: float = Field(gt=0)
    """Cores of each."""
    gpus: int = Field(default=0, ge=0)
    """GPUs of each."""
    memory_gib: float = Field(default=inf, gt=0)
    """Memory of each, in GiB."""
    speed: float = Field(default=1.0, gt=0)
    """Against the machine on which the store's steps were measured; 2 takes half the time."""


class ClusterFile(BaseModel, frozen=True, extra="forbid"):
    """The nodes, and what it costs to start a step there."""

    nodes: Annotated[tuple[NodeKind, ...], Field(min_length=1)]
    """Kinds of nodes, each named once."""
    overhead_seconds: float = Field(default=0.5, ge=0)
    """From the moment that a step could start on cores to its first work."""
    gpu_overhead_seconds: float = Field(default=8.0, ge=0)
    """The same on GPUs: Ray gives each such step a new process, which has to import everything."""

    @model_validator(mode="after")
    def _named_once(self) -> "ClusterFile":
        names = [kind.name for kind in self.nodes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"nodes named twice: {', '.join(twice)}; give each kind its own name")
        return self

    def all_nodes(self) -> Nodes:
        """Every single node by its name, ``a100-1`` to ``a100-2``."""
        return {
            name: Resources(kind.cpus, kind.gpus, kind.memory_gib * GIB)
            for kind in self.nodes
            for name in _names(kind)
        }

    def speeds(self) -> dict[str, float]:
        """Of every node by its name."""
        return {name: kind.speed for kind in self.nodes for name in _names(kind)}


def _names(kind: NodeKind) -> list[str]:
    if kind.count == 1:
        return [kind.name]
    return [f"{kind.name}-{number}" for number in range(1, kind.count + 1)]


def read_cluster(path: Path) -> ClusterFile:
    """The cluster that a file describes.

    Raises:
        InputError: Everything that is wrong, a line each.
    """
    content, tree = read_mapping(path, "a cluster: nodes: [{cpus: 8, gpus: 1, count: 4}, ...]")
    try:
        return ClusterFile.model_validate(content)
    except ValidationError as errors:
        raise InputError(
            "\n".join(_explain(path, tree, error) for error in errors.errors())
        ) from None


def _explain(path: Path, tree: yaml.Node | None, error: ErrorDetails) -> str:
    keys = [key for key in error["loc"] if isinstance(key, str | int)]
    dotted = ".".join(str(key) for key in keys) or "cluster"
    problem = error["msg"].removeprefix("Value error, ")
    return f"{path}:{line_of(tree, keys)}: {dotted}: {problem}"

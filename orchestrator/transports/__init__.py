"""How the parameters of a warm-up travel to its workers, and the languages' ends back.

One file a transport; :mod:`orchestrator.transports.probe` chooses. All give the same bits.
"""

from enum import StrEnum


class Transport(StrEnum):
    """What a study may ask for."""

    SHARED_MEMORY = "shared-memory"
    """All workers on the driver's node read and write one segment of memory."""
    OBJECT_STORE = "object-store"
    """Ray's: one flat array put a round, one flat array a language back."""
    COLLECTIVE = "collective"
    """The workers hold the parameters and reduce among themselves, by torch.distributed."""

"""Where running steps post what they are at. It imports nothing heavy: every run starts one."""

from collections.abc import Mapping

import ray

from orchestrator.fingerprints import Json


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Board:
    """State by fingerprint. It may be lost with its node: it starts empty."""

    def __init__(self) -> None:
        self._states: dict[str, Mapping[str, Json]] = {}
        self._unwanted: set[str] = set()

    def post(self, fingerprint: str, state: Mapping[str, Json]) -> None:
        """Replace what was known of a step."""
        self._states[fingerprint] = state

    def drop(self, fingerprint: str) -> None:
        """Forget a step that ended."""
        self._states.pop(fingerprint, None)
        self._unwanted.discard(fingerprint)

    def dismiss(self, fingerprint: str) -> None:
        """Nobody wants the result of a step any more."""
        self._unwanted.add(fingerprint)

    def wants(self, fingerprint: str) -> bool:
        """True unless the step was dismissed."""
        return fingerprint not in self._unwanted

    def read(self) -> dict[str, Mapping[str, Json]]:
        """Where all running steps are."""
        return self._states

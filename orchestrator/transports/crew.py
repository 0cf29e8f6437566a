"""The hosts of a warm-up, and who has which languages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray

from orchestrator.packing import longest, pack
from trainers.warmup import LanguageEnd

SETTLED = 2
"""The round whose measured times count: the first one also reads and allocates."""

WORTH_MOVING = 0.9
"""Languages change hosts if a round is then expected to take at most this share of its time."""


class Crew:
    """Actors that host language workers; each call names a function that runs beside the worker.

    A host keeps nothing that matters between two calls, so Ray may start a lost one again and
    repeat what it was at.

    Args:
        hosts: Handles of :class:`orchestrator.actors.LanguageHost`.
        costs: What a round of each language is expected to take, in any unit.
    """

    def __init__(self, hosts: Sequence[Any], costs: Mapping[str, float]) -> None:
        self.hosts = hosts
        self.shares = pack(costs, len(hosts))
        self._rounds = 0

    @property
    def languages(self) -> list[str]:
        """All of them, in canonical order."""
        return sorted(language for share in self.shares for language in share)

    def ask_all(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """``function(host, *arguments)`` on every host at once; answers in the hosts' order."""
        return ray.get([host.call.remote(function, *arguments) for host in self.hosts])

    def run(
        self, function: Callable[..., Any], arguments: Callable[[str], tuple[Any, ...]]
    ) -> dict[str, Any]:
        """``function(host, *arguments(language))`` for every language on the host that has it.

        Returns:
            Answers by language, in canonical order.
        """
        calls = {
            language: host.call.remote(function, *arguments(language))
            for host, share in zip(self.hosts, self.shares, strict=True)
            for language in share
        }
        languages = sorted(calls)
        answers = ray.get([calls[language] for language in languages])
        return dict(zip(languages, answers, strict=True))

    def learn_from(self, ends: Sequence[LanguageEnd]) -> None:
        """Deal the languages out anew, once, by the seconds that their steps took."""
        self._rounds += 1
        if self._rounds != SETTLED:
            return
        seconds = {end.language: end.seconds for end in ends}
        better = pack(seconds, len(self.hosts))
        if longest(better, seconds) <= WORTH_MOVING * longest(self.shares, seconds):
            self.shares = better

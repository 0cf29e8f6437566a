"""Which steps this driver may start, where several work on one store (DESIGN §6)."""

import logging
import threading
import time
from types import TracebackType
from typing import Protocol, Self

from orchestrator.steps.base import Step
from orchestrator.store import StepStore, StoreRefusedError
from orchestrator.store.leases import LEASE_SECONDS, Lease, Leases
from orchestrator.store.patience import is_passing

BEATS_PER_LEASE, LOOKS_PER_LEASE = 4, 30
"""How often, while a lease would last, its holder renews it and others look at it."""

log = logging.getLogger("xlwarm.store")


class Claims(Protocol):
    """Says which steps are this driver's to compute."""

    def is_free(self, step: Step) -> bool:
        """False if another driver was seen computing ``step``; costs nothing."""

    def claim(self, step: Step) -> bool:
        """True if ``step`` is this driver's now, and must be started."""

    def taken_over(self) -> list[Step]:
        """Steps of other drivers that are done since the last call."""

    def pause(self, seconds: float) -> None:
        """Nothing runs here: wait a moment if there is something to wait for."""

    def ended(self, step: Step) -> None:
        """A claimed step is done, lost or failed."""


class Uncontested:
    """The claims of a driver that has its store for itself."""

    def is_free(self, step: Step) -> bool:
        """Always."""
        return True

    def claim(self, step: Step) -> bool:
        """Always."""
        return True

    def taken_over(self) -> list[Step]:
        """Nothing."""
        return []

    def pause(self, seconds: float) -> None:
        """There is no other driver to wait for."""

    def ended(self, step: Step) -> None:
        """Nothing to give back."""


class SharedClaims:
    """Claims by leases in the store: a context in which those that are held are renewed.

    A step that another driver has is waited for without holding any room, and its result is taken.
    If that driver fails or vanishes, the step is free again.

    Args:
        store: That the drivers share.
        seconds: After which a driver that is not heard of has lost its steps.
    """

    def __init__(self, store: StepStore, seconds: float = LEASE_SECONDS) -> None:
        self._store, self._seconds = store, seconds
        self._leases = Leases(store.files, seconds)
        self._held: dict[str, Lease] = {}
        self._elsewhere: dict[str, Step] = {}
        self._next_look = 0.0
        self._refused_since: float | None = None
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="leases", daemon=True)

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._heart.join()
        for lease in self._held.values():
            _give_back(lease, done=False)

    def is_free(self, step: Step) -> bool:
        """See :class:`Claims`."""
        return step.fingerprint not in self._elsewhere

    def claim(self, step: Step) -> bool:
        """See :class:`Claims`.

        Raises:
            StoreRefusedError: No lease could be written for longer than the store's patience.
        """
        try:
            lease = self._leases.try_lease(step, sorted(_fingerprints_needed(step)))
        except Exception as error:
            if not is_passing(error):
                raise
            self._note_refusal(error)
            return False
        self._refused_since = None
        if lease is None:
            self._elsewhere[step.fingerprint] = step
            return False
        if self._store.is_done(step):
            _give_back(lease, done=True)
            self._elsewhere[step.fingerprint] = step
            return False
        self._held[step.fingerprint] = lease
        return True

    def _note_refusal(self, error: Exception) -> None:
        now = time.monotonic()
        if self._refused_since is None:
            log.warning("the store %s refuses leases (%s)", self._store.location, error)
            self._refused_since = now
        if now - self._refused_since > self._store.patience:
            raise StoreRefusedError(
                f"the store {self._store.location} refused leases for "
                f"{self._store.patience:.0f} s, last with: {error}. Make it writable and run again"
            ) from error

    def taken_over(self) -> list[Step]:
        """See :class:`Claims`; looks at the store now and then only."""
        now = time.monotonic()
        if not self._elsewhere or now < self._next_look:
            return []
        self._next_look = now + self._seconds / LOOKS_PER_LEASE
        done = [step for step in self._elsewhere.values() if self._store.is_done(step)]
        over = [step for step in self._elsewhere.values() if not self._leases.is_held(step)]
        for step in (*done, *over):
            self._elsewhere.pop(step.fingerprint, None)
        return done

    def pause(self, seconds: float) -> None:
        """See :class:`Claims`."""
        if self._elsewhere or self._refused_since is not None:
            time.sleep(seconds)

    def ended(self, step: Step) -> None:
        """See :class:`Claims`."""
        lease = self._held.pop(step.fingerprint, None)
        if lease:
            _give_back(lease, done=self._store.is_done(step))

    def _beat(self) -> None:
        while not self._over.wait(self._seconds / BEATS_PER_LEASE):
            for step, lease in list(self._held.items()):
                try:
                    problem = None if lease.renew() else "was taken over by another driver"
                except Exception as error:  # the next beat may be heard
                    problem = f"could not be renewed: {error}"
                if problem and self._held.get(step) is lease:  # else it was given back meanwhile
                    log.warning("%s %s", lease.folder, problem)


def _give_back(lease: Lease, *, done: bool) -> None:
    try:
        lease.release(done=done)
    except Exception as error:  # it will run out
        log.warning("%s could not be given back: %s", lease.folder, error)


def _fingerprints_needed(step: Step) -> set[str]:
    """Of every step that ``step`` may read while it runs."""
    found: set[str] = set()
    for needed in step.needs:
        found |= {needed.fingerprint} | _fingerprints_needed(needed)
    return found

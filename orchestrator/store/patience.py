"""Waiting for a store that refuses for a while: a full disk, a remount, a server that restarts."""

import errno
import logging
from collections.abc import Callable
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

Result = TypeVar("Result")

PATIENCE_SECONDS = 600.0
"""How long a result that was computed waits for its store."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between two attempts."""

PASSING_ERRORS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.ESTALE,
        errno.EBUSY,
        errno.EAGAIN,
        errno.ETIMEDOUT,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EPIPE,
    }
)
"""What a disk, a network file system or a server says that may be well again in a minute."""

SERVER_ERRORS, TOO_MANY_REQUESTS = range(500, 600), 429

log = logging.getLogger("xlwarm.store")


class StoreRefusedError(OSError):
    """A store that refused for longer than anybody was willing to wait."""


def is_passing(error: BaseException) -> bool:
    """True if ``error`` may go away by waiting.

    >>> is_passing(OSError(errno.ENOSPC, "No space left on device"))
    True
    >>> is_passing(PermissionError(errno.EACCES, "Permission denied"))
    False
    """
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in PASSING_ERRORS
    status = _http_status(error)
    return status is not None and (status in SERVER_ERRORS or status == TOO_MANY_REQUESTS)


def _http_status(error: BaseException) -> int | None:
    """Status of a remote answer, where the libraries behind fsspec put it."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        response = response.get("ResponseMetadata", {})
        return int(response.get("HTTPStatusCode", 0)) or None
    found = (
        getattr(holder, name, None)
        for holder in (error, response)
        for name in ("code", "status", "status_code")
    )
    return next((value for value in found if isinstance(value, int)), None)


def patiently(act: Callable[[], Result], what: str, seconds: float) -> Result:
    """``act()``, again and again while it fails for reasons that may pass.

    Args:
        act: May be called many times.
        what: For messages, such as ``"publishing train on en seed 1 to /store"``.
        seconds: To go on for.

    Raises:
        StoreRefusedError: It failed for so long.
    """
    attempts = Retrying(
        retry=retry_if_exception(is_passing),
        wait=wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT) + wait_random(0, FIRST_WAIT),
        stop=stop_after_delay(seconds),
        before_sleep=lambda state: _say(state, what),
        reraise=True,
    )
    try:
        return attempts(act)
    except Exception as error:
        if not is_passing(error):
            raise
        raise StoreRefusedError(
            f"{what} was refused for {seconds:.0f} s, last with: {error}. Nothing that was "
            "finished before is lost; make the store writable and run again"
        ) from error


def _say(state: RetryCallState, what: str) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("%s is refused (%s); trying again", what, error)

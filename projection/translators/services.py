"""Translation services: patience with what passes, one clear error for what does not, no key shown.

The two services that are here, DeepL and Google Cloud Translation, are called through their
official clients.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from projection.errors import InputError
from projection.translators.base import LanguagePair, Limits, TranslationError


class Fault(Enum):
    """What an exception of a client means."""

    PASSING = auto()
    """Too many requests, a server in trouble, a broken connection: worth another try."""
    QUOTA = auto()
    KEY = auto()
    OTHER = auto()
    """Such as an answer that is not understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a request is tried, and how long to wait between: at random, up to twice as long
    each time."""

    attempts: int = 8
    first_wait: float = 1.0
    """Seconds."""
    longest_wait: float = 60.0
    """Seconds."""


Send = Callable[[Sequence[str], LanguagePair], Sequence[str]]
"""One request of a client."""
Classify = Callable[[BaseException], Fault]
"""What an exception of the client means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A translation service.

    Args:
        name: For the memory and for messages.
        api: Version of its interface and what was asked of it. Services improve under one version,
            so translations made at different times may differ.
        limits: Of one request.
        send: One request.
        classify: What an exception of ``send`` means.
        key: Kept out of every message.
        patience: With passing faults.
    """

    name: str
    api: str
    limits: Limits
    send: Send
    classify: Classify
    key: str = field(repr=False)
    patience: Patience = Patience()

    def version(self, _pair: LanguagePair) -> str:
        """Version of the interface; whether a pair is served, the service says."""
        return self.api

    def translate(self, texts: Sequence[str], pair: LanguagePair) -> list[str]:
        """Send ``texts`` as one request.

        Raises:
            InputError: The key is refused or the quota is used up.
            TranslationError: The service stays in trouble, or its answer makes no sense.
        """
        try:
            translated = self._patiently(texts, pair)
        except Exception as error:
            raise self._named(error) from None
        if len(translated) != len(texts) or not all(isinstance(one, str) for one in translated):
            raise TranslationError(
                f"{self.name} answered {len(texts)} texts with {len(translated)} translations"
            )
        return [" ".join(text.split()) for text in translated]

    def _patiently(self, texts: Sequence[str], pair: LanguagePair) -> Sequence[str]:
        patience = self.patience
        attempts = Retrying(
            retry=retry_if_exception(lambda error: self.classify(error) is Fault.PASSING),
            stop=stop_after_attempt(patience.attempts),
            wait=wait_random_exponential(multiplier=patience.first_wait, max=patience.longest_wait),
        )
        return attempts(self.send, texts, pair)

    def _named(self, error: Exception) -> Exception:
        if isinstance(error, RetryError):
            tries = self.patience.attempts
            last = error.last_attempt.exception()
            return TranslationError(
                f"{self.name} failed {tries} times, at last: {self._shown(last)}"
            )
        match self.classify(error):
            case Fault.KEY:
                return InputError(f"{self.name} refuses the key: {self._shown(error)}")
            case Fault.QUOTA:
                return InputError(
                    f"{self.name}: the quota is used up ({self._shown(error)}); what is translated "
                    "stays in the translation memory, so the same command goes on later"
                )
        return TranslationError(f"{self.name} gave no usable answer: {self._shown(error)}")

    def _shown(self, error: BaseException | None) -> str:
        """The exception in a line, without the key."""
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return text.replace(self.key, "***")[:300]


def key_from(variable: str, service: str) -> str:
    """The key in an environment variable.

    Raises:
        InputError: It is not set.
    """
    key = os.environ.get(variable, "")
    if not key:
        raise InputError(f"the translator {service} needs its key in the variable {variable}")
    return key

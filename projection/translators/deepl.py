"""DeepL, through its official client (extra ``deepl``)."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from projection.errors import InputError
from projection.translators.base import LanguagePair, Limits
from projection.translators.services import Fault, Patience, Service, key_from

NAME, KEY, API = "deepl", "DEEPL_AUTH_KEY", "v2"
LIMITS = Limits(texts=50, characters=30_000)
"""Fifty texts and 128 KiB a request; a character may take four bytes."""
TARGETS: Mapping[str, str] = MappingProxyType({"en": "EN-US", "pt": "PT-PT"})
"""Targets for which DeepL wants a region."""


def deepl_service(server: str | None = None, patience: Patience | None = None) -> Service:
    """DeepL with the key in ``DEEPL_AUTH_KEY``.

    Args:
        server: Another address than DeepL's own.
        patience: With passing faults.

    Raises:
        InputError: The client is not installed or there is no key.
    """
    try:
        import deepl
    except ImportError:
        raise InputError(
            "the translator deepl needs the package deepl: pip install 'xlwarm[deepl]'"
        ) from None
    key = key_from(KEY, NAME)
    # The client's own retries would multiply with ours; it has no other way to turn them off.
    deepl.http_client.max_network_retries = 0
    client = deepl.DeepLClient(key, server_url=server, send_platform_info=False)

    def send(texts: Sequence[str], pair: LanguagePair) -> list[str]:
        found = client.translate_text(
            list(texts),
            source_lang=pair.source.split("-")[0].upper(),
            target_lang=TARGETS.get(pair.target, pair.target.upper()),
            split_sentences="off",
        )
        return [one.text for one in found] if isinstance(found, list) else [found.text]

    return Service(
        name=NAME,
        api=API,
        limits=LIMITS,
        send=send,
        classify=_classify,
        key=key,
        patience=patience or Patience(),
    )


def _classify(error: BaseException) -> Fault:
    import deepl

    if isinstance(error, deepl.QuotaExceededException):
        return Fault.QUOTA
    if isinstance(error, deepl.AuthorizationException):
        return Fault.KEY
    if isinstance(error, deepl.TooManyRequestsException | deepl.ConnectionException):
        return Fault.PASSING
    status = getattr(error, "http_status_code", None) or 0
    return Fault.PASSING if status >= 500 else Fault.OTHER

"""Google Cloud Translation, through its official client (extra ``google``)."""

from collections.abc import Sequence
from http import HTTPStatus

from projection.errors import InputError
from projection.translators.base import LanguagePair, Limits
from projection.translators.services import Fault, Patience, Service, key_from

NAME, KEY = "google", "GOOGLE_API_KEY"
MODEL = "nmt"
API = f"v2-{MODEL}"
LIMITS = Limits(texts=128, characters=5_000)
"""Of the basic edition."""


def google_service(server: str | None = None, patience: Patience | None = None) -> Service:
    """Google Cloud Translation, basic edition, with the key in ``GOOGLE_API_KEY``.

    Args:
        server: Another address than Google's own.
        patience: With passing faults.

    Raises:
        InputError: The client is not installed or there is no key.
    """
    try:
        from google.auth.api_key import Credentials
        from google.cloud import translate_v2
    except ImportError:
        raise InputError(
            "the translator google needs google-cloud-translate: pip install 'xlwarm[google]'"
        ) from None
    key = key_from(KEY, NAME)
    client = translate_v2.Client(
        credentials=Credentials(key), client_options={"api_endpoint": server} if server else None
    )

    def send(texts: Sequence[str], pair: LanguagePair) -> list[str]:
        found = client.translate(
            list(texts),
            source_language=pair.source,
            target_language=pair.target,
            format_="text",
            model=MODEL,
        )
        return [one["translatedText"] for one in found]

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
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests import ConnectionError as NoConnection
    from requests import Timeout

    if isinstance(error, NoConnection | Timeout | TransportError):
        return Fault.PASSING
    if isinstance(error, GoogleAuthError):
        return Fault.KEY
    if not isinstance(error, GoogleAPICallError):
        return Fault.OTHER
    status = int(error.code or 0)
    if status == HTTPStatus.FORBIDDEN:
        # Google answers 403 both to a wrong key and to a quota that is used up.
        return Fault.QUOTA if "limit" in str(error).lower() else Fault.KEY
    if status == HTTPStatus.UNAUTHORIZED or "API key not valid" in str(error):
        return Fault.KEY
    return Fault.PASSING if status == HTTPStatus.TOO_MANY_REQUESTS or status >= 500 else Fault.OTHER

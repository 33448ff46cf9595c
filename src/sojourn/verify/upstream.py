"""What a verifier asks the service for, over HTTP: keys, a refresh, what is behind a handshake's nonce, and
whether a session still lives."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import quote

import msgspec

from sojourn.core.errors import ConfigurationError
from sojourn.verify.handshake import directives_of
from sojourn.verify.jwks import MAX_SET_BYTES, Fetched
from sojourn.verify.outcomes import NeedRefresh, SignedIn
from sojourn.verify.reasons import Reason

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger("sojourn.verify")
TIMEOUT_SECONDS: Final = 5.0
_UNSENT: Final = frozenset(
    {"connection", "keep-alive", "proxy-authorization", "transfer-encoding", "upgrade"}
)


class Upstream(Protocol):
    """The service, as a decision needs it. Nothing raises: what fails is told in the answer."""

    def refresh(self, need: NeedRefresh) -> tuple[str, ...] | str:
        """The cookies of a refreshed session, or the code of the failure."""
        ...

    def directives(self, nonce: str) -> tuple[str, ...]:
        """The cookies behind a handshake's nonce; none where it is not known."""
        ...

    def lives(self, auth: SignedIn) -> bool | None:
        """Whether the session of a token lives; None where nobody can tell."""
        ...


class HttpUpstream:
    """The service behind a URL. `key` is a secret key; a verifier key suffices for the key set alone."""

    def __init__(self, api_url: str, *, key: str | None, jwks_url: str | None = None) -> None:
        self._api_url = api_url.rstrip("/")
        self._key = key
        self._jwks_url = jwks_url or f"{self._api_url}/v1/jwks"
        self._client: httpx.Client | None = None

    def __repr__(self) -> str:
        return f"HttpUpstream({self._api_url!r})"

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()

    def key_set(self) -> Fetched:
        """The JWK set, or why there is none."""
        status, body = self._call("GET", self._jwks_url)
        if status == 200:
            return body
        if _code(body) == "clerk_key_invalid":
            return Reason.SECRET_KEY_INVALID
        _log.warning("the key set was answered with status %d", status)
        return Reason.JWK_REMOTE_FAILED_TO_LOAD

    def refresh(self, need: NeedRefresh) -> tuple[str, ...] | str:
        """POST /v1/sessions/{id}/refresh (wire/server-sdks.md, section 2)."""
        headers: dict[str, list[str]] = {}
        for name, value in need.headers:
            if name.lower() not in _UNSENT:
                headers.setdefault(name.lower(), []).append(value)
        asked: dict[str, object] = {
            "format": "cookie",
            "expired_token": need.expired_token,
            "refresh_token": need.refresh_token,
            "request_origin": need.origin,
            "request_headers": headers,
        }
        path = f"/v1/sessions/{_segment(need.session_id)}/refresh"
        query = "?suffixed_cookies=true" if need.suffixed_cookies else ""
        status, body = self._call("POST", f"{self._api_url}{path}{query}", asked)
        if status == 200:
            return directives_of(_list(_object(body), "cookies"))
        if status == 0:
            return "fetch-error"
        return _code(body) or "unexpected-bapi-error"

    def directives(self, nonce: str) -> tuple[str, ...]:
        """GET /v1/clients/handshake_payload."""
        url = f"{self._api_url}/v1/clients/handshake_payload?nonce={_segment(nonce)}"
        status, body = self._call("GET", url)
        return directives_of(_list(_object(body), "directives")) if status == 200 else ()

    def lives(self, auth: SignedIn) -> bool | None:
        """POST /v1/sessions/{id}/verify: 200 for a session that lives."""
        url = f"{self._api_url}/v1/sessions/{_segment(auth.session_id or '')}/verify"
        status, _ = self._call("POST", url, {"token": auth.token})
        if status == 200:
            return True
        return False if status in (400, 404, 410, 422) else None

    def _call(self, method: str, url: str, body: dict[str, object] | None = None) -> tuple[int, bytes]:
        """Status and body of an answer, 0 for none. Never follows a redirect: the key would go along."""
        client = self._client or self._opened()
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        content = None
        if body is not None:
            content, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
        try:
            with client.stream(method, url, headers=headers, content=content) as answer:
                return answer.status_code, _bounded(answer.iter_bytes())
        except (OSError, ValueError, *self._failures):
            _log.warning("the service at %s does not answer", self._api_url)
            return 0, b""

    def _opened(self) -> httpx.Client:
        try:
            http: Any = importlib.import_module("httpx")
        except ImportError:
            raise ConfigurationError("Fetching keys needs httpx: pip install 'sojourn[verify]'.") from None
        self._failures: tuple[type[Exception], ...] = (http.HTTPError, http.InvalidURL)
        self._client = cast("httpx.Client", http.Client(timeout=TIMEOUT_SECONDS))
        return self._client


def _bounded(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_SET_BYTES:
            raise ValueError("the answer is too long")
    return bytes(body)


def _segment(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _object(body: bytes) -> dict[str, Any]:
    try:
        decoded: Any = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else {}


def _list(body: dict[str, Any], name: str) -> list[object]:
    value: Any = body.get(name)
    return cast("list[object]", value) if isinstance(value, list) else []


def _code(body: bytes) -> str | None:
    """The code of the first error in the documented shape, if it is a word that may stand in a reason."""
    first = next(iter(_list(_object(body), "errors")), None)
    code: Any = cast("dict[str, Any]", first).get("code") if isinstance(first, dict) else None
    sound = isinstance(code, str) and len(code) <= 64 and code.replace("_", "").replace("-", "").isalnum()
    return cast("str", code) if sound else None

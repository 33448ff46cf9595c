"""The caller's end: requests with their time-outs, repeated where that is safe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from sojourn.core.errors import AnswerLost, ConfigurationError, SojournError, Unavailable
from sojourn.core.keys import Instance
from sojourn.core.policy import Policy
from sojourn.remote import failures, services, values
from sojourn.remote.calls import ONCE, Call, Repeat, calls
from sojourn.service.policies import PolicyView
from sojourn.service.ports import Entropy

ATTEMPTS = 3
_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_KEEPALIVE_SECONDS = 2.0
"""Less than the 5 s after which uvicorn closes an idle connection: requests hardly ever run into that."""
_KEY_BYTES = 16
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_log = logging.getLogger("sojourn.remote")


class _InstanceAnswer(msgspec.Struct):
    id: str
    publishable_key: str
    epoch: str
    created_at: int
    issuer: str


class Connection:
    """A running instance at the other end: its services, and what is known of it without asking."""

    def __init__(self, http: httpx.AsyncClient, entropy: Entropy, *, timeout_seconds: float) -> None:
        self._http = http
        self._entropy = entropy
        self._timeout_seconds = timeout_seconds
        """How long one attempt may take, from the connection to the last byte of the answer."""
        self.services: Mapping[str, Any] = services.services(self)
        self.instance: Instance
        self.issuer: str
        self.policy: Policy
        """The policy as it was when it was last read or changed over this connection."""

    async def greet(self) -> None:
        """Ask who is there. Raises ConfigurationError for a key that is not taken there, Unavailable."""
        body = await self._send("GET", "/sojourn/v1/instance", None, {}, Repeat.SAFE)
        try:
            answer = msgspec.json.decode(body, type=_InstanceAnswer)
        except msgspec.MsgspecError:
            raise ConfigurationError(f"What answers at {self._http.base_url} is not sojourn.") from None
        self.issuer = answer.issuer
        self.instance = Instance(
            id=answer.id,
            publishable_key=answer.publishable_key,
            epoch=answer.epoch,
            created_at=answer.created_at,
        )
        await self.call(calls()["policies", "get"], {})

    async def check(self) -> None:
        """Whether the service and its store answer. Raises Unavailable."""
        await self._send("GET", "/readyz", None, {}, Repeat.SAFE)

    async def call(self, call: Call, arguments: Mapping[str, object]) -> Any:
        """Carry a call out. Raises what the method raises, and Unavailable, AnswerLost, NotOffered."""
        headers = {"content-type": "application/json"}
        if call.repeat is Repeat.BY_KEY and arguments.get(ONCE) is None:
            headers["idempotency-key"] = self._entropy.bytes(_KEY_BYTES).hex()
        body = await self._send("POST", call.path, values.encode(arguments), headers, call.repeat)
        try:
            answer: Any = _decoder(call)(body)
        except msgspec.MsgspecError as error:
            detail = f"The answer to {call.service}.{call.method} is of another version: {error}."
            raise SojournError(detail) from None
        if isinstance(answer.value, PolicyView):
            self.policy = answer.value.policy
        return answer.value

    async def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], repeat: Repeat
    ) -> bytes:
        """The body of the answer. Asked for again where nothing was done or twice does no harm."""
        pause = _PAUSE_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    answer = await self._http.request(method, path, content=body, headers=headers)
            except _NOT_SENT as error:
                if last:
                    raise Unavailable(f"{self._http.base_url} cannot be reached: {error}.") from None
            except (httpx.TransportError, TimeoutError) as error:
                if last or repeat is Repeat.NEVER:
                    raise AnswerLost(f"No answer to {method} {path}: {type(error).__name__}.") from None
            else:
                if answer.is_success:
                    return answer.content
                if last or answer.status_code != 503 or repeat is Repeat.NEVER:
                    raise failures.error_of(answer.status_code, answer.content)
                pause = max(pause, _asked_for(answer))
            _log.debug("trying again: %s %s", method, path)
            await asyncio.sleep(pause * (1 + self._entropy.bytes(1)[0] / 255))
            pause *= 2
        raise AssertionError("unreachable")


@asynccontextmanager
async def connect(
    url: str, secret_key: str, entropy: Entropy, *, timeout_seconds: float
) -> AsyncGenerator[Connection]:
    """A connection to the service at `url`, which may have a path before `/sojourn/v1`."""
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError(
            "The URL of a service is http:// or https://, a host, and no more than a path."
        )
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        _log.warning("the secret key travels to %s in the clear; use https", parts.hostname)
    async with httpx.AsyncClient(
        base_url=url.rstrip("/"),
        headers={"authorization": f"Bearer {secret_key}"},
        timeout=timeout_seconds,
        limits=httpx.Limits(max_connections=100, keepalive_expiry=_KEEPALIVE_SECONDS),
    ) as http:
        connection = Connection(http, entropy, timeout_seconds=timeout_seconds)
        await connection.greet()
        yield connection


@cache
def _decoder(call: Call) -> Any:
    return values.decoder(call.answer)


def _asked_for(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), _LONGEST_PAUSE_SECONDS) if text.isdigit() else 0.0

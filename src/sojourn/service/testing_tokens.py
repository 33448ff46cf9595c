"""Testing tokens: what end-to-end tests send along so that no defence against bots takes them for one.

sojourn has no such defence. The token is well-formed, runs out like the published one, and opens nothing, so
there is nothing to keep of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.core import ids
from sojourn.core.policy import HOUR
from sojourn.service.context import Context

TESTING_TOKEN_SECONDS = HOUR
_RANDOM_CHARACTERS = 41
"""As many as published ones have: 244 bits in base 62."""
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TestingToken:
    """A testing token. `expires_at` is in seconds of Unix time, as nowhere else (wire/backend-api.md 1.3)."""

    token: str
    expires_at: int

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values (spec TestingToken)."""
        return {"object": "testing_token", "token": self.token, "expires_at": self.expires_at}


class TestingTokens:
    """Make testing tokens."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def create(self) -> TestingToken:
        """A new token, good for an hour."""
        now = self._context.clock.wall() // 1000
        number = int.from_bytes(self._context.entropy.bytes(_RANDOM_BYTES), "big")
        random = ids.base62(number, _RANDOM_CHARACTERS)
        return TestingToken(token=f"{now}-c_{random}", expires_at=now + TESTING_TOKEN_SECONDS)

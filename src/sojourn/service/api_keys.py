"""API keys: which caller is this, and what may it do."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

from sojourn.core.errors import ConfigurationError, LastSecretKey, NotFound
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.keys import ApiKey, ApiKeyKind
from sojourn.service.context import Context
from sojourn.service.ports import InsertApiKey, Refused, RevokeApiKey

MIN_LENGTH = 20
"""Shortest key text taken from outside: `sk_` and a type take eight, which leaves twelve to guess."""
CACHE_MS = 1000
"""How long an answer is remembered: a key that was revoked elsewhere is refused after this at the latest.
A key that is not remembered is always looked up, so a new one works at once."""

_log = logging.getLogger("sojourn.api_keys")
_CACHE_SIZE = 256
_HINT = 12
_START = {ApiKeyKind.SECRET: "sk_", ApiKeyKind.VERIFIER: "vk_"}


class ApiKeys:
    """The keys that callers of the HTTP surfaces present."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._cache: dict[bytes, tuple[int, ApiKey]] = {}

    def remembered(self, text: str) -> ApiKey | None:
        """The live key with this text if it was looked up a moment ago; None says nothing about it. Compared
        by SHA-256, so no timing tells of its characters."""
        known = self._cache.get(digest_of(text))
        return known[1] if known is not None and self._context.clock.now() < known[0] else None

    async def authenticate(self, text: str) -> ApiKey | None:
        """The live key with this text, or None."""
        if (known := self.remembered(text)) is not None:
            return known
        digest, now = digest_of(text), self._context.clock.now()
        key = await self._context.store.api_key(digest)
        if key is None or key.revoked_at is not None:
            self._cache.pop(digest, None)
            return None
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        self._cache[digest] = (now + CACHE_MS, key)
        return key

    async def add(self, text: str, kind: ApiKeyKind = ApiKeyKind.SECRET) -> None:
        """Take a key that somebody else made; one that is known already is left as it is.

        That holds for a revoked one too, which is worth a warning. Raises ConfigurationError when the text
        does not look like a key of its kind or is too short.
        """
        check(text, kind)
        try:
            await self._context.store.commit([InsertApiKey(self._new(text, kind))])
        except Refused:
            known = await self._context.store.api_key(digest_of(text))
            if known is not None and known.revoked_at is not None:
                _log.warning("the configured key %s (%s…) is revoked and refused", known.id, known.hint)

    async def create(self, kind: ApiKeyKind) -> str:
        """Make a key and return its text, which is not kept and cannot be had again."""
        text = self.make_text(kind)
        await self._context.store.commit([InsertApiKey(self._new(text, kind))])
        return text

    async def revoke(self, key_id: str, *, force: bool = False) -> ApiKey:
        """Refuse a key from now on: here at once, in every other process within a second (CACHE_MS).
        Revoking it again changes nothing.

        Raises NotFound, and LastSecretKey, unless `force`, for the last secret key.
        """
        key = await self._by_id(key_id)
        now = self._context.clock.now()
        operations = (
            RevokeApiKey(id=key_id, at=now, may_be_last=force),
            self._context.event(EventType.API_KEY_REVOKED, now, resource_id=key_id),
        )
        if key.revoked_at is None:
            try:
                await self._context.store.commit(operations)
            except Refused as refused:
                if refused.why == Refused.LAST_KEY:
                    raise LastSecretKey from None
                raise
        self._cache.pop(key.digest, None)
        return await self._by_id(key_id)

    async def list(self) -> Sequence[ApiKey]:
        """All keys, oldest first, revoked ones included."""
        return await self._context.store.api_keys()

    def make_text(self, kind: ApiKeyKind) -> str:
        """A new key text with 256 bits of entropy; nothing is stored."""
        return f"{_START[kind]}live_{self._context.entropy.bytes(32).hex()}"

    async def _by_id(self, key_id: str) -> ApiKey:
        for key in await self._context.store.api_keys():
            if key.id == key_id:
                return key
        raise NotFound("API key", key_id)

    def _new(self, text: str, kind: ApiKeyKind) -> ApiKey:
        now = self._context.clock.now()
        return ApiKey(
            id=self._context.id(Prefix.API_KEY, now),
            kind=kind,
            digest=digest_of(text),
            hint=text[:_HINT],
            created_at=now,
        )


def check(text: str, kind: ApiKeyKind) -> None:
    """Raises ConfigurationError when a text cannot be a key of this kind."""
    start = _START[kind]
    if not text.startswith(start) or len(text) < MIN_LENGTH or not text.isascii() or not text.isprintable():
        raise ConfigurationError(
            f"A {kind.value} key starts with {start} and has at least {MIN_LENGTH} printable characters."
        )


def digest_of(text: str) -> bytes:
    """SHA-256 of a key's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

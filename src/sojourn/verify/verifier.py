"""Verifier: the decision with what it needs around it: keys, clock, memory, and the service to ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from sojourn.tokens.keys import PublicKey
from sojourn.verify import handshake
from sojourn.verify.context import Site, settling
from sojourn.verify.feed import Feed
from sojourn.verify.jwks import FixedKeys, Keys, RemoteKeys
from sojourn.verify.leases import Lease
from sojourn.verify.memory import Memory
from sojourn.verify.options import Options, WhenSilent
from sojourn.verify.outcomes import (
    Need,
    NeedDirectives,
    NeedKey,
    NeedRefresh,
    NeedStatus,
    Outcome,
    SignedIn,
    SignedOut,
)
from sojourn.verify.peek import peek
from sojourn.verify.ports import FeedState, RevocationSet
from sojourn.verify.reasons import Reason
from sojourn.verify.request import Request, Supplied, decide
from sojourn.verify.token import check_token
from sojourn.verify.upstream import HttpUpstream, Upstream

REMEMBERED: Final = 8192
"""How many tokens are remembered by default, about 2 KB each."""
WAIT_SECONDS: Final = 10.0
"""Longest wait for keys; the request under it has a shorter time-out of its own."""
_CALLS_AT_ONCE: Final = 8
_NEEDS: Final = (NeedKey, NeedDirectives, NeedRefresh, NeedStatus)

_T = TypeVar("_T", bound=Outcome)
_Step = Callable[["_Round"], "_T | Need"]


def wall_ms() -> int:
    """Unix milliseconds of this machine's clock."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds that never go back."""
    return time.monotonic_ns() // 1_000_000


class _Round:
    """What was got for one request so far."""

    __slots__ = ("lives", "missing", "supplied")

    def __init__(self) -> None:
        self.supplied = Supplied()
        self.missing: dict[str, Reason] = {}
        """Kids that were looked for in vain, and why."""
        self.lives: dict[str | None, bool | None] = {}


class Verifier:
    """Tells who is asking, offline but for what it cannot know: keys, refreshes, handshakes.

        verifier = Verifier(Options(publishable_key="pk_test_…"), api_url="http://127.0.0.1:8787", key="sk_…")
        outcome = verifier.authenticate(Request(method="GET", url=url, headers=headers))

    Keys come from `pem`, from `keys`, or from the service: `api_url` with a secret or verifier `key`, or a
    `jwks_url` that needs none. `revocations` is asked for every token, remembered or not. May be used from
    any number of threads and event loops. Raises ValueError for settings that do not go together.
    """

    def __init__(
        self,
        options: Options | None = None,
        *,
        pem: str | bytes | None = None,
        keys: Keys | None = None,
        api_url: str | None = None,
        key: str | None = None,
        jwks_url: str | None = None,
        upstream: Upstream | None = None,
        revocations: RevocationSet | None = None,
        remembered: int = REMEMBERED,
        clock: Callable[[], int] = wall_ms,
        steady: Callable[[], int] = steady_ms,
    ) -> None:
        self.options = options or Options()
        self.revocations = revocations
        self._site = Site.of(self.options)
        self._issuer = self.options.issuer
        if self._issuer is None and self._site is not None:
            self._issuer = self._site.issuer
        self._clock = clock
        self._steady = steady
        self._memory = Memory(remembered)
        self._recall = self._memory.recall
        self._http: HttpUpstream | None = None
        if api_url is not None or jwks_url is not None:
            self._http = HttpUpstream(api_url or jwks_url or "", key=key, jwks_url=jwks_url)
        self._upstream = upstream or (self._http if api_url is not None and key is not None else None)
        self._keys = self._key_source(pem, keys)
        self._settled = settling(self._site, self.options)
        self._pool: ThreadPoolExecutor | None = None

    def __repr__(self) -> str:
        return f"Verifier(issuer={self._issuer!r})"

    def token(self, text: str) -> SignedIn | SignedOut:
        """Whether a text is a good session token now; may wait for keys."""
        found = self._look(text)
        if isinstance(found, NeedKey | NeedStatus):
            return self._drive(partial(self._step_token, text))
        return found

    async def token_async(self, text: str) -> SignedIn | SignedOut:
        """The same without blocking the event loop."""
        found = self._look(text)
        if isinstance(found, NeedKey | NeedStatus):
            return await self._drive_async(partial(self._step_token, text))
        return found

    def authenticate(self, request: Request) -> Outcome:
        """The outcome for a request; may wait for keys or the service."""
        return self._drive(partial(self._step_request, request))

    async def authenticate_async(self, request: Request) -> Outcome:
        """The same without blocking the event loop."""
        return await self._drive_async(partial(self._step_request, request))

    def remembered(self, text: str) -> SignedIn | None:
        """The outcome for a token that was seen before and that nothing is known against now, or None to have
        it looked at: the short way for a front."""
        seen = self._recall(text, self._clock())
        if seen is None or self.revocations is None:
            return seen
        found = self._unrevoked(seen)
        return found if isinstance(found, SignedIn) else None

    def lease(self, auth: SignedIn) -> Lease:
        """A lease for what lives longer than a request; see `Lease`. Raises ValueError without a feed."""
        if not isinstance(self.revocations, Feed):
            raise ValueError("a lease needs a verifier with revocations=Feed(…)")
        return Lease(auth, self.revocations, when_silent=self.options.when_silent, lives=self._lives)

    async def _lives(self, auth: SignedIn) -> bool | None:
        upstream = self._upstream
        return None if upstream is None else await asyncio.to_thread(upstream.lives, auth)

    def remembered_cookies(self, header: str) -> SignedIn | None:
        """The same for the Cookie header of a request that has no Authorization header, asks for nothing by
        its query and is no page reached from another one. Never in development, of a satellite or with
        organizations in paths, where more than the cookies decides."""
        settled = self._settled(header)
        seen = None if settled is None else self.remembered(settled.token)
        return seen if seen is not None and settled is not None and seen.issued_at >= settled.since else None

    def forget(self) -> None:
        """Look at every token anew from now on."""
        self._memory.clear()

    def close(self) -> None:
        """Let go of connections and threads."""
        if self._http is not None:
            self._http.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _key_source(self, pem: str | bytes | None, keys: Keys | None) -> Keys:
        given = [source for source in (pem, keys, self._http) if source is not None]
        if keys is not None and pem is None:
            return keys
        if pem is not None and keys is None:
            return FixedKeys.from_pem(pem)
        if len(given) != 1 or self._http is None:
            raise ValueError("give the verifier one source of keys: pem, keys, or api_url or jwks_url")
        return RemoteKeys(self._http.key_set, clock=self._steady, forget=self.forget)

    def _look(self, text: str) -> SignedIn | SignedOut | NeedKey | NeedStatus:
        now = self._clock()
        seen = self._recall(text, now)
        if seen is None:
            found = self._first_look(text, now, self.options.clock_skew_ms)
            if not isinstance(found, SignedIn):
                return found
            self._memory.keep(text, found)
            if self._keys.find(found.kid) is None:
                # Withdrawn while the signature was being checked, and after the memory was cleared for that.
                self.forget()
                return SignedOut(reason=Reason.JWK_KID_MISMATCH)
            seen = found
        return seen if self.revocations is None else self._unrevoked(seen)

    def _first_look(self, text: str, now: int, skew_ms: int) -> SignedIn | SignedOut | NeedKey:
        found = check_token(
            text,
            keys=self._keys.find,
            options=self.options,
            issuer=self._issuer,
            now_ms=now,
            skew_ms=skew_ms,
        )
        if isinstance(found, SignedOut) and found.reason is Reason.JWK_KID_MISMATCH:
            shown = peek(text)
            if shown is not None and shown.kid and PublicKey.is_kid(shown.kid):
                return NeedKey(kid=shown.kid)
        return found

    def _unrevoked(self, seen: SignedIn) -> SignedIn | SignedOut | NeedStatus:
        revocations = self.revocations
        if revocations is None:
            return seen
        # In this order: what is told in between is known to whoever is asked second.
        known = revocations.state(self._steady()) is FeedState.FRESH
        reason = revocations.refuses(seen)
        if reason is Reason.TOKEN_STALE:
            seen = msgspec.structs.replace(seen, stale=True)
        elif reason is Reason.REVOCATIONS_UNKNOWN:
            known = False
        elif reason is not None:
            return SignedOut(reason=reason)
        if known:
            return seen
        silent = self.options.when_silent
        if silent is WhenSilent.ACCEPT:
            return seen
        return (
            SignedOut(reason=Reason.REVOCATIONS_UNKNOWN)
            if silent is WhenSilent.REFUSE
            else NeedStatus(auth=seen)
        )

    def _check(self, got: _Round, text: str, skew_ms: int) -> SignedIn | SignedOut | NeedKey | NeedStatus:
        """`_look` with what was got for this request."""
        if skew_ms == self.options.clock_skew_ms:
            found = self._look(text)
        else:
            found = self._first_look(text, self._clock(), skew_ms)
            found = self._unrevoked(found) if isinstance(found, SignedIn) else found
        if isinstance(found, NeedKey) and found.kid in got.missing:
            return SignedOut(reason=got.missing[found.kid])
        if isinstance(found, NeedStatus) and found.auth.session_id in got.lives:
            lives = got.lives[found.auth.session_id]
            if lives:
                return found.auth
            return SignedOut(reason=Reason.REVOCATIONS_UNKNOWN if lives is None else Reason.SESSION_REVOKED)
        return found

    def _open_handshake(self, got: _Round, text: str) -> tuple[str, ...] | Reason | NeedKey:
        opened = handshake.open_token(
            text, keys=self._keys.find, now_ms=self._clock(), skew_ms=self.options.clock_skew_ms
        )
        if opened is Reason.JWK_KID_MISMATCH:
            shown = peek(text)
            if shown is not None and shown.kid and PublicKey.is_kid(shown.kid):
                return got.missing.get(shown.kid) or NeedKey(kid=shown.kid)
        return opened

    def _step_token(self, text: str, got: _Round) -> SignedIn | SignedOut | Need:
        return self._check(got, text, self.options.clock_skew_ms)

    def _step_request(self, request: Request, got: _Round) -> Outcome | Need:
        return decide(
            request,
            options=self.options,
            site=self._site,
            check=partial(self._check, got),
            open_handshake=partial(self._open_handshake, got),
            now_ms=self._clock(),
            supplied=got.supplied,
        )

    def _drive(self, step: _Step[_T]) -> _T:
        """Decide, get what is needed, decide again. Every need is answered once, so this ends."""
        got = _Round()
        while isinstance(found := step(got), _NEEDS):
            if isinstance(found, NeedKey):
                flight = self._keys.want(found.kid)
                failure = None if flight is None else flight.result(WAIT_SECONDS)
                self._note_key(got, found.kid, failure)
            else:
                self._supply(found, got)
        return found

    async def _drive_async(self, step: _Step[_T]) -> _T:
        got = _Round()
        while isinstance(found := step(got), _NEEDS):
            if isinstance(found, NeedKey):
                flight = self._keys.want(found.kid)
                failure = None if flight is None else await asyncio.wrap_future(flight)
                self._note_key(got, found.kid, failure)
            else:
                # Threads of its own: a flood of nonces must not take those of the application.
                self._pool = self._pool or ThreadPoolExecutor(_CALLS_AT_ONCE, "sojourn-verify")
                await asyncio.get_running_loop().run_in_executor(self._pool, self._supply, found, got)
        return found

    def _note_key(self, got: _Round, kid: str, failure: Reason | None) -> None:
        if self._keys.find(kid) is None:
            got.missing[kid] = failure or Reason.JWK_KID_MISMATCH

    def _supply(self, need: NeedDirectives | NeedRefresh | NeedStatus, got: _Round) -> None:
        """Ask the service."""
        upstream = self._upstream
        if isinstance(need, NeedDirectives):
            directives = () if upstream is None else upstream.directives(need.nonce)
            got.supplied = msgspec.structs.replace(got.supplied, directives=directives)
        elif isinstance(need, NeedRefresh):
            refreshed = "missing-api-client" if upstream is None else upstream.refresh(need)
            got.supplied = msgspec.structs.replace(got.supplied, refreshed=refreshed)
        else:
            got.lives[need.auth.session_id] = None if upstream is None else upstream.lives(need.auth)

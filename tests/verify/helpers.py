"""A clock that is set by hand, a source of keys that counts, and good tokens."""

from __future__ import annotations

import json
from typing import Any

from sojourn.tokens.keys import PublicKey, SigningKey
from sojourn.verify import Options, Request, SignedOut, Verifier
from sojourn.verify.jwks import FixedKeys, RemoteKeys
from sojourn.verify.ports import FeedState, RevocationSet
from sojourn.verify.reasons import Reason
from tests.tokens.builders import ISSUER, NOW_MS, PARTY, PUBLISHABLE, forge, good_claims, good_header, rs256


class Instant:
    """A clock that stands until it is set."""

    def __init__(self, now: int = NOW_MS) -> None:
        self.now = now

    def __call__(self) -> int:
        """The instant."""
        return self.now


class Source:
    """A key set as the service would answer it; counts how often it is asked."""

    def __init__(self, *keys: PublicKey) -> None:
        self.keys = list(keys)
        self.asked = 0
        self.failure: Reason | None = None

    def __call__(self) -> bytes | Reason:
        """The set, or the failure."""
        self.asked += 1
        return self.failure or json.dumps({"keys": [key.jwk() for key in self.keys]}).encode()


def made(key: SigningKey, header: dict[str, object] | None = None, **claims: object) -> str:
    """A token like the good one but for some members; `...` leaves one out."""
    given = {name: value for name, value in {**good_claims(), **claims}.items() if value is not ...}
    head = {name: value for name, value in {**good_header(key), **(header or {})}.items() if value is not ...}
    return forge(head, given, rs256(key))


def verifier_of(
    *keys: PublicKey,
    clock: Instant | None = None,
    revocations: RevocationSet | None = None,
    **options: Any,
) -> Verifier:
    """A verifier that knows these keys, at an instant of its own."""
    settings = Options(**{"issuer": ISSUER, "publishable_key": PUBLISHABLE, **options})
    found = FixedKeys({key.kid: key for key in keys})
    instant = clock or Instant()
    return Verifier(settings, keys=found, clock=instant, steady=instant, revocations=revocations)


def remote(source: Source, clock: Instant, **options: Any) -> tuple[Verifier, RemoteKeys]:
    """A verifier whose keys are fetched."""
    keys = RemoteKeys(source, clock=clock, forget=lambda: verifier.forget())
    settings = Options(**{"issuer": ISSUER, **options})
    verifier = Verifier(settings, keys=keys, clock=clock, steady=clock)
    return verifier, keys


def page(*cookies: str, url: str = f"{PARTY}/", method: str = "GET", **headers: str) -> Request:
    """A browser's page load with cookies; `accept_language=…` for more headers."""
    given = [
        ("Sec-Fetch-Dest", "document"),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    ]
    return Request(method=method, url=url, headers=[*given, ("Cookie", "; ".join(cookies))])


class Revoked:
    """A revocation set that is told by hand: session ids, users with a not-before, stale sessions."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.stale: set[str] = set()
        self.not_before: dict[str, int] = {}
        self.feed = FeedState.FRESH
        self.asked = 0

    def refuses(self, auth: Any) -> Reason | None:
        """What was told of the token's session or user."""
        self.asked += 1
        if auth.session_id in self.sessions or auth.issued_at <= self.not_before.get(auth.user_id, -1):
            return Reason.SESSION_REVOKED
        return Reason.TOKEN_STALE if auth.session_id in self.stale else None

    def state(self, now_ms: int) -> FeedState:
        """The state that it was told to be in."""
        return self.feed


def reason(outcome: object) -> Reason:
    """Why somebody is signed out; the test fails where nobody is."""
    assert isinstance(outcome, SignedOut)
    return outcome.reason

"""The verifier: what it tells of a token, what it remembers, and that it asks who was revoked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sojourn.tokens.keys import SigningKey
from sojourn.verify import (
    Denied,
    Factor,
    FeedState,
    Options,
    Reason,
    SignedIn,
    SignedOut,
    Verifier,
    WhenSilent,
    require,
)
from tests.tokens.builders import ISSUER, NOW, NOW_MS, PARTY
from tests.verify.helpers import Instant, Revoked, made, reason, verifier_of


def test_a_good_token_says_who_it_is(key: SigningKey) -> None:
    """Session, user, actor, organization, role, permissions and factor ages of version 2 claims; nothing of
    the token is in its repr."""
    o = {"id": "org_1", "rol": "admin", "slg": "acme", "per": "read,manage", "fpm": "3,2"}
    token = made(key, o=o, fea="o:docs,u:x,uo:mail", act={"sub": "user_9"}, fva=[5, -1])
    auth = verifier_of(key.public).token(token)
    assert isinstance(auth, SignedIn)
    assert (auth.session_id, auth.user_id, auth.kid) == ("sess_1", "user_1", key.kid)
    assert (auth.organization_id, auth.role, auth.actor) == ("org_1", "org:admin", {"sub": "user_9"})
    assert auth.permissions == {"org:docs:read", "org:docs:manage", "org:mail:manage"}
    assert (auth.factor_ages.first, auth.factor_ages.second) == (5, None)
    assert token not in repr(auth)
    assert "acme" not in repr(auth)


def test_version_1_claims(key: SigningKey) -> None:
    """The same of version 1, whose organization claims stand by themselves."""
    flat = {"org_id": "org_2", "org_role": "org:member", "org_slug": "two", "org_permissions": ["org:a:b", 5]}
    auth = verifier_of(key.public).token(made(key, v=..., o=..., **flat))
    assert isinstance(auth, SignedIn)
    assert auth.organization is not None
    assert (auth.organization.id, auth.organization.slug, auth.role) == ("org_2", "two", "org:member")
    assert auth.permissions == {"org:a:b"}


@pytest.mark.parametrize(
    "odd",
    [
        {"o": []},
        {"o": {"id": 5}},
        {"o": {}, "fea": 1},
        {"o": {"id": "o", "per": "a", "fpm": "x" * 500}, "fea": "o"},
        {"fva": [1]},
        {"fva": [None, True]},
        {"act": "x"},
        {"sid": 7},
        {"v": "2"},
    ],
    ids=str,
)
def test_odd_claims_count_as_absent(key: SigningKey, odd: dict[str, Any]) -> None:
    """A template may put anything into a claim: what is not of its kind is absent, and nothing raises."""
    auth = verifier_of(key.public).token(made(key, **odd))
    assert isinstance(auth, SignedIn)
    assert auth.permissions == frozenset()
    assert (auth.organization, auth.factor_ages, auth.actor, auth.session_id) is not None


def test_claims_are_nobody_elses(key: SigningKey) -> None:
    """Whoever changes the claims that they were given changes nothing for the next request."""
    verifier, token = verifier_of(key.public), made(key)
    first = verifier.token(token)
    assert isinstance(first, SignedIn)
    first.claims["o"]["rol"] = "owner"
    again = verifier.token(token)
    assert isinstance(again, SignedIn)
    assert again.role == "org:admin"
    with pytest.raises(AttributeError):
        again.user_id = "user_2"  # type: ignore[misc] # that is the point


def test_a_token_is_remembered_until_it_expires(key: SigningKey) -> None:
    """A token seen before is recognised without its key, and to the millisecond no longer than it is good."""
    clock = Instant()
    verifier = verifier_of(key.public, clock=clock)
    token = made(key)
    first = verifier.token(token)
    assert verifier.token("".join([token[:5], token[5:]])) is first
    clock.now = (NOW + 65) * 1000 - 1
    assert verifier.token(token) is first
    clock.now += 1
    assert reason(verifier.token(token)) is Reason.TOKEN_EXPIRED
    clock.now = NOW_MS - 5_001
    assert reason(verifier.token(token)) is Reason.TOKEN_IAT_IN_THE_FUTURE


def test_what_is_remembered_is_bounded(key: SigningKey) -> None:
    """However many tokens there are, no more than so many are kept, the latest among them."""
    with Verifier(Options(), pem=key.public.pem(), clock=Instant(), remembered=8) as verifier:
        tokens = [made(key, jti=str(number)) for number in range(40)]
        for token in tokens:
            assert isinstance(verifier.token(token), SignedIn)
        kept = [token for token in tokens if verifier.remembered(token) is not None]
    assert 0 < len(kept) <= 8
    assert tokens[-1] in kept


def test_pending_and_maximum_age(key: SigningKey) -> None:
    """A pending session is signed out unless asked otherwise; a token older than allowed is refused, from
    the millisecond on, and without iat always."""
    pending = made(key, sts="pending")
    assert reason(verifier_of(key.public).token(pending)) is Reason.SESSION_PENDING
    auth = verifier_of(key.public, accept_pending=True).token(pending)
    assert isinstance(auth, SignedIn)
    assert auth.pending
    clock = Instant()
    verifier = verifier_of(key.public, clock=clock, max_age_ms=10_000)
    token = made(key, exp=NOW + 3600)
    for clock.now in (NOW_MS, NOW_MS + 14_999):
        assert isinstance(verifier.token(token), SignedIn)
    clock.now = NOW_MS + 15_000
    assert reason(verifier.token(token)) is Reason.TOKEN_TOO_OLD
    assert reason(verifier.token(made(key, iat=...))) is Reason.TOKEN_TOO_OLD


def test_settings_that_cannot_be_meant() -> None:
    """One string for a list, no source of keys or two, a satellite from nowhere, a key that is none."""
    for wrong in (
        {"authorized_parties": PARTY},
        {"publishable_key": "pk_live_x"},
        {"publishable_key": "sk_live_Y2xlcmsuZXhhbXBsZS5jb20k"},
        {"satellite": True},
        {"max_age_ms": 0},
        {"clock_skew_ms": -1},
    ):
        with pytest.raises(ValueError, match=r"."):
            Options(**wrong)  # type: ignore[arg-type] # that is the point
    with pytest.raises(ValueError, match="one source"):
        Verifier()
    with pytest.raises(ValueError, match="PEM"):
        Verifier(pem="nonsense")


def test_t23_t25_revocation_is_asked_every_time(key: SigningKey) -> None:
    """T-23, T-25: a session revoked, or a user's not-before passed, refuses a token however often it was
    seen; other sessions and newer tokens stay signed in."""
    revoked = Revoked()
    verifier = verifier_of(key.public, revocations=revoked)
    token, second = made(key), made(key, sid="sess_2")
    for number in range(1, 4):
        assert isinstance(verifier.token(token), SignedIn)
        assert revoked.asked == number
    assert verifier.remembered(token) is not None
    revoked.sessions.add("sess_1")
    assert reason(verifier.token(token)) is Reason.SESSION_REVOKED
    assert verifier.remembered(token) is None
    assert isinstance(verifier.token(second), SignedIn)
    revoked.not_before["user_1"] = NOW
    assert reason(verifier.token(second)) is Reason.SESSION_REVOKED
    assert isinstance(verifier.token(made(key, sid="sess_3", iat=NOW + 1)), SignedIn)


@pytest.mark.parametrize("state", [FeedState.STALE, FeedState.SYNCING])
def test_t24_a_silent_feed(key: SigningKey, state: FeedState) -> None:
    """T-24: while the feed is silent everything is refused unless told otherwise, what is known as revoked
    in any case; and all is well again when it speaks."""
    token = made(key)
    for when, expected in (
        (WhenSilent.REFUSE, Reason.REVOCATIONS_UNKNOWN),
        (WhenSilent.ASK, Reason.REVOCATIONS_UNKNOWN),
        (WhenSilent.ACCEPT, None),
    ):
        revoked = Revoked()
        verifier = verifier_of(key.public, revocations=revoked, when_silent=when)
        assert isinstance(verifier.token(token), SignedIn)
        revoked.feed = state
        found = verifier.token(token)
        assert (None if isinstance(found, SignedIn) else found.reason) is expected
        revoked.sessions.add("sess_1")
        assert reason(verifier.token(token)) is Reason.SESSION_REVOKED
        revoked.sessions.clear()
        revoked.feed = FeedState.FRESH
        assert isinstance(verifier.token(token), SignedIn)


def test_a_silent_feed_asks_the_service(key: SigningKey) -> None:
    """With ASK the service's word counts for each request: lives, has ended, no answer."""

    class Told:
        lives_now: bool | None = True

        def lives(self, auth: SignedIn) -> bool | None:
            return self.lives_now

        def refresh(self, need: object) -> str:
            raise AssertionError

        def directives(self, nonce: str) -> tuple[str, ...]:
            raise AssertionError

    told, revoked, clock = Told(), Revoked(), Instant()
    revoked.feed = FeedState.STALE
    options = Options(issuer=ISSUER, when_silent=WhenSilent.ASK)
    with Verifier(
        options,
        pem=key.public.pem(),
        clock=clock,
        revocations=revoked,
        upstream=told,  # type: ignore[arg-type]
    ) as verifier:
        expected: list[tuple[bool | None, Reason | None]] = [
            (True, None), (False, Reason.SESSION_REVOKED), (None, Reason.REVOCATIONS_UNKNOWN)
        ]  # fmt: skip
        for told.lives_now, expected_reason in expected:
            for found in (verifier.token(made(key)), asyncio.run(verifier.token_async(made(key)))):
                assert (None if isinstance(found, SignedIn) else found.reason) is expected_reason


def test_require(key: SigningKey) -> None:
    """Role, permission, organization and a fresh factor, each met and missed, with the status to answer."""
    o = {"id": "org_1", "rol": "admin", "per": "read", "fpm": "1"}
    auth = verifier_of(key.public).token(made(key, o=o, fea="o:docs", fva=[5, 20]))
    assert require(auth) is auth
    for met in (
        {"role": "org:admin"}, {"role": "admin"}, {"permission": "org:docs:read", "role": "admin"},
        {"organization": "org_1"}, {"fresh_factor": 21}, {"fresh_factor": 6, "factor": Factor.FIRST},
        {"fresh_factor": 21, "factor": Factor.BOTH},
    ):  # fmt: skip
        assert require(auth, **met) is auth  # type: ignore[arg-type]
    for missed, why, status in (
        ({"role": "org:member"}, Reason.ROLE_MISSING, 403),
        ({"permission": "org:docs:write"}, Reason.PERMISSION_MISSING, 403),
        ({"organization": "org_2"}, Reason.ACTIVE_ORGANIZATION_MISMATCH, 403),
        ({"fresh_factor": 20}, Reason.FACTOR_NOT_FRESH, 401),
        ({"fresh_factor": 5, "factor": Factor.FIRST}, Reason.FACTOR_NOT_FRESH, 401),
        ({"fresh_factor": 6, "factor": Factor.BOTH}, Reason.FACTOR_NOT_FRESH, 401),
    ):
        denied = require(auth, **missed)  # type: ignore[arg-type]
        assert isinstance(denied, Denied)
        assert (denied.reason, denied.status, denied.auth) == (why, status, auth)
    alone = verifier_of(key.public).token(made(key, o=..., fva=...))
    for nothing in ({"role": "admin"}, {"permission": "docs:read"}, {"fresh_factor": 9999}):
        assert isinstance(require(alone, **nothing), Denied)  # type: ignore[arg-type]
    denied = require(SignedOut(reason=Reason.SESSION_TOKEN_EXPIRED, refresh="fetch-error"), role="admin")
    assert isinstance(denied, Denied)
    assert (denied.status, denied.code) == (401, "session-token-expired-refresh-fetch-error")


def test_a_stale_token_keeps_the_identity_only(key: SigningKey) -> None:
    """What a stale token says of the organization lets nobody in; who it is stays true."""
    revoked = Revoked()
    revoked.stale.add("sess_1")
    auth = verifier_of(key.public, revocations=revoked).token(made(key))
    assert isinstance(auth, SignedIn)
    assert auth.stale
    assert require(auth, fresh_factor=60) is auth
    for asked in ({"role": "admin"}, {"permission": "a:b"}, {"organization": "org_1"}):
        denied = require(auth, **asked)  # type: ignore[arg-type]
        assert isinstance(denied, Denied)
        assert (denied.reason, denied.status) == (Reason.TOKEN_STALE, 401)

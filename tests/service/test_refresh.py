"""Refresh: an expired token is exchanged once, in the published words. Attack cases R10, S-04, S-07, T-21,
T-25, T-26 and T-27 of the reliability catalogue, as far as an exchange is concerned."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from sojourn import Policy, Sojourn
from sojourn.core.deposit import DepositKind
from sojourn.core.errors import Conflict, InvalidSessionToken, NotFound, SojournError
from sojourn.core.refresh import GRACE_MS
from sojourn.core.session import Session
from sojourn.service.ports import DeleteUser, InsertDeposit, Refused
from sojourn.testing import ManualClock
from sojourn.tokens import bearer, jws
from sojourn.tokens.keys import SigningKey
from tests.embedded import DAY, MINUTE, all_events, opened, store_of, user_id, watch
from tests.service.conftest import Opening
from tests.service.rotating import different_keys

ORIGIN = "https://app.example.test:3000"
CONSUMED = "session_refresh_expired_session_token_consumed"


class Held:
    """What a server has of a browser: a session, an expired token of it, a refresh token."""

    def __init__(self, session: Session, token: str, refresh: str) -> None:
        self.session = session
        self.token = token
        self.refresh = refresh

    async def exchange(self, sojourn: Sojourn, **changes: str) -> str:
        """The exchange as a server asks for it."""
        return await sojourn.refresh_tokens.exchange(
            changes.get("session_id", self.session.id),
            expired_token=changes.get("expired_token", self.token),
            refresh_token=changes.get("refresh_token", self.refresh),
            request_origin=changes.get("request_origin", ORIGIN),
        )


async def hold(sojourn: Sojourn, clock: ManualClock, name: str = "42") -> Held:
    """A session whose token has just expired."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn, name))
    token = await sojourn.tokens.create(session.id, origin=ORIGIN)
    refresh = await sojourn.refresh_tokens.issue(session.id)
    clock.advance(seconds=MINUTE + 10)
    return Held(session, token, refresh)


@pytest.fixture(autouse=True)
def _different_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SigningKey, "generate", different_keys())


async def code(attempt: Awaitable[object]) -> str:
    """The code with which an attempt is refused, none where it is not."""
    try:
        await attempt
    except SojournError as error:
        return error.code
    return "none"


def forged(sojourn: Sojourn, held: Held, *, category: str = jws.SESSION, **claims: Any) -> str:
    """A token that this instance signed, with other claims; None takes one away."""
    own = jws.verify(held.token, sojourn._held.public).claims
    changed = {name: value for name, value in {**own, **claims}.items() if value is not None}
    return jws.sign(changed, sojourn._held.current, category=category)


async def test_an_expired_token_is_exchanged(sojourn: Sojourn, clock: ManualClock) -> None:
    """The new token is good now, of the same session and origin, and counts as activity."""
    held = await hold(sojourn, clock)
    with pytest.raises(InvalidSessionToken):
        await sojourn.tokens.verify(held.token)
    token = await held.exchange(sojourn)
    claims = await sojourn.tokens.verify(token)
    assert (claims["sid"], claims["azp"], claims["iat"]) == (held.session.id, ORIGIN, clock.wall() // 1000)
    await sojourn.tokens.settle()
    assert (await sojourn.sessions.get(held.session.id)).last_active_at == clock.now()


async def test_a_repetition_gets_the_same_token(sojourn: Sojourn, clock: ManualClock) -> None:
    """To the byte, for ten seconds and not a millisecond more, whatever became of the keys meanwhile."""
    held = await hold(sojourn, clock)
    rotation = await sojourn.keys.rotate()
    clock.set(rotation.activates_at - 1)
    token = await held.exchange(sojourn)
    clock.advance(ms=GRACE_MS - 1)
    assert sojourn.keys.current.kid == rotation.kid
    assert await held.exchange(sojourn) == token
    clock.advance(ms=1)
    assert await code(held.exchange(sojourn)) == CONSUMED
    clock.advance(seconds=MINUTE)
    again = await held.exchange(sojourn, expired_token=token)
    assert await sojourn.tokens.verify(again)


async def test_a_token_that_is_still_good_is_exchanged_too(sojourn: Sojourn, clock: ManualClock) -> None:
    """The server's clock may be ahead of this one."""
    held = await hold(sojourn, clock)
    fresh = await sojourn.tokens.create(held.session.id, origin=ORIGIN)
    assert await sojourn.tokens.verify(await held.exchange(sojourn, expired_token=fresh))


async def test_r10_of_64_at_once_one_exchanges(sojourn: Sojourn, clock: ManualClock) -> None:
    """R10: one exchange is on record, and all 64 have the same answer."""
    held = await hold(sojourn, clock)
    answers = await asyncio.gather(*(held.exchange(sojourn) for _ in range(64)))
    assert len(set(answers)) == 1
    deposit = await store_of(sojourn).deposit(DepositKind.EXCHANGE, bearer.digest(held.token))
    assert deposit is not None
    assert deposit.session_id == held.session.id


async def test_r10_over_two_processes(tmp_path: Any, clock: ManualClock) -> None:
    """R10: so too through two stores on one file, half of them each; the tokens of the losers, which were
    signed, are nowhere."""
    url = f"sqlite:///{tmp_path}/sojourn.db"
    async with opened(url, clock=clock) as first, opened(url, clock=clock) as second:
        held = await hold(first, clock)
        attempts = (held.exchange((first, second)[n % 2]) for n in range(64))
        assert len(set(await asyncio.gather(*attempts))) == 1


async def test_r10_control_without_the_record(sojourn: Sojourn, clock: ManualClock) -> None:
    """The control: tokens that are made without an exchange on record differ."""
    held = await hold(sojourn, clock)
    made = [await sojourn.tokens.create(held.session.id, origin=ORIGIN) for _ in range(2)]
    assert len(set(made)) == 2


async def test_only_hashes_and_what_is_sealed_are_kept(tmp_path: Any, clock: ManualClock) -> None:
    """Neither refresh token nor new token stand in the file; the same session has one refresh token."""
    async with opened(f"sqlite:///{tmp_path}/sojourn.db", clock=clock) as sojourn:
        held = await hold(sojourn, clock)
        token = await held.exchange(sojourn)
        assert await sojourn.refresh_tokens.issue(held.session.id) == held.refresh
        other = await hold(sojourn, clock)
        assert other.refresh != held.refresh
        for path in tmp_path.iterdir():
            content = path.read_bytes()
            for secret in (held.refresh, token, token.split(".")[2]):
                assert secret.encode() not in content


async def test_a_refresh_token_is_for_a_live_session(sojourn: Sojourn, clock: ManualClock) -> None:
    """None is issued for a session that has ended or is not there."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    await sojourn.sessions.revoke(session.id)
    for session_id in (session.id, "sess_none"):
        with pytest.raises(NotFound):
            await sojourn.refresh_tokens.issue(session_id)


# Refusals, in the published words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["", "app.example.test", "ftp://x", "https://", "https://x/", "https://x?y", "https://u@x", "null",
     "https://x\n", "https://" + "x" * 300, "javascript:alert(1)", "https://\u00e9.test"],
)  # fmt: skip
async def test_an_origin_that_is_none(sojourn: Sojourn, clock: ManualClock, origin: str) -> None:
    """Before anything else is looked at."""
    held = await hold(sojourn, clock)
    asked = held.exchange(sojourn, request_origin=origin, expired_token="x")
    assert await code(asked) == "refresh_request_origin_invalid"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sid": None}, "expired_session_token_missing_sid"),
        ({"sid": 5}, "expired_session_token_missing_sid"),
        ({"sid": "sess_other"}, "refresh_sid_mismatch"),
        ({"azp": None}, "expired_session_token_missing_azp"),
        ({"azp": "https://other.test"}, "refresh_request_origin_azp_mismatch"),
        ({"azp": ORIGIN + "/"}, "refresh_request_origin_azp_mismatch"),
        ({"iat": None}, "session_refresh_expired_session_token_missing_iat"),
        ({"iat": 1_000_000_000}, "session_refresh_expired_session_token_too_old"),
        ({"sub": "user_other"}, "session_refresh_session_not_found"),
        ({"sub": None}, "expired_session_token_invalid"),
        ({"iss": "https://other.test"}, "expired_session_token_invalid"),
        ({"exp": None}, "expired_session_token_invalid"),
        ({"iat": "x"}, "expired_session_token_invalid"),
        ({"iat": 1e300}, "expired_session_token_invalid"),
    ],
    ids=str,
)
async def test_tokens_that_say_otherwise(
    sojourn: Sojourn, clock: ManualClock, claims: dict[str, Any], expected: str
) -> None:
    """Each claim that is missing or another has its own code."""
    held = await hold(sojourn, clock)
    assert await code(held.exchange(sojourn, expired_token=forged(sojourn, held, **claims))) == expected


async def test_t21_other_kinds_of_tokens(sojourn: Sojourn, clock: ManualClock) -> None:
    """T-21: a template's token, a client's, a ticket, a handshake's: none can be exchanged."""
    held = await hold(sojourn, clock)
    ineligible = "session_refresh_session_token_ineligible"
    template = forged(sojourn, held, category=jws.TEMPLATE)
    assert await code(held.exchange(sojourn, expired_token=template)) == ineligible
    handshake = await sojourn.handshakes.token(["__session=x"])
    assert await code(held.exchange(sojourn, expired_token=handshake)) == ineligible
    for text in (
        (await sojourn.clients.create()).token,
        (await sojourn.tickets.create_sign_in_token(user_id=held.session.user_id)).token,
    ):
        assert await code(held.exchange(sojourn, expired_token=text)) in (
            ineligible,
            "expired_session_token_invalid",
        )


@pytest.mark.embedded  # no request holds some of these texts
@pytest.mark.parametrize(
    "text",
    ["", "x", "a.b.c", "." * 64_000, "x" * 1_000_000, "\ud800.x.y", "\u00e9", "e30." + "W" * 9000 + ".x"],
    ids=lambda text: f"{len(text)}",
)
async def test_t26_what_is_no_token(sojourn: Sojourn, clock: ManualClock, text: str) -> None:
    """T-26: refused in the published words, however long or odd."""
    held = await hold(sojourn, clock)
    asked = held.exchange(sojourn, expired_token=text)
    assert await code(asked) in (
        "expired_session_token_invalid",
        "session_refresh_session_token_ineligible",
    )
    assert await code(held.exchange(sojourn, refresh_token=text)) == "refresh_token_not_found"


async def test_a_changed_signature(sojourn: Sojourn, clock: ManualClock) -> None:
    """One bit is enough."""
    held = await hold(sojourn, clock)
    head, body, tail = held.token.split(".")
    changed = f"{head}.{body}.{'A' if tail[0] != 'A' else 'B'}{tail[1:]}"
    assert await code(held.exchange(sojourn, expired_token=changed)) == "expired_session_token_invalid"


async def test_t27_a_key_that_is_not_published(sojourn: Sojourn, clock: ManualClock) -> None:
    """T-27: a token of a key that was withdrawn, or of one that never was this instance's, cannot be
    exchanged; the control before it can."""
    held, late = await hold(sojourn, clock), await hold(sojourn, clock)
    third = await hold(sojourn, clock)
    assert await held.exchange(sojourn)
    own = jws.verify(late.token, sojourn._held.public).claims
    stranger = SigningKey.from_pem("kid_stranger", sojourn._held.current.to_pem())
    foreign = jws.sign(own, stranger, category=jws.SESSION)
    ineligible = "session_refresh_session_token_ineligible"
    assert await code(late.exchange(sojourn, expired_token=foreign)) == ineligible
    assert await late.exchange(sojourn)
    await sojourn.keys.rotate(emergency=True)
    assert await code(third.exchange(sojourn)) == ineligible


async def test_a_token_that_is_too_old(opening: Opening, clock: ManualClock) -> None:
    """As old as the policy says, to the second."""
    async with opening(policy=Policy(refresh_max_age_seconds=3600)) as sojourn:
        held, late = await hold(sojourn, clock), await hold(sojourn, clock)
        clock.advance(seconds=3600 - 2 * (MINUTE + 10))
        assert await held.exchange(sojourn)
        clock.advance(seconds=MINUTE + 11)
        too_old = "session_refresh_expired_session_token_too_old"
        assert await code(late.exchange(sojourn)) == too_old


@pytest.mark.parametrize("refresh", ["", "x", "another"])
async def test_refresh_tokens_that_are_none(sojourn: Sojourn, clock: ManualClock, refresh: str) -> None:
    """An unknown one, and one of another session of the same user; the exchange stays possible."""
    held, other = await hold(sojourn, clock), await hold(sojourn, clock)
    given = other.refresh if refresh == "another" else refresh
    assert await code(held.exchange(sojourn, refresh_token=given)) == "refresh_token_not_found"
    assert await held.exchange(sojourn)


async def test_a_session_that_was_never_there(sojourn: Sojourn, clock: ManualClock) -> None:
    """A token that names it, signed by the right key, finds nothing."""
    held = await hold(sojourn, clock)
    token = forged(sojourn, held, sid="sess_none")
    asked = held.exchange(sojourn, session_id="sess_none", expired_token=token)
    assert await code(asked) == "session_refresh_session_not_found"


@pytest.mark.parametrize("how", ["revoke", "all of user", "ban", "expire"])
async def test_s04_t25_after_the_end_of_a_session(sojourn: Sojourn, clock: ManualClock, how: str) -> None:
    """S-04, T-25: refused at once, and so is the repetition of an exchange that was made before, within its
    ten seconds."""
    held, other = await hold(sojourn, clock), await hold(sojourn, clock)
    assert await other.exchange(sojourn)
    if how == "revoke":
        for one in (held, other):
            await sojourn.sessions.revoke(one.session.id)
    elif how == "all of user":
        await sojourn.sessions.revoke_all_of_user(held.session.user_id)
    elif how == "ban":
        await sojourn.users.ban(held.session.user_id)
    else:
        clock.advance(seconds=7 * DAY)
    expected = "session_refresh_inactive_session"
    if how == "expire":
        expected = "session_refresh_expired_session_token_too_old"
    for one in (held, other):
        assert await code(one.exchange(sojourn)) == expected


async def test_a_user_who_is_gone(sojourn: Sojourn, clock: ManualClock) -> None:
    """Where a user was deleted and the session stands, as between two steps, the user is missed."""
    held = await hold(sojourn, clock)
    await store_of(sojourn).commit([DeleteUser(held.session.user_id)])
    assert await code(held.exchange(sojourn)) == "session_refresh_user_not_found"


# Races ------------------------------------------------------------------------------------------------------


async def test_s07_a_revocation_between_signature_and_record(sojourn: Sojourn, clock: ManualClock) -> None:
    """S-07: a session that is revoked after the new token was signed and before it is on record gives
    none."""
    held = await hold(sojourn, clock)
    await held.exchange(sojourn, expired_token=await sojourn.tokens.create(held.session.id, origin=ORIGIN))
    watched = watch(sojourn)

    async def revoke() -> None:
        await sojourn.sessions.revoke(held.session.id)

    watched.before["commit"] = revoke
    assert await code(held.exchange(sojourn)) == "session_refresh_inactive_session"
    digest = bearer.digest(held.token)
    assert await store_of(sojourn).deposit(DepositKind.EXCHANGE, digest) is None


async def test_s07_refreshes_racing_revocations(tmp_path: Any, clock: ManualClock) -> None:
    """S-07: over two stores on one file, no exchange that begins after the acknowledgement of a revocation
    gives a token; the control: many that began before did."""
    url = f"sqlite:///{tmp_path}/sojourn.db"
    given = 0
    async with opened(url, clock=clock) as first, opened(url, clock=clock) as second:
        for n in range(100):
            held = await hold(first, clock, f"user {n % 7}")
            acknowledged = asyncio.Event()

            async def revoke(held: Held = held, gate: asyncio.Event = acknowledged, n: int = n) -> None:
                for _ in range(n % 9):
                    await asyncio.sleep(0)
                await second.sessions.revoke(held.session.id)
                gate.set()

            async def refresh(
                place: Sojourn, turns: int, held: Held = held, gate: asyncio.Event = acknowledged
            ) -> bool:
                for _ in range(turns):
                    await asyncio.sleep(0)
                late = gate.is_set()
                done = await code(held.exchange(place)) == "none"
                assert not (late and done)
                return done

            results = await asyncio.gather(
                revoke(), *(refresh((first, second)[t % 2], t) for t in range(0, 12, 3))
            )
            given += results.count(True)
            assert await code(held.exchange(first)) == "session_refresh_inactive_session"
    assert 0 < given < 400


async def test_an_exchange_that_always_loses(sojourn: Sojourn, clock: ManualClock) -> None:
    """Where somebody else is faster every time and leaves nothing behind, it ends with Conflict."""
    held = await hold(sojourn, clock)
    watched = watch(sojourn)
    real = watched.inner.commit

    async def refuse(operations: Any) -> None:
        if any(isinstance(operation, InsertDeposit) for operation in operations):
            raise Refused(Refused.REPEATED, operations[0])
        await real(operations)

    object.__setattr__(watched, "commit", refuse)
    with pytest.raises(Conflict):
        await held.exchange(sojourn)


async def test_deposits_are_purged(sojourn: Sojourn, clock: ManualClock) -> None:
    """An exchange goes when its token is too old to be presented, a refresh token with its session."""
    held = await hold(sojourn, clock)
    await held.exchange(sojourn)
    digests = [
        (DepositKind.EXCHANGE, bearer.digest(held.token)),
        (DepositKind.REFRESH_TOKEN, bearer.digest(held.refresh)),
    ]

    async def there() -> list[bool]:
        await sojourn.sweeper.purge()
        return [await store_of(sojourn).deposit(*digest) is not None for digest in digests]

    assert await there() == [True, True]
    clock.advance(seconds=DAY)
    assert await there() == [False, True]
    clock.advance(seconds=6 * DAY)
    assert await there() == [False, False]


async def test_an_exchange_is_no_event(sojourn: Sojourn, clock: ManualClock) -> None:
    """As a token request is none."""
    held = await hold(sojourn, clock)
    before = len(await all_events(sojourn))
    await held.exchange(sojourn)
    assert len(await all_events(sojourn)) == before

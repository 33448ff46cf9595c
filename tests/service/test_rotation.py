"""Rotation of the signing keys: no good token is refused, and in an emergency all old ones are, at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sojourn import Sojourn
from sojourn.core.errors import (
    ConfigurationError,
    Conflict,
    Invalid,
    InvalidSessionToken,
    StorageFull,
    Unavailable,
)
from sojourn.core.keys import SigningKeyStatus
from sojourn.service.signing_keys import MIN_PUBLISH_SECONDS
from sojourn.testing import ManualClock
from sojourn.tokens.keyring import HOUR_MS, SKEW_MS
from sojourn.tokens.keys import SigningKey
from tests.embedded import DAY, HOUR, MINUTE, opened, watch
from tests.service.conftest import Opening
from tests.service.rotating import (
    LONG,
    different_keys,
    key_events,
    kid_of,
    kids,
    rows,
    session_of,
    states,
    token_of,
)


@pytest.fixture(autouse=True)
def _different_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New signing keys are different ones."""
    monkeypatch.setattr(SigningKey, "generate", different_keys())


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A database that several processes may open."""
    return f"sqlite:///{tmp_path}/sojourn.db"


async def test_a_key_is_published_before_it_signs_and_after(sojourn: Sojourn, clock: ManualClock) -> None:
    """The new key is published at once, signs after ten minutes to the millisecond without anything being
    written, and the old one stays published until the last token that it signed has run out."""
    old = sojourn.keys.current.kid
    long = await token_of(sojourn, LONG)
    status = await sojourn.keys.rotate()
    assert status == SigningKeyStatus(
        kid=status.kid,
        algorithm="RS256",
        state="upcoming",
        created_at=clock.now(),
        activates_at=clock.now() + 600_000,
    )
    assert kids(sojourn) == [old, status.kid]
    clock.advance(ms=599_999)
    assert kid_of(sojourn, await token_of(sojourn)) == old
    clock.advance(ms=1)
    before = await rows(sojourn)
    fresh = await token_of(sojourn)
    assert kid_of(sojourn, fresh) == status.kid
    assert {k: r.state for k, r in before.items()} == {old: "current", status.kid: "upcoming"}
    assert kids(sojourn) == [status.kid, old]
    assert kid_of(sojourn, long) == old
    assert await sojourn.tokens.verify(long)
    expire_at = (await sojourn.sessions.get(str((await sojourn.tokens.verify(long))["sid"]))).expire_at
    until = -(-expire_at // HOUR_MS) * HOUR_MS + SKEW_MS
    assert {k.kid: k.published_until for k in await sojourn.keys.list()} == {status.kid: None, old: until}
    clock.advance(ms=until - 1 - clock.now())
    assert kids(sojourn) == [status.kid, old]
    clock.advance(ms=1)
    assert kids(sojourn) == [status.kid]


async def test_a_key_that_signed_short_tokens_goes_after_the_hour(
    sojourn: Sojourn, clock: ManualClock
) -> None:
    """With tokens of a minute the old key is published for an hour and a little more."""
    old = sojourn.keys.current.kid
    await token_of(sojourn)
    status = await sojourn.keys.rotate()
    clock.advance(seconds=600)
    clock.advance(ms=HOUR_MS + SKEW_MS - 1)
    assert kids(sojourn) == [status.kid, old]
    clock.advance(ms=1)
    assert kids(sojourn) == [status.kid]


async def test_the_exp_is_on_record_before_the_token_leaves(sojourn: Sojourn, clock: ManualClock) -> None:
    """When a token is answered, its key's row says that it is needed until the next whole hour after `exp`;
    ordinary tokens cost one note an hour, however many at once."""
    kid, session = sojourn.keys.current.kid, await session_of(sojourn)
    store = watch(sojourn)
    start = clock.now()
    for minute in range(180):
        await asyncio.gather(*(sojourn.tokens.create(session) for _ in range(5)))
        exp = clock.now() + 60_000
        last = (await rows(sojourn))[kid].last_exp_at
        assert last is not None
        assert last % HOUR_MS == 0
        assert exp <= last < exp + HOUR_MS
        assert store.calls["commit"] == 1 + (clock.now() + 60_000 - start - 1) // HOUR_MS, minute
        clock.advance(seconds=60)
    await sojourn.tokens.create(session, expires_in_seconds=2 * DAY)
    last = (await rows(sojourn))[kid].last_exp_at
    assert last is not None
    assert 0 <= last - clock.now() - 2 * DAY * 1000 < HOUR_MS
    calls = store.calls["commit"]
    for seconds in (1, HOUR, DAY):
        await sojourn.tokens.create(session, expires_in_seconds=seconds)
    assert store.calls["commit"] == calls


async def test_where_nothing_can_be_written_short_tokens_go_on(sojourn: Sojourn, clock: ManualClock) -> None:
    """On a full disk a token of up to an hour is answered, and covered by the hour for which every retired
    key is published; a longer one is refused."""
    session, old = await session_of(sojourn), sojourn.keys.current.kid
    status = await sojourn.keys.rotate()
    store = watch(sojourn)
    clock.advance(seconds=599)
    store.failing["commit"] = StorageFull()
    with pytest.raises(StorageFull):  # nobody has looked for ten minutes whether the key is still in use
        await sojourn.tokens.create(session)
    assert await sojourn._held.refresh()
    store.calls.clear()
    tokens = [await sojourn.tokens.create(session, expires_in_seconds=s) for s in (60, HOUR)]
    assert store.calls["commit"] == 1  # what cannot be written is not tried for each token
    with pytest.raises(Unavailable):
        await sojourn.tokens.create(session, expires_in_seconds=HOUR + 1)
    clock.advance(seconds=1)
    del store.failing["commit"]
    assert kid_of(sojourn, await sojourn.tokens.create(session)) == status.kid
    clock.advance(seconds=HOUR - 2)
    for token in tokens:
        assert kid_of(sojourn, token) == old


async def test_a_session_that_ends_while_the_exp_is_noted_gets_no_token(sojourn: Sojourn) -> None:
    """After the note the session is read again: no token leaves after an acknowledged end."""
    session = await session_of(sojourn)
    store = watch(sojourn)

    async def end() -> None:
        await sojourn.sessions.revoke(session)

    store.before["commit"] = end
    with pytest.raises(Exception, match="live session"):
        await sojourn.tokens.create(session)


async def test_the_sweeper_writes_down_what_the_clock_has_done(
    opening: Opening, clock: ManualClock, file_url: str
) -> None:
    """Before and after, every answer is the same; afterwards the private half of the retired key is gone from
    the database's files, and the log tells when the new key took over."""
    for url in ("memory://", file_url):
        async with opened(url, clock=clock) as sojourn:
            old = sojourn._held.current
            private = old.to_pem().splitlines()[5]
            status = await sojourn.keys.rotate()
            began = clock.now()
            await sojourn.sweeper.settle_keys()
            assert {r.state for r in (await rows(sojourn)).values()} == {"current", "upcoming"}
            clock.advance(seconds=700)
            told = await sojourn.keys.list(), sojourn.keys.jwks()
            token = await token_of(sojourn)
            for _ in range(2):
                await sojourn.sweeper.settle_keys()
                assert (await sojourn.keys.list(), sojourn.keys.jwks()) == told
            stored = await rows(sojourn)
            assert (stored[old.kid].state, stored[status.kid].state) == ("retired", "current")
            assert stored[old.kid].retired_at == status.activates_at
            assert private not in stored[old.kid].material
            assert b"PUBLIC KEY" in stored[old.kid].material
            assert kid_of(sojourn, token) == status.kid
            assert await key_events(sojourn) == [
                ("key.published", status.kid, began),
                ("key.rotated", status.kid, status.activates_at),
            ]
            if url == file_url:
                path = url.removeprefix("sqlite:///")
                files = (Path(path), Path(path + "-wal"))
                assert all(private not in file.read_bytes() for file in files)


async def test_what_was_written_down_survives_a_clock_set_back(file_url: str) -> None:
    """After a restart with a clock of before the rotation the new key signs, and the old one does not."""
    clock = ManualClock()
    early = ManualClock()
    async with opened(file_url, clock=clock) as sojourn:
        status = await sojourn.keys.rotate()
        clock.advance(seconds=600)
        await sojourn.sweeper.settle_keys()
    async with opened(file_url, clock=early) as sojourn:
        assert sojourn.keys.current.kid == status.kid
        assert await sojourn.tokens.verify(await token_of(sojourn))


async def test_an_emergency_refuses_every_old_token_at_once(sojourn: Sojourn, clock: ManualClock) -> None:
    """The new key signs at once; tokens of the old one, of one before it and of one that was to come are
    refused, their private halves are gone, and sessions live on."""
    session = await session_of(sojourn)
    first = await sojourn.tokens.create(session, expires_in_seconds=LONG)
    await sojourn.keys.rotate()
    clock.advance(seconds=600)
    second = await sojourn.tokens.create(session, expires_in_seconds=LONG)
    await sojourn.keys.rotate()
    before = list(await rows(sojourn))
    status = await sojourn.keys.rotate(emergency=True)
    assert status.state == "current"
    assert kids(sojourn) == [status.kid]
    for token in (first, second):
        with pytest.raises(InvalidSessionToken):
            await sojourn.tokens.verify(token)
    assert (await sojourn.sessions.get(session)).live
    assert kid_of(sojourn, await sojourn.tokens.create(session)) == status.kid
    clock.advance(seconds=DAY)
    assert kids(sojourn) == [status.kid]
    stored = await rows(sojourn)
    assert {stored[kid].state for kid in before} == {"withdrawn"}
    assert all(b"PRIVATE" not in stored[kid].material for kid in before)
    types = [(kind, kid) for kind, kid, _ in await key_events(sojourn)]
    assert {kid for kind, kid in types if kind == "key.withdrawn"} == set(before)
    assert types[-1] == ("key.rotated", status.kid)


async def test_an_emergency_long_after_an_unwritten_rotation(sojourn: Sojourn, clock: ManualClock) -> None:
    """Where nothing swept for a day, a key that is unpublished by then is written down as retired, and the
    ring has one current key."""
    old = sojourn.keys.current.kid
    newer = await sojourn.keys.rotate()
    clock.advance(seconds=DAY)
    status = await sojourn.keys.rotate(emergency=True)
    assert await states(sojourn) == {status.kid: "current", newer.kid: "withdrawn", old: "retired"}
    assert kids(sojourn) == [status.kid]


async def test_one_rotation_at_a_time(sojourn: Sojourn, clock: ManualClock) -> None:
    """While a key is upcoming a second rotation is refused and changes nothing; afterwards it is made."""
    status = await sojourn.keys.rotate()
    with pytest.raises(Conflict, match=status.kid):
        await sojourn.keys.rotate()
    assert len(await sojourn.keys.list()) == 2
    clock.advance(seconds=600)
    assert (await sojourn.keys.rotate()).state == "upcoming"
    assert sorted((await states(sojourn)).values()) == ["current", "retired", "upcoming"]


@pytest.mark.parametrize("seconds", [-1, 0, 300, MIN_PUBLISH_SECONDS - 1, 31 * DAY])
async def test_a_time_too_short_for_verifiers_is_refused(sojourn: Sojourn, seconds: int) -> None:
    """Verifiers may keep a set for five minutes and more; in an emergency there is no such time at all."""
    with pytest.raises(Invalid, match="publish_seconds"):
        await sojourn.keys.rotate(publish_seconds=seconds)
    with pytest.raises(Invalid, match="emergency"):
        await sojourn.keys.rotate(publish_seconds=600, emergency=True)
    assert len(await sojourn.keys.list()) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"signing_key_publish_seconds": 10},
        {"signing_key_publish_seconds": 86_400, "signing_key_max_age_days": 2},
    ],
)
async def test_settings_that_do_not_fit(settings: dict[str, Any]) -> None:
    """They are refused by name before anything is opened."""
    with pytest.raises(ConfigurationError, match="signing_key"):
        async with opened(**settings):
            pass


async def test_keys_unpublished_long_ago_are_forgotten(sojourn: Sojourn, clock: ManualClock) -> None:
    """A retired key's row goes when the log no longer tells of it either, a withdrawn one's too; until then
    it is listed."""
    first = sojourn.keys.current.kid
    await sojourn.keys.rotate()
    clock.advance(seconds=600)
    await sojourn.keys.rotate(emergency=True)
    await sojourn.keys.settle()
    keep = sojourn.policy.event_retention_seconds
    clock.advance(seconds=keep)
    await sojourn.keys.settle()
    assert first in await rows(sojourn)
    clock.advance(seconds=HOUR + MINUTE)
    await sojourn.keys.settle()
    assert list(await rows(sojourn)) == [sojourn.keys.current.kid]


async def test_unpublished_for_good(sojourn: Sojourn, clock: ManualClock) -> None:
    """A wall clock that is set back publishes no withdrawn key again."""
    old = sojourn.keys.current.kid
    status = await sojourn.keys.rotate(emergency=True)
    clock.set(clock.now() - DAY * 1000)
    assert kids(sojourn) == [status.kid]
    assert sojourn.keys.ring.public(old, now_ms=0) is None


async def test_a_clock_that_was_set_back_leaves_tokens_longer(sojourn: Sojourn, clock: ManualClock) -> None:
    """Where the wall clock is behind, what is noted is by the clock that never goes back."""
    session, kid = await session_of(sojourn), sojourn.keys.current.kid
    clock.set(clock.now() - 5 * HOUR_MS)
    await sojourn.tokens.create(session, expires_in_seconds=6 * HOUR)
    last = (await rows(sojourn))[kid].last_exp_at
    assert last is not None
    assert 0 <= last - clock.now() - 6 * HOUR_MS < HOUR_MS

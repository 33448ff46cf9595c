"""Rotation across processes, crashes, faults and changes of the master key."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from sojourn import Sojourn
from sojourn.core.errors import (
    ConfigurationError,
    Conflict,
    Unavailable,
)
from sojourn.core.keys import SigningKeyStatus, StoredKey
from sojourn.service import held_ring
from sojourn.testing import ManualClock
from sojourn.tokens.envelope import MasterKey
from sojourn.tokens.keyring import HOUR_MS
from sojourn.tokens.keys import SigningKey
from tests.embedded import DAY, HOUR, MINUTE, opened, store_of, watch
from tests.service.rotating import (
    LONG,
    POOL,
    different_keys,
    kid_of,
    kids,
    rows,
    session_of,
    states,
    token_of,
)

MASTER, OTHER = (base64.b64encode(bytes(range(n, n + 32))).decode() for n in (1, 101))


@pytest.fixture(autouse=True)
def _different_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New signing keys are different ones."""
    monkeypatch.setattr(SigningKey, "generate", different_keys())


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A database that several processes may open."""
    return f"sqlite:///{tmp_path}/sojourn.db"


@pytest.fixture
async def pair(file_url: str, clock: ManualClock) -> AsyncIterator[tuple[Sojourn, Sojourn]]:
    """Two on one database, as two processes are."""
    async with opened(file_url, clock=clock) as one, opened(file_url, clock=clock) as other:
        yield one, other


async def test_racing_rotations_make_one(pair: tuple[Sojourn, Sojourn]) -> None:
    """Of rotations that begin at the same moment in several processes one is made."""
    one, other = pair
    outcomes = await asyncio.gather(
        *(sojourn.keys.rotate() for sojourn in (one, other) * 3), return_exceptions=True
    )
    assert sum(isinstance(outcome, SigningKeyStatus) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 5
    assert len(await one.keys.list()) == 2


async def test_racing_rotations_with_the_first_key_of_both_read(pair: tuple[Sojourn, Sojourn]) -> None:
    """Who has read before the other commits is refused by the store, looks again and finds it under way."""
    one, other = pair
    store = watch(one)

    async def faster() -> None:
        await other.keys.rotate()

    store.before["commit"] = faster
    with pytest.raises(Conflict, match="under way"):
        await one.keys.rotate()
    assert len(await one.keys.list()) == 2


async def test_rotation_by_age(file_url: str, clock: ManualClock) -> None:
    """A key is replaced when it has reached its age, published before that, by one of all processes, again
    and again; without the setting never."""
    settings: dict[str, Any] = {"signing_key_max_age_days": 30, "signing_key_publish_seconds": 3600}
    async with (
        opened(file_url, clock=clock, **settings) as one,
        opened(file_url, clock=clock, **settings) as other,
        opened(file_url, clock=clock) as third,
    ):
        kid = one.keys.current.kid
        for _ in range(3):
            clock.advance(seconds=30 * DAY - HOUR - 1)
            await third.keys.settle()
            await asyncio.gather(one.keys.settle(), other.keys.settle())
            assert "upcoming" not in (await states(one)).values()
            clock.advance(seconds=1)
            await third.keys.settle()
            assert "upcoming" not in (await states(one)).values()
            await asyncio.gather(one.keys.settle(), other.keys.settle())
            assert list((await states(one)).values()).count("upcoming") == 1
            clock.advance(seconds=HOUR)
            assert one.keys.current.kid != kid
            kid = one.keys.current.kid
            await asyncio.gather(one.keys.settle(), other.keys.settle())


async def test_another_process_publishes_before_anybody_signs(
    file_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that did not rotate knows the new key within its refresh, publishes it, and signs with it
    from the same instant on as the one that did."""
    monkeypatch.setattr(held_ring, "REFRESH_SECONDS", 0.01)
    async with opened(file_url, clock=clock) as one, opened(file_url, clock=clock) as other:
        status = await one.keys.rotate()
        async with asyncio.timeout(5):
            while status.kid not in kids(other):  # noqa: ASYNC110  # the refresh sets no event
                await asyncio.sleep(0.005)
        assert other.keys.current.kid != status.kid
        clock.advance(seconds=600)
        assert one.keys.current.kid == other.keys.current.kid == status.kid
        emergency = await one.keys.rotate(emergency=True)
        async with asyncio.timeout(5):
            while kids(other) != [emergency.kid]:  # noqa: ASYNC110  # the refresh sets no event
                await asyncio.sleep(0.005)


async def test_the_key_set_is_read_from_the_store(pair: tuple[Sojourn, Sojourn]) -> None:
    """Whoever asks a process for the set gets what another one did a moment ago, and where the store does not
    answer the set at hand."""
    one, other = pair
    status = await one.keys.rotate()
    assert status.kid not in kids(other)
    assert [key["kid"] for key in (await other.keys.published())["keys"]] == kids(one)  # pyright: ignore
    store = watch(other)
    store.failing["stored_keys"] = Unavailable()
    assert await other.keys.published() == one.keys.jwks()


async def test_a_process_that_missed_the_rotation_notes_nothing_on_the_old_key(
    pair: tuple[Sojourn, Sojourn], clock: ManualClock
) -> None:
    """Its note on a key that has been written down as retired is refused; it looks again and signs with the
    new key."""
    one, other = pair
    session = await session_of(other)
    status = await one.keys.rotate()
    clock.advance(seconds=600)
    await one.keys.settle()
    assert other.keys.current.kid != status.kid
    token = await other.tokens.create(session, expires_in_seconds=LONG)
    assert kid_of(one, token) == status.kid


async def test_after_a_crash_everything_that_verifies_is_published(file_url: str) -> None:
    """Processes that end at any moment of a rotation leave a database whose next process accepts every token
    that was answered, until it runs out."""
    clock = ManualClock()
    tokens: list[tuple[str, int]] = []
    for step in range(8):
        # Nothing is closed in an orderly way that matters: what is read is what was committed.
        async with opened(file_url, clock=clock) as sojourn:
            for seconds in (60, 3 * HOUR, DAY * (step + 1)):
                token = await token_of(sojourn, seconds)
                tokens.append((token, clock.now() + seconds * 1000))
            if step in (1, 4):
                await sojourn.keys.rotate()
            if step in (3, 6):
                await sojourn.keys.settle()
            for token, exp in tokens:
                if clock.now() < exp:
                    assert await sojourn.tokens.verify(token)
        clock.advance(seconds=7 * MINUTE if step < 5 else DAY)


async def test_the_tokens_signed_before_the_first_rotation_ever(file_url: str, clock: ManualClock) -> None:
    """A database of the version before rotations is taken over with its key noted as long as any session."""
    from sojourn.stores.sql import migrations
    from sojourn.stores.sqlite import migrate
    from sojourn.stores.sqlite.connect import Internals, connect, create

    path, known = file_url.removeprefix("sqlite:///"), migrations("sqlite")
    before = next(n for n, m in enumerate(known) if "rotation" in m.name)
    create(path, Internals(), allowed=True)
    connection = connect(path, Internals(), writes=True)
    migrate.bring_up(connection, known[:before], allowed=True)
    pem = b"sjp\x01" + POOL[-1].to_pem()
    connection.execute("INSERT INTO instance VALUES (1, 'ins_1', 'pk_live_YS5pbyQ', 'e', 1, NULL)").fetchall()
    connection.execute(
        "INSERT INTO stored_keys VALUES (1, 'kid_old', 'signing', 'RS256', 'current', ?, 1, NULL)", (pem,)
    ).fetchall()
    connection.execute(
        "INSERT INTO clients (id, created_at, updated_at, version) VALUES ('client_a', 1, 1, 1)"
    ).fetchall()
    end = clock.now() + 5 * DAY * 1000 + 1
    connection.execute(
        "INSERT INTO sessions (id, user_id, client_id, status, last_active_at, expire_at, abandon_at,"
        " updated_at, created_at, version)"
        " VALUES ('sess_a', 'user_a', 'client_a', 'active', 1, ?, ?, 1, 1, 1)",
        (end, end),
    ).fetchall()
    connection.close()
    async with opened(file_url, clock=clock) as sojourn:
        (row,) = (await rows(sojourn)).values()
        assert row.last_exp_at == -(-end // HOUR_MS) * HOUR_MS
        assert row.activates_at == row.created_at == 1
        assert (await states(sojourn)) == {"kid_old": "current"}


# The master key --------------------------------------------------------------------------------------------


async def test_rekey_while_a_rotation_is_under_way(file_url: str, clock: ManualClock) -> None:
    """Every key, upcoming and retired ones too, is put under the new master key, and the rotation goes on."""
    async with opened(file_url, clock=clock, master_key=MASTER) as sojourn:
        first = await token_of(sojourn, LONG)
        await sojourn.keys.rotate()
        clock.advance(seconds=600)
        await sojourn.keys.settle()
        status = await sojourn.keys.rotate()
        await sojourn.rekey(MasterKey.parse(OTHER))
        listed = await sojourn.keys.list()
        assert [key.state for key in listed] == ["current", "upcoming", "retired"]
    async with opened(file_url, clock=clock, master_key=OTHER) as sojourn:
        assert await sojourn.keys.list() == listed
        clock.advance(seconds=600)
        assert sojourn.keys.current.kid == status.kid
        assert await sojourn.tokens.verify(first)


@pytest.mark.parametrize("order", ["rotation first", "rekey first"])
async def test_rotation_and_rekey_at_the_same_moment(file_url: str, clock: ManualClock, order: str) -> None:
    """Whichever is committed first, no key is left under a master key that is no longer in force."""
    async with (
        opened(file_url, clock=clock, master_key=MASTER) as rotating,
        opened(file_url, clock=clock, master_key=MASTER) as rekeying,
    ):
        if order == "rotation first":
            watch(rekeying).before["commit"] = rotating.keys.rotate
            await rekeying.rekey(MasterKey.parse(OTHER))
        else:
            watch(rotating).before["commit"] = lambda: rekeying.rekey(MasterKey.parse(OTHER))
            with pytest.raises(ConfigurationError):
                await rotating.keys.rotate()
    async with opened(file_url, clock=clock, master_key=OTHER) as sojourn:
        wanted = 2 if order == "rotation first" else 1
        assert len(await sojourn.keys.list()) == wanted


async def test_after_a_rekey_elsewhere_no_token_is_signed_that_would_be_refused(
    file_url: str, clock: ManualClock
) -> None:
    """A process that was not stopped for a rekey cannot open the next key: it goes on with the key it has,
    and once that is retired it refuses to note a longer `exp`, rather than sign what nobody will accept."""
    async with opened(file_url, clock=clock, master_key=MASTER) as left:
        session = await session_of(left)
        await left.tokens.create(session)
        async with opened(file_url, clock=clock, master_key=MASTER) as other:
            await other.rekey(MasterKey.parse(OTHER))
            await other.keys.rotate()
            assert not await left._held.refresh()
            clock.advance(seconds=600)
            await other.keys.settle()
            token = await left.tokens.create(session)
            assert await other.tokens.verify(token)
            with pytest.raises(Unavailable):
                await left.tokens.create(session, expires_in_seconds=DAY)


async def test_only_the_retired_private_half_is_lost(file_url: str, clock: ManualClock) -> None:
    """In the file every row of a key that signs no more holds a public key, sealed like the others."""
    async with opened(file_url, clock=clock, master_key=MASTER) as sojourn:
        await sojourn.keys.rotate()
        clock.advance(seconds=600)
        await sojourn.keys.settle()
    connection = apsw.Connection(file_url.removeprefix("sqlite:///"))
    found = dict(connection.execute("SELECT state, length(material) FROM stored_keys"))
    connection.close()
    assert found["retired"] < 600 < 1600 < found["current"]


@pytest.fixture
def short_refresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The background looks at the keys every few milliseconds."""
    monkeypatch.setattr(held_ring, "REFRESH_SECONDS", 0.005)
    return iter(())


async def test_the_refresh_survives_faults(
    short_refresh: None, sojourn: Sojourn, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a look into the store ends in, the next one is tried, and the ring at hand stays good."""
    store = watch(sojourn)
    for fault in (Unavailable("away"), RuntimeError("a bug")):
        store.failing["stored_keys"] = fault
        calls = store.calls["stored_keys"]
        async with asyncio.timeout(5):
            while store.calls["stored_keys"] < calls + 2:  # noqa: ASYNC110  # the refresh sets no event
                await asyncio.sleep(0.005)
        assert await sojourn.tokens.verify(await token_of(sojourn))
    assert "away" in caplog.text
    assert "a bug" in caplog.text


async def test_an_answer_that_was_overtaken_is_not_taken(
    sojourn: Sojourn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two looks into the store the later one counts, in whatever order they are answered."""
    store = store_of(sojourn)
    real, held = store.stored_keys, asyncio.Event()
    before = await real()

    async def slow() -> Sequence[StoredKey]:
        await held.wait()
        return before

    monkeypatch.setattr(store, "stored_keys", slow)
    late = asyncio.create_task(sojourn._held.load())
    await asyncio.sleep(0)
    monkeypatch.setattr(store, "stored_keys", real)
    status = await sojourn.keys.rotate(emergency=True)
    held.set()
    await late
    assert sojourn.keys.current.kid == status.kid

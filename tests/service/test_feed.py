"""The revocation feed: everything that ends a session or changes what its tokens say is in it, in order."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sojourn import Sojourn
from sojourn.core.errors import Unavailable
from sojourn.core.events import CHANGES_CLAIMS, Event, EventType
from sojourn.core.keys import ApiKeyKind
from sojourn.core.revocations import RevocationKind, of_event
from sojourn.service import feed as feeds
from sojourn.service import feed_ring
from sojourn.service.feed_messages import place_of
from sojourn.service.filters import SessionFilter
from sojourn.testing import ManualClock
from sojourn.tokens.keys import SigningKey
from tests.embedded import until, user_id, watch
from tests.service.conftest import Opening
from tests.service.listening import entries, issued, messages, until_event

REFUSED = {
    EventType.SESSION_ENDED, EventType.SESSION_REMOVED, EventType.SESSION_REVOKED, EventType.SESSION_REPLACED,
    EventType.SESSION_EXPIRED, EventType.SESSION_ABANDONED, EventType.USER_SESSIONS_ENDED,
    EventType.CLIENT_SESSIONS_ENDED, EventType.INSTANCE_SESSIONS_ENDED, EventType.KEY_WITHDRAWN,
}  # fmt: skip


def test_every_event_is_told_or_not_on_purpose() -> None:
    """What ends sessions is refused, what changes claims is stale, and nothing else is in the feed."""
    made = {kind: of_event(Event(id="evt", type=kind, at=1)) for kind in EventType}
    told = {kind: one.kind for kind, one in made.items() if one is not None}
    assert {kind for kind, what in told.items() if what is RevocationKind.STALE} == CHANGES_CLAIMS
    assert {kind for kind, what in told.items() if what is not RevocationKind.STALE} == REFUSED


@pytest.mark.parametrize(
    "positions",
    [("e.0", "e.1", "e.10"), ("e.0--1", "e.7-0", "e.7-1", "e.8-0", "e.100-3"), ("a.b.1", "a.b.2")],
)
def test_places_grow_with_the_positions_of_every_store(positions: tuple[str, ...]) -> None:
    """A number for each, in the order of the log, whatever the store's positions look like."""
    places = [place_of(position) for position in positions]
    assert places == sorted(set(places))
    assert places[0] >= 0


async def test_every_way_to_end_a_session_is_in_the_feed(sojourn: Sojourn, clock: ManualClock) -> None:
    """By whatever verb a session ends, its entry is there: it comes from the log, not from the verbs."""
    user = await user_id(sojourn)
    made = [await sojourn.sessions.create(user_id=user) for _ in range(4)]
    start = await sojourn.events.end()
    await sojourn.sessions.revoke(made[0].id)
    await sojourn.sessions.end(made[1].id)
    await sojourn.sessions.remove(made[2].id)
    await sojourn.endings.begin(SessionFilter(client_id=made[3].client_id))
    await sojourn.sessions.revoke_all_of_user(user)
    await sojourn.users.ban(user)
    await sojourn.users.delete(user)
    await sojourn.sessions.revoke_all()
    told = await entries(sojourn, start)
    assert [one["kind"] for one in told] == [
        "session", "session", "session", "client", "user", "user", "user", "instance",
    ]  # fmt: skip
    assert [one["session_id"] for one in told[:3]] == [session.id for session in made[:3]]
    assert told[3]["session_ids"] == [made[3].id]
    assert {one["user_id"] for one in told[4:7]} == {user}
    assert all(one["at"] == clock.now() for one in told)


async def test_what_a_sweep_writes_back_is_in_the_feed(sojourn: Sojourn, clock: ManualClock) -> None:
    """A session that idled away is told when that is written, at the instant of its end."""
    await sojourn.policies.change({"inactivity_seconds": 120})
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    clock.advance(seconds=130)
    await sojourn.sweeper.sweep()
    (told,) = await entries(sojourn)
    assert (told["session_id"], told["at"]) == (session.id, session.created_at + 120_000)


async def test_a_change_of_claims_is_stale(sojourn: Sojourn) -> None:
    """Another organization, another role, a membership gone: who it is stays true, the rest is stale."""
    user, other = await user_id(sojourn), await user_id(sojourn, "other")
    where = (await sojourn.organizations.create(name="A", created_by=user)).id
    await sojourn.memberships.add(where, other, role="org:member")
    session = await sojourn.sessions.create(user_id=other)
    start = await sojourn.events.end()
    await sojourn.sessions.set_organization(session.id, None)
    await sojourn.memberships.update(where, other, role="org:admin")
    await sojourn.memberships.remove(where, other)
    await sojourn.organizations.delete(where)
    told = [{k: v for k, v in one.items() if k != "at"} for one in await entries(sojourn, start)]
    assert told == [
        {"kind": "stale", "session_id": session.id},
        {"kind": "stale", "user_id": other, "organization_id": where},
        {"kind": "stale", "user_id": other, "organization_id": where},
        {"kind": "stale", "organization_id": where},
    ]


async def test_a_withdrawn_key_is_told_to_everybody_for_good(
    sojourn: Sojourn, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once to those who listen, and to every newcomer as long as the key is known."""
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    monkeypatch.setattr(SigningKey, "generate", lambda kid: SigningKey(kid, "RS256", another))
    kid = sojourn.keys.current.kid
    start = await sojourn.events.end()
    await sojourn.keys.rotate(emergency=True)
    assert {"kind": "key", "kid": kid, "at": clock.now()} in await entries(sojourn, start)
    clock.advance(seconds=3600)
    async with aclosing(messages(sojourn.feed.stream())) as stream:
        assert (await until_event(stream, "hello"))["withdrawn_kids"] == [kid]


async def test_a_newcomer_is_told_what_still_matters(sojourn: Sojourn, clock: ManualClock) -> None:
    """What happened longer ago than a token can be good is left out."""
    user = await user_id(sojourn)
    old, young = [await sojourn.sessions.create(user_id=user) for _ in range(2)]
    await sojourn.sessions.revoke(old.id)
    clock.advance(ms=sojourn.feed.horizon_ms)
    assert [one["session_id"] for one in await entries(sojourn)] == [old.id]
    clock.advance(ms=1)
    await sojourn.sessions.revoke(young.id)
    await sojourn.feed.catch_up()
    assert [one["session_id"] for one in await entries(sojourn)] == [young.id]


async def test_the_log_is_read_back_as_far_as_matters(
    sojourn: Sojourn, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the log of all times, but all of it that still matters, however much that is."""
    monkeypatch.setattr(feed_ring, "_FIRST_LOOK", 3)
    user = await user_id(sojourn)
    made = [await sojourn.sessions.create(user_id=user) for _ in range(60)]
    for session in made[:20]:
        await sojourn.sessions.revoke(session.id)
    clock.advance(seconds=3600)
    for session in made[20:]:
        await sojourn.sessions.revoke(session.id)
    assert [one["session_id"] for one in await entries(sojourn)][-40:] == [s.id for s in made[20:]]
    assert sojourn.feed._ring.start > 1


async def test_who_resumes_misses_nothing_and_repeats_nothing(sojourn: Sojourn) -> None:
    """From the id of the last event the stream goes on with what came since."""
    user = await user_id(sojourn)
    made = [await sojourn.sessions.create(user_id=user) for _ in range(6)]
    seen: list[str] = []
    last: str | None = None
    for session in made:
        await sojourn.sessions.revoke(session.id)
        async with aclosing(messages(sojourn.feed.stream(last))) as stream:
            hello = await until_event(stream, "hello")
            assert hello["resumed"] is (last is not None)
            async for kind, data in stream:
                seen += [one["session_id"] for one in data.get("entries", ())]
                last = f"{hello['epoch']}.{data['position']}"
                if kind == "heartbeat":
                    break
    assert seen == [session.id for session in made]


@pytest.mark.parametrize(
    "after", ["", "x", "other.1", "0.99", "{}.999999", "{}.-1", "{}.1x", "{}.", "{}.²", "9" * 4000]
)
async def test_a_position_that_cannot_be_gone_on_from_begins_again(sojourn: Sojourn, after: str) -> None:
    """Another epoch, ahead of the log or no position at all: the stream says so, and tells everything."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    await sojourn.sessions.revoke(session.id)
    epoch = (await sojourn.events.end()).partition(".")[0]
    async with aclosing(messages(sojourn.feed.stream(after.replace("{}", epoch)))) as stream:
        told = [await anext(stream) for _ in range(3)]
    assert [kind for kind, _ in told] == ["hello", "revocations", "heartbeat"]
    assert told[0][1]["resumed"] is False


async def test_the_pieces_leave_no_gap(sojourn: Sojourn) -> None:
    """Each batch begins no later than the one before ended, and the heartbeat reaches to the log's end."""
    user = await user_id(sojourn)
    async with aclosing(messages(sojourn.feed.stream())) as stream:
        at = (await until_event(stream, "heartbeat"))["position"]
        for _ in range(5):
            session = await sojourn.sessions.create(user_id=user)
            await sojourn.sessions.revoke(session.id)
            told = await until_event(stream, "revocations")
            assert told["from"] <= at < told["position"]
            at = told["position"]
        beat = await until_event(stream, "heartbeat")
        assert beat["from"] <= at <= beat["position"]


async def test_another_process_is_heard(database_url: str, opening: Opening) -> None:
    """What one process commits reaches the listeners of another one on the same database."""
    if database_url == "memory://":
        pytest.skip("lives in one process")
    async with opening() as one, opening() as other:
        session = await one.sessions.create(user_id=await user_id(one))
        async with aclosing(messages(other.feed.stream())) as stream:
            await until_event(stream, "heartbeat")
            await one.sessions.revoke(session.id)
            told = await until_event(stream, "revocations")
        assert told["entries"][0]["session_id"] == session.id
        # And a subscriber who comes over with a position that this one has not read yet goes on from it.
        await one.sessions.create(user_id=await user_id(one))
        assert await entries(other, await one.events.end()) == []


async def test_a_page_waits_for_something_new(sojourn: Sojourn) -> None:
    """The long poll answers at once with what there is, else when something comes or the time is over."""
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    first = json_of(await sojourn.feed.page())
    assert first["batches"] == []
    waiting = asyncio.create_task(sojourn.feed.page(after(first), wait_seconds=30))
    await asyncio.sleep(0)
    await sojourn.sessions.revoke(session.id)
    async with asyncio.timeout(10):
        told = json_of(await waiting)
    assert [one["session_id"] for one in told["batches"][0]["entries"]] == [session.id]
    assert told["hello"]["resumed"] is True
    assert json_of(await sojourn.feed.page(after(told), wait_seconds=0.01))["batches"] == []


async def test_a_page_is_bounded(sojourn: Sojourn, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a page holds comes without a heartbeat, until the last piece."""
    monkeypatch.setattr(feeds, "_PAGE_BYTES", 300)
    user = await user_id(sojourn)
    page = json_of(await sojourn.feed.page())
    made = [await sojourn.sessions.create(user_id=user) for _ in range(8)]
    for session in made:
        await sojourn.sessions.revoke(session.id)
        await sojourn.feed.catch_up()
    seen: list[str] = []
    pages = 0
    while pages == 0 or page["heartbeat"] is None:
        page = json_of(await sojourn.feed.page(after(page)))
        pages += 1
        seen += [one["session_id"] for batch in page["batches"] for one in batch["entries"]]
    assert seen == [session.id for session in made]
    assert pages > 1


def json_of(page: dict[str, object]) -> Any:
    """A page as it goes over the wire."""
    return json.loads(msgspec.json.encode(page))


def after(page: Any) -> str:
    """Where the next page goes on."""
    return f"{page['hello']['epoch']}.{(page['heartbeat'] or page['batches'][-1])['position']}"


async def test_a_store_that_fails_silences_the_heartbeat(
    sojourn: Sojourn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the log cannot be read nothing vouches for it; afterwards the stream goes on."""
    monkeypatch.setattr(feeds, "HEARTBEAT_SECONDS", 0.02)
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    heard: list[str] = []

    async def listen() -> None:
        async for kind, _ in messages(sojourn.feed.stream()):
            heard.append(kind)

    listening = asyncio.create_task(listen())

    async def beating(count: int = 3) -> bool:
        return heard.count("heartbeat") >= count

    await until(beating)
    store = watch(sojourn)
    store.failing["events"] = Unavailable()

    async def failed(times: int) -> bool:
        return store.calls["events"] >= times

    await until(lambda: failed(1))
    silent = len(heard)
    await until(lambda: failed(5))
    assert len(heard) == silent
    del store.failing["events"]
    await sojourn.sessions.revoke(session.id)

    async def told() -> bool:
        return "revocations" in heard

    await until(told)
    await until(lambda: beating(silent + 2))
    listening.cancel()


async def test_a_revoked_verifier_key_ends_its_streams(sojourn: Sojourn) -> None:
    """The streams that were opened with the key end; others go on."""
    key = await sojourn.api_keys.authenticate(await sojourn.api_keys.create(ApiKeyKind.VERIFIER))
    assert key is not None
    session = await sojourn.sessions.create(user_id=await user_id(sojourn))
    async with (
        aclosing(messages(sojourn.feed.stream(key_id=key.id))) as mine,
        aclosing(messages(sojourn.feed.stream(key_id="key_other"))) as other,
    ):
        await until_event(mine, "heartbeat")
        await until_event(other, "heartbeat")
        await sojourn.api_keys.revoke(key.id)
        async with asyncio.timeout(10):
            assert [kind async for kind, _ in mine if kind != "heartbeat"] == []
        await sojourn.sessions.revoke(session.id)
        await until_event(other, "revocations")


async def test_a_graceful_stop_ends_streams_with_a_retry(sojourn: Sojourn) -> None:
    """Whoever listens is told to come back at once, and nobody is taken on."""
    chunks = sojourn.feed.stream()
    assert b"event: hello" in await anext(chunks)
    sojourn.feed.stop()
    async with asyncio.timeout(10):
        assert (b"".join([chunk async for chunk in chunks])).endswith(b"retry: 100\n\n")
    with pytest.raises(Unavailable):
        await anext(sojourn.feed.stream())


async def test_subscribers_are_bounded(sojourn: Sojourn, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than a process serves is refused, until one has left."""
    monkeypatch.setattr(feeds, "MOST_SUBSCRIBERS", 1)
    chunks = sojourn.feed.stream()
    await anext(chunks)
    with pytest.raises(Unavailable):
        await anext(sojourn.feed.stream())
    await chunks.aclose()
    assert await entries(sojourn) == []
    assert not sojourn.feed.subscribers


async def test_a_slow_reader_has_no_queue(sojourn: Sojourn) -> None:
    """However far behind, what it has not read is what everybody reads; it misses nothing of it."""
    user = await user_id(sojourn)
    made = [await sojourn.sessions.create(user_id=user) for _ in range(50)]
    slow, fast = messages(sojourn.feed.stream()), messages(sojourn.feed.stream())
    async with aclosing(slow), aclosing(fast):
        await until_event(slow, "heartbeat")
        await until_event(fast, "heartbeat")
        for session in made:
            await sojourn.sessions.revoke(session.id)
        seen: dict[str, list[str]] = {"fast": [], "slow": []}
        for name, stream in (("fast", fast), ("slow", slow)):
            while len(seen[name]) < len(made):
                told = await until_event(stream, "revocations")
                seen[name] += [one["session_id"] for one in told["entries"]]
        assert seen["fast"] == seen["slow"] == [session.id for session in made]


async def test_t25_a_sign_in_after_the_end_of_all_is_good_at_once(
    sojourn: Sojourn, clock: ManualClock
) -> None:
    """T-25: tokens from before the not-before are of its second or earlier, and the first one after it is of
    the next, though no time has passed."""
    user = await user_id(sojourn)
    old = await sojourn.sessions.create(user_id=user)
    before = await issued(sojourn, old.id)
    await sojourn.sessions.revoke_all_of_user(user)
    (told,) = await entries(sojourn)
    new = await sojourn.sessions.create(user_id=user)
    assert before <= told["at"] // 1000 < await issued(sojourn, new.id) == before + 1
    # The control: somebody of whom nothing was ended, and the same user a second later, get tokens of now.
    other = await sojourn.sessions.create(user_id=await user_id(sojourn, "other"))
    assert await issued(sojourn, other.id) == before
    clock.advance(seconds=1)
    assert await issued(sojourn, new.id) == clock.wall() // 1000


async def test_t25_the_session_that_is_spared_keeps_its_tokens(sojourn: Sojourn) -> None:
    """T-25: the entry names the spared session; nothing of it has to be made again."""
    user = await user_id(sojourn)
    kept = await sojourn.sessions.create(user_id=user)
    await sojourn.sessions.revoke_all_of_user(user, except_session_id=kept.id)
    (told,) = await entries(sojourn)
    assert told["spared"] == kept.id


async def test_t25_a_commit_that_takes_into_the_next_second_is_cut_off_again(
    sojourn: Sojourn, clock: ManualClock
) -> None:
    """T-25: a token signed elsewhere while the commit was under way is of no later second than the last
    not-before."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    store = watch(sojourn)
    signed: list[int] = []

    async def meanwhile() -> None:
        clock.advance(seconds=3)
        signed.append(await issued(sojourn, session.id))

    store.before["commit"] = meanwhile
    await sojourn.sessions.revoke_all_of_user(user)
    told = await entries(sojourn)
    assert [one["kind"] for one in told] == ["user", "user"]
    assert told[0]["at"] // 1000 < signed[0] <= told[1]["at"] // 1000


async def test_a_token_made_after_a_change_is_not_stale(sojourn: Sojourn) -> None:
    """The token that is made after the change comes after it, though no time has passed."""
    user = await user_id(sojourn)
    session = await sojourn.sessions.create(user_id=user)
    where = (await sojourn.organizations.create(name="A", created_by=user)).id
    await sojourn.sessions.set_organization(session.id, where)
    told = (await entries(sojourn))[-1]
    assert (told["kind"], told["session_id"]) == ("stale", session.id)
    assert await issued(sojourn, session.id) > told["at"] // 1000

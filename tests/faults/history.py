"""Load on a store, what was acknowledged at which point, and whether a database still has it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import apsw

from sojourn.core.errors import Unavailable
from sojourn.core.lifecycle import SubjectKind, settle
from sojourn.core.session import Status
from sojourn.service.ports import (
    AppendEvent,
    InsertClient,
    InsertCutoff,
    InsertSession,
    Operation,
    Refused,
    SessionQuery,
    Store,
    UpdateSession,
)
from sojourn.stores.sqlite import SqliteStore
from sojourn.testing.contract.base import (
    DAY,
    NOW,
    end,
    make_client,
    make_cutoff,
    make_event,
    make_session,
    seed,
)

USERS = tuple(f"user_{n}" for n in range(4))


@dataclass(slots=True)
class Acknowledged:
    """What clients were told, and what the store must therefore have."""

    sessions: dict[str, int] = field(default_factory=dict)
    """Created, with the last activity that was acknowledged."""
    ended: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)


@dataclass(slots=True)
class History:
    """Acknowledgements in their order, each with the step of the disk behind which it came."""

    mark: Callable[[], int]
    changes: list[tuple[int, Callable[[Acknowledged], object]]] = field(default_factory=list)
    refused: list[tuple[int, Unavailable]] = field(default_factory=list)
    """Refusals, each with the number of acknowledgements before it."""

    wrong: list[str] = field(default_factory=list)
    """What a client did not find behind its own acknowledgement."""

    def note(self, change: Callable[[Acknowledged], object]) -> None:
        """An acknowledgement has just come."""
        self.changes.append((self.mark(), change))

    def refuse(self, error: Unavailable) -> None:
        """A refusal has just come."""
        self.refused.append((len(self.changes), error))

    def until(self, step: int) -> Acknowledged:
        """What had been acknowledged when `step` steps were done."""
        found = Acknowledged()
        for at, change in self.changes:
            if at <= step:
                change(found)
        return found


async def load(store: Store, history: History, rounds: int, chance: random.Random) -> None:
    """Six clients that create, touch and end sessions; an Unavailable is counted and not acknowledged."""
    await seed(store, users=USERS, clients=())
    await go_on(store, history, range(rounds), chance)


async def go_on(store: Store, history: History, lives: range, chance: random.Random) -> None:
    """More of the same, on a store that has been seeded."""
    names = iter(lives)
    await asyncio.gather(*(_client(store, history, names, chance) for _ in range(6)))


async def sweep(store: Store, history: History) -> None:
    """End everything by a cutoff, write that back session by session, and purge what is old: nothing."""
    try:
        await _cut_off(store, history, f"sweep_{history.mark()}")
        for held in (await store.overdue(NOW, 1_000)).sessions:
            name = held.session.id
            event = name.replace("sess_", "evt_") + "_end"
            change = UpdateSession(
                session=settle(held.session, held.cutoffs, NOW), expected_version=held.session.version
            )
            await store.commit([change, AppendEvent(make_event(event, session_id=name))])
            history.note(lambda found, event=event: found.events.add(event))
        await store.purge(ended_before=NOW - DAY, events_before=NOW - DAY, once_before=NOW - DAY, limit=100)
    except Unavailable as error:
        history.refuse(error)


async def _client(store: Store, history: History, names: object, chance: random.Random) -> None:
    for n in names:  # pyright: ignore[reportGeneralTypeIssues]  # one iterator shared by all clients
        try:
            await _life(store, history, f"{n}", chance)
        except Unavailable as error:
            history.refuse(error)
            await asyncio.sleep(0)


async def _life(store: Store, history: History, n: str, chance: random.Random) -> None:
    name, user, at = f"sess_{n}", chance.choice(USERS), NOW + chance.randrange(1_000)
    session = make_session(name, user_id=user, client_id=f"client_{n}")
    created: list[Operation] = [
        InsertClient(make_client(f"client_{n}")),
        InsertSession(session),
        AppendEvent(make_event(f"evt_{n}", session_id=name, note="x" * chance.randrange(600))),
    ]
    await store.commit(created)
    history.note(lambda found: (found.sessions.update({name: NOW}), found.events.add(f"evt_{n}")))
    if await store.touch(name, now=at):
        history.note(lambda found: found.sessions.update({name: at}))
    if chance.random() < 0.5:
        held = await store.session(name)
        if held is None:
            return history.wrong.append(f"{name} is not there for its own client")
        before = held.session
        change = UpdateSession(session=end(before, at=at), expected_version=before.version)
        # A cutoff by another client may be faster; then the session has ended by that.
        with suppress(Refused):
            await store.commit([change, AppendEvent(make_event(f"evt_{n}_end", session_id=name))])
            history.note(lambda found: (found.ended.add(name), found.events.add(f"evt_{n}_end")))
    if chance.random() < 0.05:
        await _cut_off(store, history, n)


async def _cut_off(store: Store, history: History, n: str) -> None:
    covered = set(history.until(history.mark()).sessions)
    cutoff = make_cutoff(SubjectKind.INSTANCE)
    await store.commit([InsertCutoff(cutoff), AppendEvent(make_event(f"evt_{n}_all"))])
    history.note(lambda found: (found.ended.update(covered), found.events.add(f"evt_{n}_all")))


async def missing(store: Store, expected: Acknowledged) -> list[str]:
    """What the store does not have that was acknowledged."""
    wrong: list[str] = []
    for name, active_at in expected.sessions.items():
        held = await store.session(name)
        if held is None:
            wrong.append(f"{name} is gone")
        elif name in expected.ended and settle(held.session, held.cutoffs, NOW).live:
            wrong.append(f"{name} lives again")
        elif held.session.last_active_at < active_at:
            wrong.append(f"{name} was touched at {active_at}")
    page = await store.events(None, 10_000)
    return wrong + [f"{event} is gone" for event in expected.events - {event.id for event in page.events}]


async def halves(store: Store) -> list[str]:
    """What of a change is there without the rest of it: every change of the load comes with an event."""
    sessions = (await store.sessions(SessionQuery(now=NOW, limit=10_000))).items
    created = {held.session.id.replace("sess_", "evt_") for held in sessions}
    ended = {
        held.session.id.replace("sess_", "evt_") + "_end"
        for held in sessions
        if held.session.ending is not None
    }
    logged = {event.id for event in (await store.events(None, 10_000)).events if event.id[-4:] != "_all"}
    return [f"{event} has no event or no session" for event in (created | ended) ^ logged]


async def losses(path: Path, expected: Acknowledged) -> list[str]:
    """Open what is left with SQLite's own VFS. What is wrong with it; empty when nothing is."""
    store = await SqliteStore.open(str(path))
    try:
        wrong = await missing(store, expected) + await halves(store)
        # It goes on from here.
        await seed(store, users=("user_after",), clients=("client_after",))
        after = make_session("sess_after", user_id="user_after", client_id="client_after")
        await store.commit([InsertSession(replace(after, status=Status.PENDING))])
    finally:
        await store.close()
    connection = apsw.Connection(str(path))
    if (found := connection.pragma("integrity_check")) != "ok":
        wrong.append(f"integrity_check: {found}")
    if found := connection.pragma("foreign_key_check"):
        wrong.append(f"foreign_key_check: {found}")
    connection.close()
    return wrong

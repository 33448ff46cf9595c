"""Stores that break a promise about lists, the log or keeping house, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sojourn.core.lifecycle import NO_CUTOFFS, SubjectKind, settle
from sojourn.core.session import Status
from sojourn.service.ports import EventPage, Held, Operation, Overdue, SessionPage, SessionQuery
from sojourn.stores.memory import MemoryStore
from sojourn.testing.contract.base import NOW, make_cutoff
from tests.contract.broken import breaks

# Lists -----------------------------------------------------------------------------------------------------


class Listing(MemoryStore):
    """Lists what it makes of all sessions."""

    def chosen(self, every: list[Held], query: SessionQuery) -> list[Held]:
        """The page."""
        raise NotImplementedError

    async def sessions(self, query: SessionQuery) -> SessionPage:
        whole = await super().sessions(replace(query, offset=0, limit=500, count=True))
        items = self.chosen(list(whole.items), query)
        return SessionPage(items, whole.total if query.count else None)


@breaks("test_newest_first_within_one_ms")
class SortsById(Listing):
    """The order of a list is that of the ids."""

    def chosen(self, every: list[Held], query: SessionQuery) -> list[Held]:
        ordered = sorted(every, key=lambda held: held.session.id, reverse=True)
        return ordered[query.offset : query.offset + query.limit]


@breaks("test_newest_first_with_a_clock_set_back")
class SortsByClock(Listing):
    """The order of a list is that of the instants."""

    def chosen(self, every: list[Held], query: SessionQuery) -> list[Held]:
        ordered = sorted(every, key=lambda held: held.session.created_at, reverse=True)
        return ordered[query.offset : query.offset + query.limit]


@breaks("test_pages_have_no_gaps_and_no_repeats", limit=4)
class RepeatsOnPages(Listing):
    """Each page begins with the last item of the one before."""

    def chosen(self, every: list[Held], query: SessionQuery) -> list[Held]:
        start = max(query.offset - 1, 0)
        return every[start : start + query.limit]


@breaks("test_a_total_is_counted_on_demand")
class CountsThePage(MemoryStore):
    """The total is that of the page."""

    async def sessions(self, query: SessionQuery) -> SessionPage:
        page = await super().sessions(query)
        return SessionPage(page.items, len(page.items) if query.count else None)


@breaks("test_statuses_are_those_of_the_instant")
class FiltersWhatIsStored(MemoryStore):
    """The filter looks at the stored status."""

    async def sessions(self, query: SessionQuery) -> SessionPage:
        page = await super().sessions(replace(query, statuses=None, limit=500))
        wanted = query.statuses or frozenset(Status)
        return SessionPage([held for held in page.items if held.session.status in wanted])


TIE: dict[str, Any] = {
    "created_at": NOW - 5000,
    "last_active_at": NOW - 5000,
    "updated_at": NOW - 5000,
    "expire_at": NOW + 10**9,
    "abandon_at": NOW,
    "inactivity_seconds": None,
    "status": Status.ACTIVE,
    "user_id": 0,
    "client_id": 0,
}


@breaks(
    "test_a_filter_finds_what_settle_puts_there",
    steps=[TIE, make_cutoff(subject="0", at=NOW, status=Status.REVOKED)],
    now=NOW,
)
class SettlesTiesDifferently(MemoryStore):
    """In its filter abandonment goes before a cutoff of the same instant."""

    async def sessions(self, query: SessionQuery) -> SessionPage:
        page = await super().sessions(replace(query, statuses=None, excluded=frozenset(), limit=500))

        def status(held: Held) -> Status:
            if held.session.abandon_at <= query.now:
                return Status.ABANDONED
            return settle(held.session, held.cutoffs, query.now).status

        wanted = (query.statuses or frozenset(Status)) - query.excluded
        found = [held for held in page.items if status(held) in wanted]
        return SessionPage(found[: query.limit], len(found))


# The log ---------------------------------------------------------------------------------------------------


@breaks("test_nothing_appears_behind_a_reader")
class InsertsBehindReaders(MemoryStore):
    """What is committed last takes a place before what can be read already."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        events, newest = self._tables.events, self._tables.given.get("event", 0)
        await asyncio.sleep(0)
        if newest > 1:
            events[newest], events[newest - 1] = events[newest - 1], events[newest]


@breaks("test_a_position_of_another_epoch_is_lost")
class KnowsNoEpoch(MemoryStore):
    """Positions count across epochs."""

    async def events(self, after: str | None, limit: int) -> EventPage:
        if after is not None and "." in after:
            after = f"{self._epoch()}.{after.rpartition('.')[2]}"
        return await super().events(after, limit)


@breaks("test_a_purge_of_events_keeps_the_newer_ones")
class SkipsInSilence(MemoryStore):
    """A reader who comes too late is given what is left, as if nothing were missing."""

    async def events(self, after: str | None, limit: int) -> EventPage:
        newest = self._tables.given.get("event", 0)
        if after is not None and int(after.rpartition(".")[2]) < newest - len(self._tables.events):
            after = None
        return await super().events(after, limit)


@breaks("test_a_position_so_far_back")
class StepsBackTooFar(MemoryStore):
    """One event more lies behind the position than was asked for."""

    async def position_back(self, count: int) -> str:
        return await super().position_back(count + 1)


@breaks("test_a_commit_wakes_whoever_waits")
class SleepsOn(MemoryStore):
    """Only the time wakes whoever waits."""

    async def wait_for_commit(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@breaks("test_the_last_cutoff_of_a_user")
class LooksAtTheUsersOwn(MemoryStore):
    """A cutoff of the instance is none of the user's."""

    async def last_cutoff_at(self, user_id: str) -> int:
        cutoffs = self._tables.cutoffs.get((SubjectKind.USER, user_id), ())
        return max((cutoff.at for cutoff in cutoffs), default=0)


# Keeping house ---------------------------------------------------------------------------------------------


@breaks("test_a_session_found_to_live_is_not_handed_out_again")
class SweepsInCircles(MemoryStore):
    """Whatever is stored as live is handed out, over and over."""

    async def overdue(self, now: int, limit: int) -> Overdue:
        live = [self._held(session) for session in self._tables.sessions.values() if session.live]
        return Overdue(live[:limit])


@breaks("test_what_a_cutoff_covers_is_found", kind=SubjectKind.INSTANCE)
class SweepsDeadlinesOnly(MemoryStore):
    """Cutoffs are left to be settled for ever."""

    async def overdue(self, now: int, limit: int) -> Overdue:
        live = [session for session in self._tables.sessions.values() if session.live]
        ended = [self._held(session) for session in live if not settle(session, NO_CUTOFFS, now).live]
        return Overdue(ended[:limit])


@breaks("test_no_place_in_the_order_is_given_twice")
class GivesPlacesAgain(MemoryStore):
    """The next place is one more than the highest that is still stored."""

    async def purge(self, **instants: int) -> int:
        gone = await super().purge(**instants)
        self._tables.given["session"] = max((s.sequence for s in self._tables.sessions.values()), default=0)
        return gone


@breaks("test_what_is_stored_as_live_stays")
class PurgesUnannounced(MemoryStore):
    """What has ended long ago is purged before its end was written and announced."""

    async def purge(self, **instants: int) -> int:
        before = instants["ended_before"]
        late = [s for s in self._tables.sessions.values() if s.live and s.expire_at < before]
        for session in late:
            self._tables.forget_session(session)
        return len(late) + await super().purge(**instants)


@breaks("test_a_purge_is_bounded")
class PurgesWithoutBound(MemoryStore):
    """Everything goes at once."""

    async def purge(self, **instants: int) -> int:
        return await super().purge(**{**instants, "limit": 10**9})

"""Stores that break a promise about touches, updates, commits or cutoffs, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sojourn.core.lifecycle import NO_CUTOFFS, SubjectKind, settle
from sojourn.core.session import Activity, Session, Status
from sojourn.service.ports import AppendEvent, DeleteUser, InsertOnce, Operation, UpdateSession, UpdateUser
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks

# Touches and updates ---------------------------------------------------------------------------------------


class Meddling(MemoryStore):
    """Does something more to a session after each accepted touch."""

    def meddle(self, session: Session, now: int) -> Session:
        """What becomes of the session."""
        raise NotImplementedError

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        done = await super().touch(session_id, now=now, activity=activity)
        if done:
            self._tables.sessions[session_id] = self.meddle(self._tables.sessions[session_id], now)
        return done


class Rewriting(MemoryStore):
    """Changes operations before it does them."""

    def rewrite(self, operation: Operation) -> Operation:
        """What is done instead."""
        raise NotImplementedError

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit([self.rewrite(operation) for operation in operations])


@breaks("test_a_touch_writes_its_columns_only")
class CountsTouches(Meddling):
    """A touch raises the version."""

    def meddle(self, session: Session, now: int) -> Session:
        return replace(session, version=session.version + 1)


@breaks("test_activity_never_goes_back")
class BelievesTheClock(Meddling):
    """A touch writes whatever the clock says."""

    def meddle(self, session: Session, now: int) -> Session:
        return replace(session, last_active_at=now)


@breaks("test_a_touch_moves_the_inactivity_deadline_and_no_other")
class Slides(Meddling):
    """A touch prolongs the maximum lifetime."""

    def meddle(self, session: Session, now: int) -> Session:
        return replace(session, expire_at=max(session.expire_at, now + 10**9))


@breaks("test_a_touch_behind_a_cutoff_is_refused", kind=SubjectKind.CLIENT)
class TouchesBehindCutoffs(MemoryStore):
    """A touch looks at deadlines only."""

    async def touch(self, session_id: str, *, now: int, activity: Activity | None = None) -> bool:
        found = self._tables.sessions.get(session_id)
        if found is None or not settle(found, NO_CUTOFFS, now).live:
            return False
        self._tables.sessions[session_id] = replace(found, last_active_at=max(now, found.last_active_at))
        return True


@breaks("test_an_update_of_another_version_is_refused")
class IgnoresVersions(Rewriting):
    """The last writer wins."""

    def rewrite(self, operation: Operation) -> Operation:
        if not isinstance(operation, UpdateSession):
            return operation
        stored = self._tables.sessions.get(operation.session.id)
        return replace(operation, expected_version=stored.version) if stored else operation


@breaks("test_an_end_by_inactivity_loses_to_a_touch")
class IgnoresActivity(Rewriting):
    """An end by inactivity overlooks the touch in between."""

    def rewrite(self, operation: Operation) -> Operation:
        return (
            replace(operation, expected_active_at=None) if isinstance(operation, UpdateSession) else operation
        )


@breaks("test_an_end_is_never_undone", status=Status.REVOKED)
class Resurrects(MemoryStore):
    """An ended session can be updated like any other."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, UpdateSession):
                stored = self._tables.sessions[operation.session.id]
                if stored.version == operation.expected_version:
                    self._tables.sessions[stored.id] = replace(stored, ending=None)
        await super().commit(operations)


@breaks("test_an_update_writes_state_and_nothing_else")
class WritesEverything(MemoryStore):
    """An update replaces the whole session."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateSession):
                self._tables.sessions[operation.session.id] = operation.session


# Commits ---------------------------------------------------------------------------------------------------


@breaks("test_all_or_nothing", refused="user_missing by a deletion")
class CommitsByHalves(MemoryStore):
    """What was done before the refused operation stays."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            await super().commit([operation])


@breaks("test_of_racing_ends_one_wins_and_stays")
class LooksBeforeItLeaps(IgnoresVersions):
    """The version is compared, and then somebody else has a turn before the change is written."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, UpdateSession):
                stored = self._tables.sessions[operation.session.id]
                if stored.version != operation.expected_version or not stored.live:
                    await MemoryStore.commit(self, operations)
        await asyncio.sleep(0)
        await super().commit(operations)


@breaks("test_a_commit_is_read_at_once")
class AcknowledgesEarly(MemoryStore):
    """A commit is acknowledged before it can be read."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        if any(isinstance(operation, AppendEvent) for operation in operations) and self._tables.given.get(
            "session"
        ):
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.create_task, super().commit(operations))
        else:
            await super().commit(operations)


@breaks("test_an_insert_for_a_banned_user_is_refused")
class OverlooksBans(MemoryStore):
    """A banned user may sign in."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for user in list(self._tables.users.values()):
            self._tables.users[user.id] = replace(user, banned=False)
        await super().commit(operations)


@breaks("test_a_creation_is_remembered_once")
class Repeats(MemoryStore):
    """An idempotency key can be used again."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, InsertOnce):
                self._tables.once.pop(operation.digest, None)
        await super().commit(operations)


@breaks("test_a_deleted_user_is_gone")
class KeepsUsers(Rewriting):
    """Deleting a user bans instead."""

    def rewrite(self, operation: Operation) -> Operation:
        if not isinstance(operation, DeleteUser):
            return operation
        user = replace(self._tables.users[operation.user_id], banned=True)
        return UpdateUser(user=user, expected_version=user.version)


@breaks("test_a_change_of_a_user_undoes_no_sign_in_and_no_activity")
class ForgetsSignIns(MemoryStore):
    """A change of a user writes back what it had read of sign-ins and activity."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, UpdateUser):
                self._tables.users[operation.user.id] = operation.user


# Cutoffs ---------------------------------------------------------------------------------------------------


class RewritingCutoffs(MemoryStore):
    """Changes what is stored of cutoffs after each commit."""

    def stored(self, cutoffs: tuple[Any, ...]) -> tuple[Any, ...]:
        """What is kept of a subject's cutoffs."""
        raise NotImplementedError

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for subject, cutoffs in list(self._tables.cutoffs.items()):
            self._tables.cutoffs[subject] = self.stored(cutoffs)


@breaks("test_a_cutoff_covers_what_was_created_before", kind=SubjectKind.USER, step=0)
class CoversTheFuture(RewritingCutoffs):
    """A cutoff ends what is created later."""

    def stored(self, cutoffs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(cutoff, sequence=10**9) for cutoff in cutoffs)


@breaks("test_of_several_cutoffs_the_first_that_covers_counts", kind=SubjectKind.INSTANCE)
class KeepsTheLastCutoff(RewritingCutoffs):
    """A later cutoff takes the place of an earlier one."""

    def stored(self, cutoffs: tuple[Any, ...]) -> tuple[Any, ...]:
        return cutoffs[-1:]


@breaks("test_the_instants_of_a_subject_never_go_back", kind=SubjectKind.CLIENT)
class CutsInThePast(RewritingCutoffs):
    """A cutoff by a clock that was set back lies before the one before it."""

    def stored(self, cutoffs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*cutoffs[:-1], replace(cutoffs[-1], at=cutoffs[-1].at - len(cutoffs)))

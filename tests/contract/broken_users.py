"""Stores that break a promise about lists and numbers of users, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.directory import User
from sojourn.service.ports import InsertSession, Operation, UpdateUser, UserOrder, UserQuery
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks
from tests.contract.broken_writes import Rewriting


class Asking(MemoryStore):
    """Answers another query than the one asked."""

    def heard(self, query: UserQuery) -> UserQuery:
        """What is answered instead."""
        raise NotImplementedError

    async def users(self, query: UserQuery) -> Sequence[User]:
        return await super().users(self.heard(query))


@breaks("test_users_are_listed_in_the_order_of_creation")
class ListsByUpdate(Asking):
    """Whoever was changed last comes last."""

    def heard(self, query: UserQuery) -> UserQuery:
        return replace(query, order=UserOrder.UPDATED)


@breaks("test_a_page_begins_behind_a_user", descending=True)
class RepeatsTheLastOne(Asking):
    """A page begins with the user whom it should begin behind."""

    def heard(self, query: UserQuery) -> UserQuery:
        if query.after is None:
            return query
        at, sequence = query.after
        return replace(query, after=(at, sequence + (1 if query.descending else -1)))


@breaks("test_a_page_begins_behind_a_user", descending=False)
class LosesThoseOfTheSameInstant(Asking):
    """A page begins behind everybody who was created in the same ms."""

    def heard(self, query: UserQuery) -> UserQuery:
        if query.after is None:
            return query
        return replace(query, after=(query.after[0], 0 if query.descending else 10**9))


@breaks(
    "test_users_are_filtered", query={"usernames": ("name_c",), "email_addresses": ("a@example.org",)}, ids=""
)
class TakesEitherFilter(Asking):
    """One of two filters is enough."""

    def heard(self, query: UserQuery) -> UserQuery:
        return replace(query, email_addresses=None) if query.usernames is not None else query


@breaks("test_users_are_filtered", query={"banned": False}, ids="dcab")
class HearsNoFalse(Asking):
    """Not banned is taken for banned or not."""

    def heard(self, query: UserQuery) -> UserQuery:
        return replace(query, banned=query.banned or None)


@breaks("test_users_are_filtered", query={"text": "FIRST"}, ids="cab")
class CountsItsPage(MemoryStore):
    """Tells how many are on the page."""

    async def count_users(self, query: UserQuery) -> int:
        return len(await self.users(replace(query, limit=1)))


@breaks("test_users_are_sorted", order=UserOrder.FIRST_NAME, ids="debac")
class PutsNothingLast(MemoryStore):
    """Users without what is sorted by come after all others."""

    async def users(self, query: UserQuery) -> Sequence[User]:
        found = await super().users(replace(query, limit=500, offset=0))
        found = sorted(found, key=lambda user: user.first_name is None)
        return found[query.offset : query.offset + query.limit]


@breaks("test_users_are_found_by_what_they_have_now")
class KeepsOldNames(Rewriting):
    """A change leaves the name as it was."""

    def rewrite(self, operation: Operation) -> Operation:
        if isinstance(operation, UpdateUser):
            name = self._tables.users[operation.user.id].first_name
            return replace(operation, user=replace(operation.user, first_name=name))
        return operation


@breaks("test_an_insert_for_a_locked_user_is_refused")
class SignsLockedUsersIn(MemoryStore):
    """A lock keeps nobody out."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, InsertSession):
                user = self._tables.users[operation.session.user_id]
                self._tables.users[user.id] = replace(user, locked=False)
        await super().commit(operations)

"""Users on SQLite: what a list goes by, and that a search that looks at too much is broken off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import apsw
import pytest

from sojourn.core.errors import TooBroad
from sojourn.service.ports import InsertUser, UserOrder, UserQuery
from sojourn.stores.sql import migrations
from sojourn.stores.sqlite import SqliteStore, migrate
from sojourn.stores.sqlite.driver import Connection
from sojourn.stores.sqlite.users import page_of
from sojourn.testing.contract.base import NOW, make_user

BY_AGE = "SCAN u USING INDEX users_by_age"
BY_ID = "SEARCH u USING INDEX sqlite_autoindex_users_1 (id=?)"
PLANS = {
    "everybody": (UserQuery(), BY_AGE),
    "the oldest first": (UserQuery(descending=False), BY_AGE),
    "behind a user": (UserQuery(after=(NOW, 7)), "SEARCH u USING INDEX users_by_age"),
    "created since": (UserQuery(created_after=NOW), "SEARCH u USING INDEX users_by_age"),
    "some ids": (UserQuery(ids=("user_a",)), BY_ID),
    "an external id": (UserQuery(external_ids=("42",)), BY_ID),
    "an e-mail address": (UserQuery(email_addresses=("a@x.org",)), BY_ID),
    "members": (UserQuery(organization_ids=("org_a",)), BY_ID),
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """An empty database."""
    made = cast(Connection, apsw.Connection(str(tmp_path / "plans.db")))
    migrate.bring_up(made, migrations("sqlite"), allowed=True)
    yield made
    made.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A store with 2,000 users."""
    made = await SqliteStore.open(str(tmp_path / "store.db"))
    await made.commit([InsertUser(make_user(f"user_{n}", first_name=f"First{n}")) for n in range(2000)])
    yield made
    await made.close()


@pytest.mark.parametrize("name", PLANS)
def test_a_list_goes_by_an_index(connection: Connection, name: str) -> None:
    """What is asked for most is found by an index, and by creation nothing is sorted."""
    query, expected = PLANS[name]
    statement = page_of(query)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.bindings)]
    assert [step for step in steps if step.startswith(expected)], steps
    if expected != BY_ID:
        assert not [step for step in steps if "TEMP B-TREE" in step]


BROAD = {
    "a text that nobody has": UserQuery(text="nobody"),
    "an order without an index": UserQuery(order=UserOrder.FIRST_NAME),
    "a filter without one": UserQuery(banned=True),
}


@pytest.mark.parametrize("name", BROAD)
async def test_a_search_that_looks_at_too_much_is_broken_off(store: SqliteStore, name: str) -> None:
    """Past its steps it is TooBroad, page and number alike; what goes by an index is not, and the store goes
    on answering. With steps enough it is answered."""
    query = BROAD[name]
    found = await store.users(query)
    store._reads.search_steps = 5_000
    with pytest.raises(TooBroad):
        await store.users(query)
    if query.text is not None:
        with pytest.raises(TooBroad):
            await store.count_users(query)
    assert len(await store.users(UserQuery(limit=50))) == 50
    assert [user.id for user in await store.users(UserQuery(ids=("user_7",)))] == ["user_7"]
    store._reads.search_steps = 50_000_000
    assert await store.users(query) == found


async def test_a_broad_search_does_not_hold_up_the_loop(store: SqliteStore) -> None:
    """While it runs in its thread, other reads are answered."""
    search = asyncio.create_task(store.count_users(UserQuery(text="nobody")))
    answered = 0
    while not search.done():
        assert await store.user("user_7") is not None
        answered += 1
        await asyncio.sleep(0)
    assert await search == 0
    assert answered

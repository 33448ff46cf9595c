"""Organizations on SQLite: the plan of every statement, and what may not hold up the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from sojourn.service.ports import (
    DeleteMembership,
    DeleteOrganization,
    InsertOrganization,
    MembershipQuery,
    OrganizationOrder,
    OrganizationQuery,
)
from sojourn.stores.sql import migrations, queries
from sojourn.stores.sqlite import SqliteStore, migrate, organizations
from sojourn.stores.sqlite.driver import Connection
from sojourn.testing.contract.base import NOW
from sojourn.testing.contract.memberships import the_member
from sojourn.testing.contract.organizations import make_organization, populate

SQL = queries("sqlite")
PLANS = {
    "organization_get": "SEARCH o USING INDEX sqlite_autoindex_organizations_1 (id=?)",
    "organization_by_slug": "SEARCH o USING INDEX sqlite_autoindex_organizations_2 (slug=?)",
    "organization_update": "SEARCH organizations USING INDEX sqlite_autoindex_organizations_1 (id=?)",
    "organizations_created": "SEARCH organizations USING COVERING INDEX organizations_by_creator "
    "(created_by=?)",
    "membership_get": "SEARCH m USING INDEX sqlite_autoindex_memberships_2 (organization_id=? AND user_id=?)",
    "membership_exists": "SEARCH memberships USING COVERING INDEX sqlite_autoindex_memberships_2 "
    "(organization_id=? AND user_id=?)",
    "membership_delete": "SEARCH memberships USING INDEX sqlite_autoindex_memberships_1 (id=?)",
    "membership_note_none": "SEARCH memberships USING INDEX memberships_by_user (user_id=?)",
    "session_in_organization": "SEARCH s USING INDEX sqlite_autoindex_sessions_1 (id=?)",
    "sessions_leave_organization": "SEARCH sessions USING INDEX sessions_by_organization (organization_id=?)",
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
    """An empty store."""
    made = await SqliteStore.open(str(tmp_path / "store.db"))
    yield made
    await made.close()


def plan(connection: Connection, sql: str) -> list[str]:
    """How SQLite runs a statement, whatever its bindings are."""
    allow = apsw.allow_missing_dict_bindings(True)
    try:
        bindings = (None,) * sql.count("?") if "?" in sql else {}
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]
    finally:
        apsw.allow_missing_dict_bindings(allow)


@pytest.mark.parametrize("name", PLANS)
def test_a_statement_uses_its_index(connection: Connection, name: str) -> None:
    """Nothing walks a table or sorts."""
    steps = plan(connection, SQL[name])
    assert PLANS[name] in steps
    assert not [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE" in step]


def test_the_next_organization_is_found_among_those_of_the_user(connection: Connection) -> None:
    """The few memberships of one user are looked up and sorted, no others."""
    steps = plan(connection, SQL["next_organization"])
    assert steps[0] == "SEARCH memberships USING INDEX memberships_by_user (user_id=?)"


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ({"organization_id": "a"}, "SEARCH m USING INDEX memberships_by_organization (organization_id=?)"),
        ({"user_ids": ("a",)}, "SEARCH m USING INDEX memberships_by_user (user_id=?)"),
    ],
)
def test_a_list_of_members_uses_an_index(connection: Connection, query: dict[str, Any], first: str) -> None:
    """Of an organization or of a user no membership of others is looked at."""
    where, _ = organizations._of_memberships(MembershipQuery(**query))
    steps = plan(connection, f"{SQL['membership_page']} {where} ORDER BY m.seq DESC LIMIT 10")
    assert first in steps
    assert not [step for step in steps if step.startswith("SCAN") and "json_each" not in step]


def test_a_list_of_organizations_walks_by_age(connection: Connection) -> None:
    """The newest come without sorting all."""
    where, _ = organizations._of_organizations(OrganizationQuery())
    column = organizations._ORGANIZATION_ORDER[OrganizationOrder.CREATED]
    sql = f"{SQL['organization_page']} {where} ORDER BY {column} DESC, o.seq DESC LIMIT 10"
    assert plan(connection, sql) == ["SCAN o USING INDEX organizations_by_age"]


async def test_a_deletion_does_not_hold_up_the_event_loop(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It changes as many rows as there are sessions and members, so it runs in the writer's thread; what
    changes few rows does not."""
    await populate(store, {"a": "x"})
    went: list[bool] = []
    run = store._writer.run

    async def noted(work: Any, *, long: bool = False) -> Any:
        went.append(long)
        return await run(work, long=long)

    monkeypatch.setattr(store._writer, "run", noted)
    member = (await the_member(store, "org_a", "user_x")).membership
    await store.commit([DeleteMembership(membership=member, expected_version=1, now=NOW)])
    await store.commit([InsertOrganization(make_organization("org_b"))])
    await store.commit([DeleteOrganization(organization_id="org_a", now=NOW)])
    assert went == [False, False, True]

"""The commands for organizations."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sojourn import Config, NewUser, Sojourn
from tests.test_cli import refused, run, run_json

URL = "sqlite:///sojourn.db"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def user(folder: Path) -> str:
    """The id of a user who is there."""

    async def fill() -> str:
        async with Sojourn.open(config=Config(database_url=URL, sweep=False)) as sojourn:
            return (await sojourn.users.create(NewUser(username="anna"))).id

    return asyncio.run(fill())


def test_an_organization_from_creation_to_deletion(folder: Path, user: str) -> None:
    """Made with its administrator, shown by id and slug, listed with its members, deleted; for people and for
    programs."""
    made = run_json(folder, "organizations", "create", "Team", "--slug", "team", "--created-by", user)
    other = run(folder, "organizations", "create", "Other").stdout.strip()
    assert (made["name"], made["slug"], made["created_by"]) == ("Team", "team", user)
    for name in (made["id"], "team"):
        assert run_json(folder, "organizations", "show", name)["members_count"] == 1
    shown = run(folder, "organizations", "show", "team").stdout
    assert "Team" in shown
    assert "members_count" in shown
    lines = run(folder, "organizations", "list").stdout.splitlines()
    assert lines[0].split() == ["organization", "slug", "name", "members", "created"]
    assert [line.split()[0] for line in lines[1:]] == [other, made["id"]]
    (member,) = run_json(folder, "organizations", "members", "team")["members"]
    assert (member["public_user_data"]["user_id"], member["role"]) == (user, "org:admin")
    assert "anna" in run(folder, "organizations", "members", made["id"]).stdout
    assert "It has no members." in run(folder, "organizations", "members", other).stdout
    assert run_json(folder, "organizations", "delete", made["id"]) == {"id": made["id"], "deleted": True}
    assert "deleted" in run(folder, "organizations", "delete", other).stdout
    assert "No organization fits." in run(folder, "organizations", "list").stdout


def test_filters_and_errors(folder: Path, user: str) -> None:
    """Filters and the limit hold; what is not there or does not fit is one line of explanation."""
    mine = run_json(folder, "organizations", "create", "Mine", "--created-by", user)["id"]
    for n in range(2):
        run_json(folder, "organizations", "create", f"Other {n}", "--max-allowed-memberships", "1")

    def listed(*arguments: str) -> list[str]:
        found = run_json(folder, "organizations", "list", *arguments)["organizations"]
        return [one["name"] for one in found]

    assert listed() == ["Other 1", "Other 0", "Mine"]
    assert listed("--limit", "1") == ["Other 1"]
    assert listed("--user-id", user) == ["Mine"]
    assert listed("--query", "other") == ["Other 1", "Other 0"]
    assert listed("--query", mine) == ["Mine"]
    for command in ("show", "delete", "members"):
        assert "org_none" in refused(folder, "organizations", command, "org_none")
    assert "slug" in refused(folder, "organizations", "create", "A", "--slug", "A B")

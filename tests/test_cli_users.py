"""The commands for users."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sojourn import Config, Sojourn
from tests.test_cli import refused, run, run_json

URL = "sqlite:///sojourn.db"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def statuses(user_id: str) -> list[str]:
    """The statuses of a user's sessions, of which one more is made if that is allowed."""

    async def ask() -> list[str]:
        async with Sojourn.open(config=Config(database_url=URL, sweep=False)) as sojourn:
            return [one.status.value for one in await sojourn.sessions.list(user_id=user_id)]

    return asyncio.run(ask())


def sign_in(user_id: str) -> None:
    """Make a session."""

    async def make() -> None:
        async with Sojourn.open(config=Config(database_url=URL, sweep=False)) as sojourn:
            await sojourn.sessions.create(user_id=user_id)

    asyncio.run(make())


def test_a_user_from_creation_to_deletion(folder: Path) -> None:
    """Made, shown by both ids, locked, banned with the sessions, and deleted; for people and for programs."""
    made = run_json(
        folder, "users", "create", "--external-id", "42", "--first-name", "Ada", "--email-address", "a@x.org"
    )
    user = made["id"]
    for name in (user, "42"):
        assert run_json(folder, "users", "show", name) == made
    shown = run(folder, "users", "show", "42").stdout
    assert "Ada" in shown
    assert "two_factor_enabled" not in shown
    sign_in(user)
    assert f"{user} is locked." in run(folder, "users", "lock", "42").stdout
    assert run_json(folder, "users", "unlock", user)["locked"] is False
    assert statuses(user) == ["active"]
    assert run_json(folder, "users", "ban", "42")["banned"] is True
    assert statuses(user) == ["revoked"]
    assert "banned" in run(folder, "users", "list").stdout
    assert f"{user} is not banned." in run(folder, "users", "unban", user).stdout
    assert run_json(folder, "users", "delete", "42") == {"id": user, "deleted": True}
    assert "No user fits." in run(folder, "users", "list").stdout


def test_filters_and_errors(folder: Path) -> None:
    """Filters and the limit hold, and it is told how many there are; what is not there or does not fit is one
    line of explanation."""
    users = [
        run_json(folder, "users", "create", "--username", name)["id"] for name in ("anna", "bert", "hanna")
    ]
    run(folder, "users", "ban", users[1])

    def listed(*arguments: str) -> list[str]:
        return [one["id"] for one in run_json(folder, "users", "list", *arguments)["users"]]

    assert listed() == users[::-1]
    assert listed("--limit", "1") == [users[2]]
    assert listed("--query", "ANNA") == [users[2], users[0]]
    assert listed("--banned") == [users[1]]
    assert listed("--no-banned", "--query", "bert") == []
    lines = run(folder, "users", "list", "--limit", "2").stdout.splitlines()
    assert lines[0].split() == ["user", "external", "id", "name", "state", "active", "on", "created"]
    assert lines[-1] == "2 of 3; more with --limit."
    for command in ("show", "lock", "delete"):
        assert "user_none" in refused(folder, "users", command, "user_none")
    assert "somebody" in refused(folder, "users", "show", "somebody")
    assert "username" in refused(folder, "users", "create", "--username", "anna")

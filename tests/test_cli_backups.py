"""R14: backup and restore. What was revoked after the backup never lives again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sojourn import Config, Sojourn
from sojourn.core.errors import PositionLost
from sojourn.core.session import Session, Status
from tests.postgres.cluster import binary
from tests.postgres.databases import Databases
from tests.test_cli import refused, run, run_json


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A database, and one to restore into."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        return "sqlite:///first.db", "sqlite:///second.db"
    databases: Databases = request.getfixturevalue("databases")
    monkeypatch.setenv("PATH", f"{Path(binary('pg_dump')).parent}{os.pathsep}{os.environ['PATH']}")
    return databases.new(), databases.new()


async def created(url: str, count: int) -> tuple[list[Session], str]:
    """New sessions, and the position behind their events."""
    async with Sojourn.open(config=Config(database_url=url, sweep=False)) as sojourn:
        user = await sojourn.users.ensure(external_id="42")
        made = [await sojourn.sessions.create(user_id=user.id) for _ in range(count)]
        return made, await sojourn.events.end()


async def revoke(url: str, session_id: str) -> None:
    """Revoke a session."""
    async with Sojourn.open(config=Config(database_url=url, sweep=False)) as sojourn:
        await sojourn.sessions.revoke(session_id)


def test_r14_a_restore_resurrects_nothing(urls: tuple[str, str], tmp_path: Path) -> None:
    """Sessions of before the backup have ended, positions of before are lost, users are there, and new
    sessions live. The control, the backup as it is, holds the session that was revoked since as active."""
    source, copy = urls
    made, position = asyncio.run(created(source, 2))
    run(tmp_path, "backup", "one.backup", "--database-url", source)
    asyncio.run(revoke(source, made[0].id))
    if source.startswith("sqlite"):
        assert asyncio.run(status("sqlite:///one.backup", made[0].id)) is Status.ACTIVE
    told = run_json(tmp_path, "restore", "one.backup", "--database-url", copy)
    assert [asyncio.run(status(copy, one.id)) for one in made] == [Status.REVOKED] * 2

    async def look() -> None:
        async with Sojourn.open(config=Config(database_url=copy, sweep=False)) as sojourn:
            assert sojourn.instance.epoch == told["epoch"]
            with pytest.raises(PositionLost):
                await sojourn.events.read(position)
            later = await sojourn.sessions.create(user_id=made[0].user_id)
            assert (await sojourn.sessions.get(later.id)).status is Status.ACTIVE

    asyncio.run(look())


async def status(url: str, session_id: str) -> Status:
    """Where a session stands in a database."""
    async with Sojourn.open(config=Config(database_url=url, sweep=False)) as sojourn:
        return (await sojourn.sessions.get(session_id)).status


def test_neither_replaces_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup over a file and a restore over a database are refused, as is a restore of nothing."""
    monkeypatch.chdir(tmp_path)
    asyncio.run(created("sqlite:///first.db", 1))
    url = ("--database-url", "sqlite:///first.db")
    assert "exists already" in refused(tmp_path, "backup", "first.db", *url)
    run(tmp_path, "backup", "one.backup", *url)
    assert (tmp_path / "one.backup").stat().st_mode & 0o077 == 0
    assert "exists already" in refused(tmp_path, "restore", "one.backup", *url)
    assert "There is no" in refused(tmp_path, "restore", "two.backup", "--database-url", "sqlite:///b.db")

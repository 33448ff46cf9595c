"""The commands for operating: sessions, policy, doctor, bench."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from sojourn import Config, Sojourn
from sojourn.core.session import Actor, Session
from tests.support import clean_environment, serving
from tests.test_cli import refused, run, run_json

URL = "sqlite:///sojourn.db"
SECRET = "sk_test_operating_0000000000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sessions(folder: Path) -> list[Session]:
    """Three sessions of one user, the last one with an actor and made by a shop."""

    async def fill() -> list[Session]:
        async with Sojourn.open(config=Config(database_url=URL, sweep=False)) as sojourn:
            user = await sojourn.users.ensure(external_id="42")
            made = [await sojourn.sessions.create(user_id=user.id) for _ in range(2)]
            actor = Actor("boss", {})
            return [
                *made,
                await sojourn.sessions.create(user_id=user.id, actor=actor, application="shop"),
            ]

    return asyncio.run(fill())


def test_listing(folder: Path, sessions: list[Session]) -> None:
    """A table for people, an object for programs; filters and limit hold."""
    text = run(folder, "sessions", "list").stdout
    lines = text.splitlines()
    assert lines[0].split() == ["session", "user", "status", "created", "last", "active", "expires"]
    assert [line.split()[0] for line in lines[1:]] == [s.id for s in reversed(sessions)]
    found = run_json(folder, "sessions", "list", "--actor", "boss")["sessions"]
    assert [one["id"] for one in found] == [sessions[2].id]
    assert len(run_json(folder, "sessions", "list", "--limit", "2")["sessions"]) == 2
    assert run_json(folder, "sessions", "list", "--status", "revoked")["sessions"] == []
    assert "No session fits." in run(folder, "sessions", "list", "--user-id", "user_none").stdout


def test_show_and_explain(folder: Path, sessions: list[Session]) -> None:
    """All facts of one session; why it will end, and after its end, who ended it and why."""
    one = sessions[2].id
    assert run_json(folder, "sessions", "show", one)["application"] == "shop"
    assert "application" in run(folder, "sessions", "show", one).stdout
    assert "by inactivity, later with activity" in run(folder, "sessions", "explain", one).stdout
    run(folder, "sessions", "revoke", one, "--reason", "lost phone")
    text = run(folder, "sessions", "explain", one).stdout
    for words in (f"{one} is revoked.", "by application", "Reason given: lost phone", "session.created"):
        assert words in text
    assert "sess_none" in refused(folder, "sessions", "show", "sess_none")


def test_revoking_many(folder: Path, sessions: list[Session]) -> None:
    """A dry run counts; what fits ends and the rest lives; everything takes a word of its own."""
    assert run_json(folder, "sessions", "revoke", "--application", "shop", "--dry-run") == {"count": 1}
    assert len(run_json(folder, "sessions", "list", "--status", "active")["sessions"]) == 3
    assert run_json(folder, "sessions", "revoke", "--application", "shop") == {"ended": 1}
    live = run_json(folder, "sessions", "list", "--status", "active")["sessions"]
    assert {one["id"] for one in live} == {s.id for s in sessions[:2]}
    assert "say which ones" in refused(folder, "sessions", "revoke")
    assert "say which ones" in refused(folder, "sessions", "revoke", sessions[0].id, "--all")
    assert run_json(folder, "sessions", "revoke", "--all") == {"ended": 2}
    assert run_json(folder, "sessions", "list", "--status", "active")["sessions"] == []


def test_presets_of_the_policy(folder: Path) -> None:
    """Shown with their sources, one used, an unknown one refused with the names there are."""
    shown = run_json(folder, "policy", "presets")["presets"]
    assert [one["name"] for one in shown] == ["clerk", "nist-aal1", "nist-aal2", "nist-aal3", "asvs-l2"]
    assert "800-63B-4" in run(folder, "policy", "presets").stdout
    used = run_json(folder, "policy", "use", "nist-aal3")
    assert (used["lifetime_seconds"], used["inactivity_seconds"]) == (43_200, 900)
    assert run_json(folder, "policy", "show") == used
    assert "asvs-l2" in refused(folder, "policy", "use", "nist-aal4")


def test_the_policy(folder: Path) -> None:
    """Shown, changed for other processes too, refused by name, and taken back."""
    before = run_json(folder, "policy", "show")
    changed = run_json(folder, "policy", "set", "lifetime_seconds=3600", "inactivity_seconds=1800")
    assert changed == {
        **before,
        "lifetime_seconds": 3600,
        "inactivity_seconds": 1800,
        "changed": ["inactivity_seconds", "lifetime_seconds"],
    }
    assert run_json(folder, "policy", "show") == changed
    assert "changed" in run(folder, "policy", "show").stdout
    assert run_json(folder, "policy", "set", "inactivity_seconds=null")["inactivity_seconds"] is None
    assert "lifetime is no member" in refused(folder, "policy", "set", "lifetime=1")
    assert "NAME=VALUE" in refused(folder, "policy", "set", "lifetime_seconds")
    assert "at least one" in refused(folder, "policy", "set")
    assert run_json(folder, "policy", "reset") == before


def test_the_doctor(folder: Path, sessions: list[Session]) -> None:
    """A healthy database has no errors, and what is worth a warning has advice; nothing is changed."""
    before = (folder / "sojourn.db").read_bytes()
    master = base64.b64encode(bytes(32)).decode()
    found = run_json(folder, "doctor", SOJOURN_MASTER_KEY=master, SOJOURN_SECRET_KEY=SECRET)
    assert found["ok"]
    names = [finding["name"] for finding in found["findings"]]
    for name in ("configuration", "store", "durability", "sessions", "disk", "sweeper", "clock", "API keys"):
        assert name in names
    levels = {finding["name"]: finding["level"] for finding in found["findings"]}
    assert levels["keys at rest"] == "warning"
    assert set(levels.values()) == {"ok", "warning"}
    assert "Set SOJOURN_MASTER_KEY" in run(folder, "doctor").stdout
    assert (folder / "sojourn.db").read_bytes() == before


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        ("UPDATE events SET at = at + 10000000000000", "clock"),
        ("UPDATE api_keys SET revoked_at = 1", "API keys"),
        ("DELETE FROM schema_migrations WHERE version > 1", "database"),
        ("UPDATE schema_migrations SET checksum = 'x'", "database"),
    ],
)
def test_the_doctor_finds_what_is_wrong(folder: Path, sessions: list[Session], spoil: str, name: str) -> None:
    """A clock that was set back, no live key, a schema that does not fit: an error, and an exit with 1."""
    connection = apsw.Connection("sojourn.db")
    connection.execute(spoil)
    connection.close()
    done = run(folder, "doctor")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("error")]
    assert name in line


def test_the_doctor_makes_nothing(folder: Path) -> None:
    """Without a database there is an error and still no database; a bad setting is an error too."""
    assert run(folder, "doctor").returncode == 1
    assert not (folder / "sojourn.db").exists()
    done = run(folder, "doctor", SOJOURN_PORT="many")
    assert (done.returncode, "configuration" in done.stdout) == (1, True)


def test_bench_verify(folder: Path) -> None:
    """Measures every contender, in microseconds a token, and needs no server."""
    found = run_json(folder, "bench", "verify", "--rounds", "2")
    assert set(found) == {
        "raw_us", "cold_us", "seen_us", "joserfc_us", "pyjwt_us", "clerk_backend_api_us"
    }  # fmt: skip
    assert all(value > 0 for value in found.values())


def test_bench_http(folder: Path) -> None:
    """Measures a running server without errors and leaves no user behind; refuses without a key or server."""
    with serving(folder, SOJOURN_SECRET_KEY=SECRET) as server:
        found = run_json(
            folder,
            "bench",
            "http",
            server.url,
            "--seconds",
            "0.3",
            "--connections",
            "4",
            SOJOURN_SECRET_KEY=SECRET,
        )
        assert [one["errors"] for one in found["results"]] == [0, 0, 0]
        assert all(one["rate"] > 1 and one["p50_ms"] <= one["p99_ms"] for one in found["results"])
        assert "401" in refused(folder, "bench", "http", server.url, SOJOURN_SECRET_KEY=SECRET + "x")
    assert "SOJOURN_SECRET_KEY" in refused(folder, "bench", "http")
    refused(folder, "bench", "http", "http://127.0.0.1:1", SOJOURN_SECRET_KEY=SECRET)
    connection = apsw.Connection(str(folder / "sojourn.db"))
    assert connection.execute("SELECT count(*) FROM users").fetchall() == [(0,)]


def test_completion_can_be_installed(folder: Path) -> None:
    """The shell learns the commands."""
    done = subprocess.run(
        [sys.executable, "-m", "sojourn", "--install-completion", "--shell", "bash"],
        cwd=folder,
        env={**clean_environment(), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    scripts = [path for path in folder.rglob("*") if path.is_file() and "sojourn" in path.name]
    assert any("explain" in path.read_text() for path in scripts if path.suffix != ".db")

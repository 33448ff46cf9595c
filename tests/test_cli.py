"""The commands, run as a person or a script runs them."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from sojourn.tokens import envelope
from sojourn.tokens.envelope import MasterKey
from tests.support import Server, clean_environment, free_port, serving, wait_until_ready

MASTER, OTHER = (base64.b64encode(bytes(range(n, n + 32))).decode() for n in (1, 101))


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself, in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "sojourn", *arguments],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    return done


def run_json(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """The object that a command prints with --json: one, on one line, the last of standard output."""
    done = run(folder, *arguments, "--json", **environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len([line for line in lines if line.startswith("{")]) == 1
    return json.loads(lines[-1])


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """What a command says that cannot be done: one line on standard error, and an exit with 2."""
    done = run(folder, *arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()[-1:]
    assert line.startswith("sojourn: ")
    return line


def start_and_stop(folder: Path, *arguments: str, **environment: str) -> tuple[str, int]:
    """What `serve` prints to standard output until it is stopped, and its exit code."""
    port = free_port()
    log = folder / "stderr.log"
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "sojourn", "serve", "--port", str(port), *arguments],
            cwd=folder,
            env=clean_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=20)
    return printed.decode(), process.returncode


def test_the_first_start_announces_its_keys_once(tmp_path: Path) -> None:
    """The first start prints keys and a snippet to paste, the second prints nothing; the key works."""
    printed, code = start_and_stop(tmp_path)
    assert code == 0
    (secret,) = set(re.findall(r"sk_live_[0-9a-f]{64}", printed))
    (publishable,) = set(re.findall(r"pk_live_[A-Za-z0-9+/=]+", printed))
    assert base64.b64decode(publishable.removeprefix("pk_live_")).startswith(b"127.0.0.1:")
    for word in (
        "CLERK_SECRET_KEY=",
        "CLERK_API_URL=http://127.0.0.1:",
        "createClerkClient",
        "Clerk(bearer_auth=",
    ):
        assert word in printed
    assert (tmp_path / "sojourn.db").exists()
    assert secret not in (tmp_path / "stderr.log").read_text()
    again, code = start_and_stop(tmp_path)
    assert (again, code) == ("", 0)
    (key,) = run_json(tmp_path, "keys", "list")["keys"]
    assert secret.startswith(key["hint"])


def test_in_memory_the_keys_are_announced_at_every_start(tmp_path: Path) -> None:
    """A database in memory has its keys announced by the one process that holds it."""
    for _ in range(2):
        printed, code = start_and_stop(tmp_path, "--database-url", "memory://")
        assert code == 0
        assert len(set(re.findall(r"sk_live_[0-9a-f]{64}", printed))) == 1
    assert not list(tmp_path.glob("*.db"))


def test_given_keys_are_not_announced(tmp_path: Path) -> None:
    """With a secret key given, nothing is made and nothing printed."""
    printed, _ = start_and_stop(tmp_path, SOJOURN_SECRET_KEY="sk_test_aaaaaaaaaaaaaaaaaaaa")
    assert printed == ""


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["serve"], {"SOJOURN_NONSENSE": "1"}, "SOJOURN_NONSENSE"),
        (["serve"], {"SOJOURN_PORT": "http"}, "port"),
        (["serve", "--port", "99999"], {}, "port"),
        (["serve", "--workers", "0"], {}, "workers"),
        (["serve", "--database-url", "mysql://x"], {}, "database_url"),
        (["serve", "--database-url", "memory://", "--workers", "2"], {}, "memory://"),
        (["serve", "--config", "missing.toml"], {}, "missing.toml"),
        (["serve"], {"SOJOURN_SECRET_KEY": "sk_short"}, "20"),
        (["serve"], {"SOJOURN_PUBLISHABLE_KEY": "pk_test_x"}, "publishable key"),
        (["serve"], {"SOJOURN_MASTER_KEY": "x"}, "SOJOURN_MASTER_KEY"),
        (["serve"], {"SOJOURN_POLICY_LIFETIME": "60"}, "lifetime"),
        (["serve", "--database-url", "sqlite:///no/such/folder/a.db"], {}, "no/such/folder"),
        (["keys", "list"], {"SOJOURN_NONSENSE": "1"}, "SOJOURN_NONSENSE"),
        (["keys", "rekey"], {}, "--plain"),
        (["keys", "rekey", "--new-master-key-file", "missing"], {}, "missing"),
        (["migrate"], {"SOJOURN_DATABASE_URL": "x"}, "database_url"),
        (["sweep"], {"SOJOURN_DATABASE_URL": "x"}, "database_url"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], named: str
) -> None:
    """An unusable setting ends the command with 2 and one line that names it."""
    assert named in refused(tmp_path, *arguments, **environment)


def test_no_arguments_and_odd_ones(tmp_path: Path) -> None:
    """Help is printed for nobody in particular; an unknown command or option is an error."""
    assert "serve" in run(tmp_path, "--help").stdout
    assert "--database-url" in run(tmp_path, "serve", "--help").stdout
    assert run(tmp_path, "--version").stdout.strip()
    for arguments in (["dance"], ["serve", "--dance"], ["keys", "create", "royal"]):
        assert run(tmp_path, *arguments).returncode != 0


def test_keys_list_and_create(tmp_path: Path) -> None:
    """Keys are made of either kind, printed once, and listed by their beginnings only."""
    made = run_json(tmp_path, "keys", "create")
    verifier = run(tmp_path, "keys", "create", "verifier").stdout.strip()
    assert made["kind"] == "secret"
    assert re.fullmatch(r"vk_live_[0-9a-f]{64}", verifier)
    rows = run_json(tmp_path, "keys", "list")["keys"]
    assert [row["kind"] for row in rows] == ["secret", "secret", "verifier"]
    assert all(len(row["hint"]) == 12 for row in rows)
    assert {row["revoked_at"] for row in rows} == {None}
    text = run(tmp_path, "keys", "list").stdout
    assert rows[0]["id"] in text
    assert made["key"] not in text


def test_rekey(tmp_path: Path) -> None:
    """The stored keys are sealed, put under another key and laid open; each step wants the right key."""
    run_json(tmp_path, "migrate")
    run_json(tmp_path, "keys", "list")
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(MASTER + "\n")
    second.write_text(OTHER)

    def sealed_with() -> str | None:
        """The master key that every stored key is under."""
        connection = apsw.Connection(str(tmp_path / "sojourn.db"))
        materials = [row[0] for row in connection.execute("SELECT material FROM stored_keys")]
        connection.close()
        (one,) = {envelope.sealed_with(material) for material in materials}
        return one

    ids = [MasterKey.parse(text).id for text in (MASTER, OTHER)]
    assert sealed_with() is None
    assert run_json(tmp_path, "keys", "rekey", "--new-master-key-file", "first") == {"master_key_id": ids[0]}
    assert sealed_with() == ids[0]
    assert "SOJOURN_MASTER_KEY" in refused(tmp_path, "keys", "list")
    moved = run(tmp_path, "keys", "rekey", "--new-master-key-file", str(second), SOJOURN_MASTER_KEY=MASTER)
    assert ids[1] in moved.stdout
    assert sealed_with() == ids[1]
    assert ids[1] in refused(tmp_path, "keys", "list", SOJOURN_MASTER_KEY=MASTER)
    plain = run_json(tmp_path, "keys", "rekey", "--plain", SOJOURN_MASTER_KEY=OTHER)
    assert plain == {"master_key_id": None}
    assert sealed_with() is None
    (tmp_path / "bad").write_text("no key")
    said = refused(tmp_path, "keys", "rekey", "--new-master-key-file", "bad")
    assert "bad" in said
    assert "no key" not in said


def test_migrate_and_sweep(tmp_path: Path) -> None:
    """Both can be done by hand, any number of times."""
    for _ in range(2):
        assert run_json(tmp_path, "migrate") == {"migrated": True}
        assert run_json(tmp_path, "sweep") == {"swept": 0, "purged": 0}
    assert "up to date" in run(tmp_path, "migrate").stdout
    assert "0 sessions" in run(tmp_path, "sweep").stdout


def test_a_switched_off_migration_refuses_an_empty_database(tmp_path: Path) -> None:
    """Where migrating is switched off, only `migrate` does it."""
    assert refused(tmp_path, "keys", "list", SOJOURN_MIGRATE="false")
    run_json(tmp_path, "migrate", SOJOURN_MIGRATE="false")
    assert len(run_json(tmp_path, "keys", "list", SOJOURN_MIGRATE="false")["keys"]) == 1


def test_relative_and_absolute_urls(tmp_path: Path) -> None:
    """Three slashes are relative to the folder of the process, four are absolute."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "sub").mkdir(parents=True)
    run_json(elsewhere, "migrate", "--database-url", "sqlite:///sub/a.db")
    run_json(elsewhere, "migrate", "--database-url", f"sqlite:///{tmp_path}/b.db")
    assert (elsewhere / "sub/a.db").exists()
    assert (tmp_path / "b.db").exists()


def test_the_command_line_wins(tmp_path: Path) -> None:
    """An argument wins over a variable, and a variable over the file."""
    (tmp_path / "my.toml").write_text('database_url = "sqlite:///file.db"\n')
    run_json(tmp_path, "migrate", "--config", "my.toml")
    run_json(tmp_path, "migrate", "--config", "my.toml", SOJOURN_DATABASE_URL="sqlite:///variable.db")
    run_json(
        tmp_path,
        "migrate",
        "--database-url",
        "sqlite:///argument.db",
        SOJOURN_CONFIG="my.toml",
        SOJOURN_DATABASE_URL="sqlite:///variable.db",
    )
    assert sorted(p.name for p in tmp_path.glob("*.db")) == ["argument.db", "file.db", "variable.db"]


def headers(server: Server) -> dict[str, str]:
    """The header with the server's key."""
    return {"Authorization": f"Bearer {server.secret_key}"}


def test_it_is_ready_within_seconds(tmp_path: Path) -> None:
    """On an empty database the first answer comes within a few seconds of the start."""
    began = time.monotonic()
    with serving(tmp_path) as server:
        assert time.monotonic() - began < 5
        assert httpx.get(f"{server.url}/livez").json() == {"status": "live"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_workers_serve_one_database_and_stop(tmp_path: Path, workers: str) -> None:
    """All workers see what each of them did, and SIGTERM ends the server with 0."""
    with serving(tmp_path, "--workers", workers) as server:
        user = httpx.post(f"{server.url}/v1/users", headers=headers(server)).json()["id"]

        def create(_: int) -> str:
            answer = httpx.post(f"{server.url}/v1/sessions", json={"user_id": user}, headers=headers(server))
            assert answer.status_code == 200
            return answer.json()["id"]

        with ThreadPoolExecutor(4) as pool:
            made = set(pool.map(create, range(20)))
            urls = [f"{server.url}/v1/sessions?limit=500&user_id={user}"] * 8
            for listed in pool.map(lambda url: httpx.get(url, headers=headers(server)).json(), urls):
                assert {session["id"] for session in listed} == made
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
    log = server.log.read_text()
    assert "Traceback" not in log
    assert server.secret_key not in log


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_in_flight_is_answered(tmp_path: Path, workers: str) -> None:
    """A request that has begun when the signal to stop comes gets its answer, and it has been done."""
    with serving(tmp_path, "--workers", workers) as server:
        user = httpx.post(f"{server.url}/v1/users", headers=headers(server)).json()["id"]
        body = json.dumps({"user_id": user}).encode()
        head = (
            f"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.secret_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(
            ("127.0.0.1", int(server.url.rsplit(":", 1)[1])), timeout=10
        ) as connection:
            connection.sendall(head.encode() + body[:5])
            time.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.7)
            assert server.process.poll() is None
            connection.sendall(body[5:])
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        session = json.loads(answer.partition(b"\r\n\r\n")[2])["id"]
        assert server.process.wait(20) == 0
    stored = apsw.Connection(str(server.database))
    assert list(stored.execute("SELECT id FROM sessions")) == [(session,)]
    stored.close()


def test_a_taken_port(tmp_path: Path) -> None:
    """A port that somebody else listens on ends the command with an error and without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(tmp_path, "serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode not in (0, 2)
    assert "in use" in done.stderr


def test_without_the_server_extra(tmp_path: Path) -> None:
    """Where the extra is not installed, the command says what to install."""
    code = "import sys; sys.modules['cyclopts'] = None; from sojourn.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "sojourn[server]" in done.stderr
    assert "Traceback" not in done.stderr

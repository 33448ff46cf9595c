"""Nothing secret is written anywhere: canaries go in, and everything that comes out is searched for them."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import httpx
import pytest

from tests.support import Server, clean_environment, serving

JWT = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.")
PEM = re.compile(rb"-----BEGIN|PRIVATE KEY-----")
MASTER = os.urandom(32)


@dataclass
class Found:
    """What was sent and answered, and what was written meanwhile."""

    nowhere: dict[str, bytes] = field(default_factory=dict)
    """Must not be written anywhere."""
    not_logged: dict[str, bytes] = field(default_factory=dict)
    """Belongs into the database and into no log."""
    user: bytes = b""
    session: bytes = b""
    trace: bytes = b""
    log: bytes = b""
    database: bytes = b""


def exercise(server: Server, found: Found) -> None:
    """Requests that succeed and requests that fail, each with something secret in it."""

    def canary(name: str) -> str:
        text = f"canary-{name}-{os.urandom(8).hex()}"
        found.nowhere[name] = text.encode()
        return text

    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {server.secret_key}"}) as http:
        found.not_logged = {
            name: f"canary-{name}-{os.urandom(8).hex()}".encode() for name in ("metadata", "email", "name")
        }
        stored = {name: text.decode() for name, text in found.not_logged.items()}
        body = {
            "private_metadata": {"note": stored["metadata"]},
            "email_address": [f"{stored['email']}@x.org"],
            "first_name": stored["name"],
        }
        user = http.post("/v1/users", json=body).json()["id"]
        again = http.post("/v1/users", json=body)
        assert again.status_code == 422
        once = {"Idempotency-Key": canary("idempotency-key")}
        session = http.post("/v1/sessions", json={"user_id": user}, headers=once).json()["id"]
        token = http.post(f"/v1/sessions/{session}/tokens", json={"expires_in_seconds": 3600}).json()["jwt"]
        found.nowhere["token"] = token.encode()
        found.nowhere["signature"] = token.rpartition(".")[2].encode()
        assert http.post(f"/v1/sessions/{session}/verify", json={"token": token}).status_code == 200
        assert http.post("/v1/sessions/sess_x/verify", json={"token": token}).status_code == 404
        assert http.post(f"/v1/sessions/{session}/verify", json={"token": token[:-9]}).status_code == 400
        assert http.post("/v1/users", json={"password": canary("password")}).status_code == 422
        assert http.post("/v1/users", json={canary("member"): 1}).status_code == 422
        assert http.post("/v1/users", content=f'{{"x": "{canary("broken-body")}"').status_code == 400
        assert http.get("/v1/sessions", params={"status": canary("query")}).status_code == 422
        wrong = {"Authorization": f"Bearer sk_test_{canary('wrong-key')}"}
        assert http.get("/v1/sessions", headers=wrong).status_code == 401
        assert http.get("/v1/sessions", headers={"Authorization": canary("odd-header")}).status_code == 401
        assert (
            http.get("/v1/sessions", headers={"Cookie": f"__session={canary('cookie')}"}).status_code == 200
        )
        assert http.get("/nowhere", headers={"X-Odd": canary("header")}).status_code == 404
        assert http.post(f"/v1/sessions/{session}/revoke").status_code == 200
        made = subprocess.run(
            [sys.executable, "-m", "sojourn", "keys", "create", "verifier", "--json"],
            env=clean_environment(
                SOJOURN_DATABASE_URL=f"sqlite:///{server.database}",
                **(
                    {"SOJOURN_MASTER_KEY": base64.b64encode(MASTER).decode()}
                    if "master" in found.nowhere
                    else {}
                ),
            ),
            capture_output=True,
            text=True,
            check=True,
        )
        found.nowhere["verifier key"] = json.loads(made.stdout)["key"].encode()
        assert made.stderr.encode().count(found.nowhere["verifier key"]) == 0
        # A fault with a traceback: somebody takes a table away.
        other = apsw.Connection(str(server.database))
        other.set_busy_timeout(5000)
        other.execute("ALTER TABLE user_identifiers RENAME TO gone")
        broken = http.post("/v1/users", json={"external_id": canary("fault"), **body})
        other.execute("ALTER TABLE gone RENAME TO user_identifiers")
        other.close()
        assert broken.status_code == 500, broken.text
        assert "gone" not in broken.text
        found.user, found.session = user.encode(), session.encode()
        found.trace = broken.headers["clerk-trace-id"].encode()


def files(folder: Path) -> bytes:
    """The raw bytes of the database and the files beside it."""
    return b"".join(file.read_bytes() for file in sorted(folder.glob("sojourn.db*")))


@pytest.fixture(scope="module", params=["sealed", "plain"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Everything that a server wrote, while it ran and after, with and without a master key."""
    folder = tmp_path_factory.mktemp(request.param)
    result = Found()
    environment = {"SOJOURN_LOG_LEVEL": "debug", "SOJOURN_LOG_FORMAT": "json"}
    if request.param == "sealed":
        environment["SOJOURN_MASTER_KEY"] = base64.b64encode(MASTER).decode()
        result.nowhere["master"] = base64.b64encode(MASTER)
        result.nowhere["master, raw"] = MASTER
        result.nowhere["master, hex"] = MASTER.hex().encode()
    with serving(folder, **environment) as server:
        result.nowhere["secret key"] = server.secret_key.encode()
        result.nowhere["secret key, random part"] = server.secret_key.removeprefix("sk_test_").encode()
        exercise(server, result)
        result.database = files(folder)
    result.database += files(folder)
    result.log = server.log.read_bytes()
    return result


def test_the_search_can_find(found: Found) -> None:
    """The control: what is no secret is found in the database and in the log by the same search."""
    assert found.user in found.database
    assert found.session in found.database
    assert found.session in found.log
    assert found.trace in found.log
    assert b"Traceback" in found.log
    for text in found.not_logged.values():
        assert text in found.database
    assert JWT.search(b"x" + found.nowhere["token"])


def test_no_canary_is_written(found: Found) -> None:
    """H-04: no key, token or refused value is in any log or in the database, running or stopped."""
    assert len(found.nowhere) > 12
    for name, text in found.nowhere.items():
        assert text not in found.log, f"{name} is in the log"
        assert text not in found.database, f"{name} is in the database"


def test_personal_data_is_not_logged(found: Found) -> None:
    """Metadata, addresses and names stay in the database."""
    for name, text in found.not_logged.items():
        assert text not in found.log, f"{name} is in the log"


def test_no_token_and_no_key_by_their_looks(found: Found, request: pytest.FixtureRequest) -> None:
    """Nothing that looks like a session token or a private key is written, known to this test or not."""
    assert not JWT.search(found.log)
    assert not JWT.search(found.database)
    assert not PEM.search(found.log)
    sealed = "master" in found.nowhere
    # Without a master key the private key does lie there: the control, and what the warning is about.
    assert bool(PEM.search(found.database)) is not sealed
    assert (b"stored in the clear" in found.log) is not sealed


def test_every_line_of_the_log_is_json(found: Found) -> None:
    """With the format json, each line is an object with time, level, logger and message."""
    lines = found.log.splitlines()
    assert len(lines) > 20
    for line in lines:
        assert {"time", "level", "logger", "message"} <= set(json.loads(line))

"""`keys rotate`, `keys revoke` and `keys list`, against a database and against a running server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support import Server, serving
from tests.test_cli import refused, run, run_json


def environment(server: Server) -> dict[str, str]:
    """The settings of a command beside a running server."""
    return {"SOJOURN_DATABASE_URL": f"sqlite:///{server.database}"}


def headers(key: str) -> dict[str, str]:
    """The header with a key."""
    return {"Authorization": f"Bearer {key}"}


def published(server: Server) -> list[str]:
    """The kids that a verifier is given."""
    answer = httpx.get(f"{server.url}/v1/jwks", headers=headers(server.secret_key))
    return [key["kid"] for key in answer.json()["keys"]]


def wait(met: Callable[[], bool], seconds: float) -> None:
    """Return once it is so; fail when it takes longer."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_rotate_and_list(tmp_path: Path) -> None:
    """A rotation is listed with its instants, as values and as text; a second one at once is refused, and so
    is a time that is too short."""
    (first,) = run_json(tmp_path, "keys", "list")["signing_keys"]
    assert (first["state"], first["published_until"]) == ("current", None)
    made = run_json(tmp_path, "keys", "rotate")
    assert made["activates_at"] - made["created_at"] == 600_000
    listed = run_json(tmp_path, "keys", "list")["signing_keys"]
    assert [key["state"] for key in listed] == ["current", "upcoming"]
    assert listed == [first, made]
    text = run(tmp_path, "keys", "list").stdout
    assert made["kid"] in text
    assert "upcoming" in text
    assert "signs from 20" in text
    assert made["kid"] in refused(tmp_path, "keys", "rotate")
    assert "370" in refused(tmp_path, "keys", "rotate", "--publish-seconds", "60")
    assert "emergency" in refused(tmp_path, "keys", "rotate", "--publish-seconds", "600", "--emergency")
    emergency = run_json(tmp_path, "keys", "rotate", "--emergency")
    assert emergency["state"] == "current"
    states = {key["kid"]: key["state"] for key in run_json(tmp_path, "keys", "list")["signing_keys"]}
    withdrawn = dict.fromkeys((first["kid"], made["kid"]), "withdrawn")
    assert states == {**withdrawn, emergency["kid"]: "current"}


def test_a_running_server_takes_part_in_a_rotation(tmp_path: Path) -> None:
    """Every worker gives out the new key as soon as the command has ended; after an emergency every worker
    signs with it soon, and none gives out an old one from the start."""
    with serving(tmp_path, "--workers", "2") as server:
        (old,) = published(server)
        user = httpx.post(f"{server.url}/v1/users", headers=headers(server.secret_key)).json()["id"]
        body = {"user_id": user}
        answer = httpx.post(f"{server.url}/v1/sessions", json=body, headers=headers(server.secret_key))
        tokens = f"{server.url}/v1/sessions/{answer.json()['id']}/tokens"

        def signed_by() -> str:
            answer = httpx.post(tokens, headers=headers(server.secret_key))
            segment = answer.json()["jwt"].split(".")[0]
            return json.loads(base64.urlsafe_b64decode(segment + "=="))["kid"]

        new = run_json(tmp_path, "keys", "rotate", **environment(server))["kid"]
        assert {tuple(published(server)) for _ in range(20)} == {(old, new)}
        assert {signed_by() for _ in range(20)} == {old}
        last = run_json(tmp_path, "keys", "rotate", "--emergency", **environment(server))["kid"]
        assert {tuple(published(server)) for _ in range(20)} == {(last,)}
        wait(lambda: {signed_by() for _ in range(20)} == {last}, 30)


def test_revoke(tmp_path: Path) -> None:
    """A running server refuses a revoked key within a second; the last secret key takes --force, and the
    refusal says why."""
    with serving(tmp_path, "--workers", "2") as server:
        second = run_json(tmp_path, "keys", "create", **environment(server))["key"]
        first_row, second_row = run_json(tmp_path, "keys", "list", **environment(server))["keys"]

        def statuses(key: str) -> set[int]:
            url = f"{server.url}/v1/jwks"
            return {httpx.get(url, headers=headers(key)).status_code for _ in range(20)}

        assert statuses(second) == {200}
        row = run_json(tmp_path, "keys", "revoke", second_row["id"], **environment(server))
        assert row == {**second_row, "revoked_at": row["revoked_at"]}
        assert row["revoked_at"] is not None
        time.sleep(1.1)
        assert statuses(second) == {401}
        assert "revoked 20" in run(tmp_path, "keys", "list", **environment(server)).stdout
        said = refused(tmp_path, "keys", "revoke", first_row["id"], **environment(server))
        assert "--force" in said
        assert "nobody can call" in said
        assert statuses(server.secret_key) == {200}
        forced = run(tmp_path, "keys", "revoke", first_row["id"], "--force", **environment(server))
        assert forced.returncode == 0
        time.sleep(1.1)
        assert statuses(server.secret_key) == {401}
    assert "key_none" in refused(tmp_path, "keys", "revoke", "key_none", **environment(server))

"""Real applications before a real server: keys over HTTP, revocations over the feed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from sojourn.tokens.keys import SigningKey
from sojourn.verify import Options, Reason, SignedOut, Verifier
from sojourn.verify.feed import Feed
from tests.integrations.apps import FRONTS
from tests.support import Server, free_port, serving
from tests.verify.helpers import made

WITHIN_SECONDS = 20
"""Generous, for a machine that does other things too; how fast the feed is, benchmarks tell."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all fronts."""
    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    """The Backend API."""
    headers = {"Authorization": f"Bearer {server.secret_key}", "Content-Type": "application/json"}
    with httpx.Client(base_url=f"{server.url}/v1", headers=headers, timeout=30) as client:
        yield client


def session(api: httpx.Client) -> tuple[str, list[tuple[str, str]]]:
    """A new session's id, and the headers of a request with a token of it that is good for ten minutes."""
    user = api.post("/users", json={}).json()["id"]
    identifier = api.post("/sessions", json={"user_id": user}).json()["id"]
    token = api.post(f"/sessions/{identifier}/tokens", json={"expires_in_seconds": 600}).json()["jwt"]
    return identifier, [("Authorization", f"Bearer {token}")]


@pytest.mark.parametrize("front", FRONTS)
def test_revoked_in_the_middle(front: str, server: Server, api: httpx.Client) -> None:
    """A session that is revoked at the server is refused by the application though its token is good for
    minutes, and another one is not. Control: a verifier without the feed goes on accepting it."""
    options = Options(publishable_key=server.publishable_key)
    with (
        Feed(server.url, key=server.secret_key) as feed,
        Verifier(options, api_url=server.url, key=server.secret_key, revocations=feed) as verifier,
        Verifier(options, api_url=server.url, key=server.secret_key) as without,
    ):
        assert feed.wait_until_fresh(WITHIN_SECONDS)
        ask = FRONTS[front](verifier)
        (revoked, headers), (_, others) = session(api), session(api)
        assert [ask(place, headers).status for place in ("/closed", "/async", "/open")] == [200, 200, 200]
        assert api.post(f"/sessions/{revoked}/revoke").status_code == 200
        deadline = time.monotonic() + WITHIN_SECONDS
        while ask("/closed", headers).status != 401:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert ask("/open", headers).body["reason"] == "session-revoked"
        assert ask("/closed", others).status == 200
        control = FRONTS[front](without)
        assert control("/closed", headers).status == 200


def test_keys_that_cannot_be_had(server: Server) -> None:
    """A wrong secret key, and a server that is not there, each has its reason, and neither is a failure."""
    with Verifier(api_url=server.url, key="sk_test_wrong") as verifier:
        assert verifier.token(some_token()) == SignedOut(reason=Reason.SECRET_KEY_INVALID)
    with Verifier(api_url=f"http://127.0.0.1:{free_port()}", key="sk_test_x") as verifier:
        assert verifier.token(some_token()) == SignedOut(reason=Reason.JWK_REMOTE_FAILED_TO_LOAD)


def some_token() -> str:
    """A well-formed token of a key that nobody has."""
    return made(SigningKey.generate("ins_unknown"))

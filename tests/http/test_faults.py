"""When the service is at fault: the storage, a bug, a start that is not done."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import StringIO

import httpx
import pytest

from sojourn import NewUser, Sojourn, telemetry
from sojourn.core.errors import ConfigurationError, StorageFailed, StorageFull, Unavailable
from sojourn.http.app import App, Message
from sojourn.http.backend import OPERATIONS
from sojourn.http.routes import Operation
from sojourn.service.ports import Refused, Store
from sojourn.testing import ManualClock
from tests.embedded import all_events, opened, user_id, watch
from tests.http.conftest import check_answer, check_error, new_session

VERBS = (
    *("session", "sessions", "client", "clients", "user", "users", "user_by", "commit", "once", "instance"),
    *("ticket", "ticket_by"),
    *("organization", "organization_by_slug", "organizations", "membership", "memberships"),
)
BODIES = {
    "createSession": {"user_id": "user_x"},
    "VerifySession": {"token": "x"},
    "CreateActorToken": {"user_id": "user_x", "actor": {"sub": "user_y"}},
    "CreateSignInToken": {"user_id": "user_x"},
    "CreateOrganization": {"name": "A"},
    "CreateOrganizationMembership": {"user_id": "user_x", "role": "org:admin"},
    "UpdateOrganizationMembership": {"role": "org:admin"},
    "CreateJWTTemplate": {"name": "a", "claims": {}},
    "UpdateJWTTemplate": {"name": "a", "claims": {}},
    "VerifyClient": {"token": "x"},
    "RefreshSession": {"expired_token": "x", "refresh_token": "x", "request_origin": "https://x.test"},
}
QUERIES = {"GetHandshakePayload": {"nonce": "x"}}
"""What an operation needs to come as far as the store."""
BEFORE = {
    "VerifySession": (400, "invalid_session_token"),
    "VerifyClient": (400, "cookie_invalid"),
    "RefreshSession": (401, "expired_session_token_invalid"),
}
"""Where a token is looked at before anything is read, what such a one is answered with."""
EVERY = {name for name in dir(Store) if not name.startswith("_")} - {"api_key", "close"}
"""The verbs of a store, but for the one by which a caller is known."""
STORELESS = ("GetJWKS", "GetPublicJWKS", "CreateTestingToken")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Unavailable("busy"), 503, "service_unavailable"),
        (StorageFailed("disk I/O error"), 503, "storage_failed"),
        (StorageFull("database or disk is full"), 507, "storage_full"),
    ],
)
async def test_storage_faults(
    http: httpx.AsyncClient, sojourn: Sojourn, fault: Exception, status: int, code: str
) -> None:
    """A storage that does not answer is 503, a full one 507, each with a time to try again."""
    session = await new_session(sojourn)
    check_answer(await http.get("/v1/sessions"))  # the key is remembered from here on
    store = watch(sojourn)
    store.failing = dict.fromkeys(VERBS, fault)
    for method, path, body in [
        ("GET", f"/v1/sessions/{session.id}", None),
        ("GET", "/v1/sessions", None),
        ("POST", "/v1/sessions", {"user_id": session.user_id}),
        ("POST", f"/v1/sessions/{session.id}/revoke", None),
        ("POST", f"/v1/sessions/{session.id}/tokens", None),
        ("GET", "/v1/clients", None),
        ("GET", "/v1/users", None),
        ("POST", "/v1/users", {}),
        ("GET", "/readyz", None),
    ]:
        answer = await http.request(method, path, json=body)
        check_error(answer, status, code)
        assert answer.headers["retry-after"] == "1"
    check_answer(await http.get("/livez"))
    check_answer(await http.get("/.well-known/jwks.json"))
    store.failing.clear()
    assert check_answer(await http.get(f"/v1/sessions/{session.id}"))["status"] == "active"


async def test_a_failing_touch_does_not_fail_the_token(
    http: httpx.AsyncClient, sojourn: Sojourn, clock: ManualClock
) -> None:
    """A token needs no write, so a full disk does not stop it."""
    session = await new_session(sojourn)
    clock.advance(seconds=300)
    watch(sojourn).failing["touch"] = StorageFull()
    check_answer(await http.post(f"/v1/sessions/{session.id}/tokens"))
    await sojourn.tokens.settle()


async def test_a_storm_on_one_session_is_a_conflict(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A change that loses again and again answers 409."""
    session = await new_session(sojourn)
    watch(sojourn).failing["commit"] = Refused(Refused.CHANGED, None)  # pyright: ignore[reportArgumentType]
    check_error(await http.post(f"/v1/sessions/{session.id}/revoke"), 409, "conflict")


@pytest.mark.parametrize(
    "operation", [o for o in OPERATIONS if o.name not in STORELESS], ids=lambda o: o.name
)
async def test_a_bug_answers_500_and_tells_nothing(
    http: httpx.AsyncClient, sojourn: Sojourn, caplog: pytest.LogCaptureFixture, operation: Operation
) -> None:
    """Whatever is raised, the answer is the documented shape without a trace of it; the log has it all."""
    store = watch(sojourn)
    store.failing = dict.fromkeys(EVERY, RuntimeError("canary in a traceback"))
    path = operation.path.replace("{", "").replace("}", "")
    name = operation.name
    with caplog.at_level(logging.ERROR, "sojourn.http"):
        answer = await http.request(operation.method, path, json=BODIES.get(name), params=QUERIES.get(name))
    if name in BEFORE:
        check_error(answer, *BEFORE[name])
        return
    check_error(answer, 500, "internal_clerk_error")
    assert "canary" not in answer.text
    assert "Traceback" not in answer.text
    assert "canary in a traceback" in caplog.text


async def test_what_cannot_be_encoded_is_a_500(http: httpx.AsyncClient, sojourn: Sojourn) -> None:
    """A value that an embedding program stored and JSON has no word for does not break the connection."""
    user = await sojourn.users.create(NewUser(public_metadata={"x": object()}))
    check_error(await http.get(f"/v1/users/{user.id}"), 500, "internal_clerk_error")


async def test_a_configuration_error_is_no_clients_business(
    http: httpx.AsyncClient, sojourn: Sojourn
) -> None:
    """An error that no client can cause tells nothing of itself."""
    watch(sojourn).failing["session"] = ConfigurationError("canary")
    answer = await http.get("/v1/sessions/sess_x")
    check_error(answer, 500, "internal_clerk_error")
    assert "canary" not in answer.text


async def test_requests_before_the_start_is_done() -> None:
    """An application that is not open yet answers 503."""
    transport = httpx.ASGITransport(App())
    async with httpx.AsyncClient(transport=transport, base_url="http://sojourn.test") as http:
        for path in ("/livez", "/v1/sessions"):
            answer = await http.get(path)
            check_error(answer, 503, "service_unavailable")
            assert answer.headers["retry-after"] == "1"


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that the service logs, as JSON lines."""
    names = ("sojourn", "uvicorn", "uvicorn.error")
    before = [(logging.getLogger(n), list(logging.getLogger(n).handlers)) for n in names]
    stream = StringIO()
    telemetry.configure(level="debug", style="json", stream=stream)
    yield stream
    for logger, handlers in before:
        logger.handlers = handlers
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


async def test_the_trace_id_is_in_every_log_line_and_event(
    http: httpx.AsyncClient, sojourn: Sojourn, logged: StringIO
) -> None:
    """What a client reports leads to the lines and the events of its request, and to no others."""
    user = await user_id(sojourn)
    made = await http.post("/v1/sessions", json={"user_id": user})
    session = check_answer(made)["id"]
    revoked = await http.post(f"/v1/sessions/{session}/revoke")
    watch(sojourn).failing["session"] = RuntimeError("a bug")
    broken = await http.get(f"/v1/sessions/{session}")
    check_error(broken, 500, "internal_clerk_error")
    events = {e.type.value: e.request_id for e in await all_events(sojourn)}
    assert events["session.created"] == made.headers["clerk-trace-id"]
    assert events["session.revoked"] == revoked.headers["clerk-trace-id"]
    assert events["user.created"] is None
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    of_broken = [line for line in lines if line.get("request_id") == broken.headers["clerk-trace-id"]]
    assert {line["level"] for line in of_broken} == {"error", "debug"}
    assert any("a bug" in line.get("exception", "") for line in of_broken)
    assert all(line["request_id"] for line in lines if line["logger"] == "sojourn.http")


async def lifespan(app: App, *events: str) -> list[Message]:
    """What the application says to a server that starts and stops it."""
    waiting = [{"type": f"lifespan.{event}"} for event in events]
    said: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    await app({"type": "lifespan"}, receive, send)
    return said


async def test_a_lifespan_opens_and_closes() -> None:
    """With the server's start the instance is opened, with its end it is closed."""
    steps: list[str] = []

    @asynccontextmanager
    async def opener() -> AsyncIterator[Sojourn]:
        async with opened() as sojourn:
            steps.append("open")
            yield sojourn
            steps.append("closed")

    said = await lifespan(App(opener=opener), "startup", "shutdown")
    assert [m["type"] for m in said] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert steps == ["open", "closed"]


async def test_a_start_that_fails_says_why() -> None:
    """A configuration that cannot be used stops the server with its reason."""

    @asynccontextmanager
    async def opener() -> AsyncIterator[Sojourn]:
        async with opened("nonsense://") as sojourn:
            yield sojourn

    (said,) = await lifespan(App(opener=opener), "startup")
    assert said["type"] == "lifespan.startup.failed"
    assert "database_url" in said["message"]


async def test_websockets_are_closed(app: App) -> None:
    """A websocket is turned away."""
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await app({"type": "websocket", "path": "/"}, receive, send)
    assert [m["type"] for m in said] == ["websocket.close"]

"""What becomes of a call when the network or the service fails: tried again where that is safe, else told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from sojourn import NotFound, Sojourn, SojournError, Unavailable
from sojourn.core import errors
from sojourn.core.errors import AnswerLost, ConfigurationError, NotOffered, StorageFailed
from sojourn.http.app import App
from sojourn.http.problems import items_of, status_of
from sojourn.http.wire import encode
from sojourn.remote import connection as connections
from sojourn.remote import failures
from sojourn.remote.connection import ATTEMPTS, Connection
from sojourn.runtime import RemoteSojourn
from sojourn.service.system import SystemEntropy
from tests.embedded import opened, reuse_one_key, watch
from tests.networked import SECRET

Fault = Callable[[], Exception]


class Line(httpx.AsyncBaseTransport):
    """The way to a service, on which requests or answers get lost."""

    def __init__(self, app: App) -> None:
        self._way = httpx.ASGITransport(app)
        self.requests: list[httpx.Request] = []
        self.before: list[Exception] = []
        """What goes wrong with the next requests before they arrive."""
        self.after: list[Exception] = []
        """What goes wrong with the next answers, when the service has done its part."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request, unless something goes wrong."""
        self.requests.append(request)
        if self.before:
            raise self.before.pop(0)
        answer = await self._way.handle_async_request(request)
        if self.after:
            raise self.after.pop(0)
        return answer


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)
    monkeypatch.setattr(connections, "_PAUSE_SECONDS", 0.0)


@pytest.fixture
async def served() -> AsyncIterator[Sojourn]:
    """The instance at the other end."""
    async with opened(secret_key=(SECRET,)) as made:
        yield made


@pytest.fixture
def line(served: Sojourn) -> Line:
    """The way there."""
    return Line(App(served))


@pytest.fixture
async def sojourn(line: Line) -> AsyncIterator[Sojourn]:
    """The front at this end."""
    async with httpx.AsyncClient(
        transport=line, base_url="http://sojourn.test", headers={"authorization": f"Bearer {SECRET}"}
    ) as http:
        connection = Connection(http, SystemEntropy(), timeout_seconds=60)
        await connection.greet()
        line.requests.clear()
        yield RemoteSojourn(connection)


LOST = [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.WriteError]


@pytest.mark.parametrize("lost", LOST)
async def test_a_creation_whose_answer_is_lost_is_made_once(
    sojourn: Sojourn, served: Sojourn, line: Line, lost: type[httpx.TransportError]
) -> None:
    """The second attempt has the same idempotency key and answers what the first one made."""
    user = await sojourn.users.create()
    line.after = [lost("lost"), lost("lost again")]
    session = await sojourn.sessions.create(user_id=user.id)
    assert [s.id for s in await served.sessions.list()] == [session.id]
    keys = [request.headers["idempotency-key"] for request in line.requests[-3:]]
    assert len(set(keys)) == 1
    assert (await sojourn.sessions.create(user_id=user.id)).id != session.id


async def test_the_same_without_the_key_makes_two(served: Sojourn, line: Line, sojourn: Sojourn) -> None:
    """Control: it is the key that keeps a repeated creation from making a second session."""
    user = await sojourn.users.create()
    line.after = [httpx.ReadError("lost")]
    original = line.handle_async_request

    async def without_key(request: httpx.Request) -> httpx.Response:
        del request.headers["idempotency-key"]
        return await original(request)

    line.handle_async_request = without_key
    await sojourn.sessions.create(user_id=user.id)
    assert len(await served.sessions.list()) == 2


async def test_what_may_not_be_repeated_is_not(sojourn: Sojourn, served: Sojourn, line: Line) -> None:
    """An ending, a deletion and a ticket whose answer is lost are told as such, after one attempt."""
    user = await sojourn.users.create()
    session = await sojourn.sessions.create(user_id=user.id)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: sojourn.sessions.revoke_all_of_user(user.id),
        lambda: sojourn.tickets.create_sign_in_token(user_id=user.id),
        lambda: sojourn.users.delete(user.id),
    ]
    for call in calls:
        line.requests.clear()
        line.after = [httpx.ReadTimeout("lost")]
        with pytest.raises(AnswerLost):
            await call()
        assert len(line.requests) == 1
    assert (await served.sessions.get(session.id)).status == "revoked"


@pytest.mark.parametrize("fault", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_what_was_not_sent_is_sent_again(
    sojourn: Sojourn, line: Line, fault: type[httpx.TransportError]
) -> None:
    """Where no connection came about nothing was done: everything is tried again, so often and no more."""
    user = await sojourn.users.create()
    line.before = [fault("no way")] * (ATTEMPTS - 1)
    await sojourn.sessions.revoke_all_of_user(user.id)
    line.requests.clear()
    line.before = [fault("no way")] * ATTEMPTS
    with pytest.raises(Unavailable, match="cannot be reached"):
        await sojourn.users.get(user.id)
    assert len(line.requests) == ATTEMPTS
    assert line.before == []


async def test_reads_are_repeated_a_few_times(sojourn: Sojourn, line: Line) -> None:
    """A read survives two lost answers and not three."""
    user = await sojourn.users.create()
    line.after = [httpx.ReadError("lost")] * (ATTEMPTS - 1)
    assert (await sojourn.users.get(user.id)).id == user.id
    line.after = [httpx.ReadError("lost")] * ATTEMPTS
    with pytest.raises(AnswerLost):
        await sojourn.users.get(user.id)


async def test_a_service_that_cannot_now_is_asked_again(
    sojourn: Sojourn, served: Sojourn, line: Line
) -> None:
    """503 is tried again for what may be repeated; in the end it is the error of the service's tree."""
    user = await sojourn.users.create()
    watched = watch(served)
    watched.failing["user"] = StorageFailed()
    line.requests.clear()
    with pytest.raises(StorageFailed):
        await sojourn.users.get(user.id)
    assert len(line.requests) == ATTEMPTS
    watched.failing["commit"] = StorageFailed()
    with pytest.raises(StorageFailed):
        await sojourn.users.delete(user.id)
    assert len(line.requests) == ATTEMPTS + 1


async def test_a_fault_of_the_service_is_told_without_its_cause(sojourn: Sojourn, served: Sojourn) -> None:
    """500 is an error with the code of the service, and nothing of what went wrong there."""
    watch(served).failing["user"] = RuntimeError("hidden cause")
    with pytest.raises(SojournError) as caught:
        await sojourn.users.get("user_x")
    assert caught.value.code == "internal_clerk_error"
    assert "hidden" not in str(caught.value)


def every_error() -> list[SojournError]:
    """One of each class of the tree, with what it can carry."""
    never_sent = (errors.ConfigurationError, AnswerLost, NotOffered)
    found: list[SojournError] = []
    waiting = [SojournError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind is errors.Several:
            found.append(kind([errors.Missing("a", "a is missing"), errors.Taken("b", "b is taken")]))
        elif issubclass(kind, errors.Invalid):
            found.append(kind("limit", "limit is wrong"))
        elif issubclass(kind, errors.NotFound):
            found.append(kind("session", "sess_x"))
        elif kind.__init__ is SojournError.__init__:
            found.append(kind("what happened", session_id="sess_1"))
    return [error for error in found if not isinstance(error, never_sent)]


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_comes_back_as_itself(error: SojournError) -> None:
    """Class, code, message, detail and meta of an error are the same at this end as at the other."""
    body = encode({"errors": items_of(error), "clerk_trace_id": "0"})
    back = failures.error_of(status_of(error), body)
    assert type(back) is type(error)
    assert (back.code, back.message, back.detail, back.meta) == (
        error.code, error.message, error.detail, error.meta,
    )  # fmt: skip
    if isinstance(error, errors.Several):
        assert isinstance(back, errors.Several)
        assert [type(one) for one in back.errors] == [type(one) for one in error.errors]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html>", Unavailable),
        (503, b"", Unavailable),
        (429, b"slow down", Unavailable),
        (404, b"<html>", SojournError),
        (500, b'{"errors":[]}', SojournError),
        (200, b"[]", SojournError),
    ],
)
def test_answers_that_are_not_of_the_service(status: int, body: bytes, kind: type[SojournError]) -> None:
    """What a proxy or something else answers is an error all the same."""
    assert type(failures.error_of(status, body)) is kind


async def test_a_wrong_key_is_told_at_once(line: Line) -> None:
    """A key of another instance is refused when the connection is made."""
    async with httpx.AsyncClient(
        transport=line, base_url="http://sojourn.test", headers={"authorization": "Bearer sk_test_no"}
    ) as http:
        with pytest.raises(ConfigurationError, match="does not belong to this instance"):
            await Connection(http, SystemEntropy(), timeout_seconds=60).greet()


async def test_a_method_that_an_older_service_lacks(sojourn: Sojourn, line: Line) -> None:
    """A call that is not served there is told as such, not as something that was not found."""
    original = line.handle_async_request

    async def elsewhere(request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(path=request.url.path + "_of_tomorrow")
        return await original(request)

    line.handle_async_request = elsewhere
    with pytest.raises(NotOffered, match="Nothing is served at"):
        await sojourn.users.get("user_x")


async def test_what_is_not_offered_says_so(sojourn: Sojourn) -> None:
    """What belongs to whoever runs the service raises one clear error, and reads as what it is."""
    with pytest.raises(NotOffered, match=r"keys\.rotate is not offered over the network"):
        await sojourn.keys.rotate()
    with pytest.raises(NotOffered, match=r"sessions\.touch_is_due"):
        sojourn.sessions.touch_is_due(None, 0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotOffered, match=r"policies\.run"):
        await sojourn.policies.run()
    with pytest.raises(NotOffered, match="rekey"):
        await sojourn.rekey(None)

    async def nothing(session: object) -> list[Any]:
        return []

    with pytest.raises(NotOffered, match=r"also of sessions\.create"):
        await sojourn.sessions.create(user_id="user_x", also=nothing)
    assert repr(sojourn.keys) == "<keys: not offered over the network>"
    with pytest.raises(AttributeError):
        sojourn._nothing_of_the_kind  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


async def test_wrong_arguments_are_a_type_error(sojourn: Sojourn, line: Line) -> None:
    """As in the embedded front, before anything is sent."""
    create: Any = sojourn.sessions.create
    for arguments in ({}, {"user_id": "user_x", "colour": "red"}):
        with pytest.raises(TypeError):
            await create(**arguments)
    assert line.requests == []


async def test_values_come_back_whole(sojourn: Sojourn, served: Sojourn) -> None:
    """What the two fronts answer is equal, field by field."""
    user = await sojourn.users.ensure(external_id="42")
    session = await sojourn.sessions.create(user_id=user.id, tasks=(t for t in ("reset-password",)))
    await sojourn.sessions.revoke(session.id, note="why")
    assert await sojourn.sessions.get(session.id) == await served.sessions.get(session.id)
    assert await sojourn.history.explain(session.id) == await served.history.explain(session.id)
    assert await sojourn.clients.get(session.client_id) == await served.clients.get(session.client_id)
    assert sojourn.policy == served.policy
    assert (sojourn.instance, sojourn.issuer) == (served.instance, served.issuer)
    with pytest.raises(NotFound, match="sess_none"):
        await sojourn.sessions.get("sess_none")

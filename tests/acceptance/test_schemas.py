"""Every answer of the Backend API against the published descriptions, in each version that has one.

A new operation needs a line in the EXERCISES of its resource, in tests/acceptance/exercises; a new resource
a place in RESOURCES. What it answers beyond its description goes into tests/acceptance/errata.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sojourn import Sojourn
from sojourn.core import errors
from sojourn.core.keys import ApiKeyKind
from sojourn.http.app import MAX_HEADERS, MAX_URL, App
from sojourn.http.backend import OPERATIONS
from sojourn.http.problems import Problem
from sojourn.http.routes import Call, Handler, Operation, Table
from tests.acceptance.errata import (
    ERRATA,
    ERRORS,
    EVERYWHERE,
    EXTENSIONS,
    FRONT,
    NEVER,
    STRICTER,
    Erratum,
    code_of,
)
from tests.acceptance.exercises import (
    clients,
    jwks,
    memberships,
    organizations,
    refresh,
    sessions,
    templates,
    tickets,
    users,
)
from tests.acceptance.exercises.api import calling
from tests.embedded import reuse_one_key
from tests.published import PUBLISHED_VERSIONS, Specification, parsed, specification

RESOURCES = (sessions, refresh, clients, jwks, users, tickets, templates, organizations, memberships)
EXERCISES = {name: exercise for resource in RESOURCES for name, exercise in resource.EXERCISES.items()}

FAULTS: dict[tuple[int, str], Exception] = {
    (409, "conflict"): errors.Conflict(),
    (500, "internal_clerk_error"): RuntimeError("a fault of ours"),
    (503, "service_unavailable"): errors.Unavailable(),
    (503, "storage_failed"): errors.StorageFailed(),
    (507, "storage_full"): errors.StorageFull(),
}
"""What can happen to any operation, by what it answers then."""


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


@pytest.fixture(params=PUBLISHED_VERSIONS)
def published(request: pytest.FixtureRequest) -> Specification:
    """The description of each version."""
    return specification(request.param)


@pytest.mark.parametrize("name", EXERCISES)
async def test_answers_are_as_published(name: str, published: Specification) -> None:
    """An operation answers as its description has it, all that is described and nothing else."""
    async with calling(published) as api:
        await EXERCISES[name](api)
    statuses = {status for operation, status, _ in api.seen if operation == name}
    assert 200 in statuses
    described = next((o.bodies for o in published.operations.values() if o.name == name), {})
    never = {status for status in described if (name, status) in NEVER or (None, status) in NEVER}
    expected = {status for status in described if status != 200} - FRONT
    assert expected - statuses == never, "published statuses that were not seen, or a needless line in NEVER"


def refusals(operation: Operation, verifier: str) -> dict[tuple[int, str], dict[str, Any]]:
    """Requests that are refused before the operation does anything, by the answer."""
    found: dict[tuple[int, str], dict[str, Any]] = {
        (400, "api_version_invalid"): {"params": {"__clerk_api_version": "2000-01-01"}}
    }
    if operation.keys:
        for code, text in (
            ("clerk_key_invalid", "Bearer sk_test_nobody"),
            ("authorization_header_format_invalid", "Basic x"),
        ):
            found[401, code] = {"headers": {"Authorization": text}}
        if ApiKeyKind.VERIFIER not in operation.keys:
            found[403, "authorization_invalid"] = {"headers": {"Authorization": f"Bearer {verifier}"}}
    if operation.method != "GET":
        long = {"Content-Length": str(operation.body_limit + 1)}
        found[413, "request_body_too_large"] = {"headers": long, "content": b"{}"}
        found[415, "unsupported_content_type"] = {"headers": {"Content-Type": "text/plain"}, "content": b"{}"}
        odd = {"Content-Length": "odd"}
        found[400, "malformed_request_parameters"] = {"headers": odd, "content": b"{}"}
    if operation.method in ("POST", "PUT", "PATCH"):
        found[400, "request_body_invalid"] = {"content": b"{"}
        found[422, "form_param_unknown"] = {"json": {"no_such_member": 1}}
    return found


def behaving(change: Callable[[Handler], Handler]) -> Callable[[Sojourn], App]:
    """The application with another behaviour of every operation."""

    def made(sojourn: Sojourn) -> App:
        app = App(sojourn)
        app._table = Table(replace(served, handler=change(served.handler)) for served in OPERATIONS)
        return app

    return made


def raising(error: Exception) -> Handler:
    """What an operation does that meets this error."""

    async def handler(call: Call) -> object:
        raise error

    return handler


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_refusals_are_as_published(operation: Operation, published: Specification) -> None:
    """What any operation may refuse, it refuses in the published shape."""
    async with calling(published) as api:
        verifier = await api.sojourn.api_keys.create(ApiKeyKind.VERIFIER)
        for (status, code), request in refusals(operation, verifier).items():
            await api.refused(status, code, operation.name, **request)


@pytest.mark.parametrize("answer", FAULTS, ids=lambda answer: answer[1])
async def test_faults_are_as_published(answer: tuple[int, str], published: Specification) -> None:
    """A fault on our side is told in the published shape, by every operation."""
    async with calling(published, behaving(lambda _: raising(FAULTS[answer]))) as api:
        for operation in OPERATIONS:
            if operation.method != "GET" or answer[0] != 409:  # which only a change may meet
                await api.refused(*answer, operation.name)


@pytest.mark.parametrize(
    ("status", "code", "method", "path", "headers"),
    [
        (404, "resource_not_found", "GET", "/v1/nothing", {}),
        (405, "method_not_allowed", "PUT", "/v1/sessions", {}),
        (414, "request_url_too_long", "GET", "/v1/" + "x" * MAX_URL, {}),
        (431, "request_headers_too_large", "GET", "/v1/users", {f"X-{n}": "" for n in range(MAX_HEADERS)}),
    ],
    ids=lambda given: str(given)[:30],
)
async def test_answers_of_no_operation_are_as_published(
    status: int, code: str, method: str, path: str, headers: dict[str, str], published: Specification
) -> None:
    """What is refused before there is an operation has the shape of all errors."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(App()), base_url="http://sojourn.test"
    ) as http:
        response = await http.request(method, path, headers=headers)
    body = parsed(response.content)
    assert (response.status_code, code_of(body)) == (status, code)
    assert published.complaints(ERRORS, body) == []


def test_every_operation_that_is_served_is_exercised() -> None:
    """No operation is forgotten: what is served is exercised in every version, under its own name."""
    assert set(EXERCISES) == {operation.name for operation in OPERATIONS}
    listed = sum(len(resource.EXERCISES) for resource in RESOURCES)
    assert len(EXERCISES) == listed, "a name stands in two resources"


def test_operations_are_the_published_ones() -> None:
    """An operation has the published id in every version that has its path; the others are listed."""
    unpublished: set[str] = set()
    for version in PUBLISHED_VERSIONS:
        found = specification(version)
        for served in OPERATIONS:
            description = found.operation(served)
            if description is None:
                unpublished.add(served.name)
            else:
                assert description.name == served.name
    assert unpublished == set(EXTENSIONS)


@pytest.mark.parametrize("erratum", ERRATA, ids=lambda erratum: f"{erratum.operation}-{erratum.status}")
async def test_errata_are_needed(erratum: Erratum, published: Specification) -> None:
    """The service gives the answer in every version, and no description that has the operation has it."""
    (served,) = (operation for operation in OPERATIONS if operation.name == erratum.operation)
    async with calling(published) as api:
        await EXERCISES[served.name](api)
    assert (served.name, erratum.status, erratum.code) in api.seen
    description = published.operation(served)
    assert description is None or erratum.status not in description.bodies


async def test_errata_of_every_operation_are_needed(published: Specification) -> None:
    """Each error that any operation may give is given by one, and some description does not have it."""
    given: dict[tuple[int, str], list[Operation]] = {answer: list(OPERATIONS) for answer in FAULTS}
    for operation in OPERATIONS:
        for answer in refusals(operation, ""):
            given.setdefault(answer, []).append(operation)
    assert set(given) == set(EVERYWHERE)
    for (status, _), operations in given.items():
        described = [published.operation(operation) for operation in operations]
        assert any(description and status not in description.bodies for description in described)


@pytest.mark.parametrize("name", STRICTER)
def test_stricter_schemas_are_needed(name: str, published: Specification) -> None:
    """The described schema would take an answer that the stricter one does not."""
    (served,) = (operation for operation in OPERATIONS if operation.name == name)
    description = published.operation(served)
    assert description is not None
    assert description.complaints(200, {}) == []
    assert published.complaints(STRICTER[name].schema, {})


def test_errata_stand_once() -> None:
    """No erratum of one operation repeats another, or what stands for all."""
    listed = [(erratum.operation, erratum.status, erratum.code) for erratum in ERRATA]
    assert len(set(listed)) == len(listed)
    assert not {(status, code) for _, status, code in listed} & set(EVERYWHERE)


def without_a_member(body: dict[str, Any]) -> dict[str, Any]:
    """An object without one that is required: its type, in a page the number of all, in a key set the ids, of
    a handshake all there is."""
    if "data" in body:
        return {"data": body["data"]}
    if "directives" in body:
        return {}
    if "keys" in body:
        return {"keys": [{name: key[name] for name in key if name != "kid"} for key in body["keys"]]}
    return {name: body[name] for name in body if name != "object"}


SPOILS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a member missing": without_a_member,
    "a member too many": lambda body: {**body, "more": 1},
    "no object": lambda body: [body],
    "null": lambda body: None,
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
@pytest.mark.parametrize("name", sorted(EXERCISES))
async def test_a_service_that_answers_otherwise_is_caught(
    name: str, spoil: Callable[[dict[str, Any]], Any]
) -> None:
    """The control: whatever is done to the successes of an operation, its exercise fails at once."""
    (served,) = (operation for operation in OPERATIONS if operation.name == name)

    def change(handler: Handler) -> Handler:
        async def spoiled(call: Call) -> object:
            body: Any = await handler(call)
            return [spoil(item) for item in body or [{}]] if isinstance(body, list) else spoil(body)

        return spoiled if handler is served.handler else handler

    async with calling(specification(PUBLISHED_VERSIONS[0]), behaving(change)) as api:
        with pytest.raises(AssertionError, match=f"{name} in 2021-02-05 answered 200"):
            await EXERCISES[name](api)


@pytest.mark.parametrize("name", sorted(EXERCISES))
async def test_a_service_with_another_error_is_caught(name: str) -> None:
    """The control: a status that neither the description nor the errata have is a complaint."""
    error = Problem(418, "teapot", "No coffee.")
    async with calling(specification(PUBLISHED_VERSIONS[0]), behaving(lambda _: raising(error))) as api:
        with pytest.raises(AssertionError, match="has no answer 418"):
            await api.refused(418, "teapot", name)

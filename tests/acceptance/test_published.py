"""The controls of the checker: what must be complained about is, and what is as described is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sojourn.core.session import Status
from tests.acceptance.exercises.api import calling
from tests.acceptance.exercises.sessions import FULL as ACTIVITY
from tests.acceptance.exercises.sessions import of_every_kind
from tests.acceptance.exercises.users import FULL
from tests.embedded import reuse_one_key
from tests.published import PUBLISHED_VERSIONS, Specification, parsed, specification, translated

FREE = {"actor", "public_metadata", "private_metadata", "unsafe_metadata"}
"""Members whose content is the application's."""

Path = tuple[str | int, ...]


@pytest.fixture(autouse=True)
def _one_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    reuse_one_key(monkeypatch)


@pytest.fixture(params=PUBLISHED_VERSIONS)
def published(request: pytest.FixtureRequest) -> Specification:
    """The description of each version."""
    return specification(request.param)


async def bodies(published: Specification) -> dict[str, Any]:
    """A full answer of each kind, by operation."""
    async with calling(published) as api:
        made = await of_every_kind(api)
        user = await api.user(**FULL)
        active = made[Status.ACTIVE]
        found = {
            "GetUser": await api.answered("GetUser", user),
            "GetSession": await api.answered("GetSession", active.id),
            "GetClient": await api.answered("GetClient", active.client_id),
            "GetSessionList": await api.answered("GetSessionList", params={"user_id": active.user_id}),
            "GetJWKS": await api.answered("GetJWKS"),
            "CreateSessionToken": await api.answered("CreateSessionToken", active.id),
            "DeleteUser": await api.answered("DeleteUser", user),
        }
    assert found["GetSession"]["latest_activity"] == ACTIVITY.to_wire()
    return found


def described(published: Specification, name: str) -> Any:
    """The operation of that id."""
    (found,) = (operation for operation in published.operations.values() if operation.name == name)
    return found


def paths(body: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value in a body with the way to it, but for what is the application's."""
    yield path, body
    members = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, member in members:
        if name not in FREE:
            yield from paths(member, (*path, name))


def with_value(body: Any, path: Path, value: Any) -> Any:
    """A copy of the body with another value at that place."""
    if not path:
        return value
    changed = copy.deepcopy(body)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


async def test_every_place_is_looked_at(published: Specification) -> None:
    """An odd value anywhere in an answer, and a member too many in any object, is a complaint."""
    places = objects = 0
    for name, body in (await bodies(published)).items():
        operation = described(published, name)
        assert operation.complaints(200, body) == []
        for path, value in paths(body):
            for odd in ({"odd": [1]}, [[]], 1.5, True if value not in (True, False) else "true"):
                assert operation.complaints(200, with_value(body, path, odd)), (name, path, odd)
                places += 1
            if isinstance(value, dict):
                assert operation.complaints(200, with_value(body, path, {**value, "more": 1})), (name, path)
                objects += 1
    assert places > 500
    assert objects > 20


async def test_every_required_member_is_missed(published: Specification) -> None:
    """An answer without a member that its schema requires is a complaint, for each of them."""
    found = await bodies(published)
    for name, schema in (("GetUser", "User"), ("GetSession", "Session"), ("GetClient", "Client")):
        required = published.schemas[schema]["required"]
        assert len(required) >= 10
        for member in required:
            less = {other: value for other, value in found[name].items() if other != member}
            (complaint,) = described(published, name).complaints(200, less)
            assert f"'{member}' is a required property" in complaint


async def test_words_and_nulls_that_are_not_described(published: Specification) -> None:
    """A word that an enumeration does not have, a null where none may be and a huge number are complaints."""
    session = (await bodies(published))["GetSession"]
    operation = described(published, "GetSession")
    for change in (
        {"status": "alive"},
        {"id": None},
        {"user_id": 7},
        {"expire_at": 2**63},
        {"object": "user"},
    ):
        (complaint,) = operation.complaints(200, {**session, **change})
        assert complaint.startswith(f"$.{next(iter(change))}: ")
    assert operation.complaints(200, {**session, "actor": {"sub": "user_1", "any": []}}) == []
    old = published.version < "2025-03-12"
    assert bool(operation.complaints(200, {**session, "status": "pending"})) is old
    assert bool(operation.complaints(200, {**session, "tasks": []})) is old


async def test_a_whole_number_has_no_fraction(published: Specification) -> None:
    """`1.0` is not taken for a whole number, which JSON Schema alone would do."""
    session = (await bodies(published))["GetSession"]
    text = json.dumps({**session, "created_at": float(session["created_at"])})
    (complaint,) = described(published, "GetSession").complaints(200, parsed(text.encode()))
    assert complaint.startswith("$.created_at: ")


async def test_private_keys_are_complained_about(published: Specification) -> None:
    """A key set that gives a private part away is none that is described for a public RSA key."""
    keys = (await bodies(published))["GetJWKS"]
    leaking = {"keys": [{**keys["keys"][0], "d": "AQAB"}]}
    assert described(published, "GetJWKS").complaints(200, leaking)


async def test_pages_item_by_item(published: Specification) -> None:
    """A page is two members, and each of its items is checked by itself."""
    items = (await bodies(published))["GetSessionList"]
    operation = described(published, "GetSessionList")
    page = {"data": items, "total_count": len(items)}
    assert operation.complaints(200, page, page=True) == []
    bad = {**items[1], "more": 1}
    for wrong in (
        items,
        {"data": items},
        {**page, "total_count": "1"},
        {**page, "total_count": -1},
        {**page, "more": 1},
        {**page, "data": items[0]},
        {**page, "data": [items[0], bad]},
    ):
        assert operation.complaints(200, wrong, page=True)
    assert operation.complaints(200, page), "a page where none was asked for"


def test_statuses_that_are_not_described(published: Specification) -> None:
    """A status that an operation does not have is a complaint, whatever the body."""
    error = {"errors": [{"message": "m", "long_message": "l", "code": "c"}], "clerk_trace_id": "1"}
    operation = described(published, "GetSession")
    assert operation.complaints(404, error) == []
    for status in (201, 204, 403, 409, 422, 500):
        assert operation.complaints(status, error) == [
            f"GetSession has no answer {status}, only [200, 400, 401, 404]"
        ]
    for wrong in (
        {},
        {"errors": error["errors"][0]},
        {"errors": [{"message": "m", "code": "c"}]},
        {**error, "x": 1},
    ):
        assert operation.complaints(404, wrong)


def test_a_whole_knows_the_members_of_its_parts() -> None:
    """`allOf` closes over all of its parts together; a part by itself is open; what is free stays free."""
    document: dict[str, Any] = {
        "paths": {},
        "components": {
            "schemas": {
                "A": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
                "B": {"type": "object", "properties": {"b": {"type": "integer", "format": "int64"}}},
                "Both": {"allOf": [{"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/B"}]},
                "One": {"oneOf": [{"$ref": "#/components/schemas/A"}], "nullable": True, "type": "object"},
                "Free": {"type": "object"},
                "Open": {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
            }
        },
    }
    check = Specification("none", document).complaints
    assert check("Both", {"a": "x", "b": 1}) == []
    assert check("Both", {"a": "x", "b": 1, "c": 1})
    assert check("Both", {"b": 1})
    assert check("A", {"a": "x"}) == []
    assert check("A", {"a": "x", "b": 1})
    assert check("One", None) == check("One", {"a": "x"}) == []
    assert check("One", {"a": "x", "b": 1})
    assert check("Free", {"anything": [1]}) == check("Open", {"any": "thing"}) == []
    assert check("Open", {"any": 1})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "patternProperties": {}},
        {"not": {"type": "string"}},
        {"type": "number", "exclusiveMinimum": True},
        {"type": "string", "format": "date-time"},
    ],
)
def test_what_is_not_understood_is_not_passed_over(schema: dict[str, Any]) -> None:
    """A keyword or a format that the checker does not know stops the test."""
    with pytest.raises(NotImplementedError, match=r"keyword|format"):
        translated({"type": "array", "items": schema})


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b'{"a":NaN}', b"[1,]", b"\xff", b"", b'{"a":Infinity}'])
def test_what_is_no_json(body: bytes) -> None:
    """A member twice, a number that JSON has no word for and broken text are refused."""
    with pytest.raises(ValueError, match=r"."):
        parsed(body)


@pytest.mark.parametrize("folder", [None, "", "/nowhere"])
@pytest.mark.parametrize(("ci", "outcome"), [("true", "Failed"), ("", "Skipped")])
def test_without_the_descriptions(
    monkeypatch: pytest.MonkeyPatch, folder: str | None, ci: str, outcome: str
) -> None:
    """Without the folder a test fails in CI and is skipped elsewhere, and says what is missing."""
    monkeypatch.delenv("SOJOURN_SPECS", raising=False)
    if folder is not None:
        monkeypatch.setenv("SOJOURN_SPECS", folder)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(BaseException, match="set SOJOURN_SPECS to the folder") as raised:
        specification(PUBLISHED_VERSIONS[0])
    assert type(raised.value).__name__ == outcome

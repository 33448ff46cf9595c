"""The OpenAPI document says what is served, all of it, and the page shows what the document says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from types import CodeType, FunctionType
from typing import Annotated, Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator

from sojourn.http import openapi
from sojourn.http.app import OPERATIONS
from sojourn.http.page import page
from sojourn.http.parameters import Integer, Parameter, Text, Texts
from sojourn.http.routes import Call, Operation
from sojourn.http.services import OPERATIONS as SERVICES
from sojourn.http.shapes.common import Page, Shape
from sojourn.http.versions import VERSIONS
from sojourn.http.wire import body_of
from tests.described import own
from tests.http.conftest import check_answer

WHEN = re.compile(
    rf"(before|in) ({'|'.join(v.date for v in VERSIONS)})|from ({'|'.join(v.date for v in VERSIONS)}) on"
)


def used(handler: Any) -> Iterator[object]:
    """Every global value that a handler names, by itself or in functions of its module that it names."""
    seen: set[FunctionType] = set()
    waiting: list[Any] = [handler]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        for name in names_of(function.__code__):
            value = function.__globals__.get(name)
            if isinstance(value, FunctionType) and value.__module__.startswith("sojourn.http."):
                waiting.append(value)
            inner = list(value.values()) if isinstance(value, dict) else value
            yield from inner if isinstance(inner, list | tuple) else [inner]


def names_of(code: CodeType) -> Iterator[str]:
    """The global names in a function, those of the functions inside of it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_of(constant)


def gaps(operation: Operation) -> list[str]:
    """What a declaration lacks, or has too much of."""
    found: list[str] = []
    values = list(used(operation.handler))
    if not operation.handler.__doc__:
        found.append("the handler has no docstring")
    if operation.answer is None:
        found.append("no answer is declared")
    read = {value.name for value in values if isinstance(value, Parameter)}
    declared = {parameter.name for parameter in operation.query}
    if read != declared:
        found.append(f"query: {sorted(declared)} are declared, {sorted(read)} are read")
    takes_body = body_of in values
    if takes_body is not (operation.body is not None) or (takes_body and operation.body not in values):
        found.append(f"the body that is declared, {operation.body}, is not the one that is read")
    found += [f"{status} is no known status" for status in operation.errors if status not in openapi.ERRORS]
    found += [f"{when!r} names no version" for when in operation.by_version if not WHEN.fullmatch(when)]
    return found


@pytest.mark.parametrize(
    # Those of the services are made from what they read and answer.
    "operation",
    [operation for operation in OPERATIONS if operation not in SERVICES],
    ids=lambda operation: operation.name,
)
def test_every_operation_is_described(operation: Operation) -> None:
    """A declaration has all that the document needs, and says what the handler does."""
    assert gaps(operation) == []


LIMIT = Integer("limit", "How many.", default=1, least=1)


class Body(msgspec.Struct):
    """A body."""


async def reading(call: Call) -> object:
    """Read a body and a parameter."""
    body_of(call.body, Body)
    return LIMIT.of(call.query())


async def silent(call: Call) -> object:  # noqa: D103
    return None


@pytest.mark.parametrize(
    ("handler", "more", "gap"),
    [
        (reading, {"body": Body}, r"query: \[\] are declared, \['limit'\] are read"),
        (reading, {"query": (LIMIT,)}, "is not the one that is read"),
        (reading, {"query": (LIMIT,), "body": Shape}, "is not the one that is read"),
        (silent, {}, "no docstring"),
        (silent, {"query": (LIMIT,)}, r"\['limit'\] are declared, \[\] are read"),
        (silent, {"body": Body}, "is not the one that is read"),
        (silent, {"errors": {418: "Tea."}}, "418 is no known status"),
        (silent, {"by_version": {"since 2025-03-12": ""}}, "names no version"),
        (silent, {"by_version": {"before 2025-03-13": ""}}, "names no version"),
        (silent, {"answer": None}, "no answer"),
    ],
)
def test_a_gap_in_a_description_is_found(handler: Any, more: dict[str, Any], gap: str) -> None:
    """The control: each thing that a declaration may lack is noticed."""
    given = {"method": "GET", "path": "/", "name": "X", "handler": handler, "answer": Shape, **more}
    assert any(re.search(gap, found) for found in gaps(Operation(**given)))


def test_the_document_is_whole() -> None:
    """It lists each operation once, refers to nothing that it lacks, and keeps no component for nothing."""
    document = own()
    listed = {
        (method.upper(), path, operation["operationId"])
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert listed == {(o.method, o.path, o.name) for o in OPERATIONS}
    referred = set(re.findall(r"'#/components/(\w+)/([^']+)'", str(document)))
    there = {
        (kind, name)
        for kind in ("schemas", "parameters", "responses")
        for name in document["components"][kind]
    }
    assert referred == there - {("responses", "MethodNotAllowed")}
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", name), "two types of one name, or an odd one"


def test_statuses_follow_from_the_declaration() -> None:
    """Who may call, what is read and what is changed decide what may go wrong."""

    def statuses(name: str) -> set[int]:
        (operation,) = (operation for operation in OPERATIONS if operation.name == name)
        return set(openapi.statuses_of(operation))

    always = {400, 414, 431, 500, 503, 507}
    assert statuses("GetPublicJWKS") == always
    assert statuses("GetJWKS") == always | {401}
    assert statuses("GetSessionList") == always | {401, 403, 422}
    assert statuses("GetSession") == always | {401, 403, 404}
    assert statuses("createSession") == always | {401, 403, 404, 409, 413, 415, 422}


def test_bodies_are_closed_and_optional_where_nothing_is_required() -> None:
    """A member that is not named is refused, so it is described as such; null is a body of nothing."""
    paths = own()["paths"]
    required = paths["/v1/sessions"]["post"]["requestBody"]
    assert required["required"] is True
    assert required["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/CreateSession"}
    optional = paths["/v1/users"]["post"]["requestBody"]
    assert optional["required"] is False
    assert {"type": "null"} in optional["content"]["application/json"]["schema"]["anyOf"]
    for name in ("CreateSession", "CreateUser", "Nothing"):
        assert own()["components"]["schemas"][name]["additionalProperties"] is False


def test_two_types_of_one_name_are_told_apart() -> None:
    """A body with the name of another one does not take its place in silence."""
    other = msgspec.defstruct("CreateSession", [("more", Annotated[int, msgspec.Meta(ge=1)])])
    shadow = Operation(
        method="PUT", path="/", name="X", handler=reading, body=other, answer=list[Shape] | Page[Shape]
    )
    names = openapi.document([*OPERATIONS, shadow])["components"]["schemas"]
    assert sum(name.endswith("CreateSession") for name in names) == 2
    assert "ShapePage" in names


async def test_the_document_is_served_to_everybody(anonymous: httpx.AsyncClient) -> None:
    """It needs no key, may be cached, and is the one of these operations."""
    answer = await anonymous.get("/openapi.json")
    assert check_answer(answer) == own()
    assert answer.headers["cache-control"] == "public, max-age=300"


class Reader(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data


async def test_the_page_is_served_and_needs_nothing_else(anonymous: httpx.AsyncClient) -> None:
    """It has every operation and schema, no script, and loads nothing; its links lead somewhere."""
    answer = await anonymous.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    reader = Reader()
    reader.feed(answer.text)
    for operation in OPERATIONS:
        assert operation.path in reader.text
        assert operation.name in reader.text
    ids = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    assert {f"schema-{name}" for name in own()["components"]["schemas"]} <= ids
    links = [attributes["href"] or "" for tag, attributes in reader.tags if tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert {link for link in links if not link.startswith("#")} == {"openapi.json"}
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "img", "iframe", "form"}


def test_the_page_shows_text_as_text() -> None:
    """What stands in a declaration cannot become markup."""

    async def handler(call: Call) -> object:
        """Give <script>alert(1)</script> away."""
        return None

    odd = Text("<b>", "Is <i>odd</i>.", ("<u>",))
    operation = Operation(
        method="GET", path="/<p>", name="X", handler=handler, query=(odd,), answer=Shape, differs="<em>"
    )
    reader = Reader()
    reader.feed(page(openapi.document([operation])))
    assert not {tag for tag, _ in reader.tags} & {"script", "b", "i", "u", "em"}
    assert "<script>alert(1)</script>" in reader.text


@pytest.mark.parametrize(
    ("parameter", "query", "value"),
    [
        (LIMIT, {}, 1),
        (LIMIT, {"limit": ["7"]}, 7),
        (Text("t", ""), {"t": ["x"]}, "x"),
        (Text("t", "", ("a",)), {}, None),
        (Texts("t", ""), {"t": ["x", "y"]}, ["x", "y"]),
        (Texts("t", ""), {}, []),
    ],
)
def test_parameters_read_what_their_schema_takes(parameter: Any, query: Any, value: Any) -> None:
    """A value that is read satisfies the schema of its parameter."""
    assert parameter.of(query) == value
    if query:
        Draft202012Validator(parameter.schema()).validate(value)

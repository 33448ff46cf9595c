"""Operations and the table that finds them: a look-up a path segment, however many operations there are.

Walking a list of compiled routes can cost as much as all else a read does (adr/0003-route-table.md).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote

import msgspec

from sojourn.core.keys import ApiKey, ApiKeyKind
from sojourn.http import problems
from sojourn.http.parameters import Parameter
from sojourn.http.versions import Version
from sojourn.http.wire import query_of
from sojourn.runtime import Sojourn
from sojourn.service.context import Once

KIB = 1024
BODY_LIMIT = 64 * KIB
METADATA_LIMIT = 1024 * KIB


@dataclass(slots=True)
class Call:
    """A request as an operation sees it."""

    sojourn: Sojourn
    parameters: list[str]
    """The variable segments of the path, decoded, from left to right."""
    raw_query: bytes
    body: bytes
    version: Version
    key: ApiKey | None
    once: Once | None = None
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])

    @property
    def id(self) -> str:
        """The first variable segment."""
        return self.parameters[0]

    def query(self) -> dict[str, list[str]]:
        """The parameters of the query string."""
        return query_of(self.raw_query)


Handler = Callable[[Call], Awaitable[object]]
SECRET = frozenset({ApiKeyKind.SECRET})
VERIFIER = frozenset({ApiKeyKind.SECRET, ApiKeyKind.VERIFIER})
PUBLIC: frozenset[ApiKeyKind] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation, and what the OpenAPI document and docs/wire-compatibility.md say of it.

    The first sentence of the handler's docstring is its summary. Tests compare what is declared here with
    what the handler reads and answers.
    """

    method: str
    path: str
    """With `{…}` for variable segments."""
    name: str
    """The published operation id."""
    handler: Handler
    keys: frozenset[ApiKeyKind] = SECRET
    """The kinds of key that may call it, none for everybody."""
    body: type[msgspec.Struct] | None = None
    """What the handler gives to `body_of`."""
    query: tuple[Parameter[object], ...] = ()
    """The parameters that the handler reads."""
    answer: object = None
    """The shape of a success, of `sojourn.http.shapes`: a type, or several in a tuple."""
    errors: Mapping[int, str] = field(default_factory=dict[int, str])
    """Errors of its own by status, in words; `openapi.statuses_of` has those that need no line here."""
    differs: str = ""
    """What differs from the published operation, in every version."""
    by_version: Mapping[str, str] = field(default_factory=dict[str, str])
    """What only some versions do, by `before <version>` or `from <version> on`."""
    gone: str | None = None
    """The version from which on the published descriptions lack it, though it is served."""
    body_limit: int = BODY_LIMIT
    creates: bool = False
    """Honours `Idempotency-Key`."""
    cache: bytes = b"no-store"
    """The Cache-Control of a success."""
    media: bytes = b"application/json"
    """The Content-Type of a success. A handler that answers with bytes has encoded them itself; one that
    answers with a Stream says what it is."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """More headers of a success."""
    schemas: str = ""
    """What the names of its schemas in the document begin with."""


class Routed(Protocol):
    """What a table looks at."""

    @property
    def method(self) -> str:
        """In capitals."""
        ...

    @property
    def path(self) -> str:
        """With `{…}` for variable segments."""
        ...


_T = TypeVar("_T", bound=Routed)


class _Node(Generic[_T]):
    __slots__ = ("literal", "operations", "variable")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[_T]] = {}
        self.variable: _Node[_T] | None = None
        self.operations: dict[str, _T] = {}


class Table(Generic[_T]):
    """All operations by path and method."""

    def __init__(self, operations: Iterable[_T]) -> None:
        self._root: _Node[_T] = _Node()
        self.operations = tuple(operations)
        for operation in self.operations:
            self._add(operation)

    def find(self, method: str, path: str, raw_path: bytes) -> tuple[_T, list[str]]:
        """The operation and the variable segments. Raises Problem 404 or 405.

        A literal segment wins over a variable one. Segments are split before they are decoded, so that an
        encoded slash stays inside of its segment.
        """
        segments = path.split("/") if b"%" not in raw_path else raw_path.decode("latin-1").split("/")
        node = self._root
        parameters: list[str] = []
        for segment in segments[1:]:
            following = node.literal.get(segment)
            if following is None:
                following = node.variable
                if following is None or not segment:
                    raise problems.route_unknown(path)
                parameters.append(unquote(segment) if "%" in segment else segment)
            node = following
        operation = node.operations.get(method)
        if operation is None:
            if not node.operations:
                raise problems.route_unknown(path)
            raise problems.method_unknown(method, list(node.operations))
        return operation, parameters

    def _add(self, operation: _T) -> None:
        node = self._root
        for segment in operation.path.split("/")[1:]:
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literal.setdefault(segment, _Node())
        if operation.method in node.operations:
            raise ValueError(f"{operation.method} {operation.path} is there twice")
        node.operations[operation.method] = operation

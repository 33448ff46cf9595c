"""The published descriptions of the Backend API, and what they have against an answer.

The descriptions are OpenAPI 3.0; they are read as JSON Schema 2020-12, and more strictly than they ask for:

- An object that names its members has no others unless the description says so (`additionalProperties`): to
  be silent is not to permit. An object without any `properties` is free.
- A whole number is one without a fraction in its text, as readers with typed integers need it.
- A keyword that is not understood here is an error of the test, never passed over.

In one point they are read as they are meant: `nullable: true` beside `oneOf`, `allOf` or `enum` permits null.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from sojourn.http.routes import Operation
from tests.conftest import require_tool

PUBLISHED_VERSIONS = ("2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", "2026-05-12")
"""The versions that have a description of the operations served here."""

_SCHEMAS = "#/components/schemas/"
_SAID_ONLY = {"description", "title", "example", "default", "deprecated", "discriminator", "nullable"}
_KEPT = {"type", "enum", "required", "pattern", "format", "minimum", "maximum", "minLength", "maxLength"}
_KEPT |= {"minItems", "maxItems"}
_formats = FormatChecker(formats=())
_formats.checks("float")(lambda _: True)  # it says how wide a number is, and nothing of its value
_formats.checks("int64")(lambda value: not isinstance(value, int) or -(2**63) <= value < 2**63)
_whole = Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
_Validator = extend(Draft202012Validator, type_checker=_whole)


FRONTEND_VERSIONS = ("2025-11-10", "2026-05-12")
"""The versions in which the operations of the Frontend API are described."""


def specification(version: str, api: str = "bapi") -> Specification:
    """The description of a version; the test is skipped without the folder of them, and fails in CI."""
    folder = os.environ.get("SOJOURN_SPECS")
    how = "set SOJOURN_SPECS to the folder with bapi-<version>.yml"
    require_tool("a folder of published descriptions", folder and Path(folder).is_dir(), how)
    path = Path(folder or "") / f"{api}-{version}.yml"
    require_tool(path.name, path.is_file(), how)
    return _read(path, version)


@cache
def _read(path: Path, version: str) -> Specification:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Specification(version, yaml.load(path.read_bytes(), loader))  # noqa: S506  # both are safe loaders


class Specification:
    """One description."""

    def __init__(self, version: str, document: dict[str, Any]) -> None:
        self.version = version
        self._document = document
        schemas = document["components"]["schemas"]
        self.schemas: dict[str, Any] = schemas
        self._definitions = {
            "closed": {name: translated(schema) for name, schema in schemas.items()},
            "open": {name: translated(schema, closed=False) for name, schema in schemas.items()},
        }
        self.operations = {
            (method.upper(), path): Published(self, item["operationId"], self._bodies(item["responses"]))
            for path, items in document["paths"].items()
            for method, item in items.items()
        }
        """Every operation by its method, in capitals, and its path, written as in the description."""

    def operation(self, served: Operation) -> Published | None:
        """The description of an operation that is served."""
        return self.operations.get((served.method, served.path.removeprefix("/v1")))

    def schema(self, name: str) -> dict[str, Any]:
        """A reference to the schema of that name."""
        assert name in self.schemas
        return {"$ref": _SCHEMAS + name}

    def complaints(self, schema: dict[str, Any] | str, value: Any) -> list[str]:
        """What a schema, or the one of that name, has against a value."""
        if isinstance(schema, str):
            schema = self.schema(schema)
        whole = {**translated(schema), "$defs": self._definitions}
        found = _Validator(whole, format_checker=_formats).iter_errors(value)
        # Of a choice between schemas, what stands deepest says the most.
        return [f"{error.json_path}: {error.message[:300]}" for error in map(_deepest, found)]

    def _bodies(self, responses: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """The schema of the body by status."""
        bodies: dict[int, dict[str, Any]] = {}
        for status, response in responses.items():
            if response.get("$ref", "").startswith(_SCHEMAS):  # an errand of the description of handshakes
                bodies[int(status)] = response
                continue
            if "$ref" in response:
                response = self._document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            if "content" in response:  # a redirect has none
                bodies[int(status)] = response["content"]["application/json"]["schema"]
        return bodies


def _deepest(error: ValidationError) -> ValidationError:
    return max([error, *map(_deepest, error.context or ())], key=lambda one: len(one.absolute_path))


@dataclass(frozen=True)
class Published:
    """An operation as it is described."""

    specification: Specification
    name: str
    bodies: dict[int, dict[str, Any]]

    def complaints(self, status: int, body: Any, *, page: bool = False) -> list[str]:
        """What there is against an answer. The form of `paginated=true`, `page`, is described for no list, so
        it is checked here: these two members, and each item by itself."""
        if status not in self.bodies:
            return [f"{self.name} has no answer {status}, only {sorted(self.bodies)}"]
        schema = self.bodies[status]
        if page and schema.get("type") == "array":
            schema = {
                "type": "object",
                "properties": {"data": schema, "total_count": {"type": "integer", "minimum": 0}},
                "required": ["data", "total_count"],
            }
        return self.specification.complaints(schema, body)


def translated(schema: dict[str, Any], *, closed: bool = True) -> dict[str, Any]:
    """A schema as JSON Schema. `closed` is false for parts: only the whole knows all members."""
    if "$ref" in schema:  # what stands beside a reference means nothing in OpenAPI 3.0
        return {"$ref": schema["$ref"].replace(_SCHEMAS, f"#/$defs/{'closed' if closed else 'open'}/")}
    whole = "properties" in schema or "allOf" in schema
    found: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _KEPT:
            found[keyword] = value
        elif keyword == "properties":
            found[keyword] = {name: translated(member) for name, member in value.items()}
        elif keyword == "additionalProperties":
            found[keyword] = translated(value) if isinstance(value, dict) else value
        elif keyword == "items":
            found[keyword] = translated(value)
        elif keyword in ("oneOf", "anyOf", "allOf"):
            found[keyword] = [translated(part, closed=closed and not whole) for part in value]
        elif keyword not in _SAID_ONLY and not keyword.startswith("x-"):
            raise NotImplementedError(f"keyword {keyword}")
    if found.get("format", "int64") not in ("int64", "float"):
        raise NotImplementedError(f"format {found['format']}")
    if "properties" in found:  # what is required is known, though its own schema may not be given
        found["properties"] = dict.fromkeys(schema.get("required", ()), True) | found["properties"]
    if closed and whole and "additionalProperties" not in schema:
        found["unevaluatedProperties"] = False
    return {"anyOf": [{"type": "null"}, found]} if schema.get("nullable") is True else found


def parsed(body: bytes) -> Any:
    """JSON as strict readers take it: no member twice, no number that JSON has no word for."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a member is there twice")
        return found

    def refused(text: str) -> Any:
        raise ValueError(f"{text} is no JSON")

    return json.loads(body.decode("utf-8"), object_pairs_hook=members, parse_constant=refused)

"""The OpenAPI 3.1 document of the operations that are served, made from their declarations."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version as version_of_package
from typing import Any, cast

import msgspec

from sojourn.core.keys import ApiKeyKind
from sojourn.http.problems import RETRY_AFTER_SECONDS
from sojourn.http.routes import Operation
from sojourn.http.shapes.common import ClerkErrors
from sojourn.http.versions import NEWEST, VERSIONS
from sojourn.remote.values import schema_of

_REFERENCE = "#/components/schemas/{name}"
_DESCRIPTION = """\
The session part of Clerk's Backend API as sojourn serves it, and what sojourn adds under `/sojourn/v1`.

**Versions.** `Clerk-API-Version`, or the query parameter `__clerk_api_version`, asks for a version; any \
date is served as the newest documented version not after it ({versions}), without one {newest}. What a \
version changes is said at the operation.

**Errors** always have the same shape; `code` is what programs decide by. Every answer carries \
`Clerk-Trace-Id`.

**Limits.** A path with its query has 8 KiB at most (414), the headers 16 KiB and 100 lines (431).
"""
ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("BadRequest", "The request cannot be read: its version, its query or its body."),
    401: ("Unauthorized", "There is no key in the request, or not one of this instance."),
    403: ("Forbidden", "A verifier key may not do this."),
    404: ("NotFound", "There is nothing with this id."),
    405: ("MethodNotAllowed", "This method is not served at this path; `Allow` says which are."),
    409: ("Conflict", "Somebody changed the same thing at the same moment; nothing was changed."),
    413: ("BodyTooLarge", "The body is larger than this operation takes."),
    414: ("UrlTooLong", "Path and query together are too long."),
    415: ("UnsupportedContentType", "The body is declared as something other than JSON in UTF-8."),
    422: ("Unprocessable", "A parameter is missing, unknown or not valid; `meta.param_name` names it."),
    431: ("HeadersTooLarge", "There are too many headers, or too much in them."),
    500: ("InternalError", "A fault of the service."),
    503: ("Unavailable", f"The service cannot do this now; try again after {RETRY_AFTER_SECONDS} s."),
    507: ("StorageFull", "The storage is full; nothing was changed."),
}
"""What each status means unless an operation says it better: name of the component and words."""


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document. It is made of plain values, ready for JSON."""
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sojourn",
            "version": version_of_package("sojourn"),
            "description": _DESCRIPTION.format(
                versions=", ".join(version.date for version in VERSIONS), newest=NEWEST.date
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(map(tag_of, operations))],
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY,
            "parameters": _PARAMETERS,
            "responses": {name: _error(words) for name, words in ERRORS.values()},
            "schemas": components,
        },
    }


def tag_of(operation: Operation) -> str:
    """The group of an operation: the module that handles it, and whether it is the own surface."""
    name = operation.handler.__module__.rpartition(".")[2].replace("_", " ")
    return f"{name} (own)" if operation.path.startswith("/sojourn/") else name


def summary_of(operation: Operation) -> str:
    """What the operation does: the first sentence of its handler's docstring, without a full stop."""
    text = " ".join((inspect.getdoc(operation.handler) or "").split())
    return re.split(r"(?<=\w)\.(?=\s|$)", text, maxsplit=1)[0]


def statuses_of(operation: Operation) -> dict[int, str | None]:
    """Every status that the operation may answer with, success apart, in order; None: the usual meaning."""
    found: dict[int, str | None] = dict.fromkeys((400, 414, 431, 500, 503, 507))
    if operation.keys:
        found[401] = None
        if ApiKeyKind.VERIFIER not in operation.keys:
            found[403] = None
    if "{" in operation.path:
        found[404] = None
    if operation.query or operation.body is not None:
        found[422] = None
    if operation.method != "GET":
        found |= dict.fromkeys((409, 413, 415))
    found |= operation.errors
    return dict(sorted(found.items()))


def _operation(operation: Operation, schemas: Mapping[object, Any]) -> dict[str, Any]:
    text = (inspect.getdoc(operation.handler) or "").partition("\n\n")[2]
    differences = [operation.differs] if operation.differs else []
    differences += [f"{when}: {words}" for when, words in operation.by_version.items()]
    remarks = "\n".join(f"- {words}" for words in differences)
    made: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [tag_of(operation)],
        "summary": summary_of(operation),
        "description": "\n\n".join(part for part in (text, remarks) if part),
        "parameters": [
            *(_in_path(name) for name in re.findall(r"\{(\w+)\}", operation.path)),
            *(
                {"name": p.name, "in": "query", "description": p.meaning, "schema": p.schema()}
                for p in operation.query
            ),
            *({"$ref": f"#/components/parameters/{name}"} for name in ("Version", "VersionInQuery")),
        ],
        "responses": {"200": _success(operation, schemas)},
        "security": [{_KEYS[kind]: []} for kind in sorted(operation.keys, reverse=True)],
    }
    if operation.creates:
        made["parameters"].append({"$ref": "#/components/parameters/IdempotencyKey"})
    if operation.body is not None:
        made["requestBody"] = _request_body(operation.body, schemas)
    for status, words in statuses_of(operation).items():
        usual, _ = ERRORS[status]
        reference = {"$ref": f"#/components/responses/{usual}"}
        made["responses"][str(status)] = reference if words is None else _error(words)
    return made


def _success(operation: Operation, schemas: Mapping[object, Any]) -> dict[str, Any]:
    return {
        "description": "It was done.",
        "headers": {"Clerk-Trace-Id": _TRACE},
        "content": {
            operation.media.decode(): {"schema": _any_of([schemas[kind] for kind in _answers(operation)])}
        },
    }


def _request_body(body: type[msgspec.Struct], schemas: Mapping[object, Any]) -> dict[str, Any]:
    required = any(field.required for field in msgspec.structs.fields(body))
    schema = schemas[body]
    if not required:  # an absent body, `null` and `{}` are the same
        schema = _any_of([schema, {"type": "null"}])
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _error(words: str) -> dict[str, Any]:
    return {
        "description": words,
        "headers": {"Clerk-Trace-Id": _TRACE},
        "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name=ClerkErrors.__name__)}}},
    }


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _answers(operation: Operation) -> tuple[object, ...]:
    answer = operation.answer
    return cast("tuple[object, ...]", answer) if isinstance(answer, tuple) else (answer,)


def _any_of(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _schemas(operations: Sequence[Operation]) -> tuple[dict[object, Any], dict[str, Any]]:
    """The schema of every body and answer, and the components they refer to."""
    schemas: dict[object, Any] = {}
    components: dict[str, Any] = {}
    for prefix in dict.fromkeys(operation.schemas for operation in operations):
        some = [operation for operation in operations if operation.schemas == prefix]
        made, named = _schemas_named(prefix, some)
        schemas |= made
        components |= named
    return schemas, components


def _schemas_named(prefix: str, operations: Sequence[Operation]) -> tuple[dict[object, Any], dict[str, Any]]:
    bodies = [o.body for o in operations if o.body is not None]
    types = [*bodies, *(kind for o in operations for kind in _answers(o))]
    types += [] if prefix else [ClerkErrors]
    template = _REFERENCE.format(name=prefix + "{name}")
    made, components = msgspec.json.schema_components(types, ref_template=template, schema_hook=schema_of)
    for schema in made[: len(bodies)]:  # a member that is not named is refused (wire.body_of)
        components[schema["$ref"].removeprefix(template.format(name=""))]["additionalProperties"] = False
    named = {prefix + name: schema for name, schema in components.items()}
    # Page_Session_ is what msgspec makes of Page[Session], and a path what it makes of the second of a name.
    text = re.sub(r"\bPage_(\w+?)_(?!\w)", r"\1Page", json.dumps([made, named]))
    text = re.sub(rf'(["/]){prefix}(?:\w+\.)*(\w+)\.([A-Z]\w*)"', partial(_short, prefix), text)
    made, named = json.loads(text)
    return dict(zip(types, made, strict=True)), named


def _short(prefix: str, match: re.Match[str]) -> str:
    before, module, name = match.groups()
    return f'{before}{prefix}{module.capitalize()}{name}"'


_KEYS = {ApiKeyKind.SECRET: "secretKey", ApiKeyKind.VERIFIER: "verifierKey"}
_SECURITY = {
    "secretKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "A secret key, `sk_…`: may do everything.",
    },
    "verifierKey": {"type": "http", "scheme": "bearer", "description": "A verifier key: reads public keys."},
}
_TRACE = {"description": "Names this request in the log.", "schema": {"type": "string"}}
_VERSION = {"type": "string", "format": "date", "examples": [NEWEST.date]}
_PARAMETERS = {
    "Version": {
        "name": "Clerk-API-Version",
        "in": "header",
        "description": "The API version, a date not before the first version.",
        "schema": _VERSION,
    },
    "VersionInQuery": {
        "name": "__clerk_api_version",
        "in": "query",
        "description": "The same for callers that cannot set a header; if both are given they have to agree.",
        "schema": _VERSION,
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Repeating a request with the same key gives the first answer again; with another "
        "request it is refused.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}

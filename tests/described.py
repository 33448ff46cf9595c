"""The service's own description, and what it has against an answer of the service."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from sojourn.http.app import OPERATIONS
from sojourn.http.openapi import document
from sojourn.http.routes import Operation


@cache
def own() -> dict[str, Any]:
    """The document of everything that is served."""
    return document(OPERATIONS)


def complaints(operation: Operation, status: int, body: Any) -> list[str]:
    """What the description of an operation has against an answer."""
    responses = own()["paths"][operation.path][operation.method.lower()]["responses"]
    if str(status) not in responses:
        return [f"{operation.name} is described without the status {status}"]
    found = _validator(operation.path, operation.method.lower(), str(status)).iter_errors(body)
    return [f"{error.json_path}: {error.message[:300]}" for error in found]


@cache
def _validator(path: str, method: str, status: str) -> Validator:
    answer = own()["paths"][path][method]["responses"][status]
    if "$ref" in answer:
        answer = own()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    (content,) = answer["content"].values()
    return Draft202012Validator({**content["schema"], "components": own()["components"]})

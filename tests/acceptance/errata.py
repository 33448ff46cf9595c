"""Where the service answers what the published descriptions do not have, each with its reason.

These are statuses and operations. No body differs from its published schema; where that asks for too little,
STRICTER names the one that a body has to satisfy too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sojourn.http.routes import Operation
from tests.published import Published, Specification

ERRORS = "ClerkErrors"
"""The schema of every error."""

EVERYWHERE: dict[tuple[int, str], str] = {
    (400, "api_version_invalid"): "the version is read before any operation",
    (400, "request_body_invalid"): "any operation with a body may get one that is no JSON",
    (400, "malformed_request_parameters"): "any operation with a body may get a length that is no number",
    (
        401,
        "clerk_key_invalid",
    ): "every operation takes a key, and SDKs look for this code; GetJWKS and others "
    "describe no 401, though the description asks for a key everywhere",
    (401, "authorization_header_format_invalid"): "the same, for a header that holds no key",
    (403, "authorization_invalid"): "verifier keys, which the published service does not have, may do little",
    (409, "conflict"): "somebody changed the same thing at the same moment, and nothing was changed",
    (413, "request_body_too_large"): "a limit of the transport; the catalogue has the code",
    (415, "unsupported_content_type"): "a rule of the transport; the catalogue has the code",
    (422, "form_param_unknown"): "the descriptions close every body and seldom say what answers a stranger",
    (500, "internal_clerk_error"): "faults are described nowhere; the catalogue has the code",
    (503, "service_unavailable"): "the same",
    (503, "storage_failed"): "a fault of the storage, for which the catalogue has no word",
    (507, "storage_full"): "the same, and the one that an operator can do something about",
}
"""Errors that any operation may give, whether its description has the status or not."""


@dataclass(frozen=True)
class Erratum:
    """An error of one operation whose status its description does not have."""

    operation: str
    status: int
    code: str
    reason: str


ERRATA = (
    Erratum(
        "createSession",
        403,
        "user_banned",
        "the catalogue has this code for the Backend API; nothing described says it",
    ),
    Erratum(
        "CreateSessionToken",
        422,
        "form_param_value_invalid",
        "the description bounds expires_in_seconds without an answer for what lies outside",
    ),
    Erratum(
        "RefreshSession",
        422,
        "form_param_missing",
        "what is missing in a body is a 422 everywhere else; 401 is for tokens that cannot be exchanged",
    ),
    Erratum("RefreshSession", 422, "form_param_value_invalid", "the same for what has another type"),
    Erratum("VerifyClient", 422, "form_param_missing", "what is missing in a body is a 422 everywhere else"),
    Erratum(
        "CreateSessionTokenFromTemplate",
        422,
        "form_param_value_invalid",
        "as for CreateSessionToken",
    ),
    Erratum(
        "CreateSessionTokenFromTemplate",
        422,
        "form_param_value_too_large",
        "what a template is filled in with may be longer than any token",
    ),
    Erratum(
        "UpdateJWTTemplate",
        404,
        "resource_not_found",
        "the description has no answer for a template that is not there",
    ),
    Erratum(
        "ListJWTTemplates",
        422,
        "form_param_value_invalid",
        "the description bounds the page without an answer for what lies outside",
    ),
    Erratum(
        "VerifySession",
        422,
        "form_param_missing",
        "the token is required, and what is missing is a 422 everywhere else",
    ),
    Erratum(
        "BanUser", 404, "resource_not_found", "the description has no answer for a user who is not there"
    ),
    Erratum("UnbanUser", 404, "resource_not_found", "as for BanUser"),
    Erratum("LockUser", 404, "resource_not_found", "as for BanUser"),
    Erratum("UnlockUser", 404, "resource_not_found", "as for BanUser"),
    Erratum("createSession", 403, "user_locked", "as for a user who is banned"),
    Erratum(
        "CreateActorToken",
        404,
        "resource_not_found",
        "the description has no answer for a user who is not there; an older one had this",
    ),
    Erratum("CreateActorToken", 403, "user_banned", "as for createSession"),
    Erratum(
        "createSession",
        403,
        "not_a_member_in_organization",
        "the catalogue's code for it; the description knows the organization's absence only",
    ),
    Erratum(
        "ListOrganizationMemberships",
        404,
        "resource_not_found",
        "the description has no answer for an organization that is not there",
    ),
    Erratum("UsersGetOrganizationMemberships", 404, "resource_not_found", "the same for a user"),
    Erratum(
        "UsersGetOrganizationMemberships",
        422,
        "form_param_value_invalid",
        "the description bounds the page without an answer for what lies outside",
    ),
)


@dataclass(frozen=True)
class Extension:
    """An operation served where no description has it: the schema of its success, None for one of our own,
    and the statuses of its errors, besides those of the tables above."""

    answer: str | None
    statuses: frozenset[int]
    reason: str


EXTENSIONS = {
    "VerifySession": Extension(
        "Session", frozenset({400, 401, 404}), "left out from 2025-04-10 on; SDKs still call it"
    ),
    "MergeOrganizationMetadata": Extension(
        "Organization",
        frozenset({400, 401, 404, 422}),
        "left out of the subset; the newest version sends metadata here, and SDKs call it",
    ),
    "ReplaceOrganizationMetadata": Extension(
        "Organization", frozenset({400, 401, 404, 422}), "left out of the subset; SDKs call it"
    ),
    "UpdateOrganizationMembershipMetadata": Extension(
        "OrganizationMembership", frozenset({400, 401, 404, 422}), "left out of the subset; SDKs call it"
    ),
    "GetHandshakePayload": Extension(
        None, frozenset({400, 401, 404, 422}), "its path is named without any operation; an SDK calls it"
    ),
    "GetPublicJWKS": Extension("JWKS", frozenset(), "described for the Frontend API only"),
}


@dataclass(frozen=True)
class Stricter:
    """A schema that the success of an operation has to satisfy besides the described one."""

    schema: str
    reason: str


STRICTER = {
    name: Stricter("Token", "described in place without a required member, so that {} would do")
    for name in ("CreateSessionToken", "CreateSessionTokenFromTemplate")
}

FRONT = frozenset({400, 401, 409})
"""Statuses that what stands before every operation gives, version, key and body; and the one of a change that
lost a race too often, which is brought about for all operations at once."""

NEVER: dict[tuple[str | None, int], str] = {
    (None, 402): "there are no plans and nothing is paid for",
    (None, 410): "operations that are deprecated upstream are kept",
    ("ListOrganizations", 403): "organizations cannot be switched off",
    ("GetOrganization", 403): "the same",
    ("UpdateOrganization", 403): "the same",
    ("UsersGetOrganizationMemberships", 403): "the same",
    ("DeleteOrganizationMembership", 422): "nothing is given that could be wrong",
    ("LockUser", 403): "no setting of the instance forbids it",
    ("UnlockUser", 403): "the same",
    ("CreateUser", 403): "there are no settings of an instance that could forbid it",
}
"""Published statuses that are not given, by operation or, with None, at all."""


def complaints(
    specification: Specification, operation: Operation, status: int, body: Any, *, page: bool = False
) -> list[str]:
    """What the description of a version has against an answer, after the errata."""
    described = description(specification, operation)
    if described is None:
        return [f"{operation.name} is not published in {specification.version}"]
    if status not in described.bodies and is_erratum(operation.name, status, code_of(body)):
        return specification.complaints(ERRORS, body)
    found = described.complaints(status, body, page=page)
    if status == 200 and operation.name in STRICTER:
        found += specification.complaints(STRICTER[operation.name].schema, body)
    return found


def description(specification: Specification, operation: Operation) -> Published | None:
    """The description of an operation, or what stands in for it."""
    published = specification.operation(operation)
    if published is not None or operation.name not in EXTENSIONS:
        return published
    extension = EXTENSIONS[operation.name]
    bodies = {status: specification.schema(ERRORS) for status in extension.statuses}
    bodies[200] = specification.schema(extension.answer) if extension.answer else {}
    return Published(specification, operation.name, bodies)


def is_erratum(operation: str, status: int, code: str | None) -> bool:
    """Whether the tables above have this answer."""
    known = {(erratum.operation, erratum.status, erratum.code) for erratum in ERRATA}
    return (status, code) in EVERYWHERE or (operation, status, code) in known


def code_of(body: Any) -> str | None:
    """The code of the first error, if the body holds errors."""
    match body:
        case {"errors": [{"code": str(code)}, *_]}:
            return code
    return None

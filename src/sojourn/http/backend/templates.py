"""JWT templates (ListJWTTemplates … DeleteJWTTemplate; wire/backend-api.md sections 1.3 and 3.3)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sojourn.core.templates import (
    BUDGET_BYTES,
    DEFAULT_CLOCK_SKEW_SECONDS,
    DEFAULT_LIFETIME_SECONDS,
    MAX_CLOCK_SKEW_SECONDS,
    MIN_LIFETIME_SECONDS,
    OF_EVERY_TOKEN,
    Template,
    size_of,
)
from sojourn.http.parameters import LIMIT, OFFSET, PAGINATED
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.common import DeletedObject, Page
from sojourn.http.shapes.templates import JWTTemplate
from sojourn.http.wire import Warned, body_of
from sojourn.tokens.encoding import b64url_decode, decode_object

Lifetime = Annotated[int, msgspec.Meta(ge=MIN_LIFETIME_SECONDS, le=315_360_000)]
Skew = Annotated[int, msgspec.Meta(ge=0, le=MAX_CLOCK_SKEW_SECONDS)]


class WriteTemplate(msgspec.Struct):
    """Body of CreateJWTTemplate and UpdateJWTTemplate; the bounds are those of the specification."""

    name: str
    claims: dict[str, Any]
    lifetime: Lifetime | None = None
    allowed_clock_skew: Skew | None = None
    custom_signing_key: bool | None = None
    signing_algorithm: str | None = None
    signing_key: str | None = None


async def list_templates(call: Call) -> object:
    """List templates, newest first."""
    query = call.query()
    paginated = PAGINATED.of(query)
    page = await call.sojourn.templates.page(limit=LIMIT.of(query), offset=OFFSET.of(query))
    data = [template.to_wire() for template in page.items]
    return {"data": data, "total_count": page.total} if paginated else data


async def create_template(call: Call) -> object:
    """Create a template, a named shape of claims."""
    body = body_of(call.body, WriteTemplate)
    template = await call.sojourn.templates.create(
        name=body.name,
        claims=body.claims,
        lifetime_seconds=DEFAULT_LIFETIME_SECONDS if body.lifetime is None else body.lifetime,
        allowed_clock_skew_seconds=DEFAULT_CLOCK_SKEW_SECONDS
        if body.allowed_clock_skew is None
        else body.allowed_clock_skew,
        custom_signing_key=bool(body.custom_signing_key),
        signing_algorithm=body.signing_algorithm,
        signing_key=body.signing_key,
    )
    return _saved(template)


async def get_template(call: Call) -> object:
    """Get a template."""
    return (await call.sojourn.templates.get(call.id)).to_wire()


async def update_template(call: Call) -> object:
    """Update a template. Claims are replaced as a whole; null is the same as nothing."""
    body = body_of(call.body, WriteTemplate)
    template = await call.sojourn.templates.update(
        call.id,
        name=body.name,
        claims=body.claims,
        lifetime_seconds=body.lifetime,
        allowed_clock_skew_seconds=body.allowed_clock_skew,
        custom_signing_key=body.custom_signing_key,
        signing_algorithm=body.signing_algorithm,
        signing_key=body.signing_key,
    )
    return _saved(template)


async def delete_template(call: Call) -> object:
    """Delete a template; tokens that were made by it stay what they are."""
    await call.sojourn.templates.delete(call.id)
    return {"object": "jwt_template", "id": call.id, "deleted": True}


def minted(token: str) -> dict[str, object]:
    """The answer with a token by a template, and a warning when the claims in it are over the budget."""
    wire: dict[str, object] = {"object": "token", "jwt": token}
    payload = token.split(".")[1]
    if len(payload) <= BUDGET_BYTES:  # base64 is longer than what it holds
        return wire
    claims = decode_object(b64url_decode(payload.encode()))
    return _budgeted(wire, size_of({n: v for n, v in claims.items() if n not in OF_EVERY_TOKEN}))


def _saved(template: Template) -> dict[str, object]:
    return _budgeted(template.to_wire(), template.over_budget or 0)


def _budgeted(wire: dict[str, object], size: int) -> dict[str, object]:
    if size <= BUDGET_BYTES:
        return wire
    return Warned(wire, f"claims_over_budget; bytes={size}; budget={BUDGET_BYTES}")


_WRITTEN = {
    400: "A claim is reserved, or the request cannot be read.",
    422: "A parameter is not accepted, or the claims are too large.",
}
_DIFFERS = (
    "also reserved: what only a session token says (docs/templates.md); custom keys are HS, RS and ES with "
    "256, 384 and 512 bits and EdDSA; the header `Sojourn-Warning: claims_over_budget` above 1200 bytes"
)

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/jwt_templates",
        name="ListJWTTemplates",
        handler=list_templates,
        query=(PAGINATED, LIMIT, OFFSET),
        answer=(list[JWTTemplate], Page[JWTTemplate]),
    ),
    Operation(
        method="POST",
        path="/v1/jwt_templates",
        name="CreateJWTTemplate",
        handler=create_template,
        body=WriteTemplate,
        answer=JWTTemplate,
        errors={**_WRITTEN, 403: "There are as many templates as an instance holds."},
        differs=f"{_DIFFERS}; 403 `quota_exceeded` above 100 templates",
    ),
    Operation(
        method="GET",
        path="/v1/jwt_templates/{template_id}",
        name="GetJWTTemplate",
        handler=get_template,
        answer=JWTTemplate,
    ),
    Operation(
        method="PATCH",
        path="/v1/jwt_templates/{template_id}",
        name="UpdateJWTTemplate",
        handler=update_template,
        body=WriteTemplate,
        answer=JWTTemplate,
        errors=_WRITTEN,
        differs="as CreateJWTTemplate; null and absence leave a member as it is",
    ),
    Operation(
        method="DELETE",
        path="/v1/jwt_templates/{template_id}",
        name="DeleteJWTTemplate",
        handler=delete_template,
        answer=DeletedObject,
        errors={403: "The template customises session tokens."},
        differs="403 `session_token_jwt_template` while the policy names it (`session_token_template`)",
    ),
)

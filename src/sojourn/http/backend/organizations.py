"""Organizations (operations ListOrganizations … DeleteOrganization of the published API)."""

from __future__ import annotations

from typing import Any

import msgspec

from sojourn.core.directory import Organization
from sojourn.core.errors import Invalid, Unknown
from sojourn.http.parameters import ALWAYS_PAGINATED, LIMIT, OFFSET, Boolean, Order, Signed, Text, only
from sojourn.http.routes import METADATA_LIMIT, Call, Operation
from sojourn.http.shapes.common import DeletedObject, Page
from sojourn.http.shapes.organizations import Organization as Shape
from sojourn.http.versions import NEWEST, Version
from sojourn.http.wire import body_of, instant
from sojourn.service.ports import OrganizationOrder, OrganizationQuery

Metadata = dict[str, Any]
_TEXT = Text("query", "Only those with this id, or with this text in the name or the slug.")
_USER_IDS = Signed("user_id", "Only those of which one of these users is a member, or with - none of these.")
_IDS = Signed("organization_id", "Only these, or with - all but these.")
_ORDER_BY = Order("order_by", "What to sort by.", words=tuple(OrganizationOrder), default="-created_at")
_COUNT = Boolean("include_members_count", "Tell how many members there are.")
_MISSING = Boolean(
    "include_missing_member_with_elevated_permissions", "Tell whether there is no administrator."
)
_LIST_QUERY = (_TEXT, _USER_IDS, _IDS, _ORDER_BY, _COUNT, _MISSING, ALWAYS_PAGINATED, LIMIT, OFFSET)


class CreateOrganization(msgspec.Struct):
    """Body of CreateOrganization."""

    name: str
    slug: str | None = None
    created_by: str | None = None
    max_allowed_memberships: int | None = None
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    created_at: str | None = None
    role_set_key: str | None = None


class UpdateOrganization(msgspec.Struct):
    """Body of UpdateOrganization; the newest version has its metadata elsewhere."""

    name: str | None = None
    slug: str | None = None
    max_allowed_memberships: int | None = None
    admin_delete_enabled: bool | None = None
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    created_at: str | None = None
    role_set_key: str | None = None


class MergeMetadata(msgspec.Struct):
    """Body of the operations on metadata: what is given of the two fields."""

    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None


async def list_organizations(call: Call) -> object:
    """List organizations, newest first unless asked otherwise. It is always a page."""
    query = call.query()
    only(query, *_LIST_QUERY)
    ALWAYS_PAGINATED.of(query)
    ids, without_ids = _IDS.of(query)
    user_ids, without_user_ids = _USER_IDS.of(query)
    order, descending = _ORDER_BY.of(query)
    members, missing = _COUNT.of(query), _MISSING.of(query)
    page = await call.sojourn.organizations.page(
        OrganizationQuery(
            text=_TEXT.of(query),
            ids=ids,
            without_ids=without_ids,
            user_ids=user_ids,
            without_user_ids=without_user_ids,
            counts=members or missing,
            order=OrganizationOrder(order),
            descending=descending,
            limit=LIMIT.of(query),
            offset=OFFSET.of(query),
        )
    )
    data = [_told(organization, members=members, missing=missing) for organization in page.items]
    return {"data": data, "total_count": page.total}


async def create_organization(call: Call) -> object:
    """Create an organization; the user who creates it becomes its first member."""
    body = body_of(call.body, CreateOrganization)
    _refuse_role_set(body.role_set_key)
    organization = await call.sojourn.organizations.create(
        name=body.name,
        slug=body.slug,
        created_by=body.created_by,
        max_allowed_memberships=body.max_allowed_memberships or 0,
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
        created_at=instant("created_at", body.created_at),
        once=call.once,
    )
    return organization.to_wire()


async def get_organization(call: Call) -> object:
    """Get an organization by its id or slug."""
    query = call.query()
    members, missing = _COUNT.of(query), _MISSING.of(query)
    organization = await call.sojourn.organizations.get(call.id, counts=members or missing)
    return _told(organization, members=members, missing=missing)


async def update_organization(call: Call) -> object:
    """Update an organization: what is given; null is the same as nothing."""
    body = body_of(call.body, UpdateOrganization)
    _refuse_role_set(body.role_set_key)
    _refuse_metadata(body, call.version)
    organization = await call.sojourn.organizations.update(
        call.id,
        name=body.name,
        slug=body.slug,
        max_allowed_memberships=body.max_allowed_memberships,
        admin_delete_enabled=body.admin_delete_enabled,
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
        created_at=instant("created_at", body.created_at),
    )
    return organization.to_wire()


async def merge_organization_metadata(call: Call) -> object:
    """Merge into the metadata of an organization, level by level; null removes a key."""
    body = body_of(call.body, MergeMetadata)
    organization = await call.sojourn.organizations.merge_metadata(
        call.id, public_metadata=body.public_metadata, private_metadata=body.private_metadata
    )
    return organization.to_wire()


async def replace_organization_metadata(call: Call) -> object:
    """Replace the public or the private metadata of an organization as a whole."""
    body = body_of(call.body, MergeMetadata)
    organization = await call.sojourn.organizations.update(
        call.id, public_metadata=body.public_metadata, private_metadata=body.private_metadata
    )
    return organization.to_wire()


async def delete_organization(call: Call) -> object:
    """Delete an organization; it leaves every session in which it is active."""
    await call.sojourn.organizations.delete(call.id)
    return {"object": "organization", "id": call.id, "deleted": True}


def _told(organization: Organization, *, members: bool, missing: bool) -> dict[str, object]:
    """An organization with the counts that were asked for."""
    wire = organization.to_wire()
    if not members:
        wire.pop("members_count", None)
    if not missing:
        wire.pop("missing_member_with_elevated_permissions", None)
    return wire


def _refuse_role_set(key: str | None) -> None:
    if key is not None:
        raise Invalid("role_set_key", "There are no role sets: every organization takes every role.")


def _refuse_metadata(body: UpdateOrganization, version: Version) -> None:
    """The newest version took metadata out of this operation, so that no merge is mistaken for a
    replacement."""
    if version.date < NEWEST.date:
        return
    for name in ("public_metadata", "private_metadata"):
        if getattr(body, name) is not None:
            raise Unknown(name, f"{name} is changed by PATCH /v1/organizations/{{id}}/metadata.")


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/organizations",
        name="ListOrganizations",
        handler=list_organizations,
        query=_LIST_QUERY,
        answer=Page[Shape],
        differs="texts are compared without regard to the case of Latin letters; unknown parameters answer "
        "422",
    ),
    Operation(
        method="POST",
        path="/v1/organizations",
        name="CreateOrganization",
        handler=create_organization,
        body=CreateOrganization,
        answer=Shape,
        errors={403: "The user has created as many organizations as allowed."},
        differs="`created_by` becomes a member with `org:admin`; 422 for one who is nobody; 403 "
        '`quota_exceeded` at the user\'s `create_organizations_limit`; without a slug it reads `""`; '
        "`role_set_key` answers 422; `Idempotency-Key` is honoured",
        creates=True,
        body_limit=METADATA_LIMIT,
    ),
    Operation(
        method="GET",
        path="/v1/organizations/{organization_id}",
        name="GetOrganization",
        handler=get_organization,
        query=(_COUNT, _MISSING),
        answer=Shape,
    ),
    Operation(
        method="PATCH",
        path="/v1/organizations/{organization_id}",
        name="UpdateOrganization",
        handler=update_organization,
        body=UpdateOrganization,
        answer=Shape,
        differs="null is the same as nothing; metadata is replaced as a whole",
        by_version={"from 2026-05-12 on": "metadata answers 422"},
        body_limit=METADATA_LIMIT,
    ),
    Operation(
        method="DELETE",
        path="/v1/organizations/{organization_id}",
        name="DeleteOrganization",
        handler=delete_organization,
        answer=DeletedObject,
        differs="takes memberships with it and leaves all live sessions in the same transaction",
    ),
    Operation(
        method="PATCH",
        path="/v1/organizations/{organization_id}/metadata",
        name="MergeOrganizationMetadata",
        handler=merge_organization_metadata,
        body=MergeMetadata,
        answer=Shape,
        body_limit=METADATA_LIMIT,
    ),
    Operation(
        method="PUT",
        path="/v1/organizations/{organization_id}/metadata",
        name="ReplaceOrganizationMetadata",
        handler=replace_organization_metadata,
        body=MergeMetadata,
        answer=Shape,
        differs="null and absence leave a field as it is",
        body_limit=METADATA_LIMIT,
    ),
)

"""Memberships (operations …OrganizationMembership… of the published API)."""

from __future__ import annotations

from typing import Any

import msgspec

from sojourn.http.backend.organizations import MergeMetadata
from sojourn.http.parameters import (
    ALWAYS_PAGINATED,
    LIMIT,
    OFFSET,
    Instant,
    Order,
    Parameter,
    Signed,
    Text,
    Texts,
    only,
)
from sojourn.http.routes import METADATA_LIMIT, Call, Operation
from sojourn.http.shapes.common import Page
from sojourn.http.shapes.organizations import OrganizationMembership as Shape
from sojourn.http.wire import body_of
from sojourn.service.ports import MembershipOrder, MembershipPage, MembershipQuery

Metadata = dict[str, Any]
_USER_IDS = Signed("user_id", "Only these users, or with - all but these.")
_WALLETS = Texts("web3_wallet", "Only users with one of these wallets: nobody, as there are none.")
_EMAILS = Texts("email_address", "Only users with one of these addresses.")
_ORDER_BY = Order("order_by", "What to sort by.", words=tuple(MembershipOrder), default="-created_at")
_ANY_OF = {
    "roles": Texts("role", "Only members with one of these roles."),
    "phone_numbers": Texts("phone_number", "Only users with one of these numbers."),
    "usernames": Texts("username", "Only users with one of these names."),
}
_REST: dict[str, Parameter[object]] = {
    "text": Text("query", "Only users with this text in an identifier, the id or the name."),
    "email_address_text": Text("email_address_query", "Only users with this text in an address."),
    "phone_number_text": Text("phone_number_query", "Only users with this text in a number."),
    "username_text": Text("username_query", "Only users with this text in the user name."),
    "name_text": Text("name_query", "Only users with this text in first and last name."),
    "last_active_before": Instant("last_active_at_before", "Only users last active before, Unix ms."),
    "last_active_after": Instant("last_active_at_after", "Only users last active after, Unix ms."),
    "created_before": Instant("created_at_before", "Only users created before, Unix ms."),
    "created_after": Instant("created_at_after", "Only users created after, Unix ms."),
}
_LIST_QUERY = (
    *(_USER_IDS, _EMAILS, _WALLETS, _ORDER_BY),
    *_ANY_OF.values(),
    *_REST.values(),
    *(ALWAYS_PAGINATED, LIMIT, OFFSET),
)
_OF_USER_QUERY = (ALWAYS_PAGINATED, LIMIT, OFFSET)
_ORGANIZATION = "/v1/organizations/{organization_id}"


class CreateMembership(msgspec.Struct):
    """Body of CreateOrganizationMembership."""

    user_id: str
    role: str
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None


class UpdateMembership(msgspec.Struct):
    """Body of UpdateOrganizationMembership."""

    role: str


async def list_memberships(call: Call) -> object:
    """List the members of an organization, newest first unless asked otherwise. It is always a page."""
    query = call.query()
    only(query, *_LIST_QUERY)
    ALWAYS_PAGINATED.of(query)
    user_ids, without_user_ids = _USER_IDS.of(query)
    if _WALLETS.of(query):
        user_ids = ()
    order, descending = _ORDER_BY.of(query)
    filters: dict[str, Any] = {
        **{name: tuple(parameter.of(query)) or None for name, parameter in _ANY_OF.items()},
        **{name: parameter.of(query) for name, parameter in _REST.items()},
    }
    # E-mail addresses are stored in small letters, whatever they were given in.
    emails = tuple(value.lower() for value in _EMAILS.of(query))
    limit, offset = LIMIT.of(query), OFFSET.of(query)
    await call.sojourn.organizations.get(call.id)
    page = await call.sojourn.memberships.page(
        MembershipQuery(
            organization_id=call.id,
            user_ids=user_ids,
            without_user_ids=without_user_ids,
            email_addresses=emails or None,
            order=MembershipOrder(order),
            descending=descending,
            limit=limit,
            offset=offset,
            **filters,
        )
    )
    return _page(page)


async def list_memberships_of_user(call: Call) -> object:
    """List the memberships of a user, newest first. It is always a page."""
    query = call.query()
    only(query, *_OF_USER_QUERY)
    ALWAYS_PAGINATED.of(query)
    limit, offset = LIMIT.of(query), OFFSET.of(query)
    await call.sojourn.users.get(call.id)
    asked = MembershipQuery(user_ids=(call.id,), limit=limit, offset=offset)
    return _page(await call.sojourn.memberships.page(asked))


async def create_membership(call: Call) -> object:
    """Make a user a member of an organization."""
    body = body_of(call.body, CreateMembership)
    member = await call.sojourn.memberships.add(
        call.id,
        body.user_id,
        role=body.role,
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
        once=call.once,
    )
    return member.to_wire()


async def update_membership(call: Call) -> object:
    """Give a member another role."""
    body = body_of(call.body, UpdateMembership)
    return (await call.sojourn.memberships.update(call.id, call.parameters[1], role=body.role)).to_wire()


async def merge_membership_metadata(call: Call) -> object:
    """Merge into the metadata of a membership, level by level; null removes a key."""
    body = body_of(call.body, MergeMetadata)
    member = await call.sojourn.memberships.merge_metadata(
        call.id,
        call.parameters[1],
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
    )
    return member.to_wire()


async def delete_membership(call: Call) -> object:
    """Remove a member from an organization; the membership comes back as it last was."""
    return (await call.sojourn.memberships.remove(call.id, call.parameters[1])).to_wire()


def _page(page: MembershipPage) -> object:
    return {"data": [member.to_wire() for member in page.items], "total_count": page.total}


_LIMITED = {
    400: "The user is a member already, or the request cannot be read.",
    403: "The organization has as many members as it takes.",
    404: "There is no such organization or user.",
}

OPERATIONS = (
    Operation(
        method="POST",
        path=f"{_ORGANIZATION}/memberships",
        name="CreateOrganizationMembership",
        handler=create_membership,
        body=CreateMembership,
        answer=Shape,
        errors=_LIMITED,
        differs="any role `org:<key>`; 400 `already_a_member_in_organization`, 403 "
        "`organization_membership_quota_exceeded`; `Idempotency-Key` is honoured",
        creates=True,
        body_limit=METADATA_LIMIT,
    ),
    Operation(
        method="GET",
        path=f"{_ORGANIZATION}/memberships",
        name="ListOrganizationMemberships",
        handler=list_memberships,
        query=_LIST_QUERY,
        answer=Page[Shape],
        differs="404 for an organization that is not there; unknown parameters answer 422",
    ),
    Operation(
        method="PATCH",
        path=f"{_ORGANIZATION}/memberships/{{user_id}}",
        name="UpdateOrganizationMembership",
        handler=update_membership,
        body=UpdateMembership,
        answer=Shape,
        differs="the last administrator may lose the role: that is the application's to know",
    ),
    Operation(
        method="DELETE",
        path=f"{_ORGANIZATION}/memberships/{{user_id}}",
        name="DeleteOrganizationMembership",
        handler=delete_membership,
        answer=Shape,
        differs="leaves all live sessions of the user in the same transaction, without another organization "
        "taking its place",
    ),
    Operation(
        method="PATCH",
        path=f"{_ORGANIZATION}/memberships/{{user_id}}/metadata",
        name="UpdateOrganizationMembershipMetadata",
        handler=merge_membership_metadata,
        body=MergeMetadata,
        answer=Shape,
        body_limit=METADATA_LIMIT,
    ),
    Operation(
        method="GET",
        path="/v1/users/{user_id}/organization_memberships",
        name="UsersGetOrganizationMemberships",
        handler=list_memberships_of_user,
        query=_OF_USER_QUERY,
        answer=Page[Shape],
        differs="404 for a user who is not there",
    ),
)

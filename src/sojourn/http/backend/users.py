"""Users (operations GetUserList, CreateUser, GetUser, DeleteUser, BanUser, UnbanUser; wire/backend-api.md
1.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from sojourn.core.directory import IdentifierKind
from sojourn.core.errors import Invalid
from sojourn.http.backend.sessions import Nothing
from sojourn.http.routes import METADATA_LIMIT, Call, Operation
from sojourn.http.wire import body_of, integer, text
from sojourn.service.context import PAGE_LIMIT
from sojourn.service.users import NewContact, NewUser

Name = Annotated[str, msgspec.Meta(max_length=256)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
Email = Annotated[str, msgspec.Meta(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9][0-9 ().-]{2,24}$")]
Metadata = dict[str, Any]
Verification = Literal["verified", "reserved"]

_FACTORS = (
    "password",
    "password_digest",
    "password_hasher",
    "totp_secret",
    "backup_codes",
    "web3_wallet",
)
"""Sign-in factors stay with the application; taking them silently would look as if they worked."""


class CreateUser(msgspec.Struct):
    """Body of CreateUser. Factors are named so that they can be refused by name."""

    external_id: Identifier | None = None
    username: Identifier | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    locale: Name | None = None
    email_address: list[Email] = []
    email_address_identification_status: list[Verification] = []
    phone_number: list[Phone] = []
    phone_number_identification_status: list[Verification] = []
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    unsafe_metadata: Metadata | None = None
    banned: bool | None = None
    locked: bool | None = None
    bypass_client_trust: bool | None = None
    delete_self_enabled: bool | None = None
    create_organization_enabled: bool | None = None
    create_organizations_limit: Annotated[int, msgspec.Meta(ge=0, le=2**31)] | None = None
    legal_accepted_at: str | None = None
    created_at: str | None = None
    skip_legal_checks: bool | None = None
    skip_password_checks: bool | None = None
    skip_password_requirement: bool | None = None
    skip_user_requirement: bool | None = None
    password: Any = None
    password_digest: Any = None
    password_hasher: Any = None
    totp_secret: Any = None
    backup_codes: Any = None
    web3_wallet: Any = None


async def create_user(call: Call) -> object:
    """A new user; `{}` is enough."""
    body = body_of(call.body, CreateUser)
    for factor in _FACTORS:
        if getattr(body, factor) is not None:
            raise Invalid(
                factor, f"{factor} cannot be stored: the application keeps its own sign-in factors."
            )
    user = await call.sojourn.users.create(
        NewUser(
            external_id=body.external_id,
            username=body.username,
            first_name=body.first_name,
            last_name=body.last_name,
            locale=body.locale,
            email_addresses=_contacts(
                "email_address",
                [e.lower() for e in body.email_address],
                body.email_address_identification_status,
            ),
            phone_numbers=_contacts(
                "phone_number", body.phone_number, body.phone_number_identification_status
            ),
            public_metadata=body.public_metadata,
            private_metadata=body.private_metadata,
            unsafe_metadata=body.unsafe_metadata,
            banned=bool(body.banned),
            locked=bool(body.locked),
            bypass_client_trust=bool(body.bypass_client_trust),
            delete_self_enabled=body.delete_self_enabled is not False,
            create_organization_enabled=body.create_organization_enabled is not False,
            create_organizations_limit=body.create_organizations_limit,
            legal_accepted_at=_instant("legal_accepted_at", body.legal_accepted_at),
            created_at=_instant("created_at", body.created_at),
        ),
        once=call.once,
    )
    return user.to_wire()


async def list_users(call: Call) -> object:
    """A bare array in the order of creation, newest first unless asked otherwise."""
    query = call.query()
    for name in query:
        if name not in _LIST_PARAMETERS:
            # To leave a filter out silently would answer with users who were not asked for.
            raise Invalid(name[:64], f"{name[:64]} is not a filter that this version of sojourn has.")
    ids = query.get("user_id")
    identifiers = [(kind, value) for name, kind in _FILTERS.items() for value in query.get(name, ())]
    for name in ("user_id", *_FILTERS):
        if len(query.get(name, ())) > 100:
            raise Invalid(name, f"{name} may be given 100 times.")
    users = await call.sojourn.users.list(
        ids=ids,
        identifiers=identifiers if any(name in query for name in _FILTERS) else None,
        newest_first=_newest_first(text(query, "order_by")),
        limit=integer(query, "limit", 10, least=1, most=PAGE_LIMIT),
        offset=integer(query, "offset", 0, least=0),
    )
    return [user.to_wire() for user in users]


async def get_user(call: Call) -> object:
    """One user."""
    return (await call.sojourn.users.get(call.id)).to_wire()


async def delete_user(call: Call) -> object:
    """Delete a user; all sessions of the user end with it."""
    await call.sojourn.users.delete(call.id)
    return {"object": "user", "id": call.id, "deleted": True}


async def ban_user(call: Call) -> object:
    """Ban a user; all sessions of the user end with it."""
    body_of(call.body, Nothing)
    return (await call.sojourn.users.ban(call.id)).to_wire()


async def unban_user(call: Call) -> object:
    """Lift a ban."""
    body_of(call.body, Nothing)
    return (await call.sojourn.users.unban(call.id)).to_wire()


_FILTERS = {kind.value: kind for kind in IdentifierKind}
_LIST_PARAMETERS = {"user_id", "limit", "offset", "order_by", "__clerk_api_version", *_FILTERS}


def _newest_first(order_by: str | None) -> bool:
    if order_by in (None, "-created_at"):
        return True
    # A plus sign in a query string that was not encoded arrives as a space.
    if order_by in ("created_at", "+created_at", " created_at"):
        return False
    raise Invalid("order_by", "order_by must be -created_at or +created_at.")


def _contacts(name: str, values: list[str], statuses: list[Verification]) -> list[NewContact]:
    if len(set(values)) != len(values):
        raise Invalid(name, f"{name} holds a value twice.")
    if statuses and len(statuses) != len(values):
        parameter = f"{name}_identification_status"
        raise Invalid(parameter, f"{parameter} needs one item for each {name}.")
    verified = [status == "verified" for status in statuses] or [True] * len(values)
    return [NewContact(value=v, verified=ok) for v, ok in zip(values, verified, strict=True)]


def _instant(name: str, given: str | None) -> int | None:
    """Unix ms of an RFC 3339 time."""
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Invalid(name, f"{name} must be a time in the notation of RFC 3339.") from None


OPERATIONS = (
    Operation(method="GET", path="/v1/users", name="GetUserList", handler=list_users),
    Operation(
        method="POST",
        path="/v1/users",
        name="CreateUser",
        handler=create_user,
        creates=True,
        body_limit=METADATA_LIMIT,
    ),
    Operation(method="GET", path="/v1/users/{user_id}", name="GetUser", handler=get_user),
    Operation(method="DELETE", path="/v1/users/{user_id}", name="DeleteUser", handler=delete_user),
    Operation(method="POST", path="/v1/users/{user_id}/ban", name="BanUser", handler=ban_user),
    Operation(method="POST", path="/v1/users/{user_id}/unban", name="UnbanUser", handler=unban_user),
)

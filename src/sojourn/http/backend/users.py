"""Users (operations GetUserList, CreateUser, GetUser, DeleteUser, BanUser, UnbanUser; wire/backend-api.md
1.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from sojourn.core.directory import IdentifierKind
from sojourn.core.errors import Invalid
from sojourn.http.parameters import LIMIT, OFFSET, Text, Texts
from sojourn.http.routes import METADATA_LIMIT, Call, Operation
from sojourn.http.shapes.common import DeletedObject
from sojourn.http.shapes.users import User
from sojourn.http.wire import Nothing, body_of, instant
from sojourn.service.users import NewContact, NewUser

Name = Annotated[str, msgspec.Meta(max_length=256)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
Email = Annotated[str, msgspec.Meta(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9][0-9 ().-]{2,24}$")]
Metadata = dict[str, Any]
Verification = Literal["verified", "reserved"]

_USER_IDS = Texts("user_id", "Only these users.")
_FILTERS = {
    kind: Texts(kind.value, "Only users with one of these; with another such filter, either will do.")
    for kind in IdentifierKind
}
_ORDER_BY = Text(
    "order_by",
    "Newest first, or oldest first with a plus sign or none.",
    # A plus sign in a query string that was not encoded arrives as a space.
    ("-created_at", "+created_at", "created_at", " created_at"),
)
_LIST_QUERY = (_USER_IDS, *_FILTERS.values(), _ORDER_BY, LIMIT, OFFSET)
_LIST_NAMES = {"__clerk_api_version", *(parameter.name for parameter in _LIST_QUERY)}

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
    """Create a user; `{}` is enough."""
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
            legal_accepted_at=instant("legal_accepted_at", body.legal_accepted_at),
            created_at=instant("created_at", body.created_at),
        ),
        once=call.once,
    )
    return user.to_wire()


async def list_users(call: Call) -> object:
    """List users in the order of creation."""
    query = call.query()
    for name in query:
        if name not in _LIST_NAMES:
            # To leave a filter out silently would answer with users who were not asked for.
            raise Invalid(name[:64], f"{name[:64]} is not a filter that this version of sojourn has.")
    ids = _USER_IDS.of(query)
    identifiers = [(kind, value) for kind, filters in _FILTERS.items() for value in filters.of(query)]
    users = await call.sojourn.users.list(
        ids=ids if _USER_IDS.name in query else None,
        identifiers=identifiers if any(f.name in query for f in _FILTERS.values()) else None,
        newest_first=_ORDER_BY.of(query) in (None, "-created_at"),
        limit=LIMIT.of(query),
        offset=OFFSET.of(query),
    )
    return [user.to_wire() for user in users]


async def get_user(call: Call) -> object:
    """Get a user."""
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


def _contacts(name: str, values: list[str], statuses: list[Verification]) -> list[NewContact]:
    if len(set(values)) != len(values):
        raise Invalid(name, f"{name} holds a value twice.")
    if statuses and len(statuses) != len(values):
        parameter = f"{name}_identification_status"
        raise Invalid(parameter, f"{parameter} needs one item for each {name}.")
    verified = [status == "verified" for status in statuses] or [True] * len(values)
    return [NewContact(value=v, verified=ok) for v, ok in zip(values, verified, strict=True)]


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/users",
        name="GetUserList",
        handler=list_users,
        query=_LIST_QUERY,
        answer=list[User],
        differs="filters: `user_id`, `external_id`, `username`, `email_address`, `phone_number`; others "
        "answer 422",
    ),
    Operation(
        method="POST",
        path="/v1/users",
        name="CreateUser",
        handler=create_user,
        body=CreateUser,
        answer=User,
        differs="sign-in factors (passwords, TOTP, backup codes, wallets) answer 422 by name; `skip_…` flags "
        "are accepted; `Idempotency-Key` is honoured",
        creates=True,
        body_limit=METADATA_LIMIT,
    ),
    Operation(method="GET", path="/v1/users/{user_id}", name="GetUser", handler=get_user, answer=User),
    Operation(
        method="DELETE",
        path="/v1/users/{user_id}",
        name="DeleteUser",
        handler=delete_user,
        answer=DeletedObject,
        differs="ends all sessions of the user in the same transaction",
    ),
    Operation(
        method="POST",
        path="/v1/users/{user_id}/ban",
        name="BanUser",
        handler=ban_user,
        body=Nothing,
        answer=User,
        differs="ends all sessions of the user in the same transaction",
    ),
    Operation(
        method="POST",
        path="/v1/users/{user_id}/unban",
        name="UnbanUser",
        handler=unban_user,
        body=Nothing,
        answer=User,
        differs="sessions that the ban ended stay ended",
    ),
)

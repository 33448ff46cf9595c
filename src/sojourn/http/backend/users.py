"""Users, one at a time (operations CreateUser … ReplaceUserMetadata; wire/backend-api.md 1.4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from sojourn.core.errors import Invalid, Unknown
from sojourn.http.routes import METADATA_LIMIT, Call, Operation
from sojourn.http.shapes.common import DeletedObject
from sojourn.http.shapes.users import User
from sojourn.http.versions import NEWEST, Version
from sojourn.http.wire import Nothing, body_of, instant
from sojourn.service.users import NewContact, NewUser

Name = Annotated[str, msgspec.Meta(max_length=256)]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
Email = Annotated[str, msgspec.Meta(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+?[0-9][0-9 ().-]{2,24}$")]
Limit = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
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
    create_organizations_limit: Limit | None = None
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


class UpdateUser(msgspec.Struct):
    """Body of UpdateUser; the newest version has its metadata elsewhere. Null empties what can be empty."""

    external_id: Identifier | UnsetType | None = UNSET
    username: Identifier | UnsetType | None = UNSET
    first_name: Name | UnsetType | None = UNSET
    last_name: Name | UnsetType | None = UNSET
    locale: Name | UnsetType | None = UNSET
    primary_email_address_id: str | None = None
    primary_phone_number_id: str | None = None
    notify_primary_email_address_changed: bool | None = None
    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    unsafe_metadata: Metadata | None = None
    delete_self_enabled: bool | None = None
    create_organization_enabled: bool | None = None
    create_organizations_limit: Limit | UnsetType | None = UNSET
    legal_accepted_at: str | UnsetType | None = UNSET
    created_at: str | None = None
    bypass_client_trust: bool | None = None
    skip_legal_checks: bool | None = None
    skip_password_checks: bool | None = None
    sign_out_of_other_sessions: bool | None = None
    primary_web3_wallet_id: Any = None
    profile_image_id: Any = None
    password: Any = None
    password_digest: Any = None
    password_hasher: Any = None
    totp_secret: Any = None
    backup_codes: Any = None


class UserMetadata(msgspec.Struct):
    """Body of the operations on metadata: what is given of the three fields."""

    public_metadata: Metadata | None = None
    private_metadata: Metadata | None = None
    unsafe_metadata: Metadata | None = None


async def create_user(call: Call) -> object:
    """Create a user; `{}` is enough."""
    body = body_of(call.body, CreateUser)
    _refuse_factors(body)
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


async def get_user(call: Call) -> object:
    """Get a user."""
    return (await call.sojourn.users.get(call.id)).to_wire()


async def update_user(call: Call) -> object:
    """Change a user: what is given replaces what is there."""
    body = body_of(call.body, UpdateUser)
    _refuse_factors(body)
    _refuse_what_is_not_here(body)
    _refuse_metadata(body, call.version)
    given = {name: getattr(body, name) for name in _CHANGEABLE}
    legal = body.legal_accepted_at
    given["legal_accepted_at"] = instant("legal_accepted_at", legal) if isinstance(legal, str) else legal
    user = await call.sojourn.users.update(
        call.id,
        primary_email_address_id=body.primary_email_address_id,
        primary_phone_number_id=body.primary_phone_number_id,
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
        unsafe_metadata=body.unsafe_metadata,
        delete_self_enabled=body.delete_self_enabled,
        create_organization_enabled=body.create_organization_enabled,
        created_at=instant("created_at", body.created_at),
        bypass_client_trust=body.bypass_client_trust,
        clear=[name for name, value in given.items() if value is None],
        **{name: value for name, value in given.items() if value is not None and value is not UNSET},
    )
    return user.to_wire()


async def merge_user_metadata(call: Call) -> object:
    """Merge into the metadata of a user, level by level; null removes a key."""
    body = body_of(call.body, UserMetadata)
    user = await call.sojourn.users.merge_metadata(
        call.id,
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
        unsafe_metadata=body.unsafe_metadata,
    )
    return user.to_wire()


async def replace_user_metadata(call: Call) -> object:
    """Replace the fields of a user's metadata that are given, each as a whole."""
    body = body_of(call.body, UserMetadata)
    user = await call.sojourn.users.update(
        call.id,
        public_metadata=body.public_metadata,
        private_metadata=body.private_metadata,
        unsafe_metadata=body.unsafe_metadata,
    )
    return user.to_wire()


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


async def lock_user(call: Call) -> object:
    """Lock a user: no new session until the lock is taken off; those that live stay."""
    body_of(call.body, Nothing)
    return (await call.sojourn.users.lock(call.id)).to_wire()


async def unlock_user(call: Call) -> object:
    """Take the lock off a user."""
    body_of(call.body, Nothing)
    return (await call.sojourn.users.unlock(call.id)).to_wire()


_CHANGEABLE = ("external_id", "username", "first_name", "last_name", "locale", "create_organizations_limit")
_ELSEWHERE = {
    "notify_primary_email_address_changed": "sojourn sends no e-mail.",
    "sign_out_of_other_sessions": "sessions are ended by POST /sojourn/v1/users/{id}/sessions/end.",
    "primary_web3_wallet_id": "nobody has a wallet here.",
    "profile_image_id": "images stay with the application.",
}
"""What cannot be done here, and why not."""


def _refuse_factors(body: CreateUser | UpdateUser) -> None:
    for factor in _FACTORS:
        if getattr(body, factor, None) is not None:
            raise Invalid(
                factor, f"{factor} cannot be stored: the application keeps its own sign-in factors."
            )


def _refuse_what_is_not_here(body: UpdateUser) -> None:
    for name, why in _ELSEWHERE.items():
        if getattr(body, name) not in (None, False):
            raise Invalid(name, f"{name} has no effect: {why}")


def _refuse_metadata(body: UpdateUser, version: Version) -> None:
    """The newest version took metadata out of this operation, so that no merge is mistaken for a
    replacement."""
    if version.date < NEWEST.date:
        return
    for name in ("public_metadata", "private_metadata", "unsafe_metadata"):
        if getattr(body, name) is not None:
            raise Unknown(name, f"{name} is changed by PATCH /v1/users/{{id}}/metadata.")


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
        method="PATCH",
        path="/v1/users/{user_id}",
        name="UpdateUser",
        handler=update_user,
        body=UpdateUser,
        answer=User,
        differs="sign-in factors, wallets, images, notifications and `sign_out_of_other_sessions` answer "
        "422; null empties ids, names, locale, limit and the acceptance of terms, and is nothing elsewhere; "
        "metadata is replaced as a whole",
        by_version={"from 2026-05-12 on": "metadata answers 422"},
        body_limit=METADATA_LIMIT,
    ),
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
    Operation(
        method="POST",
        path="/v1/users/{user_id}/lock",
        name="LockUser",
        handler=lock_user,
        body=Nothing,
        answer=User,
        differs="no new session, by a ticket or without one, until it is taken off: it does not expire by "
        "itself; sessions that live stay",
    ),
    Operation(
        method="POST",
        path="/v1/users/{user_id}/unlock",
        name="UnlockUser",
        handler=unlock_user,
        body=Nothing,
        answer=User,
    ),
    Operation(
        method="PATCH",
        path="/v1/users/{user_id}/metadata",
        name="UpdateUserMetadata",
        handler=merge_user_metadata,
        body=UserMetadata,
        answer=User,
        body_limit=METADATA_LIMIT,
    ),
    Operation(
        method="PUT",
        path="/v1/users/{user_id}/metadata",
        name="ReplaceUserMetadata",
        handler=replace_user_metadata,
        body=UserMetadata,
        answer=User,
        differs="null and absence leave a field as it is",
        body_limit=METADATA_LIMIT,
    ),
)

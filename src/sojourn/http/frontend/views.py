"""What the Frontend API shows of clients, sessions and users (specs/fapi: Client.Client-2, Client.Session-2,
Client.User): less than the application sees, and with a fresh token in every live session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sojourn.core.client import Client, last_active
from sojourn.core.directory import Member, User
from sojourn.core.errors import NotFound
from sojourn.core.session import Session, Status
from sojourn.http.frontend.calls import FrontCall
from sojourn.runtime import Sojourn

MEMBERSHIPS_SHOWN = 500
"""How many organizations of a user stand in an answer; the rest is read page by page."""

_USER = (
    *("id", "object", "username", "first_name", "last_name", "image_url", "has_image"),
    *("primary_email_address_id", "primary_phone_number_id", "primary_web3_wallet_id"),
    *("password_enabled", "two_factor_enabled", "totp_enabled", "backup_code_enabled"),
    *("email_addresses", "phone_numbers", "web3_wallets", "passkeys", "external_accounts"),
    *("saml_accounts", "enterprise_accounts"),
    *("public_metadata", "unsafe_metadata", "external_id", "last_sign_in_at", "banned", "locked"),
    *("lockout_expires_in_seconds", "verification_attempts_remaining", "created_at", "updated_at"),
    *("delete_self_enabled", "create_organization_enabled", "last_active_at"),
    *("mfa_enabled_at", "mfa_disabled_at", "legal_accepted_at"),
)
"""What users may see of themselves; private metadata is not among it."""
_ORGANIZATION = (
    *("object", "id", "name", "slug", "image_url", "has_image", "max_allowed_memberships"),
    *("admin_delete_enabled", "public_metadata", "created_at", "updated_at"),
)
_MEMBERSHIP = (
    *("object", "id", "public_metadata", "role", "role_name", "permissions", "created_at", "updated_at"),
)
_SHOWN_AS = {Status.REPLACED: Status.ENDED}
"""The published description of the Frontend API has no word for a session whose place another took."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user with their memberships."""

    user: User
    memberships: Sequence[Member]

    def to_wire(self) -> dict[str, object]:
        """The resource as its owner sees it (spec Client.User)."""
        wire = self.user.to_wire()
        shown = {name: wire[name] for name in _USER}
        if self.user.create_organizations_limit is not None:
            shown["create_organizations_limit"] = self.user.create_organizations_limit
        shown["organization_memberships"] = [membership_view(member) for member in self.memberships]
        return shown


async def person(sojourn: Sojourn, user_id: str) -> Person:
    """A user with their memberships. Raises NotFound."""
    user = await sojourn.users.get(user_id)
    return Person(user, await sojourn.memberships.list(user_id=user_id, limit=MEMBERSHIPS_SHOWN))


async def client_view(call: FrontCall, client: Client, sessions: Sequence[Session]) -> dict[str, object]:
    """A client with its live sessions, each with its user and a token that was made just now: the browser
    seeds its cache with those (wire/frontend-api.md section 6)."""
    live = [session for session in sessions if session.live]
    shown = await session_views(call, live)
    last = last_active(client, live)
    return {
        "object": "client",
        "id": client.id,
        "sessions": shown,
        "sign_in": None,
        "sign_up": None,
        "last_active_session_id": None if last is None else last.id,
        "last_authentication_strategy": client.last_authentication_strategy,
        # Within eight days of it the browser SDK would go round by /client/touch (section 7).
        "cookie_expires_at": None,
        "captcha_bypass": False,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    }


async def session_views(
    call: FrontCall, sessions: Sequence[Session], *, tokens: bool = True
) -> list[dict[str, object]]:
    """Sessions with their users and, those that live, fresh tokens. One whose user is gone is left out."""
    people: dict[str, Person] = {}
    shown: list[dict[str, object]] = []
    for session in sessions:
        try:
            if session.user_id not in people:
                people[session.user_id] = await person(call.sojourn, session.user_id)
        except NotFound:
            continue
        token = await _token(call, session) if tokens and session.live else None
        shown.append(session_view(session, people[session.user_id], token))
    return shown


def session_view(session: Session, who: Person, token: str | None) -> dict[str, object]:
    """One session (spec Client.Session-2)."""
    return {
        **session_base(session, token),
        "last_active_organization_id": session.last_active_organization_id,
        "user": who.to_wire(),
        "public_user_data": _public(who.user),
        "factor_verification_age": [-1, -1],
        "created_at": session.created_at,
        "updated_at": session.updated_at,
    }


def session_base(session: Session, token: str | None) -> dict[str, object]:
    """What all forms of a session have in common (spec Client.SessionBase-2)."""
    return {
        "object": "session",
        "id": session.id,
        "status": _SHOWN_AS.get(session.status, session.status).value,
        "expire_at": session.expire_at,
        "abandon_at": session.abandon_at,
        "last_active_at": session.last_active_at,
        "last_active_token": None if token is None else {"object": "token", "jwt": token},
        "actor": session.actor.to_wire() if session.actor else None,
        "tasks": None if not session.tasks else [{"key": key} for key in session.tasks],
    }


def membership_view(member: Member) -> dict[str, object]:
    """A membership as its user sees it (spec Client.OrganizationMembership)."""
    wire = member.to_wire()
    organization = member.organization.to_wire()
    shown = {name: wire[name] for name in _MEMBERSHIP}
    shown["organization"] = {name: organization[name] for name in _ORGANIZATION}
    shown["public_user_data"] = _public(member.user)
    return shown


async def _token(call: FrontCall, session: Session) -> str | None:
    try:
        return await call.sojourn.tokens.create(session.id, origin=call.visitor.origin)
    except NotFound:
        return None  # it ended a moment ago


def _public(user: User) -> dict[str, object]:
    """What others may see (spec Client.PublicUserData, where the identifier is a text: empty for none)."""
    names: Mapping[str, str] = {kind.value: value for kind, value in user.identifiers()}
    known = (names.get(kind) for kind in ("username", "email_address", "phone_number"))
    return {
        "user_id": user.id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "image_url": "",
        "profile_image_url": "",
        "has_image": False,
        "identifier": next((value for value in known if value), ""),
        "username": user.username,
        "banned": user.banned,
    }

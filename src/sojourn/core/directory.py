"""The directory: users, organizations and memberships, just rich enough for sessions, claims and the SDKs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

DAY_MS = 86_400_000
_EMPTY: Mapping[str, object] = MappingProxyType({})


class IdentifierKind(StrEnum):
    """What a user is known by; each value belongs to one user of the instance."""

    EXTERNAL_ID = "external_id"
    USERNAME = "username"
    EMAIL_ADDRESS = "email_address"
    PHONE_NUMBER = "phone_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """An e-mail address or phone number of a user; `reserved` ones are claimed but not verified."""

    id: str
    value: str
    created_at: int
    verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person as the application knows them. Instants are integer milliseconds of Unix time.

    sojourn holds no sign-in factors, so every wire field about passwords, TOTP, passkeys and wallets is
    truthfully false or empty.
    """

    id: str
    created_at: int
    updated_at: int
    external_id: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email_addresses: tuple[Contact, ...] = ()
    phone_numbers: tuple[Contact, ...] = ()
    public_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY)
    private_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY, repr=False)
    unsafe_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY)
    banned: bool = False
    locked: bool = False
    locale: str | None = None
    legal_accepted_at: int | None = None
    last_sign_in_at: int | None = None
    last_active_at: int | None = None
    """The day (its first ms, UTC) of the latest session activity."""
    delete_self_enabled: bool = True
    create_organization_enabled: bool = True
    create_organizations_limit: int | None = None
    bypass_client_trust: bool = False
    version: int = 1
    sequence: int = 0

    def identifiers(self) -> list[tuple[IdentifierKind, str]]:
        """What must be unique in the instance."""
        found: list[tuple[IdentifierKind, str]] = []
        if self.external_id is not None:
            found.append((IdentifierKind.EXTERNAL_ID, self.external_id))
        if self.username is not None:
            found.append((IdentifierKind.USERNAME, self.username))
        found += [(IdentifierKind.EMAIL_ADDRESS, c.value) for c in self.email_addresses]
        found += [(IdentifierKind.PHONE_NUMBER, c.value) for c in self.phone_numbers]
        return found

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values (spec User)."""
        emails = [_email(contact) for contact in self.email_addresses]
        phones = [_phone(contact) for contact in self.phone_numbers]
        return {
            "id": self.id,
            "object": "user",
            "username": self.username,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "locale": self.locale,
            "image_url": "",
            "has_image": False,
            "primary_email_address_id": self.email_addresses[0].id if emails else None,
            "primary_phone_number_id": self.phone_numbers[0].id if phones else None,
            "primary_web3_wallet_id": None,
            "password_enabled": False,
            "two_factor_enabled": False,
            "totp_enabled": False,
            "backup_code_enabled": False,
            "email_addresses": emails,
            "phone_numbers": phones,
            "web3_wallets": [],
            "passkeys": [],
            "external_accounts": [],
            "saml_accounts": [],
            "enterprise_accounts": [],
            "public_metadata": dict(self.public_metadata),
            "private_metadata": dict(self.private_metadata),
            "unsafe_metadata": dict(self.unsafe_metadata),
            "external_id": self.external_id,
            "last_sign_in_at": self.last_sign_in_at,
            "banned": self.banned,
            "locked": self.locked,
            "lockout_expires_in_seconds": None,
            "verification_attempts_remaining": None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "delete_self_enabled": self.delete_self_enabled,
            "create_organization_enabled": self.create_organization_enabled,
            "create_organizations_limit": self.create_organizations_limit,
            "last_active_at": self.last_active_at,
            "mfa_enabled_at": None,
            "mfa_disabled_at": None,
            "legal_accepted_at": self.legal_accepted_at,
            "bypass_client_trust": self.bypass_client_trust,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A team or tenant of the application. Instants are integer milliseconds of Unix time."""

    id: str
    name: str
    created_at: int
    updated_at: int
    slug: str | None = None
    created_by: str | None = None
    max_allowed_memberships: int = 0
    """The most members that it takes; 0: any number."""
    admin_delete_enabled: bool = True
    public_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY)
    private_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY, repr=False)
    version: int = 1
    sequence: int = 0
    members_count: int | None = None
    """How many members it has, where that was asked for."""
    missing_admin: bool | None = None
    """Whether no member has the role `org:admin`, where that was asked for."""

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values (spec Organization, whose `slug` is a text: empty for none)."""
        wire: dict[str, object] = {
            "object": "organization",
            "id": self.id,
            "name": self.name,
            "slug": self.slug or "",
            "image_url": "",
            "has_image": False,
            "max_allowed_memberships": self.max_allowed_memberships,
            "admin_delete_enabled": self.admin_delete_enabled,
            "public_metadata": dict(self.public_metadata),
            "private_metadata": dict(self.private_metadata),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }
        told = {
            "created_by": self.created_by,
            "members_count": self.members_count,
            "missing_member_with_elevated_permissions": self.missing_admin,
        }
        wire.update((name, value) for name, value in told.items() if value is not None)
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A user's place in an organization. `role` is spelt as on the wire, `org:admin`;
    `permissions`, as `org:feature:permission`, are those of the role (core.roles) and not stored."""

    id: str
    organization_id: str
    user_id: str
    role: str
    created_at: int
    updated_at: int
    permissions: tuple[str, ...] = ()
    public_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY)
    private_metadata: Mapping[str, object] = field(default_factory=lambda: _EMPTY, repr=False)
    version: int = 1
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A membership with both its ends, as they were at one instant."""

    membership: Membership
    organization: Organization
    user: User

    def to_wire(self) -> dict[str, object]:
        """The resource as JSON-ready values (spec OrganizationMembership)."""
        membership, user = self.membership, self.user
        return {
            "object": "organization_membership",
            "id": membership.id,
            "role": membership.role,
            "role_name": membership.role.removeprefix("org:").replace("_", " ").title(),
            "permissions": list(membership.permissions),
            "public_metadata": dict(membership.public_metadata),
            "private_metadata": dict(membership.private_metadata),
            "organization": self.organization.to_wire(),
            "public_user_data": {
                "user_id": user.id,
                "first_name": user.first_name,
                "last_name": user.last_name,
                "profile_image_url": None,
                "image_url": "",
                "has_image": False,
                "identifier": next((v for kind, v in user.identifiers() if kind in _SHOWN), None),
                "username": user.username,
                "banned": user.banned,
            },
            "created_at": membership.created_at,
            "updated_at": membership.updated_at,
        }


_SHOWN = (IdentifierKind.USERNAME, IdentifierKind.EMAIL_ADDRESS, IdentifierKind.PHONE_NUMBER)
"""What other members may know a user by; the application's own id stays with it."""


def _verification(contact: Contact) -> dict[str, object] | None:
    if not contact.verified:
        return None
    # The application vouched for it through the Backend API; the specification's word for that is `admin`.
    return {
        "object": "verification_admin",
        "status": "verified",
        "strategy": "admin",
        "attempts": None,
        "expire_at": None,
    }


def _email(contact: Contact) -> dict[str, object]:
    return {
        "id": contact.id,
        "object": "email_address",
        "email_address": contact.value,
        "reserved": not contact.verified,
        "verification": _verification(contact),
        "linked_to": [],
        "created_at": contact.created_at,
        "updated_at": contact.created_at,
    }


def _phone(contact: Contact) -> dict[str, object]:
    return {
        "id": contact.id,
        "object": "phone_number",
        "phone_number": contact.value,
        "reserved_for_second_factor": False,
        "default_second_factor": False,
        "reserved": not contact.verified,
        "verification": _verification(contact),
        "linked_to": [],
        "backup_codes": None,
        "created_at": contact.created_at,
        "updated_at": contact.created_at,
    }

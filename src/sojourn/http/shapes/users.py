"""Users. Sign-in factors stay with the application, so what tells of them is always empty."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from sojourn.http.shapes.common import Instant, Metadata, Shape

Empty = Annotated[list[Any], Meta(max_length=0)]


class Verification(Shape):
    """The application vouched for the address."""

    object: Literal["verification_admin"]
    status: Literal["verified"]
    strategy: Literal["admin"]
    attempts: None
    expire_at: None


class EmailAddress(Shape):
    """An e-mail address of a user."""

    id: str
    object: Literal["email_address"]
    email_address: str
    reserved: bool
    verification: Verification | None
    linked_to: Empty
    created_at: Instant
    updated_at: Instant


class PhoneNumber(Shape):
    """A phone number of a user."""

    id: str
    object: Literal["phone_number"]
    phone_number: str
    reserved_for_second_factor: Literal[False]
    default_second_factor: Literal[False]
    reserved: bool
    verification: Verification | None
    linked_to: Empty
    backup_codes: None
    created_at: Instant
    updated_at: Instant


class User(Shape):
    """A person as the application knows them."""

    id: str
    object: Literal["user"]
    username: str | None
    first_name: str | None
    last_name: str | None
    locale: str | None
    image_url: str
    has_image: bool
    primary_email_address_id: str | None
    primary_phone_number_id: str | None
    primary_web3_wallet_id: None
    password_enabled: Literal[False]
    two_factor_enabled: Literal[False]
    totp_enabled: Literal[False]
    backup_code_enabled: Literal[False]
    email_addresses: list[EmailAddress]
    phone_numbers: list[PhoneNumber]
    web3_wallets: Empty
    passkeys: Empty
    external_accounts: Empty
    saml_accounts: Empty
    enterprise_accounts: Empty
    public_metadata: Metadata
    private_metadata: Metadata
    unsafe_metadata: Metadata
    external_id: str | None
    last_sign_in_at: Instant | None
    banned: bool
    locked: bool
    lockout_expires_in_seconds: None
    verification_attempts_remaining: None
    created_at: Instant
    updated_at: Instant
    delete_self_enabled: bool
    create_organization_enabled: bool
    create_organizations_limit: int | None
    last_active_at: Annotated[int, Meta(description="The day of it: its first millisecond, UTC.")] | None
    mfa_enabled_at: None
    mfa_disabled_at: None
    legal_accepted_at: Instant | None
    bypass_client_trust: bool

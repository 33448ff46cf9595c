"""Users, clients and their contacts on the wire: complete, truthful, and as published."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sojourn.core.client import Client
from sojourn.core.directory import Contact, IdentifierKind, User
from sojourn.core.session import Activity, Actor, Ending, Instigator, Reason, Session, Status
from tests.published import PUBLISHED_VERSIONS, specification

NOW = 1_767_225_600_000
NEWEST = PUBLISHED_VERSIONS[-1]
BARE = User(id="user_1", created_at=NOW, updated_at=NOW + 1)
FULL = replace(
    BARE,
    external_id="42",
    username="zoe",
    first_name="Zoë",
    last_name="O'Hara",
    email_addresses=(
        Contact(id="idn_1", value="zoe@example.com", created_at=NOW),
        Contact(id="idn_2", value="other@example.com", created_at=NOW + 2, verified=False),
    ),
    phone_numbers=(
        Contact(id="idn_3", value="+15555550100", created_at=NOW, verified=False),
        Contact(id="idn_4", value="+15555550101", created_at=NOW),
    ),
    public_metadata={"plan": {"name": "pro"}},
    private_metadata={"note": "secret"},
    unsafe_metadata={"theme": "dark"},
    banned=True,
    locked=True,
    locale="fr-CA",
    legal_accepted_at=NOW - 3,
    last_sign_in_at=NOW - 2,
    last_active_at=NOW - 1,
    create_organizations_limit=3,
)
# The fields that the SDKs' models demand (spec User, `required`).
REQUIRED = [
    "id",
    "object",
    "username",
    "first_name",
    "last_name",
    "has_image",
    "primary_email_address_id",
    "primary_phone_number_id",
    "primary_web3_wallet_id",
    "password_enabled",
    "two_factor_enabled",
    "totp_enabled",
    "backup_code_enabled",
    "email_addresses",
    "phone_numbers",
    "web3_wallets",
    "passkeys",
    "external_accounts",
    "saml_accounts",
    "enterprise_accounts",
    "public_metadata",
    "external_id",
    "last_sign_in_at",
    "banned",
    "locked",
    "lockout_expires_in_seconds",
    "verification_attempts_remaining",
    "created_at",
    "updated_at",
    "delete_self_enabled",
    "create_organization_enabled",
    "last_active_at",
    "mfa_enabled_at",
    "mfa_disabled_at",
    "legal_accepted_at",
]


def test_a_user_has_every_required_field() -> None:
    """All 35, also when nothing is known but an id."""
    assert len(REQUIRED) == len(set(REQUIRED)) == 35
    for user in (BARE, FULL):
        assert not set(REQUIRED) - set(user.to_wire())


def test_what_is_known_of_a_user_is_told() -> None:
    """Names, metadata, flags and instants are the user's own."""
    wire = FULL.to_wire()
    for name in ("id", "external_id", "username", "first_name", "last_name", "locale", "banned", "locked"):
        assert wire[name] == getattr(FULL, name)
    for name in ("last_sign_in_at", "last_active_at", "legal_accepted_at", "created_at", "updated_at"):
        assert wire[name] == getattr(FULL, name)
    for name in ("public_metadata", "private_metadata", "unsafe_metadata"):
        assert wire[name] == getattr(FULL, name)
    assert (wire["primary_email_address_id"], wire["primary_phone_number_id"]) == ("idn_1", "idn_3")


def test_what_is_not_there_is_not_claimed() -> None:
    """There are no passwords, second factors, wallets or accounts here, and no picture."""
    wire = FULL.to_wire()
    for name in (
        "password_enabled",
        "two_factor_enabled",
        "totp_enabled",
        "backup_code_enabled",
        "has_image",
    ):
        assert wire[name] is False
    for name in ("web3_wallets", "passkeys", "external_accounts", "saml_accounts", "enterprise_accounts"):
        assert wire[name] == []
    assert BARE.to_wire()["primary_email_address_id"] is None


def test_a_contact_is_reserved_until_it_is_verified() -> None:
    """A verified one says by whom, an unverified one has no verification."""
    emails: Any = FULL.to_wire()["email_addresses"]
    assert [(e["email_address"], e["reserved"]) for e in emails] == [
        ("zoe@example.com", False),
        ("other@example.com", True),
    ]
    assert emails[0]["verification"]["status"] == "verified"
    assert emails[1]["verification"] is None


def test_the_wire_form_is_a_copy() -> None:
    """Changing what was handed out changes no user."""
    user = replace(BARE, public_metadata={"a": 1})
    wire: Any = user.to_wire()
    wire["public_metadata"]["a"] = 2
    assert user.public_metadata == {"a": 1}


def test_private_metadata_is_not_shown_in_logs() -> None:
    """The repr of a user, which ends up in tracebacks, leaves it out."""
    assert "secret" not in repr(FULL)


def test_identifiers_are_all_that_must_be_unique() -> None:
    """External id, username, and every address and number, verified or not."""
    assert BARE.identifiers() == []
    assert FULL.identifiers() == [
        (IdentifierKind.EXTERNAL_ID, "42"),
        (IdentifierKind.USERNAME, "zoe"),
        (IdentifierKind.EMAIL_ADDRESS, "zoe@example.com"),
        (IdentifierKind.EMAIL_ADDRESS, "other@example.com"),
        (IdentifierKind.PHONE_NUMBER, "+15555550100"),
        (IdentifierKind.PHONE_NUMBER, "+15555550101"),
    ]


def session(session_id: str, status: Status = Status.ACTIVE) -> Session:
    """A session of the user, live or ended."""
    ending = Ending(at=NOW, reason=Reason.REVOKED, instigator=Instigator.SYSTEM)
    return Session(
        id=session_id,
        user_id="user_1",
        client_id="client_1",
        status=status,
        last_active_at=NOW,
        expire_at=NOW,
        abandon_at=NOW,
        updated_at=NOW,
        created_at=NOW,
        actor=Actor("user_2"),
        latest_activity=Activity(id="sess_activity_1", browser_name="Firefox"),
        tasks=("setup-mfa",) if status is Status.PENDING else None,
        ending=None if status.live else ending,
    )


@pytest.mark.parametrize("status", Status)
def test_a_client_names_the_last_active_session_while_it_stands(status: Status) -> None:
    """Once that session has ended, or is not among those shown, another live one has the place, if any."""
    client = Client(id="client_1", created_at=NOW, updated_at=NOW, last_active_session_id="sess_1")
    wire = client.to_wire([session("sess_1", status), session("sess_2")])
    assert wire["session_ids"] == ["sess_1", "sess_2"]
    assert wire["last_active_session_id"] == ("sess_1" if status.live else "sess_2")
    assert client.to_wire([session("sess_1", status)])["last_active_session_id"] == (
        "sess_1" if status.live else None
    )
    ended = session("sess_2", Status.ENDED)
    assert client.to_wire([ended])["last_active_session_id"] is None
    assert client.to_wire([])["sessions"] == []


# Against the published descriptions ------------------------------------------------------------------------


@pytest.mark.parametrize("version", PUBLISHED_VERSIONS)
@pytest.mark.parametrize("user", [BARE, FULL], ids=["bare", "full"])
def test_users_are_as_published(user: User, version: str) -> None:
    """The whole resource, contacts included, satisfies the schema User."""
    assert specification(version).complaints("User", user.to_wire()) == []


def test_the_required_fields_are_the_published_ones() -> None:
    """The list above is that of the description."""
    assert sorted(specification(NEWEST).schemas["User"]["required"]) == sorted(REQUIRED)


@pytest.mark.parametrize("status", Status)
def test_sessions_and_clients_are_as_published(status: Status) -> None:
    """The resources satisfy the schemas Session and Client in every status."""
    complaints = specification(NEWEST).complaints
    shown = session("sess_1", status)
    client = Client(id="client_1", created_at=NOW, updated_at=NOW, last_active_session_id="sess_1")
    assert complaints("Session", shown.to_wire()) == []
    assert complaints("Client", client.to_wire([shown])) == []


def test_the_schemas_can_complain() -> None:
    """The control: a field too few, one too many and one of the wrong type are each found."""
    complaints = specification(NEWEST).complaints
    wire = BARE.to_wire()
    assert complaints("User", {k: v for k, v in wire.items() if k != "mfa_enabled_at"})
    assert complaints("User", {**wire, "banned": "no"})
    assert complaints("EmailAddress", {**complete_email(), "more": 1})
    assert complaints("EmailAddress", complete_email()) == []


def complete_email() -> dict[str, Any]:
    """The first address of the full user."""
    emails: Any = FULL.to_wire()["email_addresses"]
    return emails[0]

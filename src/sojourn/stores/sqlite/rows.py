"""Rows to values and back. The order of columns is that of the queries in `stores/sql/sqlite`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from sojourn.core.client import Client
from sojourn.core.directory import Contact, User
from sojourn.core.events import Event, EventType
from sojourn.core.keys import ApiKey, ApiKeyKind, Instance, KeyUse, StoredKey
from sojourn.core.lifecycle import NO_CUTOFFS, Cutoff, Cutoffs, SubjectKind, next_deadline
from sojourn.core.session import Activity, Actor, Ending, Instigator, Reason, Session, Status
from sojourn.service.ports import Held, InsertOnce

Row: TypeAlias = Sequence[Any]
Values: TypeAlias = tuple[Any, ...]

# Looked up in a dict, a member costs a fourth of what calling the enumeration costs.
_STATUS = {status.value: status for status in Status}
_REASON = {reason.value: reason for reason in Reason}
_INSTIGATOR = {instigator.value: instigator for instigator in Instigator}

SESSION_WIDTH = 20
"""Columns of a session; the mark that a cutoff covers it or the cutoffs themselves follow."""
_CUTOFF_WIDTH = 7
HELD_WIDTH = SESSION_WIDTH + 3 * _CUTOFF_WIDTH


# Sessions --------------------------------------------------------------------------------------------------


def session_of(row: Row) -> Session:
    """A session from `session_columns`."""
    return Session(
        sequence=row[0],
        id=row[1],
        user_id=row[2],
        client_id=row[3],
        status=_STATUS[row[4]],
        last_active_at=row[5],
        expire_at=row[6],
        abandon_at=row[7],
        updated_at=row[8],
        created_at=row[9],
        version=row[10],
        inactivity_seconds=row[11],
        actor=None if row[12] is None else _actor(row[12]),
        last_active_organization_id=row[13],
        tasks=None if row[14] is None else tuple(json.loads(row[14])),
        latest_activity=None if row[15] is None else _activity(row[15]),
        ending=None if row[16] is None else _ending(row[16], row[17], row[18], row[19]),
    )


def held_of(row: Row) -> Held:
    """A session with its cutoffs, from `session_columns` and `cutoff_columns`."""
    user, client, instance = (
        _cutoff(kind, row[start : start + _CUTOFF_WIDTH])
        for kind, start in zip(SubjectKind, range(SESSION_WIDTH, HELD_WIDTH, _CUTOFF_WIDTH), strict=True)
    )
    bare = user is None and client is None and instance is None
    return Held(session_of(row), NO_CUTOFFS if bare else Cutoffs(user, client, instance))


def session_values(session: Session) -> Values:
    """The values of `session_insert`."""
    ending = session.ending
    return (
        session.id,
        session.user_id,
        session.client_id,
        session.status.value,
        session.last_active_at,
        session.expire_at,
        session.abandon_at,
        session.updated_at,
        session.created_at,
        session.version,
        session.inactivity_seconds,
        next_deadline(session),
        None if session.actor is None else document(session.actor.to_wire()),
        session.last_active_organization_id,
        tasks_value(session.tasks),
        activity_value(session.latest_activity),
        *((None,) * 4 if ending is None else ending_values(ending)),
    )


def ending_values(ending: Ending) -> Values:
    """Instant, reason, instigator and note."""
    return ending.at, ending.reason.value, ending.instigator.value, ending.note


def tasks_value(tasks: tuple[str, ...] | None) -> str | None:
    """Tasks as a JSON list."""
    return None if tasks is None else document(tasks)


def activity_value(activity: Activity | None) -> str | None:
    """An activity as a JSON list without names: nearly every session carries one."""
    if activity is None:
        return None
    return document([getattr(activity, name) for name in _ACTIVITY])


def document(value: object) -> str:
    """JSON in ASCII: that holds every text, lone surrogates included, which UTF-8 columns cannot."""
    return json.dumps(value, separators=(",", ":"), default=_mapping)


def _mapping(value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    raise TypeError(f"{type(value).__name__} is not a JSON value")


_ACTIVITY = (
    "id",
    "is_mobile",
    "device_type",
    "browser_name",
    "browser_version",
    "ip_address",
    "city",
    "country",
)


def _activity(text: str) -> Activity:
    identifier, mobile, device, browser, version, address, city, country = json.loads(text)
    return Activity(
        id=identifier,
        is_mobile=mobile,
        device_type=device,
        browser_name=browser,
        browser_version=version,
        ip_address=address,
        city=city,
        country=country,
    )


def _actor(text: str) -> Actor:
    members = json.loads(text)
    return Actor(members.pop("sub"), MappingProxyType(members))


def _ending(at: int, reason: str, instigator: str, note: str | None) -> Ending:
    return Ending(at=at, reason=_REASON[reason], instigator=_INSTIGATOR[instigator], note=note)


def _cutoff(kind: SubjectKind, row: Row) -> Cutoff | None:
    subject, sequence, at, status, reason, instigator, note = row
    if subject is None:
        return None
    return Cutoff(
        kind=kind,
        subject=subject,
        sequence=sequence,
        at=at,
        status=_STATUS[status],
        reason=_REASON[reason],
        instigator=_INSTIGATOR[instigator],
        note=note,
    )


# Clients and users -----------------------------------------------------------------------------------------


def client_of(row: Row) -> Client:
    """A client from `client_columns`."""
    return Client(
        sequence=row[0],
        id=row[1],
        created_at=row[2],
        updated_at=row[3],
        last_active_session_id=row[4],
        last_authentication_strategy=row[5],
        version=row[6],
    )


def user_of(row: Row) -> User:
    """A user from `user_columns`."""
    rest = json.loads(row[8])
    for name in _CONTACTS:
        if name in rest:
            rest[name] = tuple(
                Contact(id=identifier, value=value, created_at=created, verified=verified)
                for identifier, value, created, verified in rest[name]
            )
    return User(
        sequence=row[0],
        id=row[1],
        version=row[2],
        banned=bool(row[3]),
        created_at=row[4],
        updated_at=row[5],
        last_sign_in_at=row[6],
        last_active_at=row[7],
        **rest,
    )


def user_document(user: User) -> str:
    """What of a user has no column of its own; what is as it is by default is left out."""
    rest: dict[str, object] = {}
    for name in _PLAIN:
        value = getattr(user, name)
        if value != _DEFAULTS[name]:
            rest[name] = value
    for name in _CONTACTS:
        contacts: tuple[Contact, ...] = getattr(user, name)
        if contacts:
            rest[name] = [(c.id, c.value, c.created_at, c.verified) for c in contacts]
    for name in _METADATA:
        metadata: Mapping[str, object] = getattr(user, name)
        if metadata:
            rest[name] = dict(metadata)
    return document(rest)


_PLAIN = (
    "external_id",
    "username",
    "first_name",
    "last_name",
    "locked",
    "locale",
    "legal_accepted_at",
    "delete_self_enabled",
    "create_organization_enabled",
    "create_organizations_limit",
    "bypass_client_trust",
)
_CONTACTS = ("email_addresses", "phone_numbers")
_METADATA = ("public_metadata", "private_metadata", "unsafe_metadata")
_BARE = User(id="", created_at=0, updated_at=0)
_DEFAULTS: dict[str, object] = {name: getattr(_BARE, name) for name in _PLAIN}


# The rest --------------------------------------------------------------------------------------------------


def event_of(row: Row) -> Event:
    """An event from `event_page`, whose first column is its position."""
    return Event(
        id=row[1],
        type=EventType(row[2]),
        at=row[3],
        session_id=row[4],
        user_id=row[5],
        client_id=row[6],
        organization_id=row[7],
        actor=row[8],
        instigator=None if row[9] is None else _INSTIGATOR[row[9]],
        reason=None if row[10] is None else _REASON[row[10]],
        note=row[11],
        request_id=row[12],
    )


def event_values(event: Event) -> Values:
    """The values of `event_insert`."""
    return (
        event.id,
        event.type.value,
        event.at,
        event.session_id,
        event.user_id,
        event.client_id,
        event.organization_id,
        event.actor,
        event.instigator and event.instigator.value,
        event.reason and event.reason.value,
        event.note,
        event.request_id,
    )


def api_key_of(row: Row) -> ApiKey:
    """An API key from `api_key_columns`."""
    identifier, kind, digest, hint, created_at, revoked_at = row
    return ApiKey(
        id=identifier,
        kind=ApiKeyKind(kind),
        digest=digest,
        hint=hint,
        created_at=created_at,
        revoked_at=revoked_at,
    )


def stored_key_of(row: Row) -> StoredKey:
    """A private key at rest from `stored_key_list`."""
    kid, use, algorithm, state, material, created_at, published_until = row
    return StoredKey(
        kid=kid,
        use=KeyUse(use),
        algorithm=algorithm,
        state=state,
        material=material,
        created_at=created_at,
        published_until=published_until,
    )


def instance_of(row: Row) -> Instance:
    """The instance from `instance_get`."""
    identifier, publishable_key, epoch, created_at, master_key_id = row
    return Instance(
        id=identifier,
        publishable_key=publishable_key,
        epoch=epoch,
        created_at=created_at,
        master_key_id=master_key_id,
    )


def once_of(row: Row) -> InsertOnce:
    """What was done under an idempotency key, from `once_get`."""
    digest, fingerprint, resource_id, at = row
    return InsertOnce(digest=digest, fingerprint=fingerprint, resource_id=resource_id, at=at)

"""Sessions, cutoffs and clients as rows. The order of columns is that of the queries of every dialect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from sojourn.core.client import Client, ClientSecret, Rotation
from sojourn.core.lifecycle import NO_CUTOFFS, Cutoff, Cutoffs, SubjectKind, next_deadline
from sojourn.core.session import Activity, Actor, Ending, Instigator, Reason, Session, Status
from sojourn.service.ports import Held

Row: TypeAlias = Sequence[Any]
Values: TypeAlias = tuple[Any, ...]

# Looked up in a dict, a member costs a fourth of what calling the enumeration costs.
_STATUS = {status.value: status for status in Status}
_REASON = {reason.value: reason for reason in Reason}
_INSTIGATOR = {instigator.value: instigator for instigator in Instigator}

SESSION_WIDTH = 23
"""Columns of a session; the mark that a cutoff covers it or the cutoffs themselves follow."""
_CUTOFF_WIDTH = 8
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
        actor=None if row[12] is None else actor_of(row[12]),
        last_active_organization_id=row[13],
        tasks=None if row[14] is None else tuple(json.loads(row[14])),
        latest_activity=None if row[15] is None else _activity(row[15]),
        ending=None if row[16] is None else _ending(row[16], row[17], row[18], row[19]),
        first_factor_at=row[20],
        second_factor_at=row[21],
        application=row[22],
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
        session.first_factor_at,
        session.second_factor_at,
        session.application,
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


def actor_of(text: str) -> Actor:
    """An actor from its JSON."""
    members = json.loads(text)
    return Actor(members.pop("sub"), MappingProxyType(members))


def _ending(at: int, reason: str, instigator: str, note: str | None) -> Ending:
    return Ending(at=at, reason=_REASON[reason], instigator=_INSTIGATOR[instigator], note=note)


def _cutoff(kind: SubjectKind, row: Row) -> Cutoff | None:
    subject, sequence, at, status, reason, instigator, note, spared = row
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
        spared=spared,
    )


# Clients ---------------------------------------------------------------------------------------------------


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
        secret=None if row[7] is None else _secret(row[7], row[8], row[9]),
        impersonation_id=row[10],
    )


def client_values(client: Client) -> Values:
    """The values of `client_insert`, and but for the version to be replaced of `client_update`."""
    secret = client.secret
    rotations = [] if secret is None else [[one.at, one.held] for one in secret.rotations]
    return (
        client.created_at,
        client.updated_at,
        client.last_active_session_id,
        client.last_authentication_strategy,
        None if secret is None else secret.digest,
        0 if secret is None else secret.generation,
        document(rotations) if rotations else None,
        client.impersonation_id,
        client.version,
        client.id,
    )


def _secret(digest: bytes, generation: int, rotations: str | None) -> ClientSecret:
    given = () if rotations is None else json.loads(rotations)
    return ClientSecret(
        digest=digest, generation=generation, rotations=tuple(Rotation(at, held) for at, held in given)
    )

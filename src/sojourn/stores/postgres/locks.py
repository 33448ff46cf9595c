"""What a commit has to be alone with, taken when it begins and held until its end.

On SQLite one commit follows the other. Here many run at once, and rows alone do not keep them apart where a
decision rests on what is *not* there: no cutoff, no tenth member. Each operation names what it relies on
(shared) and what it decides about (exclusive), so that the functions in this package can read and then write
as if they were alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Session
from sojourn.service.ports import (
    DeleteMembership,
    DeleteOrganization,
    DropStoredKey,
    ExpectStoredKeys,
    InsertApiKey,
    InsertCutoff,
    InsertDeposit,
    InsertMembership,
    InsertOrganization,
    InsertSession,
    InsertTemplate,
    NoteOrganization,
    Operation,
    PutStoredKey,
    RequireMembership,
    RevokeApiKey,
    UpdateMembership,
    UpdateSession,
)

_Wanted = Iterable[tuple[bool, str]]
"""Whether exclusive, and of what."""
INSTANCE = "instance"
_DEPOSITS = "deposits"
_MOST = 64
"""A commit that would need more of them takes the one of the whole instance instead."""


def scope_of(kind: SubjectKind, subject: str) -> str:
    """What the sessions of a subject are matched with. A store serves one instance, so its cutoffs cover
    every session whatever the instance is called."""
    return INSTANCE if kind is SubjectKind.INSTANCE else f"{kind.value}:{subject}"


def _scopes(session: Session) -> _Wanted:
    """A cutoff waits for sessions that are being made or changed, so that it covers all that came before it;
    and these for the cutoff, so that no end that it gave is replaced."""
    yield False, INSTANCE
    yield False, scope_of(SubjectKind.USER, session.user_id)
    yield False, scope_of(SubjectKind.CLIENT, session.client_id)


def _of_membership(organization_id: str, user_id: str) -> _Wanted:
    yield True, f"organization:{organization_id}"
    yield True, f"noted:{user_id}"


_WANTED: Mapping[type, Callable[[Any], _Wanted]] = {
    InsertSession: lambda o: _scopes(o.session),
    UpdateSession: lambda o: _scopes(o.session),
    InsertCutoff: lambda o: [
        (False, INSTANCE),
        (True, _DEPOSITS),
        (True, scope_of(o.cutoff.kind, o.cutoff.subject)),
    ],
    # Whose session it is does not stand in the operation, so that no cutoff at all may come in between.
    InsertDeposit: lambda _: [(False, _DEPOSITS)],
    PutStoredKey: lambda _: [(True, "stored keys")],
    DropStoredKey: lambda _: [(True, "stored keys")],
    ExpectStoredKeys: lambda _: [(True, "stored keys")],
    InsertTemplate: lambda _: [(True, "templates")],
    InsertApiKey: lambda _: [(True, "api keys")],
    RevokeApiKey: lambda _: [(True, "api keys")],
    InsertOrganization: lambda o: [(True, f"creator:{o.organization.created_by}")],
    DeleteOrganization: lambda o: [(True, f"organization:{o.organization_id}")],
    InsertMembership: lambda o: _of_membership(o.membership.organization_id, o.membership.user_id),
    UpdateMembership: lambda o: _of_membership(o.membership.organization_id, o.membership.user_id),
    DeleteMembership: lambda o: _of_membership(o.membership.organization_id, o.membership.user_id),
    RequireMembership: lambda o: [(False, f"organization:{o.organization_id}")],
    NoteOrganization: lambda o: [(True, f"noted:{o.user_id}")],
}
"""What is not here rests on its own rows alone."""


def locks_of(operations: Sequence[Operation]) -> str:
    """The statement that takes what these operations need, always in one order; empty when that is
    nothing."""
    wanted: dict[str, bool] = {}
    for operation in operations:
        for exclusive, name in _WANTED.get(type(operation), _none)(operation):
            wanted[name] = wanted.get(name, False) or exclusive
    if len(wanted) > _MOST and INSTANCE in wanted:
        # Whoever makes or changes a session holds it too, so that this one excludes them all.
        sessions = ("user:", "client:")
        wanted = {name: kind for name, kind in wanted.items() if not name.startswith(sessions)}
        wanted[INSTANCE] = True
    if not wanted:
        return ""
    taken = ", ".join(_take(name, wanted[name]) for name in sorted(wanted))
    return f"SELECT {taken}"


def _none(_operation: object) -> _Wanted:
    return ()


def _take(name: str, exclusive: bool) -> str:
    # The key is a number made here, so that the statement holds nothing that came from outside.
    key = int.from_bytes(blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
    return f"pg_advisory_xact_lock{'' if exclusive else '_shared'}({key})"

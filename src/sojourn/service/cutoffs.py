"""Cutoffs: one row and one event that end all sessions of a user, a client or the instance."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.core.events import EventType
from sojourn.core.lifecycle import Cutoff, SubjectKind
from sojourn.core.session import Instigator, Reason, Status
from sojourn.service.context import Context
from sojourn.service.ports import InsertCutoff, Operation

_REASONS = {
    SubjectKind.USER: Reason.ALL_OF_USER,
    SubjectKind.CLIENT: Reason.ALL_OF_CLIENT,
    SubjectKind.INSTANCE: Reason.ALL_OF_INSTANCE,
}
_EVENTS = {
    SubjectKind.USER: EventType.USER_SESSIONS_ENDED,
    SubjectKind.CLIENT: EventType.CLIENT_SESSIONS_ENDED,
    SubjectKind.INSTANCE: EventType.INSTANCE_SESSIONS_ENDED,
}


def cut(
    context: Context,
    kind: SubjectKind,
    subject: str,
    now: int,
    *,
    reason: Reason | None = None,
    note: str | None = None,
    spared: str | None = None,
    instigator: Instigator = Instigator.APPLICATION,
) -> Sequence[Operation]:
    """The operations that end every session of a subject but the one that is `spared`.

    The event names the spared session, so that whoever reads the log knows of it.
    """
    cutoff = Cutoff(
        kind=kind,
        subject=subject,
        at=now,
        status=Status.REVOKED,
        reason=reason or _REASONS[kind],
        instigator=instigator,
        note=note,
        spared=spared,
    )
    event = context.event(
        _EVENTS[kind],
        now,
        session_id=spared,
        user_id=subject if kind is SubjectKind.USER else None,
        client_id=subject if kind is SubjectKind.CLIENT else None,
        reason=cutoff.reason,
        instigator=cutoff.instigator,
        note=note,
    )
    return [InsertCutoff(cutoff), event]


async def commit(context: Context, operations: Sequence[Operation]) -> None:
    """Commit operations so that the not-before of a cutoff among them holds for every token that it ends.

    A verifier knows a token by the second of its `iat` alone. Until the commit is done another process may
    sign for a session that it ends; where that took into another second than the one that the cutoff names,
    the sessions are cut off once more, with the second of now (adr/0018-revocation-feed.md).
    """
    await context.store.commit(operations)
    cutoff = next((one.cutoff for one in operations if isinstance(one, InsertCutoff)), None)
    # Of a client the feed names the sessions, not an instant.
    if cutoff is None or cutoff.kind is SubjectKind.CLIENT:
        return
    now = context.clock.now()
    if now // 1000 > cutoff.at // 1000:
        again = cut(
            context,
            cutoff.kind,
            cutoff.subject,
            now,
            reason=cutoff.reason,
            note=cutoff.note,
            spared=cutoff.spared,
            instigator=cutoff.instigator,
        )
        await context.store.commit(again)

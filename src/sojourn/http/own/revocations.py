"""The revocation feed, for verifiers."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sojourn.http.own import views
from sojourn.http.own.filters import Note
from sojourn.http.own.reach import REACH, reached
from sojourn.http.parameters import Integer, Text
from sojourn.http.routes import VERIFIER, Call, Operation
from sojourn.http.shapes.revocations import Acknowledged, RevocationPage, RevokedSession
from sojourn.http.streaming import Stream
from sojourn.http.wire import body_of
from sojourn.service.feed import DEFAULT_LEASE_MS

_AFTER = Text("after", "Where to go on: the id of the last event, or its header `Last-Event-ID`.")
_WAIT = Integer(
    "wait", "How long a page may wait for something new, in seconds.", default=0, least=0, most=30
)
_LEASE = Integer(
    "lease_ms",
    "How long the verifier accepts tokens without a word of the feed, in ms; `reach=wait` counts on it.",
    default=DEFAULT_LEASE_MS,
    least=0,
    most=60_000,
)
_EVENTS = b"text/event-stream"


class Acknowledgement(msgspec.Struct):
    """Which subscription, and up to where in the log."""

    subscription: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    position: Annotated[int, msgspec.Meta(ge=0)]


class Revoke(msgspec.Struct):
    """Why."""

    reason: Note | None = None


async def read_revocations(call: Call) -> object:
    """Read what was revoked: a page or, for `Accept: text/event-stream`, events without end.

    The events are `hello`, `revocations` and `heartbeat`, with the members of a page as their data; see
    docs/revocation.md.
    """
    query = call.query()
    last = call.headers.get(b"last-event-id")
    after = _AFTER.of(query) or (last.decode("latin-1") if last else None)
    wait, lease_ms = _WAIT.of(query), _LEASE.of(query)
    key_id = None if call.key is None else call.key.id
    if _EVENTS not in call.headers.get(b"accept", b""):
        return await call.sojourn.feed.page(after, wait_seconds=wait, key_id=key_id, lease_ms=lease_ms)
    chunks = call.sojourn.feed.stream(after, key_id=key_id, lease_ms=lease_ms)
    return Stream(await anext(chunks), chunks, _EVENTS)


async def acknowledge(call: Call) -> object:
    """Acknowledge that a verifier knows everything up to a place in the log.

    Asked for by a heartbeat with `acknowledge`; somebody is waiting for it.
    """
    body = body_of(call.body, Acknowledgement)
    await call.sojourn.reach.acknowledge(body.subscription, body.position)
    return {"object": "acknowledgement", "subscription": body.subscription}


async def revoke_session(call: Call) -> object:
    """Revoke a session and, with `reach=wait`, answer when no verifier accepts it any more."""
    body = body_of(call.body, Revoke)
    wait = REACH.of(call.query()) is not None
    revoked = await call.sojourn.sessions.revoke(call.id, note=body.reason)
    return {**views.session(revoked), "reach": await reached(call) if wait else None}


OPERATIONS = (
    Operation(
        method="GET",
        path="/sojourn/v1/revocations",
        name="ReadRevocations",
        handler=read_revocations,
        keys=VERIFIER,
        query=(_AFTER, _WAIT, _LEASE),
        answer=RevocationPage,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/revocations/acknowledge",
        name="AcknowledgeRevocations",
        handler=acknowledge,
        keys=VERIFIER,
        body=Acknowledgement,
        answer=Acknowledged,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/sessions/{session_id}/revoke",
        name="RevokeSessionEverywhere",
        handler=revoke_session,
        body=Revoke,
        query=(REACH,),
        answer=RevokedSession,
    ),
)

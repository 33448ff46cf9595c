"""The own surface, /sojourn/v1."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sojourn.core.events import EventType
from sojourn.core.lifecycle import SubjectKind
from sojourn.core.policy import Policy as Members
from sojourn.core.session import Instigator, Reason
from sojourn.http.shapes.common import Instant, Shape
from sojourn.http.shapes.sessions import Session

Cursor = Annotated[str, Meta(description="Give it as `cursor` for the next page.")]


class SessionEnding(Shape):
    """How a session came to its end."""

    at: Instant
    reason: Reason
    instigator: Instigator
    note: str | None


class SessionFacts(Session, kw_only=True):
    """A session with all that is known of it."""

    inactivity_seconds: int | None
    application: str | None
    first_factor_at: Instant | None
    second_factor_at: Instant | None
    ending: SessionEnding | None


class EndLink(Shape):
    """A link that ends one session, from the page that it leads to."""

    object: Literal["end_link"]
    session_id: str
    url: str
    expires_in_seconds: int


class SessionSearchPage(Shape):
    """Some of the sessions that fit. It may be empty and still not be the last."""

    object: Literal["session_page"]
    data: list[SessionFacts]
    next_cursor: Cursor | None


class Event(Shape):
    """One change of state."""

    object: Literal["event"]
    id: str
    type: EventType
    at: Instant
    session_id: str | None
    user_id: str | None
    client_id: str | None
    organization_id: str | None
    actor: str | None
    instigator: Instigator | None
    reason: Reason | None
    note: str | None
    request_id: str | None


class EventList(Shape):
    """Events, oldest first."""

    object: Literal["event_list"]
    data: list[Event]


class Deadline(Shape):
    """An instant at which a session ends by itself; `moves`: activity moves it on."""

    reason: Reason
    at: Instant
    passed: bool
    moves: bool


class Cutoff(Shape):
    """An ending of all sessions of a user, a client or the instance that covers this one."""

    kind: SubjectKind
    subject: str
    at: Instant
    reason: Reason
    instigator: Instigator
    note: str | None
    spared: str | None


class SessionExplanation(Shape):
    """Why a session stands where it stands."""

    object: Literal["session_explanation"]
    session: SessionFacts
    rule: Annotated[str | None, Meta(description="What ended it, in words; null while it lives.")]
    deadlines: list[Deadline]
    next: Deadline | None
    cutoffs: list[Cutoff]
    events: list[Event]


class Reach(Shape):
    """Nobody accepts it any more: so many verifiers have acknowledged, the leases of the rest are over."""

    verifiers: int
    acknowledged: int
    lapsed: int
    ms: int


class SessionsEnded(Shape):
    """All sessions of the user that were there have ended, but for the one that was to be kept."""

    object: Literal["sessions_ended"]
    user_id: str
    except_session_id: str | None
    reach: Reach | None


class Filter(Shape):
    """What was given to say which sessions."""

    user_id: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    organization_id: str | UnsetType = UNSET
    actor: str | UnsetType = UNSET
    application: str | UnsetType = UNSET
    signing_key: str | UnsetType = UNSET
    addresses: list[str] | UnsetType = UNSET
    created_from: Instant | UnsetType = UNSET
    created_before: Instant | UnsetType = UNSET
    active_from: Instant | UnsetType = UNSET
    active_before: Instant | UnsetType = UNSET


class Ending(Shape):
    """An ending of the sessions that a filter describes, with its progress."""

    object: Literal["ending"]
    id: str
    filter: Filter
    state: Literal["running", "done", "cancelled"]
    method: Annotated[
        Literal["steps", "cutoff"],
        Meta(description="`cutoff`: done in a single step, whatever their number."),
    ]
    note: str | None
    ended: Annotated[int, Meta(ge=0, description="How many the steps have ended.")]
    created_at: Instant
    updated_at: Instant


class EndingPreview(Shape):
    """What an ending would end."""

    object: Literal["ending_preview"]
    count: Annotated[int, Meta(ge=0)]
    sample: list[SessionFacts]


class EndingList(Shape):
    """Endings, newest first."""

    object: Literal["ending_list"]
    data: list[Ending]


class Instance(Shape):
    """The instance that answers here."""

    object: Literal["instance"]
    id: str
    publishable_key: str
    epoch: Annotated[str, Meta(description="Positions in the log of events are good within one epoch.")]
    created_at: Instant
    issuer: Annotated[str, Meta(description="The `iss` of its tokens.")]
    version: Annotated[str, Meta(description="The version of sojourn.")]


_TYPES = get_type_hints(Members)
_NAMES = [field.name for field in dataclasses.fields(Members)]
_members: list[tuple[str, Any]] = [(name, _TYPES[name]) for name in _NAMES]

Policy = msgspec.defstruct(
    "Policy",
    [("object", Literal["policy"]), *_members, ("changed", list[str])],
    bases=(Shape,),
    namespace={"__doc__": "The policy in force; `changed` names what a stored change has set."},
)
POLICY_CHANGES: list[tuple[str, Any, Any]] = [(name, kind | UnsetType, UNSET) for name, kind in _members]
"""Members of a body that changes the policy: those that are given."""

"""How the own surface shows what the services hand out: the compatible resources with what they leave out."""

from __future__ import annotations

from sojourn.core.events import Event
from sojourn.core.lifecycle import Cutoff
from sojourn.core.session import Session
from sojourn.service.endings import Ending
from sojourn.service.history import Deadline, Explanation
from sojourn.service.policies import PolicyView


def session(one: Session) -> dict[str, object]:
    """A session with its inactivity limit, what created it, when factors were attested, and its ending."""
    ending = one.ending
    return {
        **one.to_wire(),
        "inactivity_seconds": one.inactivity_seconds,
        "application": one.application,
        "first_factor_at": one.first_factor_at,
        "second_factor_at": one.second_factor_at,
        "ending": None
        if ending is None
        else {
            "at": ending.at,
            "reason": ending.reason.value,
            "instigator": ending.instigator.value,
            "note": ending.note,
        },
    }


def event(one: Event) -> dict[str, object]:
    """An event of the log."""
    return {
        "object": "event",
        "id": one.id,
        "type": one.type.value,
        "at": one.at,
        "session_id": one.session_id,
        "user_id": one.user_id,
        "client_id": one.client_id,
        "organization_id": one.organization_id,
        "actor": one.actor,
        "instigator": one.instigator and one.instigator.value,
        "reason": one.reason and one.reason.value,
        "note": one.note,
        "request_id": one.request_id,
    }


def explanation(one: Explanation) -> dict[str, object]:
    """Why a session stands where it stands."""
    return {
        "object": "session_explanation",
        "session": session(one.session),
        "rule": one.rule,
        "deadlines": [_deadline(deadline) for deadline in one.deadlines],
        "next": None if one.next is None else _deadline(one.next),
        "cutoffs": [_cutoff(cutoff) for cutoff in one.cutoffs],
        "events": [event(item) for item in one.events],
    }


def ending(one: Ending) -> dict[str, object]:
    """An ending of many sessions, with its progress."""
    return {
        "object": "ending",
        "id": one.id,
        "filter": one.filter.given(),
        "state": one.state,
        "method": one.method,
        "note": one.note,
        "ended": one.ended,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def policy(view: PolicyView) -> dict[str, object]:
    """The policy in force; `changed` names what a stored change has set."""
    members = {name: getattr(view.policy, name) for name in view.policy.__dataclass_fields__}
    return {"object": "policy", **members, "changed": list(view.changed)}


def _deadline(one: Deadline) -> dict[str, object]:
    return {"reason": one.reason.value, "at": one.at, "passed": one.passed, "moves": one.moves}


def _cutoff(one: Cutoff) -> dict[str, object]:
    return {
        "kind": one.kind.value,
        "subject": one.subject,
        "at": one.at,
        "reason": one.reason.value,
        "instigator": one.instigator.value,
        "note": one.note,
        "spared": one.spared,
    }

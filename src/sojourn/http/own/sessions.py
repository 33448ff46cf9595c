"""Sessions on the own surface: search, one with all its facts, history, explanation, factors."""

from __future__ import annotations

import msgspec

from sojourn.core.errors import Invalid
from sojourn.http.own import views
from sojourn.http.own.filters import filter_of_query, statuses_of
from sojourn.http.routes import Call, Operation
from sojourn.http.wire import body_of, integer, text
from sojourn.service.context import PAGE_LIMIT

_KNOWN = {
    *("user_id", "client_id", "organization_id", "actor", "application", "addresses", "status"),
    *("created_from", "created_before", "active_from", "active_before", "limit", "cursor"),
    "__clerk_api_version",
}


class VerifiedFactors(msgspec.Struct):
    """Which factors the application has just verified."""

    first_factor: bool = False
    second_factor: bool = False


async def search_sessions(call: Call) -> object:
    """Sessions over all users, newest first, a page at a time.

    A page may hold fewer than asked for, even none, and still have a `next_cursor`: without an index for the
    filter it is a bounded number of sessions that is looked at.
    """
    query = call.query()
    for name in query:
        if name not in _KNOWN:
            raise Invalid(name[:64], f"{name[:64]} is not a filter of this search.")
    page = await call.sojourn.sessions.search(
        filter_of_query(query),
        statuses=statuses_of(query),
        limit=integer(query, "limit", 10, least=1, most=PAGE_LIMIT),
        cursor=text(query, "cursor"),
    )
    return {
        "object": "session_page",
        "data": [views.session(one) for one in page.items],
        "next_cursor": page.cursor,
    }


async def get_session(call: Call) -> object:
    """One session with all its facts."""
    return views.session(await call.sojourn.sessions.get(call.id))


async def list_events(call: Call) -> object:
    """The newest events of a session, oldest first."""
    limit = integer(call.query(), "limit", 100, least=1, most=PAGE_LIMIT)
    events = await call.sojourn.history.of_session(call.id, limit=limit)
    return {"object": "event_list", "data": [views.event(event) for event in events]}


async def explain_session(call: Call) -> object:
    """Why a session ended or will end, by whom, by which rule, and which deadline comes next."""
    return views.explanation(await call.sojourn.history.explain(call.id))


async def attest_factors(call: Call) -> object:
    """Record that a first or second factor was verified now; the `fva` of later tokens follows."""
    body = body_of(call.body, VerifiedFactors)
    attested = await call.sojourn.sessions.attest(call.id, first=body.first_factor, second=body.second_factor)
    return views.session(attested)


OPERATIONS = (
    Operation(method="GET", path="/sojourn/v1/sessions", name="SearchSessions", handler=search_sessions),
    Operation(
        method="GET", path="/sojourn/v1/sessions/{session_id}", name="GetSessionFacts", handler=get_session
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/sessions/{session_id}/events",
        name="ListSessionEvents",
        handler=list_events,
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/sessions/{session_id}/explain",
        name="ExplainSession",
        handler=explain_session,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/sessions/{session_id}/factors",
        name="AttestFactors",
        handler=attest_factors,
    ),
)

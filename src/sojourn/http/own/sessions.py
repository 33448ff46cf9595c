"""Sessions on the own surface: search, one with all its facts, history, explanation, factors."""

from __future__ import annotations

import msgspec

from sojourn.core.errors import Invalid
from sojourn.http.own import views
from sojourn.http.own.filters import FILTERS, filter_of_query, statuses_of
from sojourn.http.parameters import LIMIT, Integer, Text
from sojourn.http.routes import Call, Operation
from sojourn.http.shapes.own import EventList, SessionExplanation, SessionFacts, SessionSearchPage
from sojourn.http.wire import body_of
from sojourn.service.context import PAGE_LIMIT

_CURSOR = Text("cursor", "Where the page before ended: its `next_cursor`.")
_EVENTS = Integer("limit", "How many to answer with at most.", default=100, least=1, most=PAGE_LIMIT)
_SEARCH = (*FILTERS, LIMIT, _CURSOR)
_KNOWN = {"__clerk_api_version", *(parameter.name for parameter in _SEARCH)}


class VerifiedFactors(msgspec.Struct):
    """Which factors the application has just verified."""

    first_factor: bool = False
    second_factor: bool = False


async def search_sessions(call: Call) -> object:
    """Search the sessions of all users, newest first, a page at a time.

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
        limit=LIMIT.of(query),
        cursor=_CURSOR.of(query),
    )
    return {
        "object": "session_page",
        "data": [views.session(one) for one in page.items],
        "next_cursor": page.cursor,
    }


async def get_session(call: Call) -> object:
    """Get a session with all its facts."""
    return views.session(await call.sojourn.sessions.get(call.id))


async def list_events(call: Call) -> object:
    """List the newest events of a session, oldest first."""
    events = await call.sojourn.history.of_session(call.id, limit=_EVENTS.of(call.query()))
    return {"object": "event_list", "data": [views.event(event) for event in events]}


async def explain_session(call: Call) -> object:
    """Explain why a session ended or will end, by whom, by which rule, and which deadline comes next."""
    return views.explanation(await call.sojourn.history.explain(call.id))


async def attest_factors(call: Call) -> object:
    """Record that a first or second factor was verified now; the `fva` of later tokens follows."""
    body = body_of(call.body, VerifiedFactors)
    attested = await call.sojourn.sessions.attest(call.id, first=body.first_factor, second=body.second_factor)
    return views.session(attested)


OPERATIONS = (
    Operation(
        method="GET",
        path="/sojourn/v1/sessions",
        name="SearchSessions",
        handler=search_sessions,
        query=_SEARCH,
        answer=SessionSearchPage,
        errors={404: "There is no such signing key."},
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/sessions/{session_id}",
        name="GetSessionFacts",
        handler=get_session,
        answer=SessionFacts,
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/sessions/{session_id}/events",
        name="ListSessionEvents",
        handler=list_events,
        query=(_EVENTS,),
        answer=EventList,
    ),
    Operation(
        method="GET",
        path="/sojourn/v1/sessions/{session_id}/explain",
        name="ExplainSession",
        handler=explain_session,
        answer=SessionExplanation,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/sessions/{session_id}/factors",
        name="AttestFactors",
        handler=attest_factors,
        body=VerifiedFactors,
        answer=SessionFacts,
    ),
)

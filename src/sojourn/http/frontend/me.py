"""The user who acts (operations getUser, getUsersSessions, getSessions, revokeSession,
getOrganizationMemberships)."""

from __future__ import annotations

from sojourn.core.errors import NotFound
from sojourn.core.session import Status
from sojourn.http.frontend.calls import FrontCall, FrontOperation
from sojourn.http.frontend.held import acting, wrapped
from sojourn.http.frontend.views import membership_view, person, session_base, session_views
from sojourn.http.parameters import Boolean, Integer
from sojourn.service.context import PAGE_LIMIT
from sojourn.service.ports import MembershipQuery

_LIVE = frozenset({Status.ACTIVE, Status.PENDING})
_MOST = 100
_LIMIT = Integer("limit", "How many to answer with at most.", default=10, least=1, most=PAGE_LIMIT)
_OFFSET = Integer("offset", "How many to leave out first.", default=0, least=0)
_PAGINATED = Boolean("paginated", "Answer with a page and the number of all.")


async def get_user(call: FrontCall) -> object:
    """Get the user who acts."""
    found, session = await acting(call)
    return await wrapped(call, (await person(call.sojourn, session.user_id)).to_wire(), found.view)


async def list_sessions(call: FrontCall) -> object:
    """List the user's sessions on every device, newest first."""
    _, session = await acting(call)
    page = await call.sojourn.sessions.list(user_id=session.user_id, limit=_MOST)
    # A token belongs to the client that holds the session: here there are none.
    return await session_views(call, page, tokens=False)


async def list_active_sessions(call: FrontCall) -> object:
    """List the user's live sessions on every device, with what is known of the device, newest first."""
    _, session = await acting(call)
    page = await call.sojourn.sessions.page(user_id=session.user_id, statuses=_LIVE, limit=_MOST)
    shown: list[dict[str, object]] = []
    for one in page.items:
        item = session_base(one, None)
        if one.latest_activity is not None:
            item["latest_activity"] = one.latest_activity.to_wire()
        shown.append(item)
    return shown


async def revoke_session(call: FrontCall) -> object:
    """End a session of the user, on whatever device it is."""
    found, session = await acting(call)
    other = await call.sojourn.sessions.get(call.id)
    if other.user_id != session.user_id:
        raise NotFound("session", call.id)
    revoked = await call.sojourn.sessions.revoke(call.id)
    (shown,) = await session_views(call, [revoked])
    return await wrapped(call, shown, await call.sojourn.clients.get(found.id))


async def list_memberships(call: FrontCall) -> object:
    """List the organizations of the user, newest first."""
    found, session = await acting(call)
    paginated = _PAGINATED.of(call.query)
    query = MembershipQuery(
        user_ids=(session.user_id,), limit=_LIMIT.of(call.query), offset=_OFFSET.of(call.query)
    )
    page = await call.sojourn.memberships.page(query)
    data = [membership_view(member) for member in page.items]
    response: object = {"data": data, "total_count": page.total} if paginated else data
    return await wrapped(call, response, found.view)


OPERATIONS = (
    FrontOperation(method="GET", path="/v1/me", name="getUser", handler=get_user),
    FrontOperation(
        method="GET",
        path="/v1/me/sessions",
        name="getUsersSessions",
        handler=list_sessions,
        differs="the 100 newest; without tokens",
    ),
    FrontOperation(
        method="GET",
        path="/v1/me/sessions/active",
        name="getSessions",
        handler=list_active_sessions,
        differs="the 100 newest",
    ),
    FrontOperation(
        method="POST",
        path="/v1/me/sessions/{session_id}/revoke",
        name="revokeSession",
        handler=revoke_session,
        differs="idempotent",
    ),
    FrontOperation(
        method="GET",
        path="/v1/me/organization_memberships",
        name="getOrganizationMemberships",
        handler=list_memberships,
    ),
)

"""Sessions of the client (operations getSession, touchSession, endSession, removeSession,
createSessionToken, createSessionTokenWithTemplate)."""

from __future__ import annotations

from sojourn.core.errors import NotFound
from sojourn.core.session import Session
from sojourn.http.frontend.calls import FrontCall, FrontOperation, signed_out
from sojourn.http.frontend.held import hand_over, live, required, wrapped
from sojourn.http.frontend.views import session_views
from sojourn.http.problems import Problem
from sojourn.service.clients import Recognised

_ORGANIZATION = "org_"


async def get_session(call: FrontCall) -> object:
    """Get a session of this client."""
    found = await required(call)
    session = next((one for one in found.view.sessions if one.id == call.id), None)
    if session is None:
        raise NotFound("session", call.id)
    return await _told(call, found, session)


async def touch_session(call: FrontCall) -> object:
    """Put a session in front, with an organization or none, and record activity."""
    found, session = await _standing(call)
    organization = call.text("active_organization_id")
    if organization is not None:
        session = await _choose(call, session, organization)
    found = await call.sojourn.clients.make_active(found, session.id)
    session = await call.sojourn.sessions.touch(session.id, activity=await call.activity())
    return await _told(call, found, session)


async def end_session(call: FrontCall) -> object:
    """Sign out of a session; it stays on the client."""
    found = await required(call)
    return await _ended(call, found, await call.sojourn.clients.end_session(found, call.id))


async def remove_session(call: FrontCall) -> object:
    """Sign out of a session and take it off the client."""
    found = await required(call)
    return await _ended(call, found, await call.sojourn.clients.remove_session(found, call.id))


async def create_token(call: FrontCall) -> object:
    """Create a session token, freshly signed."""
    _, session = await _standing(call)
    try:
        token = await call.sojourn.tokens.create(session.id, origin=call.visitor.origin)
    except NotFound:
        raise signed_out() from None
    return {"object": "token", "jwt": token}


async def create_token_from_template(call: FrontCall) -> object:
    """Create a token by a template."""
    _, session = await _standing(call)
    token = await call.sojourn.tokens.create(
        session.id, template=call.parameters[1], origin=call.visitor.origin
    )
    return {"object": "token", "jwt": token}


async def _standing(call: FrontCall) -> tuple[Recognised, Session]:
    """The client and its live session of the path. Raises Problem 401, also for one that is not there: the
    browser SDK believes in a session until it is told so in these words (wire/frontend-api.md section 8)."""
    found = await required(call)
    session = live(found.view, call.id)
    if session is None:
        raise signed_out()
    return found, session


async def _choose(call: FrontCall, session: Session, organization: str) -> Session:
    """Make an organization the active one by its id or slug; an empty text is none."""
    organization_id = None
    if organization == "":
        if call.sojourn.policy.require_organization:
            return session  # as published: the one before stays
    else:
        organization_id = await membership_of(call, session.user_id, organization)
    return await call.sojourn.sessions.set_organization(session.id, organization_id)


async def membership_of(call: FrontCall, user_id: str, id_or_slug: str) -> str:
    """The id of an organization of the user. Raises Problem 404, the same whether it exists or not."""
    try:
        organization = await call.sojourn.organizations.get(id_or_slug)
        return (await call.sojourn.memberships.get(organization.id, user_id)).organization.id
    except NotFound:
        raise Problem(
            404,
            "organization_not_found_or_unauthorized",
            "There is no such organization.",
            "The organization does not exist, or the user is not a member of it.",
        ) from None


async def _ended(call: FrontCall, before: Recognised, after: Recognised) -> object:
    if after.token != before.token:
        # The end of an impersonation replaces the credential.
        call.headers.clear()
        hand_over(call, after.token)
    return await _told(call, after, await call.sojourn.sessions.get(call.id))


async def _told(call: FrontCall, found: Recognised, session: Session) -> object:
    shown = await session_views(call, [session])
    if not shown:
        raise NotFound("session", session.id)
    view = (await call.sojourn.clients.get(found.id)) if session.live else found.view
    return await wrapped(call, shown[0], view)


_PATH = "/v1/client/sessions/{session_id}"
OPERATIONS = (
    FrontOperation(method="GET", path=_PATH, name="getSession", handler=get_session),
    FrontOperation(
        method="POST",
        path=f"{_PATH}/touch",
        name="touchSession",
        handler=touch_session,
        differs="401 `signed_out` for a session that has ended; its activity is written at most once in the "
        "touch interval",
    ),
    FrontOperation(method="POST", path=f"{_PATH}/end", name="endSession", handler=end_session),
    FrontOperation(
        method="POST",
        path=f"{_PATH}/remove",
        name="removeSession",
        handler=remove_session,
    ),
    FrontOperation(
        method="POST",
        path=f"{_PATH}/tokens",
        name="createSessionToken",
        handler=create_token,
        differs="401 `signed_out` for a session that has ended",
    ),
    FrontOperation(
        method="POST",
        path=f"{_PATH}/tokens/{{template_name}}",
        name="createSessionTokenWithTemplate",
        handler=create_token_from_template,
    ),
)

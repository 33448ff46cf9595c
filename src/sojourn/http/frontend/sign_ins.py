"""Sign-ins (operations createSignIn, getSignIn): by ticket, in one step."""

from __future__ import annotations

from sojourn.core.errors import Invalid, Missing, NotFound
from sojourn.core.session import Session
from sojourn.http.frontend.calls import FrontCall, FrontOperation
from sojourn.http.frontend.held import hand_over, live, required, wrapped
from sojourn.http.frontend.views import person

TICKET = "ticket"
_PREFIX = "sia_"


async def create_sign_in(call: FrontCall) -> object:
    """Sign in by a ticket that the application made."""
    strategy, ticket = call.text("strategy"), call.text("ticket")
    if strategy not in (None, "", TICKET):
        raise Invalid("strategy", "strategy has to be ticket: the application recognises its users itself.")
    if not ticket:
        raise Missing("ticket", "ticket must be given.")
    done = await call.sojourn.clients.sign_in(
        ticket, token=call.visitor.credential, activity=await call.activity()
    )
    hand_over(call, done.token)
    return await wrapped(call, await _sign_in(call, done.session), done.view)


async def get_sign_in(call: FrontCall) -> object:
    """Get the sign-in that made a session of this client."""
    found = await required(call)
    session = live(found.view, call.id.replace(_PREFIX, "sess_", 1))
    if session is None or not call.id.startswith(_PREFIX):
        raise NotFound("sign-in", call.id)
    return await wrapped(call, await _sign_in(call, session), found.view)


async def _sign_in(call: FrontCall, session: Session) -> dict[str, object]:
    """The completed sign-in of a session (spec Client.SignIn-2). It is kept nowhere: all that there is to
    say of it follows from the session, and its id from that one's."""
    who = (await person(call.sojourn, session.user_id)).user
    names = [value for kind, value in who.identifiers() if kind != "external_id"]
    return {
        "object": "sign_in_attempt",
        "id": session.id.replace("sess_", _PREFIX, 1),
        "status": "complete",
        "supported_identifiers": [],
        "supported_first_factors": [{"strategy": TICKET}],
        "supported_second_factors": None,
        "first_factor_verification": {
            "object": "verification_ticket",
            "status": "verified",
            "strategy": TICKET,
            "attempts": None,
            "expire_at": None,
        },
        "second_factor_verification": None,
        "identifier": names[0] if names else None,
        "user_data": {
            "first_name": who.first_name,
            "last_name": who.last_name,
            "image_url": "",
            "has_image": False,
        },
        "created_session_id": session.id,
        "abandon_at": session.abandon_at,
    }


OPERATIONS = (
    FrontOperation(
        method="POST",
        path="/v1/client/sign_ins",
        name="createSignIn",
        handler=create_sign_in,
        differs="strategy `ticket` alone; the credential of the client is replaced",
    ),
    FrontOperation(
        method="GET",
        path="/v1/client/sign_ins/{sign_in_id}",
        name="getSignIn",
        handler=get_sign_in,
        differs="as long as its session lives",
    ),
)

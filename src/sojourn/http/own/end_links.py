"""Links that end one session, and the page that they lead to: for whoever is told of a strange device."""

from __future__ import annotations

from html import escape
from typing import Annotated

import msgspec

from sojourn.core.errors import LinkInvalid, NotFound
from sojourn.http.parameters import Text
from sojourn.http.routes import PUBLIC, Call, Operation
from sojourn.http.shapes.own import EndLink
from sojourn.http.wire import body_of
from sojourn.service.end_links import LIFETIME_SECONDS, MAX_LIFETIME_SECONDS, PATH

_TOKEN = Text("token", "What the link says.")
_HEADERS = (
    # No script, nothing loaded, nobody's frame; its own form is the one thing that it can send.
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
)
_STYLE = """:root { color-scheme: light dark }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  font: 17px/1.5 system-ui, sans-serif }
main { max-width: 26rem; padding: 1.5rem; text-align: center }
button { font: inherit; padding: .6rem 1.4rem; border: 0; border-radius: .5rem; background: #c62828;
  color: #fff; cursor: pointer }"""


class CreateEndLink(msgspec.Struct):
    """Body of CreateEndLink."""

    expires_in_seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIFETIME_SECONDS)] = LIFETIME_SECONDS


async def create_end_link(call: Call) -> object:
    """Make a link whose page ends this session, for a message to its user."""
    seconds = body_of(call.body, CreateEndLink).expires_in_seconds
    url = await call.sojourn.end_links.create(call.id, expires_in_seconds=seconds)
    return {"object": "end_link", "session_id": call.id, "url": url, "expires_in_seconds": seconds}


async def ask(call: Call) -> object:
    """Ask whether to end the session of a link. Changes nothing: programs that look for harmful links open
    every one."""
    try:
        call.sojourn.end_links.check(_TOKEN.of(call.query()) or "")
    except LinkInvalid as error:
        return _page("This link", error.detail)
    return _page(
        "Was this not you?",
        "The device of the message can be signed out now. Yours stays signed in.",
        "<form method=post><button>Sign that device out</button></form>",
    )


async def end(call: Call) -> object:
    """End the session of a link."""
    try:
        await call.sojourn.end_links.redeem(_TOKEN.of(call.query()) or "")
    except LinkInvalid as error:
        return _page("This link", error.detail)
    except NotFound:
        pass  # ended so long ago that it is not kept: just as well
    return _page("Done", "That device is signed out. It may be time for a new password.")


def _page(title: str, text: str, more: str = "") -> bytes:
    head = f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    meta = '<meta charset=utf-8><meta name=viewport content="width=device-width">'
    body = f"<main><h1>{escape(title)}</h1><p>{escape(text)}</p>{more}</main>"
    return f"<!doctype html><html lang=en>{meta}{head}{body}".encode()


OPERATIONS = (
    Operation(
        method="POST",
        path="/sojourn/v1/sessions/{session_id}/end_link",
        name="CreateEndLink",
        handler=create_end_link,
        body=CreateEndLink,
        answer=EndLink,
    ),
)

PAGES = tuple(
    Operation(
        method=method,
        path=PATH,
        name=name,
        handler=handler,
        keys=PUBLIC,
        query=(_TOKEN,),
        media=b"text/html; charset=utf-8",
        headers=_HEADERS,
    )
    for method, name, handler in (("GET", "AskToEnd", ask), ("POST", "EndByLink", end))
)
"""For people, so in no description of the API."""

"""Development browsers (operation createDevBrowser), which keep their credential in the page's own cookie."""

from __future__ import annotations

from sojourn.http.frontend.calls import FrontCall, FrontOperation
from sojourn.http.problems import Problem


async def create_dev_browser(call: FrontCall) -> object:
    """Make the credential of a development browser: a client's token, which the page sends in the query."""
    if call.sojourn.frontend.production:
        raise Problem(
            400,
            "dev_browser_not_allowed",
            "There are no development browsers here.",
            "A secret in a URL is for development alone: this instance has a pk_live_ key.",
        )
    return {"id": (await call.sojourn.clients.create()).token}


OPERATIONS = (
    FrontOperation(
        method="POST",
        path="/v1/dev_browser",
        name="createDevBrowser",
        handler=create_dev_browser,
        differs="400 on instances with a `pk_live_` key",
    ),
)

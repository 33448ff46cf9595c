"""Flask: `init_app`, `auth` and a decorator for views.

init_app(app, verifier)

@app.get("/me")
@auth_required(role="org:admin")
def me(): return auth().user_id
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Unpack, cast

from flask import Flask, Response, current_app, g, request

from sojourn.integrations.common import Answer, Required, cookies_of, let_in, redirect_of, refusal
from sojourn.verify import Authenticator, Outcome, Request, SignedIn

View = Callable[..., Any]


def init_app(app: Flask, authenticator: Authenticator) -> None:
    """Look at every request of an application before its views do.

    A browser that has to go to the service first, or comes back from it, is redirected; the cookies of a
    refresh are added to the answer. Nobody is kept out: that is what `auth_required` is for.
    """

    def before() -> Response | None:
        outcome = authenticator.authenticate(_request())
        g.sojourn_auth = outcome
        redirect = redirect_of(outcome)
        return None if redirect is None else _response(redirect)

    def after(response: Response) -> Response:
        outcome: Outcome | None = g.get("sojourn_auth")
        if outcome is not None and outcome.location is None:
            for line in cookies_of(outcome):
                response.headers.add("Set-Cookie", line)
        return response

    app.before_request(before)
    app.after_request(after)


def auth() -> Outcome:
    """The outcome of the request, signed in or not. Raises RuntimeError without `init_app`."""
    try:
        return cast("Outcome", g.sojourn_auth)
    except AttributeError:
        raise RuntimeError("call sojourn.integrations.flask.init_app(app, authenticator) first") from None


def auth_required(view: View | None = None, **required: Unpack[Required]) -> View:
    """Decorate a view: it runs for who is signed in and has what is required; anybody else gets 401 or 403
    with the reason."""

    def decorate(function: View) -> View:
        call: View = current_async(function) if iscoroutinefunction(function) else function

        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            found = let_in(auth(), required)
            return call(*args, **kwargs) if isinstance(found, SignedIn) else _response(refusal(found))

        return checked

    return decorate if view is None else decorate(view)


def current_async(function: View) -> View:
    """An async view as Flask runs it: in an event loop of its own."""
    return lambda *args, **kwargs: current_app.ensure_sync(function)(*args, **kwargs)


def _request() -> Request:
    return Request(method=request.method, url=request.url, headers=list(request.headers.items()))


def _response(answer: Answer) -> Response:
    response = Response(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.headers:
        response.headers.add(name, value)
    return response

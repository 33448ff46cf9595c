# Django has no types of its own, and on Python 3.11 only asgiref's iscoroutinefunction knows asgiref's marks.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false, reportDeprecated=false
"""Django: a middleware that sets `request.auth`, and a decorator for views; both sync and async.

MIDDLEWARE = [..., "sojourn.integrations.django.AuthMiddleware"]
SOJOURN_AUTHENTICATOR = verifier        # the object, or the dotted path to it
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from functools import wraps
from http.cookies import Morsel
from typing import Any, Unpack, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from sojourn.integrations.common import Answer, Required, cookies_of, let_in, redirect_of, refusal
from sojourn.verify import Authenticator, Outcome, Request, SignedIn

View = Callable[..., Any]


class AuthMiddleware:
    """Sets `request.auth` to the outcome of every request.

    A browser that has to go to the service first, or comes back from it, is redirected; the cookies of a
    refresh are added to the answer. Nobody is kept out: that is what `auth_required` is for.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        self._authenticator = _configured()
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """One request."""
        if self._asynchronous:
            return self._call_async(request)
        outcome = self._authenticator.authenticate(request_of(request))
        redirect = redirect_of(outcome)
        if redirect is not None:
            return _response(redirect)
        request.auth = outcome
        return _with_cookies(self._get_response(request), outcome)

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        outcome = await self._authenticator.authenticate_async(request_of(request))
        redirect = redirect_of(outcome)
        if redirect is not None:
            return _response(redirect)
        request.auth = outcome
        return _with_cookies(await self._get_response(request), outcome)


def auth_of(request: HttpRequest) -> Outcome:
    """The outcome that the middleware found. Raises ImproperlyConfigured without the middleware."""
    try:
        return cast("Outcome", request.auth)
    except AttributeError:
        raise ImproperlyConfigured("add sojourn.integrations.django.AuthMiddleware to MIDDLEWARE") from None


def auth_required(view: View | None = None, **required: Unpack[Required]) -> View:
    """Decorate a view: it runs for who is signed in and has what is required; anybody else gets 401 or 403
    with the reason. Works like `login_required` on functions, sync or async; a class-based view takes it
    through `method_decorator`."""

    def decorate(function: View) -> View:
        if iscoroutinefunction(function):

            @wraps(function)
            async def checked_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
                found = let_in(auth_of(request), required)
                if isinstance(found, SignedIn):
                    return await function(request, *args, **kwargs)
                return _response(refusal(found))

            return checked_async

        @wraps(function)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            found = let_in(auth_of(request), required)
            return (
                function(request, *args, **kwargs)
                if isinstance(found, SignedIn)
                else _response(refusal(found))
            )

        return checked

    return decorate if view is None else decorate(view)


def request_of(request: HttpRequest) -> Request:
    """What the verifier needs of a request; its address is what Django takes for it, proxies and all."""
    url = f"{request.scheme}://{request.get_host()}{request.get_full_path()}"
    return Request(method=request.method or "GET", url=url, headers=list(request.headers.items()))


def _configured() -> Authenticator:
    given: Any = getattr(settings, "SOJOURN_AUTHENTICATOR", None)
    if isinstance(given, str):
        given = import_string(given)
    if given is None:
        raise ImproperlyConfigured("SOJOURN_AUTHENTICATOR names no authenticator: a Verifier, or its path")
    return given


def _response(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status)
    del response.headers["Content-Type"]
    for name, value in answer.headers:
        if name == "Set-Cookie":
            _set_cookie(response, value)
        else:
            response.headers[name] = value
    return response


def _with_cookies(response: HttpResponseBase, outcome: Outcome) -> HttpResponseBase:
    for line in cookies_of(outcome):
        _set_cookie(response, line)
    return response


def _set_cookie(response: HttpResponseBase, line: str) -> None:
    """Add a Set-Cookie line as it is, whatever attributes it has and however often its name comes up."""
    morsel = _Line()
    morsel.line = line
    dict.__setitem__(response.cookies, f"{line.partition('=')[0]} {len(response.cookies)}", morsel)


class _Line(Morsel[str]):
    """A cookie that is written as the service wrote it."""

    line = ""

    def output(self, attrs: Container[str] | None = None, header: str = "Set-Cookie:") -> str:
        return f"{header} {self.line}".strip()

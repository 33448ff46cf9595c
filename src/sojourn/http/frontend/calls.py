"""A request of the Frontend API as its operations see it, and what they answer with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import quote

from sojourn.core.errors import Invalid
from sojourn.core.session import Activity
from sojourn.http.problems import Problem
from sojourn.runtime import Sojourn

Form = dict[str, list[str]]
"""Parameters of a query or a body: each name with all its values, in order."""


class Access(Enum):
    """Who may call an operation."""

    PUBLIC = auto()
    """Everybody, from everywhere; no credential is looked at."""
    BROWSER = auto()
    """Pages of the allowed origins, with the credential of their client."""
    NAVIGATION = auto()
    """A browser that goes there as a whole: by a link, an address or a redirect, never by a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who calls: what the headers of a request say, as far as they are believed."""

    origin: str | None = None
    """The origin of the page, when the browser names one; it is an allowed one then."""
    native: bool = False
    """The caller keeps its credential in the Authorization header instead of a cookie."""
    secure: bool = True
    """The browser sees https: cookies are kept for that alone."""
    address: str | None = None
    user_agent: str | None = None
    credential: str | None = field(default=None, repr=False)
    """The token of the client, however it was sent."""
    developing: bool = False
    """The credential came in the query, as development browsers send it."""
    cookies: tuple[bytes, ...] = field(default=(), repr=False)
    """The Cookie headers as they came."""
    host: str = ""
    """The host by which the browser knows the service, without a port."""


@dataclass(slots=True)
class FrontCall:
    """A request, and the headers that its answer gets."""

    sojourn: Sojourn
    parameters: list[str]
    """The variable segments of the path, decoded, from left to right."""
    query: Form
    form: Form
    visitor: Visitor
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    """What the answer carries beside the usual, success or not."""

    @property
    def id(self) -> str:
        """The first variable segment."""
        return self.parameters[0]

    def text(self, name: str) -> str | None:
        """A parameter of the body, None when it is absent. Raises Invalid when it is there twice."""
        return one(self.form, name)

    def asked(self, name: str) -> str | None:
        """The same of the query."""
        return one(self.query, name)

    async def activity(self) -> Activity:
        """What the request shows of the device that it comes from."""
        visitor = self.visitor
        return await self.sojourn.devices.describe(user_agent=visitor.user_agent, address=visitor.address)

    def set_cookie(self, text: str) -> None:
        """Send one more cookie with the answer."""
        self.headers.append((b"set-cookie", text.encode("latin-1")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Send the browser on; 307 keeps what it was about (RFC 9110, section 15.4.8)."""

    location: str
    status: int = 307


Handler = Callable[[FrontCall], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontOperation:
    """One operation of the Frontend API. The first sentence of the handler's docstring is its summary."""

    method: str
    path: str
    """With `{…}` for variable segments."""
    name: str
    """The published operation id."""
    handler: Handler
    access: Access = Access.BROWSER
    differs: str = ""
    """What differs from the published operation."""
    cache: bytes = b"no-store"


def one(form: Form, name: str) -> str | None:
    """The one value of a parameter, None when it is absent. Raises Invalid when there are several."""
    values = form.get(name)
    if values is None:
        return None
    if len(values) > 1:
        raise Invalid(name, f"{name} may be given once.")
    return values[0]


def signed_out() -> Problem:
    """There is no session here that the request could be about."""
    return Problem(
        401,
        "signed_out",
        "You are signed out.",
        "This client holds no such session any more: it has ended, or there never was one.",
    )


def with_parameters(url: str, **parameters: str) -> str:
    """A URL with more in its query; what is there under the same names is replaced."""
    whole, hash_mark, fragment = url.partition("#")
    path, _, query = whole.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in parameters]
    kept += [f"{name}={quote(value, safe='')}" for name, value in parameters.items()]
    return f"{path}?{'&'.join(kept)}{hash_mark}{fragment}"

"""What a request says of itself: headers, cookies and the address the browser knows, bounded."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, quote_plus, urlsplit, urlunsplit

from sojourn.verify import cookies
from sojourn.verify.options import Options, cookie_suffix, frontend_of, is_development

MAX_URL_CHARACTERS: Final = 8192
_MAX_PARAMETERS: Final = 100
_PATH: Final = "!$%&'()*+,/:;=@[]^|"
"""What a browser leaves as it is in a path (WHATWG URL, path percent-encode set)."""
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
"""A host name in ASCII, or an address; nothing that could break out of a header or mislead a reader."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Site(NamedTuple):
    """What follows from the options alone, worked out once."""

    publishable_key: str
    suffix: str
    issuer: str
    """The `iss` of tokens, unless the options name another."""
    own_host: str
    """The Frontend API's host by which a token in an un-suffixed cookie is known as this instance's."""
    frontend: str
    """Where handshakes go: a host, or a URL with its scheme; a path is relative to the request."""
    development: bool

    @classmethod
    def of(cls, options: Options) -> Site | None:
        """The site of these options, None without a publishable key."""
        key = options.publishable_key
        if key is None:
            return None
        host, development = frontend_of(key), is_development(key)
        own = host
        if options.satellite and options.domain and not development:
            own = f"clerk.{options.domain}"
        return cls(
            publishable_key=key,
            suffix=cookie_suffix(key),
            issuer=f"https://{host}",
            own_host=own,
            frontend=options.proxy_url or own,
            development=development,
        )


class Address(NamedTuple):
    """A URL, taken apart."""

    parts: SplitResult
    origin: str
    host: str
    parameters: list[tuple[str, str]]

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, or None."""
        return next((value for key, value in self.parameters if key == name), None)

    def without(self, *names: str) -> str:
        """The URL without some query parameters."""
        kept = [(key, value) for key, value in self.parameters if key not in names]
        return urlunsplit(self.parts._replace(query=form(kept)))


class Context(NamedTuple):
    """A request as the decision reads it."""

    method: str
    address: Address
    header_token: str | None
    chosen: cookies.Chosen
    dev_browser: str | None
    handshake_token: str | None
    handshake_nonce: str | None
    redirects: int
    """How often this browser has been sent to a handshake in the last two seconds."""
    fetch_destination: str | None
    accept: str | None
    referrer: str | None

    @property
    def page(self) -> bool:
        """Whether a browser is loading a document, so that it can be sent somewhere else."""
        if self.method != "GET":
            return False
        if self.fetch_destination is None:
            return self.accept is not None and self.accept.startswith("text/html")
        return self.fetch_destination in ("document", "iframe")


def read(
    method: str, url: str, headers: dict[str, str], *, options: Options, site: Site, now_ms: int
) -> Context:
    """Read a request; `headers` by lower-case name. Raises nothing: what cannot be read is absent."""
    address = _public_address(url, headers, options)
    jar = cookies.parse(headers.get("cookie", ""))
    chosen = cookies.choose(
        jar,
        suffix=site.suffix,
        frontend=site.own_host,
        production=not site.development,
        now_ms=now_ms,
    )
    return Context(
        method=method,
        address=address,
        header_token=header_token(headers.get("authorization")),
        chosen=chosen,
        dev_browser=address.parameter(cookies.DEV_BROWSER) or chosen.dev_browser,
        handshake_token=address.parameter(cookies.HANDSHAKE) or jar.first(cookies.HANDSHAKE),
        handshake_nonce=address.parameter(cookies.HANDSHAKE_NONCE) or jar.first(cookies.HANDSHAKE_NONCE),
        redirects=cookies.leading_integer(jar.first(cookies.REDIRECT_COUNT)),
        fetch_destination=headers.get("sec-fetch-dest") or None,
        accept=headers.get("accept") or None,
        referrer=headers.get("referer") or None,
    )


class Settled(NamedTuple):
    """A Cookie header that leaves one question open: whether its token is good."""

    token: str
    since: int
    """A token issued before this instant (Unix seconds) has to be replaced."""


def settling(site: Site | None, options: Options) -> Callable[[str], Settled | None]:
    """Which Cookie headers leave one question open, remembered: a page sends the same one for each of its
    parts."""
    if site is None or site.development or options.satellite:
        return lambda _: None
    if options.organization_patterns or options.personal_patterns:
        return lambda _: None

    @lru_cache(maxsize=1024)
    def settled(header: str) -> Settled | None:
        jar = cookies.parse(header)
        if jar.first(cookies.HANDSHAKE) or jar.first(cookies.HANDSHAKE_NONCE):
            return None
        # The instant decides in development only.
        chosen = cookies.choose(jar, suffix=site.suffix, frontend=site.own_host, production=True, now_ms=0)
        if len(chosen.sessions) != 1 or chosen.client_uat == 0:
            return None
        return Settled(chosen.sessions[0], chosen.client_uat)

    return settled


def header_token(authorization: str | None) -> str | None:
    """The token in an Authorization header: `Bearer X`, or the bare X; any other scheme is ignored."""
    if not authorization:
        return None
    scheme, _, rest = authorization.partition(" ")
    token = rest.partition(" ")[0]
    if not token:
        return scheme or None
    return token if scheme == "Bearer" else None


def address_of(url: str) -> Address | None:
    """Take an absolute http or https URL apart; None for anything else."""
    if len(url) > MAX_URL_CHARACTERS:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
        parameters = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in _DEFAULT_PORTS or not host or not _HOST.fullmatch(host):
        return None
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown}:{port}"
    path = quote(parts.path.replace("\\", "/"), safe=_PATH, errors="replace") or "/"
    parts = parts._replace(netloc=netloc, path=path, fragment="")
    return Address(parts, f"{parts.scheme}://{netloc}", host, parameters)


def form(parameters: list[tuple[str, str]]) -> str:
    """Encode as application/x-www-form-urlencoded, as browsers do."""
    return "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in parameters)


def _encoded(text: str) -> str:
    return quote_plus(text, safe="*", errors="replace").replace("~", "%7E")


_NOWHERE: Final = Address(urlsplit("http://invalid/"), "http://invalid", "invalid", [])


def _public_address(url: str, headers: dict[str, str], options: Options) -> Address:
    given = address_of(url)
    if given is None:
        return _NOWHERE
    if not options.trust_forwarded:
        return given
    host = headers.get("x-forwarded-host", headers.get("host", "")).split(",")[0].strip()
    scheme = headers.get("x-forwarded-proto", given.parts.scheme).split(",")[0].strip()
    if not host or not scheme:
        return given
    forwarded = address_of(urlunsplit(given.parts._replace(scheme=scheme, netloc=host)))
    return forwarded or given

"""What the Frontend API goes by: whose pages may call it, who the caller is, and where it may send people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from sojourn.core.errors import Invalid

Network: TypeAlias = IPv4Network | IPv6Network

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9._~\[\]:-]+")
_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII without space and backslash: what browsers read otherwise than servers do is in no URL
that anybody is sent to (WHATWG URL takes `\\` for `/` and drops tabs and line ends)."""
_DOMAIN = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendSettings:
    """How the Frontend API is reached. Build it with `of`, which checks every part."""

    origins: frozenset[str] = frozenset()
    """The origins of the pages that may call; none: pages served by the browser's own machine."""
    first_origin: str | None = None
    """The one that is named first: the application's main page."""
    public_url: str | None = None
    """Scheme and authority under which browsers reach the service, without a path; None: as they came."""
    proxy_path: str = "/__clerk"
    proxies: tuple[Network, ...] = ()
    cookie_domain: str | None = None
    sign_in_url: str | None = None
    satellites: frozenset[str] = frozenset()
    """The origins of those pages that live on another site than the service."""
    production: bool = field(default=True)
    """False: a `pk_test_` key, for which development browsers without cookies are served too."""

    @classmethod
    def of(
        cls,
        *,
        allowed_origins: Sequence[str] = (),
        public_url: str | None = None,
        proxy_path: str = "/__clerk",
        trusted_proxies: Sequence[str] = (),
        cookie_domain: str | None = None,
        sign_in_url: str | None = None,
        satellite_origins: Sequence[str] = (),
        production: bool = True,
    ) -> FrontendSettings:
        """Settings as they stand in a configuration. Raises Invalid naming the one that does not fit."""
        satellites = frozenset(_origin("satellite_origins", text) for text in satellite_origins)
        pages = [_origin("allowed_origins", text) for text in allowed_origins]
        settings = cls(
            origins=satellites.union(pages),
            first_origin=pages[0] if pages else None,
            public_url=None if public_url is None else _web_origin("public_url", public_url),
            proxy_path=_path(proxy_path),
            proxies=tuple(_networks(trusted_proxies)),
            cookie_domain=None if cookie_domain is None else _domain(cookie_domain),
            sign_in_url=sign_in_url,
            satellites=satellites,
            production=production,
        )
        if sign_in_url is not None and settings.safe_redirect(sign_in_url) is None:
            raise Invalid("sign_in_url", "sign_in_url has to be a URL on one of the allowed origins.")
        return settings

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may call. Compared as it stands: browsers send one spelling."""
        if not self.origins:
            return _LOOPBACK.fullmatch(origin) is not None
        return origin in self.origins

    def safe_redirect(self, url: str) -> str | None:
        """The URL, if it leads to a page of an allowed origin; None for anything else (RELIABILITY C-12)."""
        if _PLAIN.fullmatch(url) is None:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return None
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
            return None
        return url if self.allows(_joined(parts.scheme, parts.hostname, port)) else None

    def trusts(self, peer: str) -> bool:
        """Whether what this peer forwards is believed."""
        if not self.proxies:
            return False
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in network for network in self.proxies if network.version == address.version)

    def address_of(self, peer: str, forwarded_for: str | None) -> str | None:
        """The address of the caller: the last hop of `X-Forwarded-For` that is no trusted proxy, and the peer
        itself where that is none. None when it is no address."""
        hops = [peer]
        if forwarded_for is not None:
            hops = [*(hop.strip() for hop in forwarded_for.split(",")), peer]
        current = hops.pop()
        while hops and self.trusts(current):
            current = hops.pop()
        try:
            return str(ip_address(current))
        except ValueError:
            return None

    def host_of(self, header: str) -> str:
        """The host by which browsers know the service, without a port: by the public URL, or as the Host
        header has it. It decides nothing but whether a cookie would reach a server."""
        authority = header if self.public_url is None else self.public_url.partition("://")[2]
        try:
            return urlsplit(f"//{authority}").hostname or ""
        except ValueError:
            return ""

    def scheme_of(self, peer: str, scheme: str, forwarded_proto: str | None) -> str:
        """http or https, as the browser sees it: by the public URL, by a trusted proxy, or as it came."""
        if self.public_url is not None:
            return self.public_url.partition(":")[0]
        if forwarded_proto is not None and self.trusts(peer):
            # The nearest proxy, which is the one that is trusted, writes the last value.
            told = forwarded_proto.rpartition(",")[2].strip().lower()
            if told in _DEFAULT_PORTS:
                return told
        return scheme


def _origin(name: str, text: str) -> str:
    """An origin as browsers write it. Raises Invalid."""
    given = text.strip().lower()
    if _ORIGIN.fullmatch(given) is None:
        raise Invalid(name, f"{name} takes origins such as https://app.example.com, without a path.")
    try:
        parts = urlsplit(given)
        return _joined(parts.scheme, parts.hostname or "", parts.port)
    except ValueError:
        raise Invalid(name, f"{name} holds an origin with an impossible port or address.") from None


def _web_origin(name: str, text: str) -> str:
    origin = _origin(name, text.removesuffix("/"))
    if origin.partition(":")[0] not in _DEFAULT_PORTS:
        raise Invalid(name, f"{name} has to begin with http:// or https://.")
    return origin


def _joined(scheme: str, host: str, port: int | None) -> str:
    """An origin in the one spelling that browsers use: without the scheme's own port."""
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or port == _DEFAULT_PORTS.get(scheme) else f":{port}"
    return f"{scheme}://{shown}{suffix}"


def _path(text: str) -> str:
    if text != "" and re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text) is None:
        raise Invalid("proxy_path", "proxy_path has to be a path such as /__clerk, or empty for none.")
    return text


def _domain(text: str) -> str:
    """A domain for cookies. A single label is refused: browsers refuse cookies for it as well."""
    domain = text.strip().lower().removeprefix(".")
    if _DOMAIN.fullmatch(domain) is None or domain.replace(".", "").isdigit():
        raise Invalid("cookie_domain", "cookie_domain has to be a domain name such as example.com.")
    return domain


def _networks(texts: Iterable[str]) -> Iterable[Network]:
    for text in texts:
        try:
            yield ip_network(text, strict=False)
        except ValueError:
            raise Invalid(
                "trusted_proxies", "trusted_proxies takes addresses and networks such as 10.0.0.0/8."
            ) from None

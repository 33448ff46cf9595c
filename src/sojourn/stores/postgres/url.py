"""What a PostgreSQL URL names: one server, or several of which one is the primary."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sojourn.core.errors import ConfigurationError

_PORT = 5432
_PRIMARY = ("read-write", "primary")
_MALFORMED = "A PostgreSQL URL names servers as host or host:port, separated by commas."


@dataclass(frozen=True, slots=True)
class Target:
    """The servers of a URL in its order, and the URL itself for everything else. Blind: it may hold a
    password."""

    hosts: tuple[tuple[str, int], ...]
    url: str = field(repr=False)

    @property
    def shown(self) -> str:
        """The servers, for messages."""
        return ", ".join(f"{host}:{port}" for host, port in self.hosts)


def parse(url: str) -> Target:
    """Take a URL apart. Several servers are separated by commas, as libpq has it.

    The store always looks for the primary among them, so `target_session_attrs` may say that and nothing
    else.
    Raises ConfigurationError, which never repeats the URL.
    """
    parts = urlsplit(url)
    user, _, servers = parts.netloc.rpartition("@")
    options = dict(parse_qsl(parts.query))
    if options.pop("target_session_attrs", "read-write") not in _PRIMARY:
        raise ConfigurationError("A PostgreSQL URL has target_session_attrs=read-write or primary, or none.")
    if not parts.path.strip("/"):
        raise ConfigurationError("A PostgreSQL URL ends in the name of a database: postgresql://host/name.")
    try:
        if "host" in options:
            # A folder with a socket, which no authority can hold.
            servers = options.pop("host") + (f":{parts.port}" if parts.port else "")
    except ValueError:
        raise ConfigurationError(_MALFORMED) from None
    hosts = tuple(_server(one) for one in servers.split(",")) if servers else (("localhost", _PORT),)
    rest = parts._replace(netloc=f"{user}@localhost" if user else "localhost", query=urlencode(options))
    return Target(hosts, urlunsplit(rest))


def _server(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(_PORT)
    if not port.isdecimal():
        raise ConfigurationError(_MALFORMED)
    return host.strip("[]"), int(port)

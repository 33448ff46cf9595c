"""What a PostgreSQL URL names."""

from __future__ import annotations

import pytest

from sojourn.core.errors import ConfigurationError
from sojourn.stores.postgres.url import parse

HOSTS = {
    "postgresql://h/d": (("h", 5432),),
    "postgres://u:p@h:1/d": (("h", 1),),
    "postgresql://u@a:1,b,c:3/d?target_session_attrs=read-write": (("a", 1), ("b", 5432), ("c", 3)),
    "postgresql://u@[::1]:7/d": (("::1", 7),),
    "postgresql://u@[::1]/d": (("::1", 5432),),
    "postgresql:///d": (("localhost", 5432),),
    "postgresql:///d?host=/run/postgresql": (("/run/postgresql", 5432),),
}


@pytest.mark.parametrize("url", HOSTS)
def test_servers_of_a_url(url: str) -> None:
    """One or several, with or without ports, in their order."""
    assert parse(url).hosts == HOSTS[url]


@pytest.mark.parametrize("url", ["u:secret@h", "u:secret@h:x/d", "u:secret@h/d?target_session_attrs=any"])
def test_urls_that_name_nothing(url: str) -> None:
    """They are refused without being repeated: there may be a password in them."""
    with pytest.raises(ConfigurationError) as raised:
        parse(f"postgresql://{url}")
    assert "secret" not in str(raised.value)


def test_a_target_is_blind() -> None:
    """No password in a traceback."""
    target = parse("postgresql://u:secret@h/d")
    assert "secret" not in repr(target)
    assert "secret" not in target.shown

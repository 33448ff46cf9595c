"""Whose pages may call, where they may be sent, and who a caller is."""

from __future__ import annotations

import pytest

from sojourn.core.errors import Invalid
from sojourn.service.frontend import FrontendSettings

LISTED = FrontendSettings.of(
    allowed_origins=["https://App.example.com:443", "http://localhost:3000", "https://[2001:db8::1]:8443"],
    trusted_proxies=["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"],
)
OPEN = FrontendSettings.of()


def test_origins_are_kept_as_browsers_spell_them() -> None:
    """Case and the scheme's own port of a setting do not matter; those of a request do."""
    assert LISTED.origins == {
        "https://app.example.com",
        "http://localhost:3000",
        "https://[2001:db8::1]:8443",
    }
    assert LISTED.first_origin == "https://app.example.com"
    assert LISTED.allows("https://app.example.com")
    assert not LISTED.allows("https://app.example.com:443")
    assert not LISTED.allows("http://localhost:3001")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost", True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:65535", True),
        ("http://[::1]:5173", True),
        ("https://localhost:3000", False),
        ("http://localhost.evil.test", False),
        ("http://127.0.0.1.evil.test:80", False),
        ("http://localhost:3000/", False),
        ("http://localhost:123456", False),
        ("http://127.0.0.2", False),
        ("null", False),
        ("https://app.example.com", False),
    ],
)
def test_without_a_list_pages_of_the_own_machine_may_call(origin: str, allowed: bool) -> None:
    """An instance that was just made serves a page on localhost, and no other."""
    assert OPEN.allows(origin) is allowed
    assert (OPEN.safe_redirect(f"{origin}/path") is not None) is (allowed or origin.endswith("/"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_origins", ["app.example.com"]),
        ("allowed_origins", ["https://app.example.com/path"]),
        ("allowed_origins", ["https://user@app.example.com"]),
        ("allowed_origins", ["*"]),
        ("allowed_origins", ["https://app.example.com:99999"]),
        ("satellite_origins", ["https://"]),
        ("public_url", "ftp://clerk.example.com"),
        ("public_url", "https://clerk.example.com/path"),
        ("proxy_path", "__clerk"),
        ("proxy_path", "/__clerk/"),
        ("proxy_path", "/a b"),
        ("trusted_proxies", ["10.0.0.0/33"]),
        ("trusted_proxies", ["proxy"]),
        ("cookie_domain", "localhost"),
        ("cookie_domain", "example.com; Secure"),
        ("cookie_domain", "127.0.0.1"),
        ("sign_in_url", "https://elsewhere.test/"),
        ("sign_in_url", "/sign-in"),
    ],
)
def test_settings_that_do_not_fit(name: str, value: object) -> None:
    """A setting that cannot be meant is refused by its name."""
    with pytest.raises(Invalid) as refused:
        FrontendSettings.of(**{name: value})  # pyright: ignore[reportArgumentType]  # of whatever type
    assert refused.value.meta["param_name"] == name


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.1.2.3", None, "10.1.2.3"),
        ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "198.51.100.1, 192.0.2.1 ,10.9.9.9", "198.51.100.1"),
        ("10.1.2.3", "10.2.2.2", "10.2.2.2"),
        ("10.1.2.3", "nonsense", None),
        ("2001:db8::7", "2001:4860::1", "2001:4860::1"),
        ("", None, None),
    ],
)
def test_the_address_of_a_caller(peer: str, forwarded: str | None, address: str | None) -> None:
    """The last hop that is no trusted proxy is the caller; what a stranger forwards is not believed."""
    assert LISTED.address_of(peer, forwarded) == address

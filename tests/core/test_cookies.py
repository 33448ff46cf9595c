"""Cookies: names, suffix, attributes, and how a header is read. Attack cases C-08 and C-09 as far as text
goes."""

from __future__ import annotations

import pytest

from sojourn.core import cookies

KEY = "pk_test_ZmFwaS5sb2NhbC50ZXN0JA=="


def test_the_suffix_is_that_of_the_browser_sdk() -> None:
    """The value that the SDK computed for this key; the text counts, padding included."""
    assert cookies.suffix(KEY) == "W2fjH2xE"
    assert cookies.suffix(KEY.rstrip("=")) != cookies.suffix(KEY)
    assert cookies.suffixed(cookies.SESSION, KEY) == "__session_W2fjH2xE"


@pytest.mark.parametrize(("secure", "mark"), [(True, "; Secure"), (False, "")])
def test_c08_the_client_cookie(secure: bool, mark: str) -> None:
    """C-08: for the whole of the very host, hidden from pages, Lax, and Secure exactly where that is asked
    for."""
    assert cookies.client("a.b.c", secure=secure) == (
        f"__client=a.b.c; Path=/; Max-Age=31536000{mark}; HttpOnly; SameSite=Lax"
    )
    assert cookies.client("", secure=secure) == f"__client=; Path=/; Max-Age=0{mark}; HttpOnly; SameSite=Lax"


def test_other_sites_and_domains() -> None:
    """SameSite and Domain only where they are configured."""
    text = cookies.client("x", secure=True, domain="example.com", same_site="None")
    assert text == "__client=x; Path=/; Domain=example.com; Max-Age=31536000; Secure; HttpOnly; SameSite=None"


def test_the_instant_of_the_client() -> None:
    """Both twins, readable by pages; 0 stays a value and does not remove them."""
    both = cookies.client_uat(0, publishable_key=KEY, secure=False, domain="example.com")
    assert both == (
        "__client_uat=0; Path=/; Domain=example.com; Max-Age=31536000; SameSite=Lax",
        "__client_uat_W2fjH2xE=0; Path=/; Domain=example.com; Max-Age=31536000; SameSite=Lax",
    )


def test_the_session_cookie() -> None:
    """The suffixed twin only where it is wanted; an empty token removes what is there."""
    with_suffix = cookies.session("t", publishable_key=KEY, secure=True, with_suffix=True)
    assert [text.partition("=")[0] for text in with_suffix] == ["__session_W2fjH2xE", "__session"]
    assert with_suffix[1] == "__session=t; Path=/; Max-Age=31536000; Secure; SameSite=Lax"
    (gone,) = cookies.session("", publishable_key=KEY, secure=False, with_suffix=False)
    assert gone == "__session=; Path=/; Max-Age=0; SameSite=Lax"


def test_the_refresh_cookie() -> None:
    """Suffixed only, and hidden from pages."""
    text = cookies.refresh("rt", publishable_key=KEY, secure=True)
    assert text == "__refresh_W2fjH2xE=rt; Path=/; Max-Age=31536000; Secure; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize("value", ["a;b", "a b", 'a"', "a,b", "a\\b", "a\r\nX: y", "\u00e9", "\x00"])
def test_h_what_would_break_out_is_refused(value: str) -> None:
    """No value, name or domain brings an attribute or a header of its own."""
    with pytest.raises(ValueError, match="cannot carry"):
        cookies.cookie("name", value, secure=False, http_only=False)
    with pytest.raises(ValueError, match="cannot carry"):
        cookies.cookie("name", "x", secure=False, http_only=False, domain="a; Secure")
    with pytest.raises(ValueError, match="cannot carry"):
        cookies.cookie("na me", "x", secure=False, http_only=False)


def test_c08_what_no_browser_keeps_is_refused() -> None:
    """C-08: never more than 4096 bytes."""
    cookies.client("x" * 4000, secure=True)
    with pytest.raises(ValueError, match="4096"):
        cookies.client("x" * 4096, secure=True)


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([b"__client=a.b.c"], "a.b.c"),
        ([b"x=1; __client=a=b; y=2"], "a=b"),
        ([b"x=1", b"__client=a"], "a"),
        ([b"a=1;\t__client=x \t; b"], "x"),
        ([], None),
        ([b"__client"], None),
        ([b"__client="], None),
        ([b"__client_uat=5; x__client=1; =__client=x; __Client=x"], None),
        ([b"__client=a; __client=b"], None),
        ([b"__client=a; __client=a"], None),
        ([b"__client=a", b"__client=b"], None),
        ([b"\xc2\xa0__client=x; \x0c__client=y; \xe2\x80\x80__client=z"], None),
        ([b"$Version=1; __client=x; $Path=/"], "x"),
        ([b'__client="a"'], '"a"'),
        ([b"__client=%61"], "%61"),
        ([b"__client=\xff"], "\u00ff"),
        ([b"; ".join(b"c%d=x" % n for n in range(200)) + b"; __client=x"], "x"),
    ],
)
def test_c09_reading_a_header(headers: list[bytes], value: str | None) -> None:
    """C-09: byte by byte, nothing trimmed or decoded; one that stands there twice is none."""
    assert cookies.read(headers, "__client") == value

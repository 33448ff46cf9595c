"""From a request to an outcome: which cookie counts, who is sent round, what a handshake brings back."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from sojourn.tokens.keys import SigningKey
from sojourn.verify import (
    Handshake,
    Options,
    Reason,
    SignedIn,
    SignedOut,
    Verifier,
)
from tests.tokens.builders import ISSUER, NOW, PARTY, PUBLISHABLE
from tests.verify.generated import DEVELOPMENT
from tests.verify.helpers import Instant, made, page, reason, verifier_of


def test_t21_handshake_tokens(key: SigningKey, other_key: SigningKey) -> None:
    """T-21: only a handshake token of the service's own kind sets cookies; a template's `handshake` claim,
    another instance's, an expired one and lines that would break out of their header do not."""
    lines = [f"__session={made(key)}; Path=/", "__client_uat=1; Path=/", "x=1\r\nSet-Cookie: y=2"]
    verifier = verifier_of(key.public)
    good = verifier.authenticate(page(f"__clerk_handshake={made(key, handshake=lines)}"))
    assert isinstance(good, SignedIn)
    assert good.cookies == tuple(lines[:2])
    for wrong in (
        made(key, {"cat": "cl_B7d4PD222AAA"}, handshake=lines),
        made(key, {"cat": "cl_B7d4PD333AAA"}, handshake=lines),
        made(key, {"cat": ...}, handshake=lines),
        made(other_key, handshake=lines),
        made(key, handshake=lines, exp=NOW - 60),
        made(key, handshake="__session=x"),
        "garbage",
    ):
        found = verifier.authenticate(page(f"__clerk_handshake={wrong}"))
        assert isinstance(found, SignedOut)
        assert found.cookies == ()


def test_t29_session_cookies_twice(key: SigningKey, other_key: SigningKey) -> None:
    """T-29: of two session cookies the good one counts wherever it stands, the first of two of the same
    session; two good ones of different sessions sign out, and so does none."""
    verifier = verifier_of(key.public)
    mine, newer = made(key), made(key, jti="other")
    planted, foreign = made(key, sid="sess_9", sub="user_9"), made(other_key)
    for tokens, expected in (
        ((mine, mine), mine),
        ((mine, newer), mine),
        ((newer, mine), newer),
        ((foreign, mine), mine),
        (("garbage", foreign, mine), mine),
        ((mine, planted), Reason.SESSION_COOKIES_DISAGREE),
        ((planted, "x", mine), Reason.SESSION_COOKIES_DISAGREE),
        ((foreign, "x"), Reason.JWK_KID_MISMATCH),
        (("a", "b", "c", "d", mine), Reason.TOKEN_INVALID),  # more than are looked at
    ):
        cookies = [f"__session={token}" for token in tokens]
        found = verifier.authenticate(page(*cookies, "__client_uat=1"))
        assert (found.token if isinstance(found, SignedIn) else found.reason) == expected


def test_cookies_of_another_name_are_no_session(key: SigningKey) -> None:
    """Names that only look like ours, by white space or by a suffix of another instance, are not read."""
    verifier, token = verifier_of(key.public), made(key)
    for name in (
        "\u2000__session",
        "\x85__session",
        "__Session",
        "__session_AAAAAAAA",
        "__session2",
        "\x0b__session",
    ):
        found = verifier.authenticate(page(f"{name}={token}", "__client_uat=0"))
        assert reason(found) is Reason.SESSION_TOKEN_AND_UAT_MISSING


def test_handshake_answers(key: SigningKey) -> None:
    """A page load with half of the cookies is sent to the service with everything that it needs to know, a
    script's request is signed out for the same reason, and nobody is sent round for ever."""
    verifier = verifier_of(key.public)
    found = verifier.authenticate(page("__client_uat=5", url=f"{PARTY}/a?b=1"))
    assert isinstance(found, Handshake)
    assert found.location.startswith(
        "https://clerk.example.com/v1/client/handshake?redirect_url=https%3A%2F%2Fapp"
    )
    assert found.cookies == ("__clerk_redirect_count=1; SameSite=Lax; HttpOnly; Max-Age=2",)
    script = verifier.authenticate(page("__client_uat=5", method="POST"))
    assert reason(script) is found.reason is Reason.CLIENT_UAT_WITHOUT_SESSION_TOKEN
    for count in ("3", "4", "999"):
        round_and_round = verifier.authenticate(page("__client_uat=5", f"__clerk_redirect_count={count}"))
        assert reason(round_and_round) is found.reason


def test_forwarded_headers_are_believed_only_when_told(key: SigningKey) -> None:
    """A stranger's X-Forwarded-Host does not decide where a browser is sent back to."""
    given = page("__client_uat=5", X_Forwarded_Host="evil.example", X_Forwarded_Proto="http")
    for trust, origin in ((False, "https%3A%2F%2Fapp.example.com"), (True, "http%3A%2F%2Fevil.example")):
        found = verifier_of(key.public, trust_forwarded=trust).authenticate(given)
        assert isinstance(found, Handshake)
        assert f"redirect_url={origin}%2F&" in found.location


def test_without_a_publishable_key_only_headers_count(key: SigningKey) -> None:
    """A verifier for an API without browsers looks at no cookie and sends nobody anywhere."""
    verifier = verifier_of(key.public, publishable_key=None)
    token = made(key)
    assert (
        reason(verifier.authenticate(page(f"__session={token}", "__client_uat=1")))
        is Reason.SESSION_TOKEN_MISSING
    )
    assert isinstance(verifier.authenticate(page(Authorization=f"Bearer {token}")), SignedIn)
    assert reason(verifier.authenticate(page(Authorization="Basic x"))) is Reason.SESSION_TOKEN_MISSING


def test_the_issuer_follows_from_the_publishable_key(key: SigningKey) -> None:
    """T-20: unless told otherwise, the issuer of the publishable key is demanded."""
    with Verifier(Options(publishable_key=PUBLISHABLE), pem=key.public.pem(), clock=Instant()) as verifier:
        assert isinstance(verifier.token(made(key)), SignedIn)
        for iss in ("https://clerk.example.com.evil", "http://clerk.example.com", ...):
            assert reason(verifier.token(made(key, iss=iss))) is Reason.TOKEN_INVALID_ISSUER


@pytest.mark.parametrize(
    "host", ["x.y\x0f", "x.y\u3002evil", "a b", "x.y%0d", "", "[::1", "a,b", 'x"y', "x.y:99999"]
)
def test_a_host_is_plain_or_none(key: SigningKey, host: str) -> None:
    """A redirect back to a satellite goes to a plain host name or nowhere; found by the fuzzer."""
    verifier = verifier_of(key.public, publishable_key=DEVELOPMENT, issuer=ISSUER)
    asked = page("__clerk_db_jwt=d", url=f"{PARTY}/?__clerk_redirect_url=" + quote(f"https://{host}/p"))
    assert reason(verifier.authenticate(asked)) is Reason.SESSION_TOKEN_AND_UAT_MISSING
    asked = page(
        "__clerk_db_jwt=d", url=f"{PARTY}/?__clerk_redirect_url=" + quote("https://u:p@SAT.example/p?a=b#c")
    )
    found = verifier.authenticate(asked)
    assert isinstance(found, Handshake)
    assert found.location == "https://sat.example/p?a=b&__clerk_db_jwt=d&__clerk_synced=true"

"""The token of a client: one spelling, one signature, one successor."""

from __future__ import annotations

import json

import pytest

from sojourn.tokens.client_token import ClientToken, ClientTokens
from sojourn.tokens.encoding import b64url_decode, b64url_encode
from sojourn.tokens.jws import Reason, TokenError, verify

TOKENS = ClientTokens(signing=b"s" * 32, deriving=b"d" * 32)
TOKEN = ClientToken("client_2cAHx9rDQUYIxjIMHNIEnorvr7Y", 7, b"\x00\xff" * 16)


def test_what_is_written_is_read() -> None:
    """The same text for the same token, and the same token from it."""
    text = TOKENS.write(TOKEN)
    assert text == TOKENS.write(TOKEN)
    assert TOKENS.read(text) == TOKEN
    assert "\\xff" not in repr(TOKEN)
    header, payload, _ = (b64url_decode(part.encode()) if part else b"" for part in text.split("."))
    assert json.loads(header) == {"alg": "HS256", "typ": "client+jwt"}
    assert set(json.loads(payload)) == {"id", "rotating_token"}


def test_another_instance_reads_nothing() -> None:
    """With another key neither signature nor successor are the same."""
    other = ClientTokens(signing=b"t" * 32, deriving=b"e" * 32)
    assert other.read(TOKENS.write(TOKEN)) is None
    assert other.successor(TOKEN) != TOKENS.successor(TOKEN)


def test_every_change_is_noticed() -> None:
    """Whatever character is replaced, taken away or doubled, nothing is read."""
    text = TOKENS.write(TOKEN)
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        for changed in (
            text[:place] + other + text[place + 1 :],
            text[:place] + text[place + 1 :],
            text[:place] + text[place] + text[place:],
        ):
            if changed != text:
                assert TOKENS.read(changed) is None


@pytest.mark.parametrize(
    "claims",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":"client_x"}',
        b'{"rotating_token":"AAAA"}',
        b'{"id":1,"rotating_token":"AAAA"}',
        b'{"id":"client_x","rotating_token":1}',
        b'{"id":"client_x","rotating_token":"AAAA"}',
        b'{"id":"client_x","rotating_token":"\xc3\xa9"}',
        b'{"id":"client_x","rotating_token":"%b","exp":1}' % (b"A" * 48),
        b'{"id":"client_x","id":"client_y","rotating_token":"%b"}' % (b"A" * 48),
    ],
)
def test_odd_claims_are_nothing(claims: bytes) -> None:
    """Even under a good signature only exactly the two claims are read, each of its form."""
    signing_input = b"%b.%b" % (TOKENS.write(TOKEN).split(".")[0].encode(), b64url_encode(claims))
    signature = TOKENS._sign(signing_input)
    assert TOKENS.read((signing_input + b"." + b64url_encode(signature)).decode()) is None


def test_the_successor_follows() -> None:
    """From client, generation and secret, each of which changes it; several steps are one after another."""
    following = TOKENS.successor(TOKEN)
    assert (following.client_id, following.generation) == (TOKEN.client_id, 8)
    others = {
        TOKENS.successor(ClientToken("client_x", 7, TOKEN.secret)).secret,
        TOKENS.successor(ClientToken(TOKEN.client_id, 8, TOKEN.secret)).secret,
        TOKENS.successor(ClientToken(TOKEN.client_id, 7, b"x" * 32)).secret,
        following.secret,
        TOKEN.secret,
    }
    assert len(others) == 5
    assert TOKENS.successor(TOKEN, 10) == TOKENS.successor(TOKENS.successor(following))
    assert TOKENS.successor(TOKEN, 7) == TOKEN


def test_t21_no_verifier_of_sessions_takes_it() -> None:
    """T-21: its algorithm alone keeps it from being verified as a session token."""
    with pytest.raises(TokenError) as refused:
        verify(TOKENS.write(TOKEN), {})
    assert refused.value.reason in (Reason.TOKEN_INVALID_ALGORITHM, Reason.JWK_KID_MISMATCH)

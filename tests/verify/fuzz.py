"""A coverage-guided fuzzer on everything of a verifier that reads what a stranger wrote.

    python -m tests.verify.fuzz [-max_total_time=600] [-runs=N]      # libFuzzer's arguments; needs atheris

The first byte of an input chooses the reader, the rest is what it is given. Whatever that is, nothing raises,
nobody is signed in but by the one good token, and no line can break out of its header.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import msgspec

from sojourn.tokens.keys import SigningKey
from sojourn.verify import Handshake, Options, Outcome, Request, SignedIn, Verifier
from sojourn.verify.feed import events
from sojourn.verify.handshake import directives_of
from sojourn.verify.jwks import FixedKeys, read_set
from sojourn.verify.revocations import Batch, Heartbeat, Hello, OutOfStep, Revocations
from tests.tokens.builders import NOW_MS, PARTY, forge, good_claims, good_header, rs256
from tests.verify.generated import DEVELOPMENT, PRODUCTION

KEY = SigningKey.generate("ins_fuzz")
FEED = b"""event: hello
data: {"epoch":"e","position":5,"resumed":false,"subscription":"s","clock":1,"horizon_ms":60000}

event: revocations
data: {"from":5,"position":7,"entries":[]}

event: heartbeat
data: {"from":7,"position":7,"clock":2,"at":3,"horizon_ms":60000}

"""
GOOD = forge(good_header(KEY), good_claims(), rs256(KEY))


@cache
def verifier(publishable_key: str) -> Verifier:
    """A verifier of each kind of instance, that knows the key and stands at an instant."""
    options = Options(publishable_key=publishable_key, organization_patterns=("/orgs/:slug/(.*)",))
    return Verifier(options, keys=FixedKeys({KEY.kid: KEY.public}), clock=lambda: NOW_MS)


def check(outcome: Outcome, *, signed: bool = False) -> None:
    """Only the good token signs in, or one that was signed here; every member of an outcome can be read."""
    if isinstance(outcome, SignedIn):
        assert signed or outcome.token == GOOD
        _ = outcome.claims, outcome.actor, outcome.permissions, outcome.factor_ages, outcome.role
    else:
        assert outcome.code
    for line in (outcome.location or "", *outcome.cookies):
        assert line.isprintable()
    if isinstance(outcome, Handshake):
        assert outcome.location.startswith(("https://", "http://"))


def token(data: bytes) -> None:
    """A text in place of a token."""
    check(verifier(PRODUCTION).token(data.decode("utf-8", "surrogateescape")))


def payload(data: bytes) -> None:
    """Claims of any kind, well signed."""
    check(verifier(PRODUCTION).token(forge(good_header(KEY), data, rs256(KEY))), signed=True)


def header(data: bytes) -> None:
    """A header of any kind, well signed."""
    check(verifier(PRODUCTION).token(forge(data, good_claims(), rs256(KEY))), signed=True)


def request(data: bytes) -> None:
    """Cookies, query, host and other headers of any kind."""
    text = data.decode("latin-1")
    cookies, query, more = [*text.split("\x00", 2), "", ""][:3]
    for key in (PRODUCTION, DEVELOPMENT):
        headers = [("Cookie", cookies), ("Referer", more), ("Sec-Fetch-Dest", "document")]
        check(verifier(key).authenticate(Request(method="GET", url=f"{PARTY}/{query}", headers=headers)))
        check(verifier(key).authenticate(Request(method="GET", url=query, headers=[("Authorization", more)])))
        verifier(key).remembered_cookies(cookies)


def key_set(data: bytes) -> None:
    """A key set of any kind."""
    assert all(key.kid == kid for kid, key in read_set(data).items())


def directives(data: bytes) -> None:
    """Lines that a handshake brings."""
    for line in directives_of(data.decode("utf-8", "replace").split("\x00")):
        assert line.isprintable()


def feed(data: bytes) -> None:
    """A revocation feed of any kind, in two pieces: what is out of step is told, and never goes back."""
    known, auth = Revocations(), verifier(PRODUCTION).token(GOOD)
    assert isinstance(auth, SignedIn)
    half = len(data) // 2
    for name, text in events([data[:half], data[half:]]):
        place = known.place
        try:
            if name == "hello":
                known.begin(msgspec.json.decode(text, type=Hello), asked_ms=0)
            elif name == "revocations":
                known.take(msgspec.json.decode(text, type=Batch))
                assert known.place >= place
            elif name == "heartbeat":
                known.beat(msgspec.json.decode(text, type=Heartbeat))
                assert known.place >= place
        except (msgspec.MsgspecError, ValueError, OutOfStep):  # what the shell lets pass
            continue
        known.refuses(auth)
        known.state(0)


READERS: tuple[Callable[[bytes], None], ...] = (token, payload, header, request, key_set, directives, feed)


def one_input(data: bytes) -> None:
    """Give an input to the reader that it chooses."""
    if data:
        READERS[data[0] % len(READERS)](data[1:])


def seeds() -> list[bytes]:
    """An input of each kind that gets far."""
    cookies = f"__session={GOOD}; __client_uat=1; __clerk_db_jwt=a\x00?__clerk_synced=false\x00{PARTY}/x"
    claims = (
        b'{"sub":"user_1","exp":9999999999,"iat":1,"o":{"id":"o","per":"a,b","fpm":"3"},"fea":"o:x","v":2}'
    )
    return [
        b"\x00" + GOOD.encode(),
        b"\x01" + claims,
        b'\x02{"alg":"RS256","cat":"cl_B7d4PD111AAA","kid":"ins_fuzz","typ":"JWT"}',
        b"\x03" + cookies.encode(),
        b"\x03"
        + f"__clerk_handshake={GOOD}\x00?a=%20&__clerk_redirect_url=https://x.y/\x00Bearer {GOOD}".encode(),
        b'\x04{"keys":[{"kty":"RSA","kid":"a","alg":"RS256","n":"AQAB","e":"AQAB"}]}',
        b"\x06" + FEED,
        b"\x05__session=a; Path=/\x00x=1\r\ny",
    ]


def main() -> None:
    """Fuzz until told to stop; ends with an error at the first input that breaks a promise."""
    atheris: Any = importlib.import_module("atheris")
    for function in ours():
        atheris.instrument_func(function)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds()):
            (Path(folder) / str(number)).write_bytes(seed)
        atheris.Setup([*sys.argv, "-max_len=4096", folder], one_input)
        atheris.Fuzz()


def ours() -> Iterator[FunctionType]:
    """The functions of the verifier and of tokens, which report where they go."""
    for name in [name for name in sys.modules if name.startswith(("sojourn.verify", "sojourn.tokens"))]:
        for member in list(vars(sys.modules[name]).values()):
            if getattr(member, "__module__", None) == name:
                members = vars(member).values() if isinstance(member, type) else [member]
                yield from (one for one in members if isinstance(one, FunctionType))


if __name__ == "__main__":
    main()

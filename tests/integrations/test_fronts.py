"""Real applications of every framework behind one verifier: the same words, the same answers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sojourn import Config, blocking
from sojourn.integrations.asgi import AuthMiddleware
from sojourn.tokens.keys import SigningKey
from sojourn.verify import Authenticator, Options, Request, Verifier
from tests.integrations.apps import FRONTS, HOST, Ask
from tests.tokens.builders import ISSUER, NOW, PUBLISHABLE
from tests.verify.generated import cases, tokens
from tests.verify.helpers import Instant, Revoked, made, verifier_of

EVERY = pytest.mark.parametrize("front", FRONTS)
PLACES = ("/closed", "/async")


@pytest.fixture(scope="session")
def key() -> SigningKey:
    """The key that the service signs with."""
    return SigningKey.generate("ins_sojourn1")


def bearer(token: str) -> list[tuple[str, str]]:
    """The headers of a request with a token."""
    return [("Authorization", f"Bearer {token}")]


def app(front: str, authenticator: Authenticator) -> Ask:
    """One of the applications."""
    return FRONTS[front](authenticator)


@EVERY
def test_who_is_signed_in(front: str, key: SigningKey) -> None:
    """A good token, in the header or in cookies, seen for the first time or again, tells every view who it
    is; without one the open view says why not, and the closed ones answer 401 with the reason."""
    ask, token = app(front, verifier_of(key.public)), made(key)
    for _ in range(2):
        for headers in (bearer(token), [("Cookie", f"__session={token}; __client_uat=1")]):
            for place in ("/open", *PLACES, "/admin"):
                assert ask(place, headers)[:2] == (
                    200,
                    {"user": "user_1", "session": "sess_1", "stale": False},
                )
    assert ask("/open")[:2] == (200, {"user": None, "reason": "session-token-and-uat-missing"})
    for place in PLACES:
        refused = ask(place)
        assert refused.status == 401
        assert "session-token-and-uat-missing" in json.dumps(refused.body)
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/json"
    assert ask("/open", bearer(token + "x")).body["reason"] == "token-invalid"


@EVERY
def test_who_may(front: str, key: SigningKey) -> None:
    """Who has another role gets 403 with the reason, and everything else stays open."""
    ask, token = app(front, verifier_of(key.public)), made(key, o={"id": "org_1", "rol": "member"})
    assert ask("/closed", bearer(token)).status == 200
    refused = ask("/admin", bearer(token))
    assert refused.status == 403
    assert "role-missing" in json.dumps(refused.body)


@EVERY
def test_revoked_in_the_middle(front: str, key: SigningKey) -> None:
    """A session that is revoked between two requests is refused at the second, a stale token keeps the
    identity and loses the role; another session is not touched."""
    revoked = Revoked()
    ask = app(front, verifier_of(key.public, revocations=revoked))
    token, other = made(key), made(key, sid="sess_2")
    assert [ask(place, bearer(token)).status for place in (*PLACES, "/admin")] == [200, 200, 200]
    revoked.stale.add("sess_1")
    assert [ask(place, bearer(token)).status for place in (*PLACES, "/admin")] == [200, 200, 401]
    revoked.sessions.add("sess_1")
    for place in PLACES:
        refused = ask(place, bearer(token))
        assert refused.status == 401
        assert "session-revoked" in json.dumps(refused.body)
        assert ask(place, bearer(other)).status == 200


@EVERY
def test_a_browser_is_sent_round(front: str, key: SigningKey) -> None:
    """A page load with half of the cookies is redirected to the service before any view, never to be kept;
    what it brings back sets the cookies on the application's own answer."""
    ask = app(front, verifier_of(key.public))
    document = ("Sec-Fetch-Dest", "document")
    sent = ask("/open?a=1", [document, ("Cookie", "__client_uat=5")])
    assert sent.status == 307
    assert sent.headers["location"].startswith("https://clerk.example.com/v1/client/handshake?redirect_url=")
    assert f"https%3A%2F%2F{HOST}%2Fopen%3Fa%3D1" in sent.headers["location"]
    assert sent.headers["cache-control"] == "no-store"
    assert sent.headers["set-cookie"].startswith("__clerk_redirect_count=1;")
    lines = [f"__session={made(key)}; Path=/; Secure; SameSite=Lax; Partitioned", "__client_uat=7; Path=/"]
    brought = made(key, handshake=lines)
    back = ask("/closed", [document, ("Cookie", f"__clerk_handshake={brought}")])
    assert back.status == 200
    assert back.headers.get_list("set-cookie") == lines


@EVERY
def test_no_way_out_of_a_header(front: str, key: SigningKey) -> None:
    """A handshake's line that would begin another header is dropped, the rest is kept."""
    ask = app(front, verifier_of(key.public))
    brought = made(key, handshake=["x=1\r\nX-Evil: 1", "__client_uat=0; Path=/"])
    back = ask("/open", [("Cookie", f"__clerk_handshake={brought}")])
    assert back.status == 200
    assert "x-evil" not in back.headers
    assert len(back.headers.get_list("set-cookie")) == 1


@EVERY
def test_expired_in_the_middle(front: str, key: SigningKey) -> None:
    """A token that is remembered is refused as soon as it has expired."""
    clock = Instant()
    ask, token = app(front, verifier_of(key.public, clock=clock)), made(key)
    assert ask("/closed", bearer(token)).status == 200
    clock.now = (NOW + 65) * 1000
    refused = ask("/closed", bearer(token))
    assert refused.status == 401
    assert "session-token-expired" in json.dumps(refused.body)


@EVERY
def test_the_service_in_the_same_process(front: str, tmp_path: Path) -> None:
    """Without HTTP in between: a session is let in until it is revoked, and the very next request is
    refused, while the user's other session stays."""
    config = Config(database_url=f"sqlite:///{tmp_path}/app.db", sweep=False)
    with blocking.open(config=config) as sojourn:
        ask = app(front, sojourn.authenticator())
        user = sojourn.users.ensure(external_id="42")
        first, second = (sojourn.sessions.create(user_id=user.id) for _ in range(2))
        tokens = [sojourn.tokens.create(session.id) for session in (first, second)]
        for token in tokens:
            assert ask("/closed", bearer(token)).body["user"] == user.id
        sojourn.sessions.revoke(first.id)
        assert [ask("/closed", bearer(token)).status for token in tokens] == [401, 200]
        assert ask("/open", bearer(tokens[0])).body == {"user": None, "reason": "session-revoked"}


def test_a_front_says_what_is_missing(key: SigningKey) -> None:
    """The middleware forgotten is an error that names it, not a signed-out visitor."""
    from django.core.exceptions import ImproperlyConfigured
    from django.test import RequestFactory

    from sojourn.integrations import asgi, django, flask

    app("django", Verifier(Options(issuer=ISSUER, publishable_key=PUBLISHABLE), pem=key.public.pem()))
    with pytest.raises(RuntimeError, match="AuthMiddleware"):
        asgi.auth_of({})
    with pytest.raises(ImproperlyConfigured, match="AuthMiddleware"):
        django.auth_of(RequestFactory().get("/"))
    from flask import Flask

    with Flask("empty").app_context(), pytest.raises(RuntimeError, match="init_app"):
        flask.auth()


def test_the_short_way_says_the_same(key: SigningKey) -> None:
    """Of generated requests, none that the ASGI middleware lets in by the short way, its token seen before,
    gets anything else from the whole decision; and the short way is taken."""
    pool, clock = tokens(key, SigningKey.generate("ins_sojourn2")), Instant()
    taken: Counter[str] = Counter()
    production = [case for case in cases(4_000, seed=7, pool=pool) if not case.development]
    for satellite in (False, True):
        verifier = verifier_of(
            key.public, clock=clock, satellite=satellite, domain="sat.example.net", trust_forwarded=True
        )
        middleware = AuthMiddleware(nothing, verifier)
        for case in production:
            if case.satellite is not satellite:
                continue
            clock.now = case.now
            request = Request(method=case.method, url=case.url, headers=case.headers)
            outcome = verifier.authenticate(request)
            raw = [(name.encode(), value.encode("latin-1")) for name, value in case.headers]
            query = urlsplit(case.url).query.encode()
            seen = middleware._seen({"headers": raw, "query_string": query})  # pyright: ignore[reportPrivateUsage]
            if seen is not None:
                assert seen is outcome, case
                taken["header" if "header" in case.traits else "cookies"] += 1
    assert min(taken["header"], taken["cookies"]) > 100


async def nothing(scope: object, receive: object, send: object) -> None:
    """An application that does nothing."""

"""A verifier's feed before a real server, through a proxy that misbehaves."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from sojourn.verify.feed import Feed, events
from sojourn.verify.leases import WEBSOCKET_CLOSE, Lease, LeaseEnded, leased
from sojourn.verify.options import WhenSilent
from sojourn.verify.outcomes import SignedIn
from sojourn.verify.ports import FeedState
from sojourn.verify.reasons import Reason
from sojourn.verify.revocations import BOUND_MS
from tests.support import Server, serving
from tests.verify.proxy import Proxy, proxied

PATIENCE = 30.0


class Site:
    """A server with somebody who signs in and is signed out there."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.port = port_of(server)
        self.http = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {server.secret_key}"}, timeout=20
        )
        self.user = self.post("/v1/users", {})["id"]

    def post(self, path: str, body: object = None) -> Any:
        """What a successful call answers."""
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sign_in(self) -> SignedIn:
        """A new session, as a verifier knows it by its first token."""
        session = self.post("/v1/sessions", {"user_id": self.user})["id"]
        return self.token(session)

    def token(self, session: str) -> SignedIn:
        """A new token of a session, as verified."""
        text = self.post(f"/v1/sessions/{session}/tokens")["jwt"]
        head, payload, _ = (base64.urlsafe_b64decode(part + "==") for part in text.split("."))
        claims = msgspec.json.decode(payload)
        return SignedIn(
            session_id=claims["sid"],
            user_id=claims["sub"],
            issued_at=claims["iat"],
            kid=msgspec.json.decode(head)["kid"],
            payload=payload,
            token=text,
            good_from_ms=claims["nbf"] * 1000,
            good_until_ms=claims["exp"] * 1000,
        )

    def revoke(self, auth: SignedIn) -> None:
        """End one session."""
        self.post(f"/v1/sessions/{auth.session_id}/revoke")

    def feed(self, url: str | None = None, **options: Any) -> Feed:
        """A verifier's feed, by way of the proxy if one is given."""
        return Feed(url or self.server.url, key=self.server.secret_key, **options)


def port_of(server: Server) -> int:
    """Where it listens."""
    return int(server.url.rpartition(":")[2])


@contextmanager
def reached(server: Server) -> Generator[Site]:
    """Somebody at a server, until the end."""
    site = Site(server)
    try:
        yield site
    finally:
        site.http.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """One server for the tests that leave it running."""
    with serving(tmp_path_factory.mktemp("feed")) as server, reached(server) as made:
        yield made


def accepts(feed: Feed, auth: SignedIn) -> bool:
    """What a verifier that refuses what nobody vouches for does with a good token."""
    return feed.fresh and feed.refuses(auth) is None


def until(met: Callable[[], bool], what: str) -> None:
    """Wait for something that has to happen."""
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_t23_a_token_of_a_revoked_session_is_refused(site: Site, mode: Any) -> None:
    """T-23: while the feed is connected, by stream or page by page; the control is another session, which
    goes on being accepted."""
    auth, control = site.sign_in(), site.sign_in()
    with site.feed(mode=mode) as feed:
        assert feed.wait_until_fresh(PATIENCE)
        assert accepts(feed, auth)
        site.revoke(auth)
        until(lambda: feed.refuses(auth) is Reason.SESSION_REVOKED, "the revocation does not arrive")
        until(lambda: accepts(feed, control), "the other session is refused")
        assert feed.begun_anew == 0


def test_t25_a_token_from_before_the_end_of_all(site: Site) -> None:
    """T-25: every token of the user is refused, and the next sign-in is accepted, in the same second."""
    with site.feed() as feed:
        assert feed.wait_until_fresh(PATIENCE)
        old = site.sign_in()
        site.post(f"/sojourn/v1/users/{site.user}/sessions/end", {})
        new = site.sign_in()
        until(lambda: feed.refuses(old) is Reason.SESSION_REVOKED, "the end of all does not arrive")
        until(lambda: accepts(feed, new), "the next sign-in is refused")
        assert new.issued_at - time.time() < 1.5


@pytest.mark.parametrize("mode", ["blackhole", "cut", "delay"])
def test_t24_a_feed_that_is_cut_refuses_at_the_bound_and_recovers(site: Site, mode: Any) -> None:
    """T-24: cut, swallowed or held back for longer than the bound, nothing is accepted any more; afterwards
    it comes back by itself, with what was revoked meanwhile and without a gap. The control is a feed beside
    the proxy, which goes on accepting."""
    auth, revoked = site.sign_in(), site.sign_in()
    with proxied(site.port) as proxy, site.feed(proxy.url) as feed, site.feed() as control:
        assert feed.wait_until_fresh(PATIENCE)
        assert control.wait_until_fresh(PATIENCE)
        assert accepts(feed, auth)
        proxy.set(mode)
        site.revoke(revoked)
        until(lambda: not feed.fresh, "the feed is still trusted")
        assert not accepts(feed, revoked)
        assert not accepts(feed, auth)
        until(lambda: accepts(control, auth) and not accepts(control, revoked), "the control is no control")
        proxy.set("pass")
        until(lambda: accepts(feed, auth), "the feed does not recover")
        assert feed.refuses(revoked) is Reason.SESSION_REVOKED
        assert feed.begun_anew == 0


def test_t24_the_last_word_is_counted_from_when_it_was_said(site: Site) -> None:
    """T-24: once the line is silent, the state changes at the bound after the last heartbeat, to the ms."""
    with proxied(site.port) as proxy, site.feed(proxy.url) as feed:
        assert feed.wait_until_fresh(PATIENCE)
        proxy.set("blackhole")
        now = time.monotonic_ns() // 1_000_000
        assert feed.known.state(now + BOUND_MS) is not FeedState.FRESH


def test_t23_nothing_revoked_is_accepted_after_a_restart(tmp_path: Path) -> None:
    """T-23: the server is killed and started again: what was revoked before stays refused, what is revoked
    after arrives, by the same feed. The control is a session that was not revoked."""
    key = "sk_test_" + os.urandom(16).hex()
    settings = {"SOJOURN_PUBLISHABLE_KEY": "", "SOJOURN_SECRET_KEY": key}
    with (
        serving(tmp_path, **settings) as first,
        proxied(port_of(first)) as proxy,
        reached(replace(first, secret_key=key)) as site,
    ):
        auth, before, after = site.sign_in(), site.sign_in(), site.sign_in()
        with Feed(proxy.url, key=key) as feed:
            assert feed.wait_until_fresh(PATIENCE)
            site.revoke(before)
            os.killpg(first.process.pid, signal.SIGKILL)
            first.process.wait()
            until(lambda: not feed.fresh, "a dead server is trusted")
            with (
                serving(tmp_path, **settings) as second,
                reached(replace(second, secret_key=key)) as again,
            ):
                proxy.retarget(port_of(second))
                until(lambda: accepts(feed, auth), "the feed does not come back")
                assert feed.refuses(before) is Reason.SESSION_REVOKED
                again.revoke(after)
                until(lambda: feed.refuses(after) is not None, "nothing arrives any more")
                assert accepts(feed, auth)
                assert feed.begun_anew == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_t23_revoked_with_proof_is_refused_everywhere_by_the_answer(tmp_path: Path, workers: int) -> None:
    """T-23: with `reach=wait` no verifier accepts the token when the answer has come, whichever worker it
    listens to. The control is a verifier that is cut off: it is waited for until it refuses by itself."""
    with (
        serving(tmp_path, "--workers", str(workers)) as server,
        reached(server) as site,
        proxied(port_of(server)) as proxy,
    ):
        feeds = [site.feed() for _ in range(6)]
        try:
            for feed in feeds:
                assert feed.start().wait_until_fresh(PATIENCE)
            for _ in range(5):
                auth = site.sign_in()
                told = site.post(f"/sojourn/v1/sessions/{auth.session_id}/revoke?reach=wait")["reach"]
                assert [accepts(feed, auth) for feed in feeds] == [False] * 6
                assert told["verifiers"] == 6
            auth = site.sign_in()
            with site.feed(proxy.url) as cut:
                assert cut.wait_until_fresh(PATIENCE)
                proxy.set("blackhole")
                told = site.post(f"/sojourn/v1/sessions/{auth.session_id}/revoke?reach=wait")["reach"]
                assert not any(accepts(feed, auth) for feed in (*feeds, cut))
                assert told["lapsed"] >= 1
        finally:
            for feed in feeds:
                feed.close()


def test_a_feed_without_a_good_key_knows_nothing(site: Site) -> None:
    """It stays SYNCING, and a verifier refuses."""
    auth = site.sign_in()
    with Feed(site.server.url, key="vk_live_nobody0000000000") as feed:
        assert not feed.wait_until_fresh(0.3)
        assert not accepts(feed, auth)


def test_a_forked_process_listens_anew(site: Site) -> None:
    """The child of a fork, which has none of the parent's threads, becomes fresh by itself."""
    with site.feed() as feed:
        assert feed.wait_until_fresh(PATIENCE)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, b"fresh" if feed.wait_until_fresh(PATIENCE) else b"late")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 10) == b"fresh"
        assert feed.wait_until_fresh(PATIENCE)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    """A stream means the same in pieces of any size; comments and unknown fields are passed over."""
    text = b'event: a\ndata: {"x":1}\n\n: comment\n\nretry: 100\n\nid: e.1\nevent: b\ndata: {}\nodd: 1\n\n'
    pieces: Iterable[bytes] = (text[n : n + size] for n in range(0, len(text), size))
    assert list(events(pieces)) == [("a", b'{"x":1}'), ("b", b"{}")]


# Leases ----------------------------------------------------------------------------------------------------


@contextmanager
def connected(site: Site, proxy: Proxy | None = None) -> Generator[Feed]:
    """A feed that is fresh."""
    with site.feed(proxy.url if proxy else None) as feed:
        assert feed.wait_until_fresh(PATIENCE)
        yield feed


async def ended_by(lease: Lease, change: Callable[[], object]) -> Reason:
    """Why a lease ends after a change; fails when it does not."""
    try:
        async with asyncio.timeout(PATIENCE), lease:
            await asyncio.to_thread(change)
            await asyncio.Event().wait()
    except LeaseEnded as ended:
        return ended.reason
    raise AssertionError("unreachable")


async def test_t23_an_open_websocket_is_closed(site: Site) -> None:
    """T-23: revoked in the middle, the websocket is closed with 4001; that of another session is not."""
    auth, control = site.sign_in(), site.sign_in()
    sent: list[dict[str, Any]] = []
    served = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def serve(lease: Lease) -> None:
        await asyncio.Event().wait()

    async def until_closed(lease: Lease) -> None:
        await served.wait()

    with connected(site) as feed:
        other = asyncio.create_task(leased(Lease(control, feed), until_closed, send))
        mine = asyncio.create_task(leased(Lease(auth, feed), serve, send))
        await asyncio.sleep(0)
        await asyncio.to_thread(site.revoke, auth)
        async with asyncio.timeout(PATIENCE):
            assert await mine is Reason.SESSION_REVOKED
        assert sent == [{"type": "websocket.close", "code": WEBSOCKET_CLOSE, "reason": "session-revoked"}]
        assert not other.done()
        served.set()
        assert await other is None


async def test_a_lease_ends_with_the_sessions_of_its_user(site: Site) -> None:
    """The end of all is an end of each, however long ago its token was issued."""
    auth = site.sign_in()
    with connected(site) as feed:
        ending = lambda: site.post(f"/sojourn/v1/users/{site.user}/sessions/end", {})  # noqa: E731
        assert await ended_by(Lease(auth, feed), ending) is Reason.SESSION_REVOKED
        # Nor does one begin any more.
        assert await ended_by(Lease(auth, feed), lambda: None) is Reason.SESSION_REVOKED


async def test_a_lease_survives_a_new_token_and_ends_with_another_organization(site: Site) -> None:
    """Renewed with a token of the same session it goes on; a token of another organization ends it."""
    auth = site.sign_in()
    with connected(site) as feed:
        lease = Lease(auth, feed)
        async with lease:
            lease.renew(site.token(auth.session_id or ""))
            await asyncio.sleep(0)
            assert lease.ended is None
        where = site.post("/v1/organizations", {"name": "A", "created_by": site.user})["id"]
        claims = {**auth.claims, "o": {"id": where, "rol": "admin"}}
        moved = msgspec.structs.replace(auth, payload=msgspec.json.encode(claims))
        renewing = Lease(auth, feed)
        loop = asyncio.get_running_loop()
        assert (
            await ended_by(renewing, lambda: loop.call_soon_threadsafe(renewing.renew, moved))
            is Reason.ACTIVE_ORGANIZATION_MISMATCH
        )


async def test_t24_a_lease_and_a_silent_feed(site: Site) -> None:
    """T-24: past the bound it ends, asks or goes on, as it was told to."""
    auth = site.sign_in()
    answers: list[bool | None] = [True, True, None]

    async def lives(_: SignedIn) -> bool | None:
        return answers.pop(0)

    with proxied(site.port) as proxy, connected(site, proxy) as feed:
        accepting = Lease(auth, feed, when_silent=WhenSilent.ACCEPT)
        asking = asyncio.create_task(
            ended_by(Lease(auth, feed, when_silent=WhenSilent.ASK, lives=lives), lambda: None)
        )
        async with accepting:
            assert await ended_by(Lease(auth, feed), lambda: proxy.set("cut")) is Reason.REVOCATIONS_UNKNOWN
            assert await asking is Reason.REVOCATIONS_UNKNOWN
            assert answers == []
            assert accepting.ended is None


async def test_a_lease_leaves_other_cancellations_alone(site: Site) -> None:
    """Cancelled from outside, the task is cancelled; an error inside stays what it is."""
    auth = site.sign_in()
    with connected(site) as feed:

        async def serve() -> None:
            async with Lease(auth, feed):
                await asyncio.Event().wait()

        task = asyncio.create_task(serve())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ZeroDivisionError):
            async with Lease(auth, feed):
                _ = 1 / 0

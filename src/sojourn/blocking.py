"""The same services for programs without an event loop: every method waits for its result.

    from sojourn import blocking

    with blocking.open("sqlite:///app.db") as sojourn:
        user = sojourn.users.ensure(external_id="42")
        session = sojourn.sessions.create(user_id=user.id)

There is no second implementation: an event loop runs in a thread of its own and does the work, so that any
number of threads may call at once. A call costs a change of threads, about a tenth of a millisecond. Open it
after a fork, not before. The types are in blocking.pyi, which `tools/gen_blocking.py` writes from the
services.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import threading
from collections.abc import Coroutine, Generator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import wraps
from typing import Any

from sojourn.config import Config
from sojourn.core.policy import Policy
from sojourn.runtime import Sojourn
from sojourn.service.authenticator import WaitingAuthenticator
from sojourn.service.ports import Clock, Entropy
from sojourn.verify import Options

_SERVICES = (
    "sessions",
    "tokens",
    "templates",
    "users",
    "organizations",
    "memberships",
    "clients",
    "devices",
    "tickets",
    "testing_tokens",
    "refresh_tokens",
    "handshakes",
    "events",
    "api_keys",
    "keys",
    "sweeper",
    "policies",
    "history",
    "end_links",
    "endings",
    "doctor",
)


class BlockingSojourn:
    """A running instance whose services wait. Made by `open`."""

    def __init__(self, sojourn: Sojourn, portal: _Portal) -> None:
        self.instance = sojourn.instance
        self.issuer = sojourn.issuer
        self.new_secret_key = sojourn.new_secret_key
        for name in _SERVICES:
            setattr(self, name, _Front(getattr(sojourn, name), portal))
        self._sojourn = sojourn
        self._portal = portal

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._sojourn.policy

    def authenticator(self, options: Options | None = None) -> WaitingAuthenticator:
        """Who is asking, for the fronts in `sojourn.integrations`: no HTTP in between."""
        return WaitingAuthenticator(self._sojourn.authenticator(options), self._portal.submit)


@contextmanager
def open(  # noqa: A001  # the word that the asynchronous front uses; this module is never star-imported
    database_url: str | None = None,
    *,
    secret_key: str | None = None,
    config: Config | None = None,
    policy: Policy | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> Generator[BlockingSojourn]:
    """As `Sojourn.open`, for programs without an event loop."""
    portal = _Portal()
    opened = Sojourn.open(
        database_url, secret_key=secret_key, config=config, policy=policy, clock=clock, entropy=entropy
    )
    try:
        sojourn = portal.call(opened.__aenter__())
        try:
            yield BlockingSojourn(sojourn, portal)
        finally:
            if not portal.ended:
                portal.call(opened.__aexit__(None, None, None))
    finally:
        portal.close()


class _Front:
    """A service whose coroutine methods wait for their result; everything else is the service's own."""

    def __init__(self, service: object, portal: _Portal) -> None:
        self._service = service
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._service, name)
        if name.startswith("_") or not inspect.iscoroutinefunction(member):
            return member

        @wraps(member)
        def wait(*args: Any, **kwargs: Any) -> Any:
            return self._portal.call(member(*args, **kwargs))

        setattr(self, name, wait)
        return wait

    def __repr__(self) -> str:
        return f"<blocking {type(self._service).__name__}>"


class _Portal:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.ended = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sojourn", daemon=True)
        self._thread.start()
        atexit.register(self._end)

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine there and wait for it. A caller that is interrupted cancels it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run a coroutine there."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("the blocking front cannot be called from its own event loop")
        if self.ended:
            coroutine.close()
            raise RuntimeError("the blocking front is closed")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        if self.ended:
            return
        self.ended = True
        atexit.unregister(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _end(self) -> None:
        """The program ends without having closed: the thread is about to stop, so nobody may wait for it.
        What was acknowledged is on the disk."""
        self.ended = True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

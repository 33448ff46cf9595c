"""A stage for the tests of an application: a real instance in memory, with a clock that the test moves.

Nothing is imitated. Tokens are minted by the service itself, so that every verifier takes them that would
take them in production; and when an address is asked for, the very application that `sojourn serve` runs
answers there.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import Coroutine, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, TypeVar

from sojourn.config import convert
from sojourn.core.errors import NotFound, Taken
from sojourn.core.roles import ADMIN
from sojourn.core.session import Actor, Session
from sojourn.http.app import App
from sojourn.runtime import MEMORY, Sojourn
from sojourn.testing.clock import ManualClock
from sojourn.tokens import jws

T = TypeVar("T")
SECRET_KEY = "sk_test_sojourn_stage_0123456789abcdef"
"""The secret key of every stage: it opens nothing that outlives a test."""
_START_SECONDS = 15
_INSTANTS = ("exp", "iat", "nbf")
Ending = Literal["ended", "removed", "revoked"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in on a stage: one session, and its tokens."""

    stage: Stage
    session_id: str
    user_id: str
    organization_id: str | None = None

    @property
    def session(self) -> Session:
        """The session as it stands now."""
        return self.stage.run(self.stage.sojourn.sessions.get(self.session_id))

    def token(
        self,
        *,
        template: str | None = None,
        expires_in_seconds: int | None = None,
        origin: str | None = None,
        age_seconds: int = 0,
    ) -> str:
        """A new token, as `sojourn.tokens.create` makes it; `age_seconds`: one that was made so long ago,
        which is how to come by one that has expired while everybody's clocks stay as they are. Raises
        NotFound once the session has ended."""
        made = self.stage.run(
            self.stage.sojourn.tokens.create(
                self.session_id, template=template, expires_in_seconds=expires_in_seconds, origin=origin
            )
        )
        return self.stage.aged(made, age_seconds) if age_seconds else made

    def headers(self, **token: Any) -> dict[str, str]:
        """The header of a request by this user, with a new token; the arguments are those of `token`."""
        return {"Authorization": f"Bearer {self.token(**token)}"}

    def end(self, status: Ending = "ended") -> Session:
        """End the session: `ended` and `removed` by the user, `revoked` by the application."""
        sessions = self.stage.sojourn.sessions
        verb = {"ended": sessions.end, "removed": sessions.remove, "revoked": sessions.revoke}[status]
        return self.stage.run(verb(self.session_id))

    def revoke(self) -> Session:
        """Revoke the session; its tokens stay good until they expire, wherever nobody asks."""
        return self.end("revoked")


class Stage:
    """An instance in memory for one test. Made by `Stage.open`, or by the fixture `sojourn` of the pytest
    plugin."""

    def __init__(self, loop: _Loop, sojourn: Sojourn, clock: ManualClock, bound: socket.socket) -> None:
        self._loop = loop
        self._bound = bound
        self._server: Any = None
        self._serving: Future[None] | None = None
        self._port: int = bound.getsockname()[1]
        self.sojourn = sojourn
        """The instance itself; its services are called by `run`."""
        self.clock = clock
        """Begins at the machine's time, and then stands still until it is advanced."""

    @classmethod
    @contextmanager
    def open(cls, **settings: Any) -> Generator[Stage]:
        """Open a stage until the block ends. `settings` are those of `Config`, `roles` and `policy` say.

        Raises ConfigurationError naming the one that does not fit.
        """
        clock = ManualClock(int(time.time() * 1000))
        # Bound from the beginning, as the port stands in the publishable key; nobody listens there yet.
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{bound.getsockname()[1]}$"
        given: dict[str, Any] = {
            "database_url": MEMORY,
            "secret_key": (SECRET_KEY,),
            "publishable_key": "pk_test_" + base64.b64encode(host.encode()).decode(),
            "sweep": False,
            **settings,
        }
        with bound, _Loop() as loop:
            opened = Sojourn.open(config=convert(given), clock=clock)
            stage = cls(loop, loop.run(opened.__aenter__()), clock, bound)
            try:
                yield stage
            finally:
                stage._stop()
                loop.run(opened.__aexit__(None, None, None))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Call a service: `stage.run(stage.sojourn.users.ban(user_id))`."""
        return self._loop.run(coroutine)

    def aged(self, token: str, seconds: int) -> str:
        """A token as if it had been made so many seconds earlier, signed anew by the instance's key. Raises
        ValueError for one that a key of a template's own has signed."""
        head, body, _ = (part + "=" * (-len(part) % 4) for part in token.split("."))
        header, claims = (json.loads(base64.urlsafe_b64decode(part)) for part in (head, body))
        if "kid" not in header:
            raise ValueError("a token that is signed by a key of its own cannot be made older here")
        earlier = {name: value - seconds if name in _INSTANTS else value for name, value in claims.items()}
        # What the service never does: a token whose instants are not those of its making.
        held = self.sojourn._held  # pyright: ignore[reportPrivateUsage]
        return jws.sign(earlier, held.current, category=header["cat"])

    # Who is signed in --------------------------------------------------------------------------------------

    def sign_in(
        self,
        user: str = "user",
        *,
        organization: str | None = None,
        role: str = ADMIN,
        actor: str | Mapping[str, object] | None = None,
        tasks: Sequence[str] = (),
        public_metadata: Mapping[str, object] | None = None,
    ) -> SignedIn:
        """A new session of a user, who is made if need be.

        `user` is the application's own id of the user (`external_id`), `organization` the slug of an
        organization that is active then, with `role` in it; `actor` is somebody who acts as the user;
        `tasks` leave the session pending.
        """
        return self.run(self._sign_in(user, organization, role, actor, tasks, public_metadata))

    async def _sign_in(
        self,
        user: str,
        organization: str | None,
        role: str,
        actor: str | Mapping[str, object] | None,
        tasks: Sequence[str],
        public_metadata: Mapping[str, object] | None,
    ) -> SignedIn:
        user_id = (await self.sojourn.users.ensure(external_id=user)).id
        if public_metadata is not None:
            await self.sojourn.users.update(user_id, public_metadata=public_metadata)
        organization_id = None
        if organization is not None:
            organization_id = await self._member(user_id, organization, role)
        acting = Actor(actor) if isinstance(actor, str) else None if actor is None else Actor.from_wire(actor)
        session = await self.sojourn.sessions.create(
            user_id=user_id, organization_id=organization_id, actor=acting, tasks=tasks
        )
        return SignedIn(self, session.id, user_id, organization_id)

    async def _member(self, user_id: str, slug: str, role: str) -> str:
        organizations, memberships = self.sojourn.organizations, self.sojourn.memberships
        try:
            organization = await organizations.create(name=slug, slug=slug)
        except Taken:
            organization = await organizations.get(slug)
        try:
            await memberships.update(organization.id, user_id, role=role)
        except NotFound:
            await memberships.add(organization.id, user_id, role=role)
        return organization.id

    # What verifiers need -----------------------------------------------------------------------------------

    @property
    def jwks(self) -> dict[str, object]:
        """The public key set."""
        return self.sojourn.keys.jwks()

    @property
    def pem(self) -> str:
        """The public key that tokens are verified with, as PEM: the `jwtKey` of the official SDKs."""
        return self.sojourn.keys.current.pem()

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens."""
        return self.sojourn.issuer

    # The running service -----------------------------------------------------------------------------------

    @property
    def secret_key(self) -> str:
        """The secret key for the Backend API."""
        return SECRET_KEY

    @property
    def publishable_key(self) -> str:
        """The publishable key."""
        return self.sojourn.instance.publishable_key

    @property
    def url(self) -> str:
        """Where the service answers, on the loopback interface; it is started the first time that this is
        read. Needs the extra `server`."""
        if self._serving is None:
            self._start()
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the official SDKs find the service."""
        return {
            "CLERK_API_URL": self.url,
            "CLERK_SECRET_KEY": self.secret_key,
            "CLERK_PUBLISHABLE_KEY": self.publishable_key,
            "CLERK_JWT_KEY": self.pem,
        }

    def _start(self) -> None:
        # Late: a test that only mints needs no web server.
        import uvicorn

        config = uvicorn.Config(App(self.sojourn), log_config=None, access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._serving = self._loop.start(self._server.serve(sockets=[self._bound]))
        deadline = time.monotonic() + _START_SECONDS
        while not self._server.started:
            if self._serving.done() or time.monotonic() > deadline:
                raise RuntimeError("the service of the stage did not start")
            time.sleep(0.005)

    def _stop(self) -> None:
        if self._serving is not None:
            self._server.should_exit = True
            self._serving.result(_START_SECONDS)


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sojourn-stage", daemon=True)

    def __enter__(self) -> _Loop:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin to run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it."""
        return self.start(coroutine).result()

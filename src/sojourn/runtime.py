"""Sojourn: the composition root. Opens store, clock and key ring and hands out the services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sojourn import config as configuration
from sojourn.config import Config
from sojourn.core.errors import ConfigurationError, Invalid, NotOffered, Unavailable
from sojourn.core.keys import Instance
from sojourn.core.policy import Policy
from sojourn.remote.services import Withheld
from sojourn.service import instance as instances
from sojourn.service import server_secret
from sojourn.service.api_keys import ApiKeys
from sojourn.service.authenticator import LocalAuthenticator, local_options
from sojourn.service.clients import Clients
from sojourn.service.context import Context, PolicyInForce
from sojourn.service.devices import Devices
from sojourn.service.doctor import Doctor
from sojourn.service.end_links import EndLinks
from sojourn.service.endings import Endings
from sojourn.service.event_log import EventLog
from sojourn.service.feed import Feed
from sojourn.service.frontend import FrontendSettings
from sojourn.service.handshakes import Handshakes
from sojourn.service.held_ring import HeldRing
from sojourn.service.history import History
from sojourn.service.memberships import Memberships
from sojourn.service.organizations import Organizations
from sojourn.service.policies import Policies
from sojourn.service.ports import Clock, Entropy, Places, Store
from sojourn.service.reach import Reach
from sojourn.service.refresh_tokens import RefreshTokens
from sojourn.service.server_secret import ServerSecret
from sojourn.service.sessions import Sessions
from sojourn.service.signing_keys import SigningKeys
from sojourn.service.sweeper import Sweeper
from sojourn.service.system import SystemClock, SystemEntropy
from sojourn.service.template_keys import TemplateKeys
from sojourn.service.templates import Templates
from sojourn.service.testing_tokens import TestingTokens
from sojourn.service.tickets import Tickets, TicketSettings
from sojourn.service.tokens import Tokens, TokenSettings
from sojourn.service.users import Users
from sojourn.stores.memory import MemoryStore
from sojourn.tokens.envelope import MasterKey
from sojourn.verify import Options

if TYPE_CHECKING:
    from sojourn.remote.connection import Connection

MEMORY = "memory://"
"""The database URL of a store that is gone with its process."""
POSTGRES = ("postgresql://", "postgres://")


class Sojourn:
    """A running instance: `sessions`, `tokens`, `templates`, `users`, `clients`, `tickets`, `keys`,
    `api_keys`, `policies`, `history`, `endings`, `events`.

    Made by `Sojourn.open`; belongs to the event loop that it was opened in.
    """

    def __init__(
        self,
        context: Context,
        *,
        started: instances.Started,
        api_keys: ApiKeys,
        held: HeldRing,
        secret: ServerSecret,
        keys: SigningKeys,
        settings: TokenSettings,
        endings: Endings,
        sweeper: Sweeper,
        feed: Feed,
        frontend: FrontendSettings,
        places: Places | None = None,
    ) -> None:
        self._context = context
        self._held = held
        self.instance: Instance = started.instance
        self.new_secret_key: str | None = started.new_secret_key
        """The secret key that this very start made; its text is kept nowhere."""
        self.issuer: str = settings.issuer
        self.frontend = frontend
        self.policies = Policies(context)
        self.sessions = Sessions(context)
        self.devices = Devices(context, places)
        self.history = History(context)
        self.users = Users(context)
        self.organizations = Organizations(context)
        self.memberships = Memberships(context)
        template_keys = TemplateKeys(context, held)
        self.templates = Templates(context, template_keys)
        self.tokens = Tokens(context, held, settings, template_keys)
        self.tickets = Tickets(
            context,
            self.sessions,
            TicketSettings(
                instance_id=self.instance.id,
                frontend_host=instances.frontend_host(self.instance.publishable_key),
            ),
        )
        self.clients = Clients(context, self.tickets, secret.client_tokens())
        self.refresh_tokens = RefreshTokens(context, self.tokens, held, secret, issuer=settings.issuer)
        self.handshakes = Handshakes(
            context,
            self.clients,
            self.tokens,
            self.refresh_tokens,
            held,
            publishable_key=self.instance.publishable_key,
        )
        self.end_links = EndLinks(
            context,
            self.sessions,
            secret,
            base_url=f"https://{instances.frontend_host(self.instance.publishable_key)}",
        )
        self.testing_tokens = TestingTokens(context)
        self.api_keys = api_keys
        self.keys = keys
        self.events = EventLog(context)
        self.feed = feed
        self.reach = Reach(context, feed)
        self.endings = endings
        self.doctor = Doctor(context, api_keys, held)
        self.sweeper = sweeper

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._context.policy

    def authenticator(self, options: Options | None = None) -> LocalAuthenticator:
        """Who is asking, for the fronts in `sojourn.integrations`: no HTTP in between."""
        key = self.instance.publishable_key
        return LocalAuthenticator(
            self._context,
            self._held,
            local_options(options, publishable_key=key, issuer=self.issuer),
            handshakes=self.handshakes,
            refresh_tokens=self.refresh_tokens,
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database_url: str | None = None,
        *,
        secret_key: str | None = None,
        config: Config | None = None,
        policy: Policy | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
    ) -> AsyncGenerator[Sojourn]:
        """Open a database and serve sessions from it until the block ends.

            async with Sojourn.open("sqlite:///app.db") as sojourn:
                user = await sojourn.users.ensure(external_id="42")
                session = await sojourn.sessions.create(user_id=user.id)

        Settings come from `config`, by default from the SOJOURN_* variables; `database_url` and `policy` win
        over them. An empty or older database is migrated. Raises ConfigurationError and its kin.

        With the URL of a running service, `http://` or `https://`, and a `secret_key` of it, the same
        services are asked over the network (docs/remote.md); the policy and the clock are those over there.
        """
        settings = config or configuration.load()
        if database_url is not None:
            settings = msgspec.structs.replace(settings, database_url=database_url)
        clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
        if is_remote(settings.database_url):
            if policy is not None:
                raise ConfigurationError("The policy is the service's own; see policies.change.")
            async with _connect(settings, secret_key, entropy) as connection:
                yield RemoteSojourn(connection)
            return
        if secret_key is not None:
            raise ConfigurationError("A secret_key goes with the URL of a service, not with a database.")
        # Settings that do not fit are refused before a file is made.
        policy, master = policy or settings.build_policy(), settings.build_master_key()
        settings.build_rotation()
        settings.build_frontend(production=True)
        roles, plans = settings.build_roles(), settings.build_plans()
        places = settings.build_places()
        store = await open_store(settings)
        try:
            context = Context(store, clock, entropy, PolicyInForce(policy, policy), roles, plans)
            sojourn = await cls._start(context, settings, master, places)
            background = [
                asyncio.create_task(sojourn._held.run()),
                asyncio.create_task(sojourn.policies.run()),
                asyncio.create_task(sojourn.reach.run()),
            ]
            if settings.sweep:
                background.append(asyncio.create_task(sojourn.sweeper.run()))
            try:
                yield sojourn
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)
                await sojourn.feed.close()
                await sojourn.tokens.settle()
        finally:
            await store.close()
            if places is not None:
                places.close()

    @classmethod
    async def _start(
        cls, context: Context, settings: Config, master: MasterKey | None, places: Places | None
    ) -> Sojourn:
        api_keys = ApiKeys(context)
        held = HeldRing(context, master)
        keys = SigningKeys(context, held, settings.build_rotation())
        given = instances.Given(
            secret_keys=settings.secret_key,
            publishable_key=settings.publishable_key,
            default_host=f"{_named_host(settings.host)}:{settings.port}",
            master=master,
        )
        started = await instances.start(context, api_keys, held, given)
        host = instances.frontend_host(started.instance.publishable_key)
        try:
            await Policies(context).load()
        except Invalid as error:
            raise ConfigurationError(
                f"The stored changes of the policy do not fit the configured one: {error.detail}"
            ) from None
        endings = Endings(context)
        return cls(
            context,
            started=started,
            api_keys=api_keys,
            held=held,
            secret=await server_secret.load(context, held),
            keys=keys,
            settings=TokenSettings(
                issuer=settings.issuer or f"https://{host}", version=settings.token_version
            ),
            endings=endings,
            feed=Feed(context, held, horizon_seconds=settings.revocation_horizon_seconds),
            sweeper=Sweeper(context, endings, keys=keys, interval_seconds=settings.sweep_interval_seconds),
            places=places,
            frontend=settings.build_frontend(
                production=started.instance.publishable_key.startswith("pk_live_")
            ),
        )

    async def rekey(self, new: MasterKey | None) -> None:
        """Put every stored key under a new master key (None: in the clear), all in one step."""
        await instances.rekey(self._context, self._held, new)

    async def begin_again(self) -> str:
        """After a restore: end every session that there is and take a new epoch, in one step. The epoch."""
        return await instances.begin_again(self._context)

    async def check(self) -> None:
        """Whether the store answers. Raises Unavailable when it does not."""
        if await self._context.store.instance() is None:
            raise Unavailable("The store holds no instance.")


class RemoteSojourn(Sojourn):
    """An instance that runs elsewhere: the same services, asked over the network. Made by `Sojourn.open`.

    What is not offered there raises NotOffered when it is used. `policy` is the one that was last read or
    changed from here.
    """

    def __init__(self, connection: Connection) -> None:
        # Nothing of an embedded instance is here: no store, no keys, nothing in the background.
        self._connection = connection
        self.instance = connection.instance
        self.new_secret_key = None
        self.issuer = connection.issuer
        for name, service in connection.services.items():
            setattr(self, name, service)

    @property
    def policy(self) -> Policy:
        """The policy in force when it was last asked for."""
        return self._connection.policy

    async def check(self) -> None:
        """Whether the service and its store answer. Raises Unavailable when they do not."""
        await self._connection.check()

    async def rekey(self, new: MasterKey | None) -> None:
        """Not over the network. Raises NotOffered."""
        raise NotOffered("rekey is not offered over the network; it belongs to whoever runs the service.")

    def __getattr__(self, name: str) -> Withheld:
        # Any other service; only ever asked for what is not there.
        if name.startswith("_"):
            raise AttributeError(name)
        return Withheld(name)


def is_remote(database_url: str) -> bool:
    """Whether a URL names a running service and no database."""
    return database_url.startswith(("http://", "https://"))


def _connect(
    settings: Config, secret_key: str | None, entropy: Entropy
) -> AbstractAsyncContextManager[Connection]:
    key = secret_key or next(iter(settings.secret_key), None)
    if key is None:
        raise ConfigurationError("The URL of a service needs a secret_key of it.")
    try:
        # Late, as httpx is needed for nothing else.
        from sojourn.remote.connection import connect
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The URL of a service needs the package {error.name}: install sojourn[remote]."
        ) from None
    return connect(settings.database_url, key, entropy, timeout_seconds=settings.remote_timeout_seconds)


async def open_store(settings: Config) -> Store:
    """The store that a database URL names, migrated unless that is switched off.

    Raises ConfigurationError for a URL that names none.
    """
    url = settings.database_url
    if url == MEMORY:
        return MemoryStore()
    if url.startswith("sqlite:///"):
        # Late, so that a program on another store never loads it.
        from sojourn.stores.sqlite import SqliteStore

        return await SqliteStore.open(str(sqlite_path(url)), migrate=settings.migrate)
    if url.startswith(POSTGRES):
        return await _open_postgres(settings)
    raise ConfigurationError(
        "database_url has to start with postgresql:// or with sqlite:/// (three slashes and a relative path, "
        "four and an absolute one), or be memory://; http:// and https:// serve programs, not servers."
    )


async def _open_postgres(settings: Config) -> Store:
    try:
        from sojourn.stores.postgres import PostgresStore
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ConfigurationError(
            "A PostgreSQL URL needs the extra: pip install 'sojourn[postgres]'."
        ) from None
    return await PostgresStore.open(
        settings.database_url,
        migrate=settings.migrate,
        connections=settings.database_connections,
        strict=settings.durability == "strict",
    )


def _named_host(host: str) -> str:
    """The host for a publishable key that has to be made: verifiers want a dot in it, and a wildcard address
    names no host at all."""
    return host if "." in host and host != "0.0.0.0" else "127.0.0.1"  # noqa: S104  # compared, not bound


def sqlite_path(url: str) -> Path:
    """The file that an sqlite URL names: three slashes are relative, four absolute."""
    path = url.removeprefix("sqlite:///")
    if not path or "?" in path:
        raise ConfigurationError("An sqlite URL names a file and has no parameters.")
    return Path(path)

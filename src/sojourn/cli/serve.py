"""serve: the HTTP service."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvicorn

from sojourn import telemetry
from sojourn.cli.common import settings
from sojourn.config import FILE_VARIABLE, PREFIX, Config
from sojourn.core.errors import ConfigurationError
from sojourn.http.app import App
from sojourn.http.protocol import JoiningProtocol
from sojourn.runtime import MEMORY, Sojourn

_HANDED_OVER = ("database_url", "host", "port", "log_level", "log_format")


def serve(
    *,
    host: str | None = None,
    port: int | None = None,
    database_url: str | None = None,
    workers: int | None = None,
    config: Path | None = None,
) -> None:
    """Serve the Backend API from a database.

    An empty or older database is migrated first. The first start makes the keys that were not given and
    prints them once.

    Parameters
    ----------
    host
        The address to listen on.
    port
        The port to listen on.
    database_url
        sqlite:///relative.db, sqlite:////absolute.db or memory://.
    workers
        Processes that serve the one database.
    config
        A TOML file with settings.
    """
    chosen = settings(config, host=host, port=port, database_url=database_url, workers=workers)
    telemetry.configure(level=chosen.log_level, style=chosen.log_format)
    # uvicorn stops gracefully and then raises the signal again; to be told to stop is no failure.
    signal.signal(signal.SIGTERM, _stop)
    # One process migrates and makes the keys, before any worker runs.
    if chosen.database_url != MEMORY:
        asyncio.run(_prepare(chosen))
    elif chosen.workers > 1:
        raise ConfigurationError("memory:// lives in one process; give it one worker.")
    if config is not None:
        os.environ[FILE_VARIABLE] = str(config.resolve())
    for name in _HANDED_OVER:
        # The workers are processes of their own; what the command line said reaches them this way.
        os.environ[PREFIX + name.upper()] = str(getattr(chosen, name))
    uvicorn.run(
        "sojourn.cli.serve:make_app",
        factory=True,
        http=JoiningProtocol,
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_graceful_shutdown=chosen.graceful_stop_seconds,
    )


def _stop(signum: int, frame: object) -> None:
    sys.exit(0)


def make_app() -> App:
    """The application of one worker, with the settings of its environment."""
    chosen = settings(None)
    telemetry.configure(level=chosen.log_level, style=chosen.log_format)
    return App(opener=lambda: _open(chosen))


@asynccontextmanager
async def _open(chosen: Config) -> AsyncGenerator[Sojourn]:
    async with Sojourn.open(config=chosen) as sojourn:
        # A database has its instance by now; only memory:// makes a new one here.
        if sojourn.new_secret_key is not None:
            _announce(chosen, sojourn.instance.publishable_key, sojourn.new_secret_key)
        yield sojourn


async def _prepare(chosen: Config) -> None:
    async with Sojourn.open(config=msgspec.structs.replace(chosen, sweep=False)) as sojourn:
        if sojourn.new_secret_key is not None:
            _announce(chosen, sojourn.instance.publishable_key, sojourn.new_secret_key)


def _announce(chosen: Config, publishable_key: str, secret_key: str) -> None:
    base = f"http://{chosen.host}:{chosen.port}"
    print(
        f"""
A new instance was made in {chosen.database_url}. The secret key is shown this once and stored only as a hash.

    CLERK_SECRET_KEY={secret_key}
    CLERK_PUBLISHABLE_KEY={publishable_key}
    CLERK_API_URL={base}

Python (pip install clerk-backend-api):

    from clerk_backend_api import Clerk
    clerk = Clerk(bearer_auth="{secret_key}", server_url="{base}/v1")
    user = clerk.users.create(external_id="42")
    session = clerk.sessions.create(request={{"user_id": user.id}})
    print(clerk.sessions.create_token(session_id=session.id).jwt)

Node (npm install @clerk/backend):

    import {{ createClerkClient }} from '@clerk/backend'
    const clerk = createClerkClient({{
      secretKey: '{secret_key}',
      publishableKey: '{publishable_key}',
      apiUrl: '{base}',
    }})
""",
        flush=True,
    )

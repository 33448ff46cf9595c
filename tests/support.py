"""What several tests need: an environment without the suite's own variables, and a real server."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_SECONDS = 60


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without SOJOURN_* (the suite's own ones would be unknown settings), and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
    return {**kept, **more}


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    secret_key: str
    publishable_key: str
    database: Path
    log: Path
    process: subprocess.Popen[bytes]
    database_url: str


@contextmanager
def serving(
    folder: Path, *arguments: str, within: Sequence[str] = (), **environment: str
) -> Generator[Server]:
    """A real `sojourn serve` on a database in `folder`, stopped by SIGTERM at the end.

    `within`: a command that runs it somewhere, in place of itself.
    """
    port = free_port()
    secret = "sk_test_" + os.urandom(16).hex()
    publishable = "pk_test_" + base64.b64encode(f"127.0.0.1:{port}$".encode()).decode()
    database, log = folder / "sojourn.db", folder / "server.log"
    settings = {
        "SOJOURN_DATABASE_URL": f"sqlite:///{database}",  # absolute: four slashes
        "SOJOURN_SECRET_KEY": secret,
        "SOJOURN_PUBLISHABLE_KEY": publishable,
        **environment,
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "sojourn", "serve", "--port", str(port), *arguments],
            env=clean_environment(**settings),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(url, process, log)
            yield Server(
                url,
                secret,
                settings["SOJOURN_PUBLISHABLE_KEY"],
                database,
                log,
                process,
                settings["SOJOURN_DATABASE_URL"],
            )
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once GET /readyz answers 200; fail with the log when the server ends or takes too long."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise AssertionError(f"the server is not ready:\n{log.read_text()}")

"""The two servers: sojourn on a prepared database, and a Starlette application that does nothing."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import children, server_cores

SECRET_KEY = "sk_test_benchmarks_only_0123456789"
_READY_SECONDS = 30
_LOG_TAIL = 2_000
"""Bytes of a server's log that are shown when a measurement fails."""


class Server:
    """A server process on 127.0.0.1."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, workers: int) -> None:
        self._process = process
        self._workers = workers
        self.port = port

    def pids(self) -> list[int]:
        """The processes that answer requests: the workers where there are several, else the one."""
        if self._workers == 1:
            return [self._process.pid]
        # multiprocessing starts a resource tracker beside the workers.
        return [pid for pid in children(self._process.pid) if b"spawn_main" in _command(pid)]

    def pause(self) -> None:
        """Stop it from running at all."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run again."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def noop(pem: Path | None = None) -> Iterator[Server]:
    """Starlette with one route that answers `{"ok": true}`; with a PEM behind our middleware."""
    with _started("noop", 1, server_cores(), {}, *([] if pem is None else [str(pem)])) as server:
        yield server


@contextmanager
def sojourn(
    database: Path,
    *,
    workers: int = 1,
    cores: Sequence[int] | None = None,
    settings: dict[str, str] | None = None,
) -> Iterator[Server]:
    """`sojourn serve` on a database; `settings` are variables behind `SOJOURN_`."""
    given = {
        "DATABASE_URL": f"sqlite:///{database}",
        "SECRET_KEY": SECRET_KEY,
        "LOG_LEVEL": "error",
        "WORKERS": str(workers),
        **(settings or {}),
    }
    variables = {f"SOJOURN_{name}": value for name, value in given.items()}
    with _started("sojourn", workers, cores or server_cores(), variables) as server:
        yield server


@contextmanager
def _started(
    kind: str, workers: int, cores: Sequence[int], variables: dict[str, str], *more: str
) -> Iterator[Server]:
    port = _free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
    if kind == "sojourn":
        command = [sys.executable, "-m", "sojourn", "serve", "--port", str(port)]
    else:
        command = [sys.executable, "-m", "benchmarks.noop", str(port), *more]
    log = tempfile.TemporaryFile()  # noqa: SIM115  # closed below, when the server has ended
    process = subprocess.Popen(
        ["taskset", "--cpu-list", ",".join(map(str, cores)), *command],
        env={**inherited, **variables},
        stdout=log,
        stderr=log,
    )
    try:
        _wait(process, port)
        yield Server(process, port, workers)
    except BaseException:
        log.seek(max(0, os.fstat(log.fileno()).st_size - _LOG_TAIL))
        sys.stderr.write(log.read().decode(errors="replace"))
        raise
    finally:
        log.close()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise RuntimeError("the server did not become ready")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

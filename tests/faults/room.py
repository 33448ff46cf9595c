"""A place for a database that really gets full: a small tmpfs, or a limit on the size of files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

MEBIBYTE = 1 << 20
TMPFS_BYTES = 16 * MEBIBYTE
"""The log of a database takes 8 MiB before it is started again; less than that is always too little room."""


class Room(Protocol):
    """Where the server of a test keeps its database."""

    within: list[str]
    """The command that runs a server in it."""
    files: Path
    """The same folder as the test sees it."""

    def fill(self, server: int) -> None:
        """From now on there is no more of it for the process `server`."""
        ...

    def free(self, server: int | None) -> None:
        """There is again; `server` is None when it runs no more."""
        ...


class Tmpfs:
    """A file system of 16 MiB in a mount namespace of its own, which goes with the process that holds it."""

    def __init__(self, folder: Path, holder: int, *, user: bool) -> None:
        self.within = ["nsenter", f"--target={holder}", "--mount"]
        if user:
            self.within += ["--user", "--preserve-credentials"]
        self.files = Path(f"/proc/{holder}/root{folder}")

    def fill(self, server: int) -> None:
        """One file takes all that is left, to the last page."""
        with (self.files / "filler").open("wb", buffering=0) as filler:
            for size in (MEBIBYTE, 4096):
                try:
                    while filler.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def free(self, server: int | None) -> None:
        """That file goes."""
        (self.files / "filler").unlink()


class Limit:
    """RLIMIT_FSIZE: a file that would grow past it gets EFBIG, as one past a quota gets EDQUOT. It needs no
    privilege. Python ignores the signal that comes with it."""

    def __init__(self, folder: Path) -> None:
        self.within: list[str] = []
        self.files = folder

    def fill(self, server: int) -> None:
        """Neither the database nor its log may pass the size that the database has."""
        self._limit(server, max(MEBIBYTE // 2, (self.files / "sojourn.db").stat().st_size))

    def free(self, server: int | None) -> None:
        """They may again. A process that has ended took its limit with it."""
        if server is not None:
            self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: int, size: int) -> None:
        highest = resource.prlimit(server, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server, resource.RLIMIT_FSIZE, (size, highest))


@contextmanager
def tmpfs(folder: Path) -> Generator[Tmpfs | None]:
    """A small tmpfs on `folder`, as root or in a user namespace; None where neither is allowed."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        yield None
        return
    for user in (os.geteuid() != 0, True):
        command = ["unshare", "--mount", *(["--user", "--map-root-user"] if user else []), "sh", "-c"]
        script = f"mount -t tmpfs -o size={TMPFS_BYTES},mode=700 sojourn '{folder}' && echo ready && exec cat"
        with subprocess.Popen(
            [*command, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as holder:
            assert holder.stdout is not None
            if holder.stdout.readline() == b"ready\n":
                try:
                    yield Tmpfs(folder, holder.pid, user=user)
                finally:
                    holder.kill()
                return
    yield None

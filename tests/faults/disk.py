"""A disk that can lose its power: an SQLite VFS in memory that remembers every write and sync.

One run under load gives one history; `survivors` then tells what a power cut at any point of it would
have left on the disk, as often as wanted. What was synced survives. What was written since is dropped,
kept or torn, in sectors of 512 bytes and in any order, as a disk with a cache may do. A file that was
never synced may not be there at all. A sync that failed leaves its writes dropped, kept or torn for good:
the kernel takes them for written, and no later sync repeats them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import apsw

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that SQLite asked of the disk. `offset` is the new size of a truncation."""

    kind: Literal["write", "truncate", "sync", "failed sync", "delete"]
    file: str
    offset: int = 0
    data: bytes = b""


class Disk(apsw.VFS):
    """The VFS. `steps` is its history; it is gone with the object."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.steps: list[Step] = []
        self.files: dict[str, bytearray] = {}

    def record(self, step: Step) -> None:
        """Called before each step is done. What it raises is SQLite's answer, and the step is not done."""
        self.steps.append(step)

    def reading(self) -> None:
        """Called before each read. What it raises is SQLite's answer."""

    def xOpen(self, name: Any, flags: list[int]) -> OpenFile:
        """Open a file, made where it is not there."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self.files.setdefault(path, bytearray())
        flags[1] = flags[0]
        return OpenFile(self, path)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Remove a file."""
        if filename not in self.files:
            raise apsw.IOError("no such file")
        self.record(Step("delete", filename))
        del self.files[filename]

    def xAccess(self, pathname: str, flags: int) -> bool:
        """Whether a file is there."""
        return pathname in self.files

    def xFullPathname(self, name: str) -> str:
        """Paths are taken as they are."""
        return name


class OpenFile:
    """An open file of a Disk. Locks always succeed: there is one connection."""

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path

    def xRead(self, amount: int, offset: int) -> bytes:
        """What is there, which may be less."""
        self._disk.reading()
        return bytes(self._disk.files[self._path][offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        """Write; what is skipped is zero."""
        step = Step("write", self._path, offset, bytes(data))
        self._disk.record(step)
        apply(self._disk.files[self._path], step)

    def xTruncate(self, size: int) -> None:
        """Cut off."""
        step = Step("truncate", self._path, size)
        self._disk.record(step)
        apply(self._disk.files[self._path], step)

    def xSync(self, flags: int) -> None:
        """What was written until now survives from here on."""
        self._disk.record(Step("sync", self._path))

    def xFileSize(self) -> int:
        """In bytes."""
        return len(self._disk.files[self._path])

    def xLock(self, level: int) -> None:
        """Granted."""

    def xUnlock(self, level: int) -> None:
        """Granted."""

    def xCheckReservedLock(self) -> bool:
        """Nobody else is there."""
        return False

    def xClose(self) -> None:
        """Nothing to do."""

    def xSectorSize(self) -> int:
        """As SQLite's own Unix VFS answers."""
        return 4096

    def xDeviceCharacteristics(self) -> int:
        """As SQLite's own Unix VFS answers: a write that is torn leaves its neighbours alone."""
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xFileControl(self, op: int, pointer: int) -> bool:
        """None is known."""
        return False


def apply(content: bytearray, step: Step) -> None:
    """Do a write or a truncation."""
    if step.kind == "truncate":
        del content[step.offset :]
        return
    if len(content) < step.offset:
        content.extend(bytes(step.offset - len(content)))
    content[step.offset : step.offset + len(step.data)] = step.data


@dataclass(slots=True)
class _Remains:
    """A file as it is on the disk, and what is only on its way there."""

    content: bytearray = field(default_factory=bytearray)
    synced: bool = False
    deleted: bool = False
    pending: list[Step] = field(default_factory=list)


def survivors(steps: Sequence[Step], chance: random.Random) -> dict[str, bytes]:
    """The files after a power cut behind the last of `steps`."""
    disk: dict[str, _Remains] = {}
    for step in steps:
        file = disk.setdefault(step.file, _Remains())
        if step.kind == "sync":
            for pending in file.pending:
                apply(file.content, pending)
            file.pending.clear()
            if not file.synced:
                # With the first sync of a new journal or log SQLite's Unix VFS syncs the folder too (strace
                # shows it), so what was removed before is gone for good.
                disk = {path: other for path, other in disk.items() if not other.deleted}
                disk[step.file] = file
            file.synced, file.deleted = True, False
        elif step.kind == "failed sync":
            for pending in _arrived(file.pending, chance):
                apply(file.content, pending)
            file.pending.clear()
        elif step.kind == "delete":
            # The folder is not synced with it: until it is, the old file may come back.
            file.deleted = True
            file.pending.clear()
        else:
            file.pending.append(step)
    left: dict[str, bytes] = {}
    for path, file in disk.items():
        if (file.deleted or not file.synced) and chance.random() < 0.5:
            continue
        for step in _arrived(file.pending, chance):
            apply(file.content, step)
        left[path] = bytes(file.content)
    return left


def _arrived(pending: list[Step], chance: random.Random) -> list[Step]:
    """What of the unsynced steps reached the disk before the power went."""
    what = chance.randrange(4)
    if what == 0:
        return []
    if what == 1:
        return pending
    if what == 2:
        # In order up to a point, where one is torn.
        cut = chance.randrange(len(pending) + 1)
        torn = [part for part in _sectors(pending[cut:][:1]) if chance.random() < 0.5]
        return pending[:cut] + torn
    kept = chance.random()
    return [part for part in _sectors(pending) if chance.random() < kept]


def _sectors(steps: list[Step]) -> list[Step]:
    parts: list[Step] = []
    for step in steps:
        if step.kind == "truncate":
            parts.append(step)
            continue
        start, end = step.offset, step.offset + len(step.data)
        while start < end:
            until = min(end, start - start % SECTOR + SECTOR)
            data = step.data[start - step.offset : until - step.offset]
            parts.append(Step("write", step.file, start, data))
            start = until
    return parts

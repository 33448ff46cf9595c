"""A disk that reports faults, and a run of a store on it: which answers came, and what is left afterwards."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import apsw

from sojourn.core.errors import Unavailable
from sojourn.stores.sqlite import SqliteStore
from sojourn.stores.sqlite.connect import Internals
from sojourn.testing.contract.base import seed
from tests.faults.disk import Disk, Step, apply, survivors
from tests.faults.history import USERS, History, go_on, losses, missing, sweep

DATABASE = "/simulated/fault.db"
PARTS, LIVES = 3, 10
"""A history: so many times so many lives of a session, with a sweep of all of them behind."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: the `nth` step of a kind, and all that follow when it is `lasting`.

    A sync that is `believed` loses its writes and reports nothing: no store can survive that.
    """

    kind: Literal["write", "sync", "truncate", "read", "delete"]
    code: int
    nth: int = 1
    lasting: bool = False
    believed: bool = False


class FaultyDisk(Disk):
    """A disk with at most one fault at a time; `struck` is the step at which it first came."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.struck: int | None = None
        self.counts: dict[str, int] = {}
        self._fault: Fault | None = None

    def arm(self, fault: Fault | None) -> None:
        """From now on this goes wrong; None: the disk is well again."""
        self._fault = fault
        self.counts = {}

    @property
    def readable(self) -> bool:
        """Whether no fault is set on reads."""
        return self._fault is None or self._fault.kind != "read"

    def reading(self) -> None:
        """A read may fail."""
        if fault := self._strikes("read"):
            raise apsw.exception_for(fault.code)

    def record(self, step: Step) -> None:
        """A write may fail in its middle, and a sync may fail for good."""
        fault = self._strikes(step.kind)
        if fault is None:
            return super().record(step)
        if step.kind == "write":
            half = Step("write", step.file, step.offset, step.data[: len(step.data) // 2])
            super().record(half)
            apply(self.files[step.file], half)
        elif step.kind == "sync":
            super().record(Step("failed sync", step.file))
        if not fault.believed:
            raise apsw.exception_for(fault.code)

    def _strikes(self, kind: str) -> Fault | None:
        seen = self.counts[kind] = self.counts.get(kind, 0) + 1
        fault = self._fault
        if (
            fault is None
            or kind != fault.kind
            or seen < fault.nth
            or (seen > fault.nth and not fault.lasting)
        ):
            return None
        if self.struck is None:
            self.struck = len(self.steps)
        return fault


class Run:
    """A history with a fault in its first half and a disk that is well in the second."""

    def __init__(self, fault: Fault | None, chance: random.Random) -> None:
        self.fault = fault
        self.disk = FaultyDisk(f"faulty_{chance.getrandbits(64)}")
        self.history = History(lambda: len(self.disk.steps))
        self.internals = Internals(vfs=self.disk.name, exclusive=True)
        self._chance = chance
        self.early: list[tuple[int, Unavailable]] = []
        """Refusals before the disk was well again, as the history has them."""
        self.late: list[tuple[int, Unavailable]] = []
        self.wrong: list[str] = []
        """What the running store did not have."""
        self.cleared = 0
        """Acknowledgements before the disk was well again."""
        self.killed: dict[str, bytes] = {}
        """The files as a kill at the end would leave them."""
        self.done: dict[str, int] = {}
        """Steps of each kind in the first half."""

    async def go(self) -> Run:
        """The whole of it, up to the end of the process."""
        store = await SqliteStore.open(DATABASE, internals=self.internals)
        await seed(store, users=USERS, clients=())
        self.disk.arm(self.fault)
        await self._half(store, 0)
        self.early, self.history.refused = self.history.refused, []
        self.done, self.cleared = self.disk.counts, len(self.history.changes)
        self.disk.arm(None)
        await self._half(store, PARTS * LIVES)
        self.late = self.history.refused
        self.wrong += self.history.wrong
        self.killed = {name: bytes(content) for name, content in self.disk.files.items()}
        await store.close()
        return self

    async def _half(self, store: SqliteStore, first: int) -> None:
        for part in range(PARTS):
            start = first + part * LIVES
            await go_on(store, self.history, range(start, start + LIVES), self._chance)
            await sweep(store, self.history)
            if self.disk.readable:
                # While the disk still fails, and before a later sweep makes up for what an earlier one lost.
                self.wrong += await missing(store, self.history.until(len(self.disk.steps)))

    @property
    def after_refusal(self) -> int:
        """Changes that were acknowledged after the first refusal, while the disk was not well."""
        return self.cleared - self.early[0][0] if self.early else 0

    @property
    def later(self) -> int:
        """Changes that were acknowledged after the disk was well again."""
        return len(self.history.changes) - self.cleared

    async def left(self, folder: Path) -> list[str]:
        """What is wrong after the store was closed, after a kill, and after power cuts behind the fault."""
        found = await self._check(folder / "closed", self.disk.files, len(self.disk.steps))
        found += await self._check(folder / "killed", self.killed, len(self.disk.steps))
        struck, total = self.disk.struck or 0, len(self.disk.steps)
        for number, step in enumerate((struck, self._chance.randrange(struck, total + 1), total)):
            files = survivors(self.disk.steps[:step], self._chance)
            found += await self._check(folder / f"cut_{number}", files, step)
        return found

    async def _check(
        self, folder: Path, files: dict[str, bytes] | dict[str, bytearray], step: int
    ) -> list[str]:
        folder.mkdir(parents=True)  # noqa: ASYNC240  # nothing else runs in this loop
        for name, content in files.items():
            (folder / Path(name).name).write_bytes(content)
        try:
            wrong = await losses(folder / Path(DATABASE).name, self.history.until(step))
        except Exception as error:
            # A row without its values, a broken file: whatever it is, this is no database of ours.
            wrong = [f"cannot be read: {error!r}"]
        shutil.rmtree(folder)
        return [f"{folder.name} behind step {step}: {one}" for one in wrong]


async def runs(fault: Fault, most: int, seed: int, folder: Path) -> AsyncIterator[tuple[Run, list[str]]]:
    """One and the same history with the fault at each of its points, or `most` of them spread over it.

    Gives each run with all that was wrong, while it ran and afterwards.
    """
    whole = await Run(None, random.Random(seed)).go()
    count = whole.done[fault.kind]
    chance = random.Random(seed)
    points = range(1, count + 1) if count <= most else sorted(chance.sample(range(1, count + 1), most))
    for nth in points:
        run = await Run(replace(fault, nth=nth), random.Random(seed)).go()
        wrong = run.wrong + await run.left(folder / str(nth))
        yield run, [f"seed {seed}, {run.fault}: {one}" for one in wrong]


def kinds(refusals: Iterable[tuple[int, Unavailable]]) -> set[type[Unavailable]]:
    """Which errors there were."""
    return {type(error) for _, error in refusals}

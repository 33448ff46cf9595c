"""R2: the power is cut at any point; what was acknowledged is there, and no ended session lives again."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from sojourn.stores.sqlite import SqliteStore, writer
from sojourn.stores.sqlite.connect import Internals
from tests.faults.disk import Disk, survivors
from tests.faults.history import Acknowledged, History, load, losses

CUTS = 1_000 if os.environ.get("SOJOURN_FAULTS") == "full" else 100
CONTROL_CUTS, CONTROL_LOSSES = 100, 5
"""25 seeds lost 15 to 30 of 100 cuts, 22 on average: five are out of the reach of chance, and none is not."""
ROUNDS = 60
"""Lives of a session in one history."""
DATABASE = "/simulated/power.db"


class Run:
    """One history of a store on a simulated disk."""

    def __init__(self, synchronous: str, seed: int) -> None:
        self.disk = Disk(f"powercut_{synchronous}_{seed}")
        self.history = History(lambda: len(self.disk.steps))
        self.opened = 0
        self._internals = Internals(vfs=self.disk.name, exclusive=True, synchronous=synchronous)
        self._chance = random.Random(seed)

    async def go(self) -> None:
        """Open an empty database, migrate it and put load on it."""
        store = await SqliteStore.open(DATABASE, internals=self._internals)
        self.opened = len(self.disk.steps)
        await load(store, self.history, ROUNDS, self._chance)
        assert self.history.wrong == []
        # Not closed: the power is cut while it runs. Only the history is of use from here on.
        self.total = len(self.disk.steps)
        await store.close()

    def cuts(self, count: int) -> list[int]:
        """Where to cut: an eighth in the migration, three eighths inside checkpoints, the rest anywhere."""
        checkpoints = [n for n in range(self.opened, self.total) if self.disk.steps[n].file == DATABASE]
        assert len(checkpoints) > 20, "the load was too small for a checkpoint"
        found = [self._chance.randrange(self.opened) for _ in range(count // 8)]
        found += [self._chance.choice(checkpoints) + 1 for _ in range(3 * count // 8)]
        found += [self._chance.randrange(self.total + 1) for _ in range(count - len(found))]
        return found

    async def cut(self, step: int, folder: Path) -> list[str]:
        """Cut the power after so many steps. What has been lost."""
        folder.mkdir()  # noqa: ASYNC240  # nothing else runs in this loop
        for name, content in survivors(self.disk.steps[:step], self._chance).items():
            (folder / Path(name).name).write_bytes(content)
        return await losses(folder / Path(DATABASE).name, self.history.until(step))


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints come often, or a short history would have none."""
    monkeypatch.setattr(writer, "_CHECKPOINT_PAGES", 60)


@pytest.mark.parametrize("part", range(CUTS // 100))
async def test_r2_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path, part: int) -> None:
    """With synchronous=FULL, whatever of the unsynced writes is dropped, kept or torn, also in a checkpoint
    and in the migration."""
    seed = int.from_bytes(os.urandom(4), "big")
    run = Run("FULL", seed)
    await run.go()
    for number, step in enumerate(run.cuts(100)):
        wrong = await run.cut(step, tmp_path / str(number))
        assert wrong == [], f"part {part}, seed {seed}, cut after step {step} of {run.total}"


async def test_r2_control_with_normal_syncs_something_is_lost(tmp_path: Path) -> None:
    """The same cuts with synchronous=NORMAL lose acknowledged changes: this test can see a loss."""
    run = Run("NORMAL", int.from_bytes(os.urandom(4), "big"))
    await run.go()
    losing = 0
    for number, step in enumerate(run.cuts(CONTROL_CUTS)):
        wrong = await run.cut(step, tmp_path / str(number))
        losing += bool(wrong)
    assert losing >= CONTROL_LOSSES
    assert not run.history.refused


def test_r2_control_an_unsynced_write_may_not_survive() -> None:
    """The simulated disk drops, keeps and tears what was not synced, and never what was."""
    disk = Disk("powercut_control")
    file = disk.xOpen("a", [0, 0])
    file.xWrite(b"s" * 2048, 0)
    file.xSync(0)
    file.xWrite(b"u" * 2048, 1024)
    seen = {survivors(disk.steps, random.Random(seed))["a"] for seed in range(100)}
    assert all(content[:1024] == b"s" * 1024 for content in seen)
    assert b"s" * 2048 in seen
    assert b"s" * 1024 + b"u" * 2048 in seen
    assert b"s" * 1024 + b"u" * 512 + b"s" * 512 in seen
    assert Acknowledged() == History(lambda: 0).until(0)

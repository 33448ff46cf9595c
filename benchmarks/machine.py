"""The machine: which core is whose, and what a process uses."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_ALL = sorted(os.sched_getaffinity(0))


def server_cores() -> list[int]:
    """The core of the server, and of everything that its rate is compared with."""
    return _ALL[:1]


def load_cores() -> list[int]:
    """The core of the load generator; with a single one they share it, and ratios mean little."""
    return _ALL[-1:]


def both_cores() -> list[int]:
    """The two cores of two workers."""
    return [_ALL[0], _ALL[-1]]


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time that processes have used, all their threads included."""
    total = 0
    for pid in pids:
        # The name, in parentheses, may hold blanks; utime and stime are the 14th and 15th fields.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def rss_mb(pid: int) -> float:
    """Resident memory of a process (MB), what it shares with others included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def peak_rss_mb(pid: int) -> float:
    """The most that a process has had resident (MB)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

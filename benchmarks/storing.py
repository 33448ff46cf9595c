"""Durable creation, the size of a session on disk, the memory of a worker."""

from __future__ import annotations

import apsw

from benchmarks import servers
from benchmarks.bench import Bench, alone, creations, gets, lists, tokens
from benchmarks.fill import Filled
from benchmarks.machine import both_cores, peak_rss_mb, rss_mb
from benchmarks.report import Figure, take_turns


def create(bench: Bench) -> list[Figure]:
    """Creations over HTTP, 32 at a time, against apsw committing the same rows one by one."""
    filled = bench.fills.get(bench.few)
    ours, theirs = filled.copy("create-http.db"), filled.copy("create-apsw.db")
    with servers.sojourn(ours.path) as server:
        turns = take_turns(
            bench.rounds,
            lambda: bench.rate(server, creations(ours)),
            lambda: float(alone("raw", "commit", str(bench.seconds), str(theirs.path))),
        )
    return [
        Figure(
            part="create",
            name="durable creation at concurrency 32, to apsw alone",
            measured=f"{turns.median(0):,.0f}/s to {turns.median(1):,.0f}/s",
            value=turns.ratio(0, 1),
            at_least=0.9,
        )
    ]


def size(bench: Bench) -> list[Figure]:
    """Bytes a session: its own row and indexes, then with its client and the event of its creation."""
    filled = bench.fills.get(bench.many)
    tables = _bytes_by_table(filled)
    session = tables["sessions"] / filled.sessions
    whole = session + (tables["clients"] + tables["events"]) / filled.sessions
    return [
        Figure(
            part="size",
            name="bytes a session with its indexes",
            measured=f"{session:.0f} bytes",
            value=session,
            at_most=500,
        ),
        Figure(
            part="size",
            name="bytes a session with client and created event",
            measured=f"{whole:.0f} bytes, the whole file {filled.path.stat().st_size / 2**20:,.0f} MiB",
            value=whole,
            at_most=1000,
        ),
    ]


def memory(bench: Bench) -> list[Figure]:
    """Resident memory of each of two workers, under reads, lists, tokens and creations in turns."""
    filled = bench.fills.get(bench.many).copy("memory.db")
    with servers.sojourn(filled.path, workers=2, cores=both_cores()) as server:
        for requests in (gets, lists, tokens, creations, gets):
            bench.rate(server, requests(filled))
        pids = server.pids()
        now, peak = max(map(rss_mb, pids)), max(map(peak_rss_mb, pids))
    filled.path.unlink()
    return [
        Figure(
            part="memory",
            name="resident memory of a worker under load",
            measured=f"{now:.0f} MB, at its peak {peak:.0f} MB",
            value=peak,
            at_most=150,
        )
    ]


def _bytes_by_table(filled: Filled) -> dict[str, int]:
    """Bytes of all pages of a table and its indexes."""
    connection = apsw.Connection(str(filled.path), flags=apsw.SQLITE_OPEN_READONLY)
    found = connection.execute(
        """
        SELECT m.tbl_name, sum(d.pgsize)
        FROM dbstat AS d JOIN sqlite_schema AS m ON m.name = d.name
        WHERE d.aggregate = TRUE GROUP BY m.tbl_name
        """
    ).fetchall()
    connection.close()
    return {str(name): int(size) for name, size in found}

"""`python -m benchmarks [--quick] [--json]`: the figures of the README, as ratios of one run.

The server is pinned to one core and the load to the other. Both sides of a ratio take turns, and the median
of the turns counts, since a machine is seldom quiet.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import apsw

from benchmarks import servers
from benchmarks.fill import Filled, Fills
from benchmarks.load import Plan, Request, request, run
from benchmarks.machine import load_cores, rss_mb, server_cores
from benchmarks.servers import SECRET_KEY

QUICK = "--quick" in sys.argv
TURNS, SECONDS = (2, 1.5) if QUICK else (3, 3.0)
MANY, FEW = (100_000 if QUICK else 1_000_000), 10_000

_SIGN = """
import os, sys, time
from sojourn.tokens.jws import SigningKey
key, data = SigningKey.generate("kid_bench"), b"x" * 600
until, count = time.perf_counter() + float(sys.argv[1]), 0
began = time.perf_counter()
while time.perf_counter() < until:
    key.sign(data)
    count += 1
print(count / (time.perf_counter() - began))
"""


@dataclass(frozen=True)
class Row:
    """One line of the table; `at_least` tells which side of the bar is good."""

    what: str
    measured: float
    bar: float
    at_least: bool
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the bar is reached."""
        return self.measured >= self.bar if self.at_least else self.measured <= self.bar


def main() -> None:
    """Run everything and print the table."""
    rows: list[Row] = []

    def add(row: Row) -> None:
        rows.append(row)
        relation, verdict = (">=" if row.at_least else "<="), ("ok" if row.ok else "MISSED")
        print(
            f"{row.what:58} {row.measured:8.2f} {relation} {row.bar:7.2f}  {verdict:6}  {row.detail}",
            flush=True,
        )

    with tempfile.TemporaryDirectory(prefix="sojourn-bench-") as folder:
        fills = Fills(Path(folder))
        many, few = fills.get(MANY), fills.get(FEW)
        add(get_against_noop(many))
        add(tokens_against_signing(many))
        add(creation_against_apsw(few.copy("create.db"), few.copy("apsw.db")))
        for row in growth(few, many):
            add(row)
        add(memory(many))
    if "--json" in sys.argv:
        print(json.dumps([{**asdict(row), "ok": row.ok} for row in rows]))


def turns(first: Callable[[], float], second: Callable[[], float]) -> tuple[float, float, float]:
    """Medians of both sides, and the median ratio of first to second, taking turns."""
    pairs = [(first(), second()) for _ in range(TURNS)]
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), ratio


def rate(server: servers.Server, requests: list[Request], connections: int = 32) -> float:
    """Answers a second in a closed loop."""
    plan = Plan(
        port=server.port, requests=requests, connections=connections, seconds=SECONDS, pids=server.pids()
    )
    return run(plan).rate


def gets(filled: Filled) -> list[Request]:
    """GETs of sessions all over the database."""
    return [request("GET", f"/v1/sessions/{i}", key=SECRET_KEY) for i in filled.sample[:5000]]


def mints(filled: Filled) -> list[Request]:
    """Token requests likewise."""
    return [request("POST", f"/v1/sessions/{i}/tokens", key=SECRET_KEY) for i in filled.sample[:5000]]


def lists(filled: Filled, more: str = "") -> list[Request]:
    """Lists of a user with 20 sessions."""
    return [
        request("GET", f"/v1/sessions?user_id={u}&limit=20{more}", key=SECRET_KEY)
        for u in filled.users[:1000]
    ]


def get_against_noop(filled: Filled) -> Row:
    """A read against an endpoint that does nothing."""
    with servers.noop() as noop, servers.sojourn(filled.path) as ours:
        a, b, ratio = turns(lambda: rate(ours, gets(filled)), lambda: rate(noop, [request("GET", "/readyz")]))
    return Row(
        f"GET a session, {MANY:,} stored / no-op Starlette", ratio, 0.55, True, f"{a:,.0f}/s, {b:,.0f}/s"
    )


def tokens_against_signing(filled: Filled) -> Row:
    """A token request against the signature alone."""

    def sign() -> float:
        done = subprocess.run(
            ["taskset", "-c", str(server_cores()[0]), sys.executable, "-c", _SIGN, str(SECONDS)],
            capture_output=True,
            text=True,
            check=True,
        )
        return float(done.stdout)

    with servers.sojourn(filled.path) as ours:
        # The first round writes the activity of the old sessions of the sample; it does not count.
        rate(ours, mints(filled))
        a, b, ratio = turns(lambda: rate(ours, mints(filled)), sign)
    return Row(
        "token, freshly signed / RS256 signatures of one core", ratio, 0.70, True, f"{a:,.0f}/s, {b:,.0f}/s"
    )


def creation_against_apsw(over_http: Filled, alone: Filled) -> Row:
    """Durable creations over HTTP, 32 at a time, against apsw alone doing the same one by one."""
    bodies = [
        request("POST", "/v1/sessions", key=SECRET_KEY, body=json.dumps({"user_id": u}))
        for u in over_http.users
    ]
    with servers.sojourn(over_http.path) as ours:
        a, b, ratio = turns(lambda: rate(ours, bodies), lambda: one_by_one(alone))
    return Row(
        "durable creation at 32 / apsw alone, one by one", ratio, 0.90, True, f"{a:,.0f}/s, {b:,.0f}/s"
    )


def one_by_one(filled: Filled) -> float:
    """Session, client and created event, a transaction each, with FULL."""
    connection = apsw.Connection(str(filled.path))
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute("PRAGMA synchronous = FULL").fetchall()
    copies = {table: _copy(connection, table) for table in ("clients", "sessions", "events")}
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        mark = os.urandom(14).hex()[:27]
        connection.execute("BEGIN IMMEDIATE")
        for prefix, table in (("client_", "clients"), ("sess_", "sessions"), ("evt_", "events")):
            sql, values = copies[table]
            fresh = {**values, "id": prefix + mark}
            if "client_id" in fresh:
                fresh["client_id"] = "client_" + mark
            connection.execute(sql, fresh)
        connection.execute("COMMIT")
        count += 1
    elapsed = time.perf_counter() - began
    connection.close()
    return count / elapsed


def _copy(connection: apsw.Connection, table: str) -> tuple[str, dict[str, apsw.SQLiteValue]]:
    """A statement that inserts a row like the newest one of a table, and that row."""
    cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1 DESC LIMIT 1")  # noqa: S608  # our own names
    names = [column[0] for column in cursor.get_description()]
    row = dict(zip(names[1:], next(iter(cursor))[1:], strict=True))
    marks = ", ".join(f":{name}" for name in row)
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row  # noqa: S608  # our own names


def growth(few: Filled, many: Filled) -> list[Row]:
    """How much slower each call is with many sessions than with few."""
    calls: dict[str, Callable[[Filled], list[Request]]] = {
        "get": gets,
        "token": mints,
        "list of a user": lists,
        "list of a user, paginated": lambda filled: lists(filled, "&paginated=true"),
    }
    rows: list[Row] = []
    with servers.sojourn(few.path) as small, servers.sojourn(many.path) as large:
        for name, made in calls.items():
            a, b, ratio = turns(lambda m=made: rate(small, m(few)), lambda m=made: rate(large, m(many)))
            detail = f"{a:,.0f}/s, {b:,.0f}/s"
            rows.append(Row(f"{name}: {FEW:,} / {MANY:,} sessions, rates", ratio, 1.30, False, detail))
    size = many.path.stat().st_size / many.sessions
    rows.append(Row("bytes a session, with client and created event", size, 1000, False, "the whole file"))
    return rows


def memory(filled: Filled) -> Row:
    """Resident memory of a worker after a mixed load."""
    with servers.sojourn(filled.path) as ours:
        rate(ours, gets(filled) + mints(filled) + lists(filled))
        used = rss_mb(ours.pids()[0])
    return Row("MB resident a worker", used, 150, False, f"load on core {load_cores()[0]}")


if __name__ == "__main__":
    main()

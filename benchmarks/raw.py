"""What a core can do without any of us: signatures by OpenSSL, transactions by SQLite.

Run alone: `python -m benchmarks.raw sign SECONDS` or `… commit SECONDS DATABASE`; prints how many a second.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

import apsw
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sojourn.core import lifecycle
from sojourn.core.events import EventType, of_session
from sojourn.core.ids import Prefix
from sojourn.core.policy import Policy
from sojourn.service.system import SystemEntropy
from sojourn.stores.sql import queries
from sojourn.stores.sql.rows import sessions as rows
from sojourn.stores.sql.rows.log import event_values

_MESSAGE = b"x" * 380
"""About what is signed in a session token."""


def sign(seconds: float) -> float:
    """RS256 signatures in a second of CPU time with a key of 2048 bits."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    scheme, digest = padding.PKCS1v15(), hashes.SHA256()
    count, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        for _ in range(50):
            key.sign(_MESSAGE, scheme, digest)
        count += 50
    return count / (time.process_time() - began)


def commit(seconds: float, database: Path) -> float:
    """Transactions a second that each make a session: the store's statements, one COMMIT each, with FULL.

    Everything else is SQLite's default, its checkpoints too. The values are made beforehand.
    """
    sql = queries("sqlite")
    connection = apsw.Connection(str(database))
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    execute = connection.cursor().execute
    users = [row[0] for row in execute("SELECT id FROM users ORDER BY id LIMIT 2000").fetchall()]
    values = _values(users, int(seconds * 12_000))
    count, began = 0, time.perf_counter()
    for client, signed_in, session, event in values:
        execute("BEGIN IMMEDIATE")
        execute(sql["client_insert"], client)
        execute(sql["user_signed_in"], signed_in)
        execute(sql["session_insert"], session)
        execute(sql["event_insert"], event)
        execute("COMMIT")
        count += 1
        if time.perf_counter() - began > seconds:
            break
    return count / (time.perf_counter() - began)


def _values(users: list[str], count: int) -> list[tuple[object, ...]]:
    entropy, policy, now = SystemEntropy(), Policy(), time.time_ns() // 1_000_000
    made: list[tuple[object, ...]] = []
    for user in itertools.islice(itertools.cycle(users), count):
        session = lifecycle.create(
            session_id=entropy.id(Prefix.SESSION, now),
            user_id=user,
            client_id=entropy.id(Prefix.CLIENT, now),
            policy=policy,
            now=now,
        )
        event = of_session(
            session,
            EventType.SESSION_CREATED,
            event_id=entropy.id(Prefix.EVENT, now),
            request_id=os.urandom(16).hex(),
        )
        made.append(
            (
                (session.client_id, now, now, session.id, None, 1),
                {"id": user, "at": now},
                rows.session_values(session),
                event_values(event),
            )
        )
    return made


if __name__ == "__main__":
    if sys.argv[1] == "sign":
        print(sign(float(sys.argv[2])))
    else:
        print(commit(float(sys.argv[2]), Path(sys.argv[3])))

"""What tests start in processes of their own: `python worker.py open|write PATH NAME SECONDS`."""

from __future__ import annotations

import asyncio
import sys
import time

from sojourn.service.ports import InsertClient, InsertUser
from sojourn.stores.sqlite import SqliteStore
from sojourn.testing.contract.base import insert, make_client, make_session, make_user


async def write(store: SqliteStore, name: str, seconds: float) -> None:
    """Create sessions from eight tasks at once; prints how many, and the longest wait in ms."""
    await store.commit([InsertUser(make_user(f"user_{name}")), InsertClient(make_client(f"client_{name}"))])
    until, longest, made = time.monotonic() + seconds, 0.0, 0

    async def work() -> None:
        nonlocal longest, made
        while (began := time.monotonic()) < until:
            made += 1
            owner = {"user_id": f"user_{name}", "client_id": f"client_{name}"}
            await insert(store, make_session(f"sess_{name}_{made}", **owner))
            longest = max(longest, time.monotonic() - began)

    await asyncio.gather(*(work() for _ in range(8)))
    sys.stdout.write(f"{made} {longest * 1000:.0f}\n")


async def main(what: str, path: str, name: str, seconds: str) -> None:
    """Begin when all are ready: at the instant that the parent gave, not when Python happens to be up."""
    await asyncio.sleep(max(0.0, float(name.partition("@")[2] or 0) - time.time()))
    store = await SqliteStore.open(path)
    if what == "write":
        await write(store, name.partition("@")[0], float(seconds))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""A worker process that presents a client's secret: `python -m tests.faults.presenter URL [broken]`.

Reads one JSON command a line and answers each with one line. Its clock stands still but for `advance`, so
that how busy the machine is decides nothing. `broken`: the successor of a secret is drawn instead of derived.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
from typing import Any

from sojourn import Config, Sojourn
from sojourn.testing import ManualClock
from sojourn.tokens.client_token import ClientToken, ClientTokens

Outcome = tuple[str, str | None, str | None]
"""What was done, and the client and the token that were answered."""


async def present(sojourn: Sojourn, token: str, tickets: list[str], reads: int) -> list[Outcome]:
    """Present a token with each ticket and in `reads` requests without one, all at once."""
    chance = random.Random()

    async def sign_in(ticket: str) -> Outcome:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        signed = await sojourn.clients.sign_in(ticket, token=token)
        return ("sign_in", signed.id, signed.token)

    async def read() -> Outcome:
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        found = await sojourn.clients.recognise(token)
        return ("read", None, None) if found is None else ("read", found.id, found.token)

    work = [*(sign_in(ticket) for ticket in tickets), *(read() for _ in range(reads))]
    chance.shuffle(work)
    return await asyncio.gather(*work)


def draw_successors() -> None:
    """Break the derivation: every successor is another one."""

    def successor(self: ClientTokens, token: ClientToken, generation: int | None = None) -> ClientToken:
        until = token.generation + 1 if generation is None else generation
        if until == token.generation:
            return token
        return ClientToken(token.client_id, until, secrets.token_bytes(32))

    ClientTokens.successor = successor


async def main(url: str, *how: str) -> None:
    """Answer commands until there are no more."""
    if "broken" in how:
        draw_successors()
    clock = ManualClock()
    loop = asyncio.get_running_loop()
    async with Sojourn.open(config=Config(database_url=url, sweep=False), clock=clock) as sojourn:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command: dict[str, Any] = json.loads(line)
            clock.advance(ms=command.get("advance", 0))
            answer = await present(
                sojourn, command["token"], command.get("tickets", []), command.get("reads", 0)
            )
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

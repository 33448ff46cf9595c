"""S-07: touch and token requests race a revocation, over two processes' worth of stores on one file."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

from sojourn import Config, NotFound, Sojourn

ROUNDS = 1_000
"""The bar of the issue; it takes a few seconds."""


async def test_s07_no_token_after_an_acknowledged_revoke(tmp_path: Path) -> None:
    """A request that begins after the acknowledgement gets no token, and no touch revives the session."""
    config = Config(database_url=f"sqlite:///{tmp_path / 'race.db'}", sweep=False)
    chance = random.Random(os.urandom(8))
    minted_before = 0
    async with Sojourn.open(config=config) as here, Sojourn.open(config=config) as there:
        user = await here.users.ensure(external_id="racer")
        for _ in range(ROUNDS):
            session = await here.sessions.create(user_id=user.id)
            acknowledged = False

            async def revoke(session_id: str = session.id) -> None:
                nonlocal acknowledged
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                await here.sessions.revoke(session_id)
                acknowledged = True

            async def use(side: Sojourn, session_id: str = session.id) -> None:
                nonlocal minted_before
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
                late = acknowledged  # noqa: B023  # every round waits for its tasks
                try:
                    await side.tokens.create(session_id)
                except NotFound:
                    return
                assert not late, "a token was signed after the revocation was acknowledged"
                minted_before += 1

            side = chance.choice([here, there])
            await asyncio.gather(revoke(), use(side), there.sessions.touch(session.id), use(there))
            assert (await there.sessions.get(session.id)).status == "revoked"
    # The control: the race is real, for many requests did come first.
    assert 0 < minted_before < 2 * ROUNDS

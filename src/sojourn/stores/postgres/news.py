"""Word of a commit, to whoever waits for events: here at once, and on the other nodes by NOTIFY.

A NOTIFY within a transaction would hold a lock of the whole server through its COMMIT, one commit after the
other. So it is sent afterwards, by itself, and one for all commits that came meanwhile. It is a hint alone:
who waits for events asks again after a while anyway.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sojourn.core.errors import Unavailable
from sojourn.stores.bell import Bell
from sojourn.stores.postgres.pools import Connections
from sojourn.stores.postgres.primary import Primary

CHANNEL = "sojourn"
_TELL = "SELECT pg_notify($1, '')"


class News:
    """Tells of commits and hears of them."""

    def __init__(self, connections: Connections, primary: Primary) -> None:
        self._connections = connections
        self._bell = Bell()
        self._telling: asyncio.Task[None] | None = None
        self._more = False
        primary.listen(CHANNEL, self._bell.ring)

    def committed(self) -> None:
        """Something was committed by this node."""
        self._bell.ring()
        self._more = True
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())

    async def wait(self, seconds: float) -> None:
        """Until something was committed, at most so long."""
        await self._bell.wait(seconds)

    async def close(self) -> None:
        """Say what is still to be said."""
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=1)

    async def _tell(self) -> None:
        try:
            while self._more:
                self._more = False
                with suppress(Unavailable):
                    await self._connections.rows(_TELL, (CHANNEL,))
        finally:
            self._telling = None

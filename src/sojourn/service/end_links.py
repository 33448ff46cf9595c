"""Links that end one session: for the message that tells a user of a device that may not be theirs."""

from __future__ import annotations

import hmac

from sojourn.core.errors import Invalid, LinkInvalid
from sojourn.core.ids import Prefix, is_id
from sojourn.core.session import Session
from sojourn.service.context import Context
from sojourn.service.server_secret import ServerSecret
from sojourn.service.sessions import Sessions
from sojourn.tokens.encoding import b64url_encode

LIFETIME_SECONDS = 7 * 86_400
"""A week: long enough for a message that is read after a holiday began."""
MAX_LIFETIME_SECONDS = 30 * 86_400
PATH = "/sojourn/v1/end"
NOTE = "ended by the link in a message"
_PURPOSE = "end link/v1"


class EndLinks:
    """Makes and redeems them. A link is worth the end of the session that it names and nothing else: it signs
    nobody in and shows nothing. It needs no row: what it says is signed with a secret of the instance."""

    def __init__(self, context: Context, sessions: Sessions, secret: ServerSecret, *, base_url: str) -> None:
        self._context = context
        self._sessions = sessions
        self._secret = secret
        self._base_url = base_url

    async def create(self, session_id: str, *, expires_in_seconds: int = LIFETIME_SECONDS) -> str:
        """The URL of a page that asks whether to end a session, and ends it. Opening it ends nothing, as
        programs that look for harmful links open every one in a message.

        Raises NotFound, Invalid for a lifetime that is not from 1 to MAX_LIFETIME_SECONDS.
        """
        if not 1 <= expires_in_seconds <= MAX_LIFETIME_SECONDS:
            detail = f"expires_in_seconds must be from 1 to {MAX_LIFETIME_SECONDS}."
            raise Invalid("expires_in_seconds", detail)
        session = await self._sessions.get(session_id)
        expires_at = self._context.clock.wall() // 1000 + expires_in_seconds
        token = f"{session.id}.{expires_at}.{self._signature(session.id, str(expires_at))}"
        return f"{self._base_url}{PATH}?token={token}"

    def check(self, token: str) -> str:
        """The id of the session that a token ends. Raises LinkInvalid for one that was not made here or has
        expired."""
        session_id, _, rest = token.partition(".")
        expires_at, _, signature = rest.partition(".")
        expected = self._signature(session_id, expires_at)
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            raise LinkInvalid
        if not is_id(session_id, Prefix.SESSION) or int(expires_at) <= self._context.clock.wall() // 1000:
            raise LinkInvalid
        return session_id

    async def redeem(self, token: str) -> Session:
        """End the session. Repeating it changes nothing, and neither does one whose session has ended or is
        no longer kept. Raises LinkInvalid, NotFound, Conflict."""
        return await self._sessions.revoke(self.check(token), note=NOTE)

    def _signature(self, session_id: str, expires_at: str) -> str:
        return b64url_encode(self._secret.derive(_PURPOSE, session_id, expires_at)).decode("ascii")

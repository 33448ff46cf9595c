"""What becomes of a client, and of the secret by which it is known, when somebody signs in on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sojourn.core.client import Client, ClientSecret, Standing
from sojourn.core.errors import SessionExists
from sojourn.core.session import Session
from sojourn.service.context import Context
from sojourn.tokens.client_token import ClientToken, ClientTokens

STRATEGY = "ticket"
"""How people sign in here, in the word of the published API."""


class Outsider(Exception):  # an outcome that the caller must handle, not a fault
    """The token that was presented opens nothing of this client: the session belongs on one of its own."""


def standing_of(client: Client, given: ClientToken, tokens: ClientTokens, now: int) -> Standing:
    """Where the secret in a token stands: by its generation, and because the one in force follows from it."""
    secret = client.secret
    if secret is None:
        return Standing.UNKNOWN
    found = secret.standing(given.generation, now)
    if found in (Standing.UNKNOWN, Standing.REUSED):
        return found
    follows = tokens.successor(given, secret.generation).digest
    return found if secret.is_digest(follows) else Standing.UNKNOWN


class SigningIn:
    """One sign-in: which token was presented, and which one is given back."""

    def __init__(
        self,
        context: Context,
        tokens: ClientTokens,
        given: ClientToken | None,
        first: Callable[[str], ClientToken],
    ) -> None:
        self._context = context
        self._tokens = tokens
        self._given = given
        self._first = first
        self._token: ClientToken | None = None
        self._client: Client | None = None

    @property
    def token(self) -> ClientToken:
        """The token to present after the sign-in."""
        if self._token is None:
            raise TypeError("nobody has signed in")
        return self._token

    @property
    def client(self) -> Client:
        """The client as the sign-in left it."""
        if self._client is None:
            raise TypeError("nobody has signed in")
        return self._client

    def place(self, client: Client, live: Sequence[Session], session: Session) -> Client:
        """As `Placement`: the client with its next secret. Raises Outsider, SessionExists."""
        if self._given is None:
            token = self._first(client.id)
            secret = ClientSecret(digest=token.digest)
        else:
            token, secret = self._next(client, self._given, live, session)
            if live and session.actor is None and self._context.policy.single_session:
                raise SessionExists
        self._token = token
        self._client = replace(
            client,
            secret=secret,
            last_authentication_strategy=STRATEGY,
            impersonation_id=client.impersonation_id if session.actor is None else session.id,
        )
        return self._client

    def _next(
        self, client: Client, given: ClientToken, live: Sequence[Session], session: Session
    ) -> tuple[ClientToken, ClientSecret]:
        """The token in force after the sign-in. The first of many that present one secret replaces it; the
        others join in within the grace, and are given the same one."""
        now, secret = self._context.clock.now(), client.secret
        standing = standing_of(client, given, self._tokens, now)
        if secret is None or standing in (Standing.UNKNOWN, Standing.REUSED):
            raise Outsider
        if standing is Standing.CURRENT:
            token = self._tokens.successor(given)
            return token, secret.rotated(token.digest, now, held=bool(live))
        # The secret of a client that held no session may have been planted: it shows no more than that its
        # holder belongs here too, which only the same user's ticket does.
        if standing is Standing.OUTGROWN and all(one.user_id != session.user_id for one in live):
            raise Outsider
        return self._tokens.successor(given, secret.generation), secret

"""The public keys (operation GetJWKS), behind a key and in public."""

from __future__ import annotations

from sojourn.http.routes import PUBLIC, VERIFIER, Call, Operation
from sojourn.http.shapes.keys import JWKS


async def get_jwks(call: Call) -> object:
    """Get the public keys that tokens are verified with."""
    # As they are in the store, not as this process saw them last: a verifier that meets a kid which it does
    # not know asks once, and whichever process it asks has to know the key.
    return await call.sojourn.keys.published()


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/jwks",
        name="GetJWKS",
        handler=get_jwks,
        answer=JWKS,
        keys=VERIFIER,
        differs="a verifier key may read it too",
    ),
    Operation(
        method="GET",
        path="/.well-known/jwks.json",
        name="GetPublicJWKS",
        handler=get_jwks,
        answer=JWKS,
        keys=PUBLIC,
        differs="public; published for the Frontend API only",
        # Short enough that a new key is known long before it signs.
        cache=b"public, max-age=60, stale-if-error=86400",
    ),
)

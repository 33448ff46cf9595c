"""The public keys (operation GetJWKS), behind a key and in public."""

from __future__ import annotations

from sojourn.http.routes import PUBLIC, VERIFIER, Call, Operation


async def get_jwks(call: Call) -> object:
    """The key set as published now."""
    return call.sojourn.keys.jwks()


OPERATIONS = (
    Operation(method="GET", path="/v1/jwks", name="GetJWKS", handler=get_jwks, keys=VERIFIER),
    Operation(
        method="GET",
        path="/.well-known/jwks.json",
        name="GetPublicJWKS",
        handler=get_jwks,
        keys=PUBLIC,
        # Short enough that a new key is known long before it signs.
        cache=b"public, max-age=60, stale-if-error=86400",
    ),
)

"""The public keys."""

from __future__ import annotations

from sojourn.core.keys import ApiKeyKind
from tests.acceptance.exercises.api import Api, Exercise


async def get_jwks(api: Api) -> None:
    """For both kinds of key."""
    verifier = await api.sojourn.api_keys.create(ApiKeyKind.VERIFIER)
    assert (await api.answered("GetJWKS"))["keys"]
    assert (await api.answered("GetJWKS", headers={"Authorization": f"Bearer {verifier}"}))["keys"]


async def get_public_jwks(api: Api) -> None:
    """The same keys, for everybody."""
    assert await api.answered("GetPublicJWKS") == await api.answered("GetJWKS")


EXERCISES: dict[str, Exercise] = {"GetJWKS": get_jwks, "GetPublicJWKS": get_public_jwks}

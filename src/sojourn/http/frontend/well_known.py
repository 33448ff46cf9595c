"""What anybody may read: health, the public keys, the discovery document (operations getHealth, getJWKS,
getOpenIDConfiguration)."""

from __future__ import annotations

from sojourn.http.frontend.calls import Access, FrontCall, FrontOperation

_NONE: list[str] = []


async def get_health(call: FrontCall) -> object:
    """Tell whether the service and its store answer."""
    await call.sojourn.check()
    return {"status": "healthy"}


async def get_jwks(call: FrontCall) -> object:
    """Get the public keys that tokens are verified with."""
    return await call.sojourn.keys.published()


async def get_openid_configuration(call: FrontCall) -> object:
    """Tell the issuer of tokens and where its keys are."""
    issuer = call.sojourn.issuer
    base = call.sojourn.frontend.public_url or issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "revocation_endpoint": f"{base}/oauth/token/revoke",
        "introspection_endpoint": f"{base}/oauth/token_info",
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "scopes_supported": _NONE,
        "response_types_supported": _NONE,
        "response_modes_supported": _NONE,
        "grant_types_supported": _NONE,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": _NONE,
        "claims_supported": ["exp", "iat", "iss", "sid", "sub"],
        "code_challenge_methods_supported": _NONE,
        "backchannel_logout_supported": False,
        "frontchannel_logout_supported": False,
    }


OPERATIONS = (
    FrontOperation(
        method="GET",
        path="/v1/health",
        name="getHealth",
        handler=get_health,
        access=Access.PUBLIC,
        differs="503 in the shape of all errors",
    ),
    FrontOperation(
        method="GET",
        path="/.well-known/jwks.json",
        name="getJWKS",
        handler=get_jwks,
        access=Access.PUBLIC,
        cache=b"public, max-age=60, stale-if-error=86400",
    ),
    FrontOperation(
        method="GET",
        path="/.well-known/openid-configuration",
        name="getOpenIDConfiguration",
        handler=get_openid_configuration,
        access=Access.PUBLIC,
        differs="issuer and keys; what it names of OAuth is not served",
    ),
)

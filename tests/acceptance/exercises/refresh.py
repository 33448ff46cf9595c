"""Refresh."""

from __future__ import annotations

from typing import Any

from tests.acceptance.exercises.api import Api, Exercise

ORIGIN = "https://app.example.test"
NAME = "RefreshSession"


async def refresh_session(api: Api) -> None:
    """In both formats; every refusal that a request alone can bring about; a body that is not valid."""
    session = (await api.session())["id"]
    token = await api.sojourn.tokens.create(session, origin=ORIGIN)
    body: dict[str, Any] = {
        "expired_token": token,
        "refresh_token": await api.sojourn.refresh_tokens.issue(session),
        "request_origin": ORIGIN,
    }
    made = await api.answered(NAME, session, json=body)
    full = {**body, "format": "cookie", "request_headers": {"a": ["b"]}, "request_originating_ip": None}
    for params, count in (({}, 1), ({"suffixed_cookies": "true"}, 2)):
        cookies = (await api.answered(NAME, session, json=full, params=params))["cookies"]
        assert len(cookies) == count
        assert all(made["jwt"] in text and "; Secure" in text for text in cookies)
    assert await api.answered(NAME, session, json={**body, "format": None}) == made

    async def refused(code: str, **changes: Any) -> None:
        await api.refused(401, code, NAME, session, json={**body, **changes})

    await refused("refresh_request_origin_invalid", request_origin="")
    await refused("expired_session_token_invalid", expired_token="")
    await refused("refresh_request_origin_azp_mismatch", request_origin="http://app.example.test")
    await refused("refresh_token_not_found", refresh_token="")
    bare = await api.sojourn.tokens.create(session)
    await refused("expired_session_token_missing_azp", expired_token=bare)
    await api.refused(401, "refresh_sid_mismatch", NAME, "sess_none", json=body)
    api.clock.advance(seconds=10)
    await refused("session_refresh_expired_session_token_consumed")
    await api.answered("RevokeSession", session)
    await refused("session_refresh_inactive_session")
    await api.refused(422, "form_param_missing", NAME, session, json={})
    await api.refused(422, "form_param_value_invalid", NAME, session, json={**body, "format": "x"})


EXERCISES: dict[str, Exercise] = {NAME: refresh_session}

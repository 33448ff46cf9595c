"""Clients."""

from __future__ import annotations

from tests.acceptance.exercises.api import Api, Exercise
from tests.acceptance.exercises.sessions import of_every_kind


async def list_clients(api: Api) -> None:
    """Nothing, everything, a page; and what is asked for wrongly."""
    assert await api.answered("GetClientList") == []
    page = await api.answered("GetClientList", params={"paginated": "true"})
    assert page == {"data": [], "total_count": 0}
    made = await of_every_kind(api)
    found = await api.answered("GetClientList", params={"limit": "500"})
    assert len(found) == len(made)
    page = await api.answered("GetClientList", params={"paginated": "true", "limit": "2", "offset": "1"})
    assert page == {"data": found[1:3], "total_count": len(found)}
    for query in ({"limit": "0"}, {"offset": "-1"}, {"paginated": "1"}):
        await api.refused(422, "form_param_value_invalid", "GetClientList", params=query)


async def get_client(api: Api) -> None:
    """With a session in every status, and one that is not there."""
    for session in (await of_every_kind(api)).values():
        assert (await api.answered("GetClient", session.client_id))["id"] == session.client_id
    await api.refused(404, "resource_not_found", "GetClient", "client_none")


async def verify_client(api: Api) -> None:
    """By a token in force, one that was replaced, one of a client that is gone, and what is no token."""
    user = await api.user()
    ticket = await api.answered("CreateSignInToken", json={"user_id": user})
    held = await api.sojourn.clients.sign_in(ticket["token"])
    found = await api.answered("VerifyClient", json={"token": held.token})
    assert found == await api.answered("GetClient", held.id)
    await api.refused(422, "form_param_missing", "VerifyClient", json={})
    for token in ("", "x", "a.b.c"):
        await api.refused(400, "cookie_invalid", "VerifyClient", json={"token": token})
    await api.sojourn.clients.remove_sessions(held)
    api.clock.advance(seconds=api.sojourn.policy.retention_seconds + 1)
    await api.sojourn.sweeper.purge()
    await api.refused(404, "resource_not_found", "VerifyClient", json={"token": held.token})


async def get_handshake_payload(api: Api) -> None:
    """Once; without a nonce, with two, and with one that is none."""
    nonce = await api.sojourn.handshakes.nonce(["__session=x; Path=/"])
    name = "GetHandshakePayload"
    found = await api.answered(name, params={"nonce": nonce})
    assert found == {"directives": ["__session=x; Path=/"]}
    for used in (nonce, "none"):
        await api.refused(404, "resource_not_found", name, params={"nonce": used})
    await api.refused(400, "missing_query_parameter", name)
    for odd in ("", ["a", "b"]):
        await api.refused(422, "form_param_value_invalid", name, params={"nonce": odd})


EXERCISES: dict[str, Exercise] = {
    "GetClientList": list_clients,
    "VerifyClient": verify_client,
    "GetHandshakePayload": get_handshake_payload,
    "GetClient": get_client,
}

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


EXERCISES: dict[str, Exercise] = {"GetClientList": list_clients, "GetClient": get_client}

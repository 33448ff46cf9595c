"""JWT templates, and tokens made by them."""

from __future__ import annotations

import json
from typing import Any

from sojourn.http.wire import encode
from tests.acceptance.exercises.api import Api, Exercise
from tests.tokens.test_custom_keys import SECRET

_HMAC = {"custom_signing_key": True, "signing_algorithm": "HS256", "signing_key": SECRET}
_DEFAULTS = {
    "lifetime": 60,
    "allowed_clock_skew": 5,
    "custom_signing_key": False,
    "signing_algorithm": "RS256",
}
_NULLS = dict.fromkeys(("lifetime", "allowed_clock_skew", "signing_algorithm", "signing_key"))


async def template(api: Api, name: str = "a", **members: Any) -> Any:
    """A new template."""
    return await api.answered("CreateJWTTemplate", json={"name": name, "claims": {}, **members})


async def list_templates(api: Api) -> None:
    """None and some, as an array and as a page; odd bounds."""
    assert await api.answered("ListJWTTemplates") == []
    made = [(await template(api, name))["id"] for name in "abc"]
    assert [one["id"] for one in await api.answered("ListJWTTemplates")] == made[::-1]
    page = await api.answered("ListJWTTemplates", params={"paginated": "true", "limit": 1, "offset": 1})
    assert ([one["id"] for one in page["data"]], page["total_count"]) == ([made[1]], 3)
    await api.refused(422, "form_param_value_invalid", "ListJWTTemplates", params={"limit": 501})


def writing(name: str) -> Exercise:
    """Creates or updates: with the least, with everything, with what is refused."""

    async def exercise(api: Api) -> None:
        ids = () if name == "CreateJWTTemplate" else ((await template(api, "first"))["id"],)
        await template(api, "taken")
        least = await api.answered(name, *ids, json={"name": "least", "claims": {}})
        assert {member: least[member] for member in _DEFAULTS} == _DEFAULTS
        everything = {
            "name": "every thing",
            "claims": {"a": ["{{user.id}}", 1.5, None, {"b": True}], "aud": "x"},
            "lifetime": 315_360_000,
            "allowed_clock_skew": 0,
        }
        whole = await api.answered(name, *ids, json={**everything, **_HMAC})
        assert {m: whole[m] for m in everything} == everything
        assert (whole["custom_signing_key"], whole["signing_algorithm"]) == (True, "HS256")
        assert SECRET not in json.dumps(whole)
        nothing = {"name": "null", "claims": {}, **_NULLS, "custom_signing_key": False}
        assert (await api.answered(name, *ids, json=nothing))["signing_algorithm"] == "RS256"
        base = {"name": "odd", "claims": {}}
        for claim in ("sub", "sid", "act"):
            reserved = {**base, "claims": {claim: 1}}
            await api.refused(400, "jwt_template_reserved_claim", name, *ids, json=reserved)
        for missing in ({"name": "x"}, {"claims": {}}, {**base, "custom_signing_key": True}):
            await api.refused(422, "form_param_missing", name, *ids, json=missing)
        for odd in (
            {"name": "a/b"},
            {"name": None},
            {"claims": []},
            {"claims": None},
            {"lifetime": 29},
            {"allowed_clock_skew": 301},
            {"signing_key": SECRET},
            {**_HMAC, "signing_algorithm": "none"},
            {**_HMAC, "signing_key": "short"},
        ):
            body = encode({**base, **odd})
            await api.refused(422, "form_param_value_invalid", name, *ids, content=body)
        await api.refused(422, "form_identifier_exists", name, *ids, json={**base, "name": "taken"})
        large = {**base, "claims": {"a": "x" * 9000}}
        await api.refused(422, "form_param_value_too_large", name, *ids, json=large)
        if ids:
            await api.refused(404, "resource_not_found", name, "jtmp_none", json=base)

    return exercise


async def get_template(api: Api) -> None:
    """One that is there, one that is not."""
    made = await template(api)
    assert await api.answered("GetJWTTemplate", made["id"]) == made
    await api.refused(404, "resource_not_found", "GetJWTTemplate", "jtmp_none")


async def delete_template(api: Api) -> None:
    """One that customises session tokens, then any; one that is not there."""
    made = await template(api)
    await api.sojourn.policies.change({"session_token_template": "a"})
    await api.refused(403, "session_token_jwt_template", "DeleteJWTTemplate", made["id"])
    await api.sojourn.policies.reset()
    assert (await api.answered("DeleteJWTTemplate", made["id"]))["id"] == made["id"]
    await api.refused(404, "resource_not_found", "DeleteJWTTemplate", made["id"])


async def create_token(api: Api) -> None:
    """By name, with a lifetime and without; no template, no session, one that has ended, a token too long."""
    create = "CreateSessionTokenFromTemplate"
    session = await api.session()
    await template(api, "my own", claims={"id": "{{user.id}}"})
    for request in ({}, {"json": {}}, {"content": b"null"}, {"json": {"expires_in_seconds": 30}}):
        await api.answered(create, session["id"], "my own", **request)
    for session_id, name in ((session["id"], "none"), ("sess_none", "my own")):
        await api.refused(404, "resource_not_found", create, session_id, name)
    odd = {"expires_in_seconds": 29}
    await api.refused(422, "form_param_value_invalid", create, session["id"], "my own", json=odd)
    await template(api, "long", claims={"a": "x" * 7000})
    await api.refused(422, "form_param_value_too_large", create, session["id"], "long")
    await api.answered("RevokeSession", session["id"])
    await api.refused(404, "resource_not_found", create, session["id"], "my own")


EXERCISES: dict[str, Exercise] = {
    "ListJWTTemplates": list_templates,
    "CreateJWTTemplate": writing("CreateJWTTemplate"),
    "GetJWTTemplate": get_template,
    "UpdateJWTTemplate": writing("UpdateJWTTemplate"),
    "DeleteJWTTemplate": delete_template,
    "CreateSessionTokenFromTemplate": create_token,
}

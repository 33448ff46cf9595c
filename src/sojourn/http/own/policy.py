"""The policy: read and change."""

from __future__ import annotations

from typing import cast

import msgspec

from sojourn.core.errors import Invalid
from sojourn.http.own import views
from sojourn.http.routes import VERIFIER, Call, Operation
from sojourn.http.shapes.own import POLICY_CHANGES, Policy
from sojourn.http.wire import body_of

ChangePolicy = msgspec.defstruct(
    "ChangePolicy",
    POLICY_CHANGES,
    namespace={"__doc__": "The members of the policy to set."},
)


class ResetPolicy(msgspec.Struct):
    """The members to take back to what is configured; all of them where none is named."""

    names: list[str] | None = None


async def get_policy(call: Call) -> object:
    """Get the policy in force."""
    return views.policy(await call.sojourn.policies.get())


async def change_policy(call: Call) -> object:
    """Set members of the policy, for sessions and tokens made from now on."""
    body = body_of(call.body, ChangePolicy)
    given = {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET
    }
    if not given:
        raise Invalid("policy", "At least one member of the policy must be given.")
    return views.policy(await call.sojourn.policies.change(cast("dict[str, object]", given)))


async def reset_policy(call: Call) -> object:
    """Take members of the policy back to what is configured."""
    body = body_of(call.body, ResetPolicy)
    return views.policy(await call.sojourn.policies.reset(body.names))


OPERATIONS = (
    Operation(
        method="GET",
        path="/sojourn/v1/policy",
        name="GetPolicy",
        handler=get_policy,
        answer=Policy,
        keys=VERIFIER,
    ),
    Operation(
        method="PATCH",
        path="/sojourn/v1/policy",
        name="ChangePolicy",
        handler=change_policy,
        body=ChangePolicy,
        answer=Policy,
    ),
    Operation(
        method="POST",
        path="/sojourn/v1/policy/reset",
        name="ResetPolicy",
        handler=reset_policy,
        body=ResetPolicy,
        answer=Policy,
    ),
)

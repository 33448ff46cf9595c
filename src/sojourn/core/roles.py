"""Roles: which permissions a member of an organization has.

A role is a key of the application's own choice, `org:<key>`; two are built in. What a role may do is said
once, in the configuration, and read whenever a token is made or a membership is shown: no membership carries
a copy that could grow old.

    roles = { "org:admin" = ["org:posts:manage"], "org:editor" = ["org:posts:read", "org:posts:manage"] }
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from sojourn.core.errors import Invalid, clip

ADMIN = "org:admin"
MEMBER = "org:member"

BUILT_IN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        ADMIN: (
            "org:sys_memberships:manage",
            "org:sys_memberships:read",
            "org:sys_profile:delete",
            "org:sys_profile:manage",
        ),
        MEMBER: ("org:sys_memberships:read",),
    }
)
"""The built-in roles, with the published names of what they may do to the organization itself. These, of the
system, are shown with a membership and stand in no token (wire/backend-api.md section 3.2)."""

_ROLE = re.compile(r"org:[a-z][a-z0-9_-]{0,62}")
_PERMISSION = re.compile(r"org:(?!sys_)[a-z0-9_-]{1,64}:[a-z0-9_-]{1,64}")


def check_role(role: str) -> None:
    """Refuse what cannot be a role's key. Raises Invalid naming `role`."""
    if _ROLE.fullmatch(role) is None:
        raise Invalid("role", f"{clip(role)} is no role: it has to read org: and a key in small letters.")


@dataclass(frozen=True, slots=True)
class Roles:
    """What each role may do. `granted` names the application's own permissions, `org:<feature>:<permission>`;
    a role that is not in it may do nothing but what is built in."""

    granted: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse keys and permissions that tokens could not carry. Raises Invalid naming the role."""
        for role, permissions in self.granted.items():
            check_role(role)
            for permission in permissions:
                if _PERMISSION.fullmatch(permission) is None:
                    raise Invalid(
                        role,
                        f"{clip(permission)} is no permission: it has to read org:<feature>:<permission>.",
                    )

    def permissions_of(self, role: str) -> tuple[str, ...]:
        """Everything that a role may do, in the order of the alphabet and without repetition."""
        return tuple(sorted({*BUILT_IN.get(role, ()), *self.granted.get(role, ())}))

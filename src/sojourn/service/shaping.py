"""Shaping: what a template makes of a session, ready when the token is signed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sojourn.core import shortcodes
from sojourn.core.claims import ActiveOrganization
from sojourn.core.directory import User
from sojourn.core.errors import Invalid, NotFound
from sojourn.core.session import Session
from sojourn.core.shortcodes import Subject, TooLarge
from sojourn.core.templates import BUDGET_BYTES, ClaimsTooLarge, Template, size_of, unreserved
from sojourn.service.context import PAGE_LIMIT, Context
from sojourn.service.ports import MembershipQuery
from sojourn.service.template_keys import TemplateKeys
from sojourn.tokens.custom_keys import CustomKey
from sojourn.tokens.encoding import encode_json
from sojourn.tokens.jws import MAX_TOKEN_BYTES

_ORGANIZATIONS = "user.organizations"
_REMEMBERED = 256
_log = logging.getLogger("sojourn.templates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A template with whom it is filled in for; the session and its organization come last."""

    template: Template
    user: User
    roles: Mapping[str, str]
    key: CustomKey | None = None
    """The key of the template's own, if it has one."""


class Shaping:
    """Reads what templates need, and fills them in."""

    def __init__(self, context: Context, keys: TemplateKeys) -> None:
        self._context = context
        self._keys = keys
        self._warned: dict[tuple[str, int], None] = {}

    async def by_name(self, name: str, session: Session) -> Shape:
        """For a token of this template. Raises NotFound (template, user) and Unavailable (its key)."""
        template = await self._context.store.template_by_name(name)
        if template is None:
            raise NotFound("JWT template", name, by="name")
        return await self._read(template, session, await self._keys.of(template))

    async def of_session_token(self, session: Session) -> Shape | None:
        """For a session token, where the policy names a template; of that only the claims count. None, with a
        complaint in the log, when there is no template with that name."""
        name = self._context.policy.session_token_template
        if name is None:
            return None
        template = await self._context.store.template_by_name(name)
        if template is None:
            if self._once(name, 0):
                _log.error("session_token_template names %r, and there is no such template", name)
            return None
        return await self._read(template, session, None)

    def filled(
        self, shape: Shape, session: Session, organization: ActiveOrganization | None
    ) -> dict[str, object]:
        """The claims of a template, filled in. Raises ClaimsTooLarge, and Invalid for text that no token can
        carry."""
        subject = Subject(session=session, user=shape.user, organization=organization, roles=shape.roles)
        template = shape.template
        try:
            custom = shortcodes.fill(unreserved(template.claims), subject, limit=MAX_TOKEN_BYTES)
            encode_json(custom)
        except TooLarge:
            raise too_large(template) from None
        except (ValueError, TypeError):
            raise Invalid(
                "template_name", f"What the template {template.name} is filled in with fits into no token."
            ) from None
        if (size := size_of(custom)) > BUDGET_BYTES and self._once(template.id, template.version):
            _log.warning(
                "claims_over_budget: the template %s made %d bytes of claims; above %d the cookie of 4 KB is "
                "in danger (told once for each version of a template)",
                template.name,
                size,
                BUDGET_BYTES,
            )
        return custom

    async def _read(self, template: Template, session: Session, key: CustomKey | None) -> Shape:
        user = await self._context.store.user(session.user_id)
        if user is None:
            raise NotFound("user", session.user_id)
        roles: Mapping[str, str] = {}
        if _ORGANIZATIONS in shortcodes.names_in(template.claims):
            query = MembershipQuery(user_ids=(user.id,), limit=PAGE_LIMIT, descending=False)
            page = await self._context.store.memberships(query)
            roles = {one.organization.id: one.membership.role for one in page.items}
        return Shape(template=template, user=user, roles=roles, key=key)

    def _once(self, name: str, version: int) -> bool:
        """Whether this is the first time, as far as is remembered: a log is not for every token."""
        if (name, version) in self._warned:
            return False
        if len(self._warned) >= _REMEMBERED:
            self._warned.clear()
        self._warned[name, version] = None
        return True


def too_large(template: Template) -> ClaimsTooLarge:
    """The error for a token that would be longer than any verifier takes."""
    return ClaimsTooLarge(
        "template_name",
        f"A token of the template {template.name} would be longer than {MAX_TOKEN_BYTES} bytes.",
    )

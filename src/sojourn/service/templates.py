"""Templates: named shapes of claims that tokens are made by."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sojourn.core import templates as rules
from sojourn.core.errors import Conflict, Forbidden, Invalid, Missing, NotFound, Taken
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.templates import (
    DEFAULT_ALGORITHM,
    DEFAULT_CLOCK_SKEW_SECONDS,
    DEFAULT_LIFETIME_SECONDS,
    MAX_TEMPLATES,
    SessionTokenTemplate,
    Template,
)
from sojourn.service.context import ATTEMPTS, Context, check_page
from sojourn.service.policies import Policies
from sojourn.service.ports import (
    DeleteTemplate,
    DropStoredKey,
    InsertTemplate,
    Operation,
    Refused,
    TemplatePage,
    UpdateTemplate,
)
from sojourn.service.template_keys import TemplateKeys

_log = logging.getLogger("sojourn.templates")


class TemplateLimitReached(Forbidden):
    """This instance holds as many templates as it can."""

    code = "quota_exceeded"


class Templates:
    """Make, read, change and delete templates."""

    def __init__(self, context: Context, keys: TemplateKeys) -> None:
        self._context = context
        self._keys = keys

    async def create(
        self,
        *,
        name: str,
        claims: Mapping[str, object],
        lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS,
        allowed_clock_skew_seconds: int = DEFAULT_CLOCK_SKEW_SECONDS,
        custom_signing_key: bool = False,
        signing_algorithm: str | None = None,
        signing_key: str | None = None,
    ) -> Template:
        """Make a template. Its name is how tokens are asked for, and its own.

        `claims` are JSON with shortcodes (docs/templates.md). With `custom_signing_key` its tokens are
        signed by `signing_key`, a secret (HS…) or a private key as PEM, for `signing_algorithm`; the key is
        stored like the instance's own and never given out. Raises ReservedClaim, Invalid, Missing, Taken
        (name), TemplateLimitReached. Claims above the budget are a warning in the log.
        """
        now = self._context.clock.now()
        template = Template(
            id=self._context.id(Prefix.TEMPLATE, now),
            name=name,
            claims=claims,
            lifetime_seconds=lifetime_seconds,
            allowed_clock_skew_seconds=allowed_clock_skew_seconds,
            created_at=now,
            updated_at=now,
        )
        rules.check(template)
        template, operations = self._signed(
            template, now, custom=custom_signing_key, algorithm=signing_algorithm, key=signing_key
        )
        operations = [
            InsertTemplate(template=template, at_most=MAX_TEMPLATES),
            *operations,
            self._context.event(EventType.TEMPLATE_CREATED, now, resource_id=template.id),
        ]
        try:
            await self._context.store.commit(operations)
        except Refused as refused:
            raise _refusal(refused, template) or Conflict() from None
        _warn(template)
        return template

    async def get(self, template_id: str) -> Template:
        """One template. Raises NotFound."""
        found = await self._context.store.template(template_id)
        if found is None:
            raise NotFound("JWT template", template_id)
        return found

    async def named(self, name: str) -> Template:
        """The template with this name. Raises NotFound."""
        found = await self._context.store.template_by_name(name)
        if found is None:
            raise NotFound("JWT template", name, by="name")
        return found

    async def list(self, *, limit: int = 10, offset: int = 0) -> Sequence[Template]:
        """Templates, newest first. `limit` is from 1 to 500. Raises Invalid."""
        return (await self.page(limit=limit, offset=offset)).items

    async def page(self, *, limit: int = 10, offset: int = 0) -> TemplatePage:
        """As `list`, with the number of all."""
        check_page(limit, offset)
        return await self._context.store.templates(limit=limit, offset=offset)

    async def update(
        self,
        template_id: str,
        *,
        name: str | None = None,
        claims: Mapping[str, object] | None = None,
        lifetime_seconds: int | None = None,
        allowed_clock_skew_seconds: int | None = None,
        custom_signing_key: bool | None = None,
        signing_algorithm: str | None = None,
        signing_key: str | None = None,
    ) -> Template:
        """Change what is given; None leaves as it is. Claims are replaced as a whole, and so is the key.

        `custom_signing_key` False goes back to the instance's key and destroys the template's own. The
        template of session tokens keeps its name, by which the policy knows it. Raises NotFound, Conflict,
        and what `create` raises.
        """
        given = {
            "name": name,
            "claims": claims,
            "lifetime_seconds": lifetime_seconds,
            "allowed_clock_skew_seconds": allowed_clock_skew_seconds,
        }
        changes = {member: value for member, value in given.items() if value is not None}
        for _ in range(ATTEMPTS):
            before = await self.get(template_id)
            now = self._context.clock.now()
            changed: Template = replace(
                before,
                **changes,  # pyright: ignore[reportArgumentType]  # the fields of Template
                version=before.version + 1,
                updated_at=max(now, before.updated_at + 1),
            )
            rules.check(changed)
            if changed.name != before.name and await self._of_session_tokens(before):
                raise Invalid("name", "The template that customises session tokens keeps its name.")
            changed, operations = self._signed(
                changed, now, custom=custom_signing_key, algorithm=signing_algorithm, key=signing_key
            )
            operations = [UpdateTemplate(template=changed, expected_version=before.version), *operations]
            gone = before.key_id if changed.key_id != before.key_id else None
            if gone is not None:
                operations.append(DropStoredKey(gone))
            event = self._context.event(EventType.TEMPLATE_UPDATED, now, resource_id=template_id)
            try:
                await self._context.store.commit([*operations, event])
            except Refused as refused:
                if (error := _refusal(refused, changed)) is not None:
                    raise error from None
                continue
            if gone is not None:
                await self._keys.forget(gone)
            _warn(changed)
            return changed
        raise Conflict

    async def delete(self, template_id: str) -> None:
        """Delete a template, with its key; tokens that were made by it stay what they are. Raises NotFound,
        SessionTokenTemplate, Conflict."""
        for _ in range(ATTEMPTS):
            template = await self.get(template_id)
            if await self._of_session_tokens(template):
                raise SessionTokenTemplate(
                    f"The template {template.name} customises session tokens: take it out of the policy "
                    "(session_token_template) before it is deleted."
                )
            now = self._context.clock.now()
            operations: builtins.list[Operation] = [
                DeleteTemplate(template_id=template_id, expected_version=template.version),
                self._context.event(EventType.TEMPLATE_DELETED, now, resource_id=template_id),
            ]
            if template.key_id is not None:
                operations.append(DropStoredKey(template.key_id))
            try:
                await self._context.store.commit(operations)
            except Refused:
                continue
            if template.key_id is not None:
                await self._keys.forget(template.key_id)
            return
        raise Conflict

    # How it is done ----------------------------------------------------------------------------------------

    def _signed(
        self, template: Template, now: int, *, custom: bool | None, algorithm: str | None, key: str | None
    ) -> tuple[Template, Sequence[Operation]]:
        """The template with the key that shall sign its tokens, and the operations that store a new one."""
        if custom is None:
            custom = template.key_id is not None
        if not custom:
            if key is not None:
                raise Invalid("signing_key", "signing_key takes custom_signing_key: true.")
            if algorithm not in (None, DEFAULT_ALGORITHM):
                raise Invalid("signing_algorithm", "signing_algorithm takes custom_signing_key: true.")
            return replace(template, key_id=None, signing_algorithm=DEFAULT_ALGORITHM), []
        kept = template.key_id is not None and algorithm in (None, template.signing_algorithm)
        if key is None and kept:
            return template, []
        if key is None:
            raise Missing("signing_key", "signing_key must be given with custom_signing_key.")
        if algorithm is None:
            raise Missing("signing_algorithm", "signing_algorithm must be given with custom_signing_key.")
        key_id, operations = self._keys.stored(algorithm, key, now)
        return replace(template, key_id=key_id, signing_algorithm=algorithm), operations

    async def _of_session_tokens(self, template: Template) -> bool:
        """Whether the policy, as it is stored now, names this template."""
        await Policies(self._context).load()
        return self._context.policy.session_token_template == template.name


def _refusal(refused: Refused, template: Template) -> Taken | TemplateLimitReached | None:
    """The error for what will not go away when it is tried again."""
    if refused.why == Refused.IDENTIFIER_TAKEN:
        return Taken("name", f"There is a template with the name {template.name} already.")
    if refused.why == Refused.FULL:
        return TemplateLimitReached(f"An instance holds {MAX_TEMPLATES} templates at the most.")
    return None


def _warn(template: Template) -> None:
    if (size := template.over_budget) is not None:
        _log.warning(
            "claims_over_budget: the template %s has %d bytes of claims before anything is filled in; above "
            "%d the cookie of 4 KB is in danger",
            template.name,
            size,
            rules.BUDGET_BYTES,
        )

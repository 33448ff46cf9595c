"""The policy in force: what is configured, with changes that are stored and reach every process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from sojourn.core.errors import Conflict, Invalid, SojournError
from sojourn.core.events import EventType
from sojourn.core.policy import Policy
from sojourn.core.presets import preset
from sojourn.core.session import Instigator
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.ports import PutDocument, Refused

RELOAD_SECONDS = 1.0
"""A change made in another process is in force here after this at the latest, while the store answers."""
_KIND, _ID = "policy", "changes"
_log = logging.getLogger("sojourn.policy")
_Content: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PolicyView:
    """The policy in force and the names of what differs from the configuration by a stored change."""

    policy: Policy
    changed: tuple[str, ...]


class Policies:
    """Read and change the policy."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def get(self) -> PolicyView:
        """The policy in force, read from the store."""
        return PolicyView(self._context.policy, tuple(sorted(await self.load())))

    async def change(self, changes: Mapping[str, object]) -> PolicyView:
        """Set members of the policy by name; from now on they hold for new sessions and tokens.

        A session keeps the deadlines that it was created with. Raises Invalid naming the member that is
        unknown, has the wrong type or contradicts another.
        """
        return await self._store(lambda stored: {**stored, **changes})

    async def use(self, name: str) -> PolicyView:
        """Set what a preset sets (`core/presets.py`) and take everything else back to what is configured, so
        that nothing of another preset is left. Raises Invalid naming the presets there are."""
        members = preset(name).members
        return await self._store(lambda _: members)

    async def reset(self, names: Iterable[str] | None = None) -> PolicyView:
        """Go back to what is configured, for the members named or for all. Raises Invalid for a name that is
        no member."""
        given = None if names is None else set(names)
        check_names(given or ())
        return await self._store(
            lambda stored: {} if given is None else {n: v for n, v in stored.items() if n not in given}
        )

    async def load(self) -> Mapping[str, object]:
        """Bring the policy in force up to the stored changes, and return these."""
        document = await self._context.store.document(_KIND, _ID)
        held = self._context.policies
        if document is None:
            return {}
        if document.version != held.version:
            held.current = held.configured.with_changes(document.content)
            held.version = document.version
        return document.content

    async def run(self) -> None:
        """Load until cancelled, once a second; whatever goes wrong is logged and the last policy stays."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            try:
                await self.load()
            except SojournError as error:
                _log.warning("the policy was not loaded again", extra={"error": error.code})
            except Exception:
                _log.exception("the policy was not loaded again")

    async def _store(self, make: Callable[[_Content], _Content]) -> PolicyView:
        held = self._context.policies
        for _ in range(ATTEMPTS):
            document = await self._context.store.document(_KIND, _ID)
            content = dict(make(document.content if document else {}))
            policy = held.configured.with_changes(content)
            now = self._context.clock.now()
            operation = PutDocument(
                kind=_KIND, id=_ID, content=content, expected_version=document.version if document else 0
            )
            event = self._context.event(EventType.POLICY_CHANGED, now, instigator=Instigator.APPLICATION)
            try:
                await self._context.store.commit([operation, event])
            except Refused:
                continue
            held.current, held.version = policy, operation.expected_version + 1
            return PolicyView(policy, tuple(sorted(content)))
        raise Conflict


def check_names(names: Iterable[str]) -> None:
    """Raises Invalid naming the first that is no member of the policy."""
    for name in names:
        if name not in Policy.__dataclass_fields__:
            raise Invalid(name[:64], f"{name[:64]} is no member of the policy.")

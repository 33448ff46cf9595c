"""The keys that applications bring for templates: stored like the signing keys, opened when a token is
made."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence

from sojourn.core.errors import Invalid, MasterKeyRefused, Unavailable
from sojourn.core.ids import Prefix
from sojourn.core.keys import KeyUse, StoredKey
from sojourn.core.templates import Template
from sojourn.service.context import Context
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import Operation, PutStoredKey
from sojourn.tokens.custom_keys import CUSTOM_ALGORITHMS, CustomKey

_REMEMBERED = 32
"""How many opened keys a process holds: reading a private RSA key from PEM costs milliseconds."""
_log = logging.getLogger("sojourn.templates")


class TemplateKeys:
    """Store, open and forget the keys of templates."""

    def __init__(self, context: Context, held: HeldRing) -> None:
        self._context = context
        self._held = held
        self._opened: OrderedDict[str, CustomKey] = OrderedDict()

    def stored(self, algorithm: str, text: str, now: int) -> tuple[str, Sequence[Operation]]:
        """The id of a new key, and the operations that store it. Raises Invalid naming `signing_algorithm` or
        `signing_key`, never showing the key."""
        if algorithm not in CUSTOM_ALGORITHMS:
            words = ", ".join(CUSTOM_ALGORITHMS)
            raise Invalid("signing_algorithm", f"signing_algorithm must be one of {words}.")
        try:
            CustomKey.read(algorithm, text)
        except ValueError as error:
            raise Invalid("signing_key", f"signing_key is not usable: {error}.") from None
        key_id = self._context.id(Prefix.SIGNING_KEY, now)
        row = StoredKey(
            kid=key_id,
            use=KeyUse.TEMPLATE,
            algorithm=algorithm,
            state="current",
            material=self._held.sealed(text.encode(), key_id),
            created_at=now,
            activates_at=now,
        )
        return key_id, [self._held.same_master(), PutStoredKey(row)]

    async def of(self, template: Template) -> CustomKey | None:
        """The key that signs a template's tokens, None for the instance's. Raises Unavailable when it cannot
        be opened."""
        if template.key_id is None:
            return None
        key = self._opened.get(template.key_id)
        if key is None:
            key = self._opened[template.key_id] = await self._open(
                template.key_id, template.signing_algorithm
            )
            if len(self._opened) > _REMEMBERED:
                self._opened.popitem(last=False)
        return key

    async def forget(self, key_id: str) -> None:
        """After a key was dropped from the store: let go of it here, and of its traces in the storage."""
        self._opened.pop(key_id, None)
        try:
            await self._context.store.scrub()
        except Unavailable as error:
            _log.warning("a key that was replaced may still lie in the database's log: %s", error.detail)

    async def _open(self, key_id: str, algorithm: str) -> CustomKey:
        rows = await self._context.store.stored_keys()
        row = next((row for row in rows if row.kid == key_id and row.use is KeyUse.TEMPLATE), None)
        if row is None:
            raise Unavailable("The key of this template was replaced at this moment.")
        try:
            return CustomKey.read(algorithm, self._held.unsealed(row).decode())
        except MasterKeyRefused as error:
            _log.error("the key of a template cannot be opened: %s", error.detail)
            raise Unavailable("The key of this template cannot be opened.") from None

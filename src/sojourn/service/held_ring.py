"""The key ring that a process holds: opened from the store, looked at again every second, and signed with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sojourn.core.errors import MasterKeyRefused, SojournError, Unavailable
from sojourn.core.ids import Prefix
from sojourn.core.keys import KeyUse, StoredKey
from sojourn.service.context import Context
from sojourn.service.ports import (
    ExpectMasterKey,
    ExpectStoredKeys,
    Operation,
    PutStoredKey,
    RaiseLastExp,
    Refused,
    UpdateStoredKey,
)
from sojourn.tokens import envelope, jws
from sojourn.tokens.envelope import MasterKey
from sojourn.tokens.jws import PublicKey, SigningKey
from sojourn.tokens.keyring import HOUR_MS, KeyEntry, KeyRing, KeyState, whole_hour

REFRESH_SECONDS = 1.0
"""How often a process looks for what others have done to the keys: after this they all publish a new one, and
after an emergency none publishes or signs with an old one. A read of a few rows."""
RELOAD_INTERVAL_MS = 10_000
"""A token with an unknown kid makes us look into the store at most this often (RELIABILITY T-09)."""
ALGORITHM = "RS256"
_FRESH_MS = 30_000
"""Signing without a note of the `exp` asks for a ring no older than this: far less than the skew (SKEW_MS) by
which a retired key outlives the hour that covers such tokens."""
_EXCUSED_MS = 1_000
_NONCE_BYTES = 12
_PUBLIC = b"-----BEGIN PUBLIC KEY-----"
_log = logging.getLogger("sojourn.keys")


class HeldRing:
    """The key ring and its copy in the store."""

    def __init__(self, context: Context, master: MasterKey | None) -> None:
        self._context = context
        self._master = master
        self._ring: KeyRing | None = None
        self._rows: Mapping[str, StoredKey] = {}
        self._loaded_at = 0
        self._looked_at: int | None = None
        self._asked = self._taken = 0
        self._excused_until = 0
        self._recording = asyncio.Lock()
        self._complaint: str | None = None

    @property
    def ring(self) -> KeyRing:
        """The ring as last loaded."""
        if self._ring is None:
            raise MasterKeyRefused("The signing keys have not been loaded.")
        return self._ring

    @property
    def master(self) -> MasterKey | None:
        """The master key under which the stored keys are opened."""
        return self._master

    @master.setter
    def master(self, master: MasterKey | None) -> None:
        self._master = master

    @property
    def current(self) -> SigningKey:
        """The key that signs now."""
        return self.ring.signing(self._context.clock.now())

    def public(self, kid: str) -> PublicKey | None:
        """The published key with this kid, for the verifier."""
        return self.ring.public(kid, now_ms=self._context.clock.now())

    def jwks(self) -> dict[str, object]:
        """The public key set (RFC 7517 section 5) as published now."""
        return dict(self.ring.jwks(self._context.clock.now()))

    async def verify(self, token: str) -> jws.Verified:
        """A token whose form and signature hold by a published key, looked for in the store if need be.
        Raises jws.TokenError, Unavailable."""
        try:
            return jws.verify(token, self.public)
        except jws.TokenError as error:
            if error.reason is not jws.Reason.JWK_KID_MISMATCH or not await self.reload():
                raise
        return jws.verify(token, self.public)

    # Signing ------------------------------------------------------------------------------------------------

    def sign(self, claims: Mapping[str, object], *, category: str) -> str | None:
        """A token of these claims (with an `exp`, in seconds), by the key that signs now.

        None when it is not on record yet that a token of this key may be good for so long: `record` it, look
        again at whatever the claims were made from, and try again. Once in an hour, as a rule.
        """
        ring, now = self.ring, self._context.clock.now()
        key, exp_at = ring.signing(now), self._exp_at(claims, now)
        if exp_at > ring.last_exp_at(key.kid) and not (now < self._excused_until and exp_at - now <= HOUR_MS):
            return None
        return jws.sign(claims, key, category=category)

    async def record(self, claims: Mapping[str, object]) -> None:
        """Note in the store, rounded up to the hour, until when a token of these claims would be good, so
        that the key that signs it stays published for so long whatever becomes of this process.

        Where nothing can be written at the moment, tokens of up to an hour go without: a retired key is
        published for an hour in any case. Raises Unavailable for a longer one.
        """
        async with self._recording:
            ring, now = self.ring, self._context.clock.now()
            kid, exp_at = ring.signing(now).kid, self._exp_at(claims, now)
            if exp_at <= ring.last_exp_at(kid):
                return  # somebody else was waiting for the same
            hour = whole_hour(exp_at)
            try:
                await self._context.store.commit([RaiseLastExp(kid=kid, at=hour)])
            except Refused:
                # Another process has retired or withdrawn it already.
                if not await self.refresh():
                    raise Unavailable("The key that signs now cannot be opened.") from None
            except Unavailable as error:
                if exp_at - now > HOUR_MS or now - self._loaded_at > _FRESH_MS:
                    raise
                _log.warning("the last exp of %s is not noted: %s", kid, error.detail)
                self._excused_until = now + _EXCUSED_MS
            else:
                self._ring = self.ring.raised(kid, hour)

    def _exp_at(self, claims: Mapping[str, object], now: int) -> int:
        """The `exp` in ms by our own clock, which is ahead where the machine's has been set back."""
        exp = claims["exp"]
        if not isinstance(exp, int):
            raise TypeError("a token has an exp in whole seconds")
        return exp * 1000 + max(0, now - self._context.clock.wall())

    # Loading ------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Open all stored signing keys. Raises MasterKeyRefused when they cannot be opened."""
        self._asked += 1
        asked = self._asked
        rows = {r.kid: r for r in await self._context.store.stored_keys() if r.use is KeyUse.SIGNING}
        if asked < self._taken:
            return  # a later look was answered before this one
        if rows != self._rows or self._ring is None:
            self._ring = KeyRing([self._entry(row) for row in rows.values()])
            self._rows = rows
        self._taken = asked
        self._loaded_at = self._context.clock.now()

    async def refresh(self) -> bool:
        """Load what others may have changed. False, with the ring at hand kept, when the keys there cannot be
        opened. Raises Unavailable."""
        try:
            await self.load()
        except MasterKeyRefused as error:
            # Somebody put the stored keys under another master key: go on with the ring at hand.
            if error.detail != self._complaint:
                _log.error("the signing keys cannot be loaded again: %s", error.detail)
            self._complaint = error.detail
            return False
        self._complaint = None
        return True

    async def reload(self) -> bool:
        """Refresh unless that was done a moment ago. Whether it was done."""
        now = self._context.clock.now()
        if now - (self._loaded_at if self._looked_at is None else self._looked_at) < RELOAD_INTERVAL_MS:
            return False
        self._looked_at = now
        return await self.refresh()

    async def run(self) -> None:
        """Refresh until cancelled; whatever goes wrong is logged and tried again."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except SojournError as error:
                _log.warning("signing keys not refreshed: %s", error.detail)
            except Exception:
                _log.exception("signing keys not refreshed")

    # At rest ------------------------------------------------------------------------------------------------

    def new(self) -> PutStoredKey:
        """The operation that stores the first signing key, which signs from now on."""
        now = self._context.clock.now()
        key = SigningKey.generate(self._context.id(Prefix.SIGNING_KEY, now))
        return PutStoredKey(self.row(key, KeyState.CURRENT, created_at=now, activates_at=now))

    def row(self, key: SigningKey, state: KeyState, *, created_at: int, activates_at: int) -> StoredKey:
        """What is stored of a new key."""
        return StoredKey(
            kid=key.kid,
            use=KeyUse.SIGNING,
            algorithm=ALGORITHM,
            state=state.value,
            material=self._close(key.to_pem(), key.kid, self._master),
            created_at=created_at,
            activates_at=activates_at,
        )

    def moved(self, entry: KeyEntry) -> UpdateStoredKey:
        """The operation that writes down where a key stands that was loaded; of one that will not sign again
        only the public half is kept."""
        row = self._rows[entry.kid]
        if entry.retired_at is not None:
            row = replace(row, material=self._close(entry.public.pem().encode(), entry.kid, self._master))
        row = replace(row, state=entry.state.value, retired_at=entry.retired_at, version=row.version + 1)
        return UpdateStoredKey(key=row, expected_version=row.version - 1)

    def sealed(self, plain: bytes, row_id: str) -> bytes:
        """A secret of another kind as it is stored. Commit it beside `same_master`."""
        return self._close(plain, row_id, self._master)

    def unsealed(self, row: StoredKey) -> bytes:
        """The secret in a stored row. Raises MasterKeyRefused."""
        return self._open(row, self._master)

    def same_master(self) -> ExpectMasterKey:
        """The operation that refuses a commit when the stored keys were put under another master key."""
        return ExpectMasterKey(self._master.id if self._master else None)

    async def resealed(self, *, old: MasterKey | None, new: MasterKey | None) -> Sequence[Operation]:
        """The operations that put every stored key, those of templates too, under another master key; None
        stands for in the clear. Refused when a key was stored meanwhile.

        Raises MasterKeyRefused when a stored key is not in the form that `old` says.
        """

        def operation(row: StoredKey) -> UpdateStoredKey:
            material = self._close(self._open(row, old), row.kid, new)
            sealed = replace(row, material=material, version=row.version + 1)
            return UpdateStoredKey(key=sealed, expected_version=row.version)

        rows = await self._context.store.stored_keys()
        return [ExpectStoredKeys(frozenset(row.kid for row in rows)), *map(operation, rows)]

    def seal(self, secret: bytes, kid: str) -> bytes:
        """A secret as it is stored under this id by the instance's master key."""
        return self._close(secret, kid, self._master)

    def unseal(self, row: StoredKey) -> bytes:
        """The secret of a stored key. Raises MasterKeyRefused."""
        return self._open(row, self._master)

    def _entry(self, row: StoredKey) -> KeyEntry:
        known = self._rows.get(row.kid)
        if known is not None and known.material == row.material:
            key = next(entry.key for entry in self.ring.entries if entry.kid == row.kid)
        else:
            pem = self._open(row, self._master)
            key = (PublicKey if pem.startswith(_PUBLIC) else SigningKey).from_pem(row.kid, pem)
        return KeyEntry(
            kid=row.kid,
            state=KeyState(row.state),
            key=key,
            created_at=row.created_at,
            activates_at=row.activates_at,
            retired_at=row.retired_at,
            last_exp_at=row.last_exp_at,
        )

    def _open(self, row: StoredKey, master: MasterKey | None) -> bytes:
        try:
            return envelope.unwrap(row.material, master=master, row_id=row.kid)
        except ValueError as error:
            raise MasterKeyRefused(f"The stored key {row.kid} cannot be opened: {error}") from None

    def _close(self, plain: bytes, kid: str, master: MasterKey | None) -> bytes:
        if master is None:
            return envelope.wrap_plain(plain)
        nonce = self._context.entropy.bytes(_NONCE_BYTES)
        return envelope.seal(plain, master=master, nonce=nonce, row_id=kid)

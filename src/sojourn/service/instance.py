"""The instance: made at the first start, met again at every later one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
from dataclasses import dataclass, field, replace

from sojourn.core.errors import ConfigurationError, Conflict, MasterKeyRefused, Unavailable
from sojourn.core.ids import Prefix
from sojourn.core.keys import ApiKeyKind, Instance
from sojourn.core.lifecycle import SubjectKind
from sojourn.service.api_keys import ApiKeys, check
from sojourn.service.context import ATTEMPTS, Context
from sojourn.service.cutoffs import commit, cut
from sojourn.service.held_ring import HeldRing
from sojourn.service.ports import ExpectMasterKey, InsertOnce, Operation, PutInstance, Refused
from sojourn.tokens.envelope import MasterKey

_log = logging.getLogger("sojourn.instance")
_MADE = hashlib.sha256(b"sojourn instance").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the configuration says about the instance."""

    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    publishable_key: str | None = None
    default_host: str = "127.0.0.1"
    """The Frontend API's host (with a port, if any) for a publishable key that has to be made."""
    master: MasterKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Started:
    """The instance, and the secret key if one was just made: its text is not kept anywhere."""

    instance: Instance
    new_secret_key: str | None = field(default=None, repr=False)


async def start(context: Context, api_keys: ApiKeys, signing: HeldRing, given: Given) -> Started:
    """Make the instance if the database is empty, else check that the configuration fits it; load the keys.

    Raises ConfigurationError (another publishable key, an unusable secret key) and MasterKeyRefused.
    """
    for text in given.secret_keys:
        check(text, ApiKeyKind.SECRET)  # before anything is made
    new_secret: str | None = None
    instance = await context.store.instance()
    if instance is None:
        if given.publishable_key is not None:
            frontend_host(given.publishable_key)
        if await _make(context, signing, given) and not given.secret_keys:
            new_secret = await api_keys.create(ApiKeyKind.SECRET)
        instance = await context.store.instance()
        if instance is None:
            raise ConfigurationError("The instance could not be made.")
    elif given.publishable_key not in (None, instance.publishable_key):
        raise ConfigurationError(
            "The database belongs to an instance with another publishable key "
            f"({instance.publishable_key}); use that one, or another database."
        )
    for text in given.secret_keys:
        await api_keys.add(text)
    instance = await _check_master(context, signing, instance, given.master)
    await signing.load()
    return Started(instance, new_secret)


async def rekey(context: Context, signing: HeldRing, new: MasterKey | None) -> None:
    """Put every stored key under a new master key (None: in the clear), all in one step."""
    instance = await context.store.instance()
    if instance is None:
        raise ConfigurationError("The database holds no instance yet; there is nothing to encrypt.")
    # What lies in the clear is opened as such only while the instance says so: with a master key in force
    # a plain value in the database is somebody else's, not ours.
    old = signing.master if instance.master_key_id is not None else None
    for _ in range(ATTEMPTS):
        operations: list[Operation] = list(await signing.resealed(old=old, new=new))
        operations.append(ExpectMasterKey(instance.master_key_id))
        operations.append(PutInstance(replace(instance, master_key_id=new.id if new else None)))
        try:
            await context.store.commit(operations)
            break
        except Refused:
            continue  # a rotation came between: its key has to be among those that are sealed
    else:
        raise Conflict
    signing.master = new
    try:
        await context.store.scrub()
    except Unavailable as error:
        _log.warning("the former copies of the keys may still lie in the database's log: %s", error.detail)


def publishable_key(host: str) -> str:
    """The publishable key whose Frontend API is `host` (wire/server-sdks.md section 1)."""
    return "pk_live_" + base64.b64encode(f"{host}$".encode()).decode()


def frontend_host(key: str) -> str:
    """The host in a publishable key. Raises ConfigurationError when the key is malformed."""
    parts = key.split("_", 2)
    try:
        if parts[0] != "pk" or parts[1] not in ("test", "live"):
            raise ValueError
        text = base64.b64decode(parts[2] + "=" * (-len(parts[2]) % 4), validate=True).decode("ascii")
        host = text.removesuffix("$")
        if host == text or "$" in host or "." not in host or not host.isprintable() or " " in host:
            raise ValueError
    except (ValueError, IndexError, binascii.Error):
        raise ConfigurationError(
            "A publishable key is pk_test_ or pk_live_ and the base64 of a host name followed by $."
        ) from None
    return host


async def _make(context: Context, signing: HeldRing, given: Given) -> bool:
    """Write instance and first signing key in one step; False when another process was faster."""
    now = context.clock.now()
    instance = Instance(
        id=context.id(Prefix.INSTANCE, now),
        publishable_key=given.publishable_key or publishable_key(given.default_host),
        epoch=context.entropy.bytes(6).hex(),
        created_at=now,
        master_key_id=given.master.id if given.master else None,
    )
    guard = InsertOnce(digest=_MADE, fingerprint=b"", resource_id=instance.id, at=now)
    try:
        await context.store.commit([guard, PutInstance(instance), signing.new()])
    except Refused:
        return False
    return True


async def begin_again(context: Context) -> str:
    """End every session, in one step with a new epoch: what was revoked after a backup must not live again in
    what is restored from it, and no reading position of before may be taken for one of now. The epoch."""
    instance = await context.store.instance()
    if instance is None:
        raise ConfigurationError("The database holds no instance: it is no backup of one.")
    renewed = replace(instance, epoch=context.entropy.bytes(6).hex())
    ending = cut(
        context, SubjectKind.INSTANCE, instance.id, context.clock.now(), note="restored from a backup"
    )
    await commit(context, [PutInstance(renewed), *ending])
    return renewed.epoch


async def _check_master(
    context: Context, signing: HeldRing, instance: Instance, master: MasterKey | None
) -> Instance:
    if master is None:
        if instance.master_key_id is not None:
            raise MasterKeyRefused(
                "The keys of this database are encrypted; set SOJOURN_MASTER_KEY to the key "
                "they were sealed with."
            )
        _log.warning(
            "signing keys are stored in the clear: whoever can read the database can sign as anybody; "
            "set SOJOURN_MASTER_KEY to encrypt them"
        )
        return instance
    if instance.master_key_id is None:
        await rekey(context, signing, master)
        _log.warning("the stored keys are now encrypted with the given master key; keep it safe")
        return replace(instance, master_key_id=master.id)
    if instance.master_key_id != master.id:
        raise MasterKeyRefused(
            f"The keys of this database were sealed with the master key {instance.master_key_id}, "
            f"not with the one given ({master.id})."
        )
    return instance

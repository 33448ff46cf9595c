"""Contract: API keys, stored keys, the instance, and what was done under an idempotency key."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from sojourn.core.keys import ApiKey, ApiKeyKind, KeyUse, StoredKey
from sojourn.service.ports import (
    DropStoredKey,
    ExpectMasterKey,
    ExpectStoredKeys,
    InsertApiKey,
    InsertOnce,
    PutInstance,
    PutStoredKey,
    RaiseLastExp,
    Refused,
    RevokeApiKey,
    Store,
    UpdateStoredKey,
)
from sojourn.testing.contract.base import INSTANCE, NOW, ContractBase, made, refusal


def make_api_key(name: str, at: int = NOW, kind: ApiKeyKind = ApiKeyKind.SECRET) -> ApiKey:
    """An API key whose text is its name."""
    digest = sha256(name.encode()).digest()
    return ApiKey(id=f"key_{name}", kind=kind, digest=digest, hint=name[:4], created_at=at)


def make_stored_key(kid: str, **changes: object) -> StoredKey:
    """A signing key of odd bytes."""
    key = StoredKey(
        kid=kid,
        use=KeyUse.SIGNING,
        algorithm="RS256",
        state="current",
        material=bytes(range(256)),
        created_at=NOW,
        activates_at=NOW,
    )
    return replace(key, **changes)  # pyright: ignore[reportArgumentType]  # the fields of StoredKey


def make_once(name: str, at: int = NOW) -> InsertOnce:
    """The record of a creation under the idempotency key `name`."""
    digest = sha256(name.encode()).digest()
    return InsertOnce(digest=digest, fingerprint=digest[::-1], resource_id=f"sess_{name}", at=at)


class KeyContract(ContractBase):
    """The small tables."""

    async def test_api_keys_are_found_by_their_digest(self, store: Store) -> None:
        """Every field survives, of both kinds, revoked or not; another digest finds nothing."""
        secret = make_api_key("sk_1")
        verifier = replace(make_api_key("vk_1", kind=ApiKeyKind.VERIFIER), revoked_at=NOW + 1)
        assert await store.api_key(secret.digest) is None
        await store.commit([InsertApiKey(secret), InsertApiKey(verifier)])
        assert await store.api_key(secret.digest) == secret
        assert await store.api_key(verifier.digest) == verifier
        for other in (b"", b"\0" * 32, secret.digest[:-1], secret.digest + b"\0"):
            assert await store.api_key(other) is None

    async def test_api_keys_are_listed_oldest_first(self, store: Store) -> None:
        """All of them, whatever their ids."""
        assert list(await store.api_keys()) == []
        given = [make_api_key(name, NOW + n) for n, name in enumerate(("c", "a", "d", "b"))]
        for key in given:
            await store.commit([InsertApiKey(key)])
        assert list(await store.api_keys()) == given

    async def test_an_api_key_is_stored_once(self, store: Store) -> None:
        """The same text again is REPEATED, also under another id."""
        key = make_api_key("sk_1")
        await store.commit([InsertApiKey(key)])
        again = InsertApiKey(replace(key, id="key_other", created_at=NOW + 1))
        assert (await refusal(store, again)).why == Refused.REPEATED
        assert list(await store.api_keys()) == [key]

    async def test_stored_keys_are_put_by_their_kid(self, store: Store) -> None:
        """A new kid inserts, a known one replaces all of the key; bytes come back as they were."""
        assert list(await store.stored_keys()) == []
        first = make_stored_key("kid_1")
        second = make_stored_key(
            "kid_2", use=KeyUse.HMAC, algorithm="HS256", retired_at=NOW + 5, material=b""
        )
        await store.commit([PutStoredKey(first), PutStoredKey(second)])
        assert {key.kid: key for key in await store.stored_keys()} == {"kid_1": first, "kid_2": second}
        retired = replace(first, state="retired", last_exp_at=NOW, version=7, material=b"\0sealed")
        await store.commit([PutStoredKey(retired)])
        assert {key.kid: key for key in await store.stored_keys()} == {"kid_1": retired, "kid_2": second}

    async def test_an_api_key_is_revoked_once(self, store: Store) -> None:
        """The first revocation stays, whatever comes after; it says nothing of other keys. A key that is not
        there cannot be revoked."""
        first, second = make_api_key("sk_1"), make_api_key("sk_2")
        await store.commit([InsertApiKey(first), InsertApiKey(second)])
        for at in (NOW + 5, NOW + 1, NOW + 9):
            await store.commit([RevokeApiKey(id=first.id, at=at)])
        revoked = replace(first, revoked_at=NOW + 5)
        assert await store.api_key(first.digest) == revoked
        assert list(await store.api_keys()) == [revoked, second]
        missing = await refusal(store, RevokeApiKey(id="key_none", at=NOW, may_be_last=True))
        assert missing.why == Refused.CHANGED

    async def test_the_last_secret_key_stays(self, store: Store) -> None:
        """Unless it may go: no revoked key and no verifier's counts as another one. Verifiers' keys may all
        go."""
        secrets = [make_api_key(name) for name in ("sk_1", "sk_2")]
        verifier = make_api_key("vk_1", kind=ApiKeyKind.VERIFIER)
        await store.commit([InsertApiKey(key) for key in (*secrets, verifier)])
        await store.commit([RevokeApiKey(id=secrets[0].id, at=NOW)])
        last = RevokeApiKey(id=secrets[1].id, at=NOW)
        assert (await refusal(store, last)).why == Refused.LAST_KEY
        assert await store.api_key(secrets[1].digest) == secrets[1]
        await store.commit([RevokeApiKey(id=secrets[0].id, at=NOW)])  # revoked before, so nothing is last
        await store.commit([RevokeApiKey(id=verifier.id, at=NOW)])
        await store.commit([replace(last, may_be_last=True)])
        assert {key.revoked_at for key in await store.api_keys()} == {NOW}

    async def test_a_stored_key_is_updated_at_its_version(self, store: Store) -> None:
        """All of it but what RaiseLastExp moves, and only at the version that was read; a key that is not
        there is not made."""
        first, second = make_stored_key("kid_1"), make_stored_key("kid_2", state="upcoming")
        await store.commit([PutStoredKey(first), PutStoredKey(second)])
        await store.commit([RaiseLastExp(kid="kid_1", at=NOW + 7)])
        changed = make_stored_key(
            "kid_1",
            use=KeyUse.HMAC,
            algorithm="HS256",
            state="retired",
            material=b"public",
            created_at=NOW + 1,
            activates_at=NOW + 2,
            retired_at=NOW + 3,
            last_exp_at=NOW + 1,
            version=2,
        )
        for wrong in (0, 2):
            assert not await made(store, UpdateStoredKey(key=changed, expected_version=wrong))
        assert not await made(store, UpdateStoredKey(key=make_stored_key("kid_3"), expected_version=1))
        assert await made(store, UpdateStoredKey(key=changed, expected_version=1))
        assert list(await store.stored_keys()) == [replace(changed, last_exp_at=NOW + 7), second]

    async def test_the_last_exp_is_only_raised(self, store: Store) -> None:
        """It grows or stays, without a new version, of a key that is upcoming or current; of any other, or of
        none, it is refused."""
        keys = [make_stored_key(f"kid_{state}", state=state) for state in ("current", "upcoming")]
        gone = [make_stored_key(f"kid_{state}", state=state) for state in ("retired", "withdrawn")]
        await store.commit([PutStoredKey(key) for key in (*keys, *gone)])
        for key in keys:
            for at, last in ((NOW, NOW), (NOW - 1, NOW), (NOW + 9, NOW + 9)):
                await store.commit([RaiseLastExp(kid=key.kid, at=at)])
                found = next(k for k in await store.stored_keys() if k.kid == key.kid)
                assert found == replace(key, last_exp_at=last)
        for kid in ("kid_retired", "kid_withdrawn", "kid_none"):
            assert not await made(store, RaiseLastExp(kid=kid, at=NOW))
        assert list(await store.stored_keys())[2:] == gone

    async def test_a_stored_key_is_dropped(self, store: Store) -> None:
        """It is gone, and no other; dropping it again is fine."""
        keys = [make_stored_key(f"kid_{n}") for n in range(3)]
        await store.commit([PutStoredKey(key) for key in keys])
        for _ in range(2):
            await store.commit([DropStoredKey("kid_1")])
            assert list(await store.stored_keys()) == [keys[0], keys[2]]

    async def test_a_commit_can_depend_on_the_master_key(self, store: Store) -> None:
        """It is refused when the keys are sealed with another one, or lie in the clear, or there is no
        instance."""
        put = PutStoredKey(make_stored_key("kid_1"))
        assert not await made(store, ExpectMasterKey(None), put)
        for stored, others in ((None, ("", "mk_1")), ("mk_1", (None, "mk_2", ""))):
            await store.commit([PutInstance(replace(INSTANCE, master_key_id=stored))])
            for other in others:
                assert not await made(store, ExpectMasterKey(other), put)
            assert list(await store.stored_keys()) == []
            assert await made(store, ExpectMasterKey(stored))
        assert await made(store, ExpectMasterKey("mk_1"), put)

    async def test_stored_keys_are_those_that_are_expected(self, store: Store) -> None:
        """It is refused when there is one more key or one less than expected, and nothing else is done."""
        assert await made(store, ExpectStoredKeys(frozenset()))
        await store.commit([PutStoredKey(make_stored_key(kid)) for kid in ("kid_1", "kid_2")])
        put = PutStoredKey(make_stored_key("kid_4"))
        for other in ((), ("kid_1",), ("kid_1", "kid_3"), ("kid_1", "kid_2", "kid_3")):
            assert not await made(store, ExpectStoredKeys(frozenset(other)), put)
        assert [key.kid for key in await store.stored_keys()] == ["kid_1", "kid_2"]
        assert await made(store, ExpectStoredKeys(frozenset({"kid_1", "kid_2"})), put)

    async def test_there_is_one_instance(self, store: Store) -> None:
        """None before it is put; putting it again replaces it, whatever its id."""
        assert await store.instance() is None
        await store.commit([PutInstance(INSTANCE)])
        assert await store.instance() == INSTANCE
        other = replace(INSTANCE, id="ins_2", epoch="epoch2", master_key_id="mk_1")
        await store.commit([PutInstance(other)])
        assert await store.instance() == other

    async def test_a_creation_is_remembered_once(self, store: Store) -> None:
        """What was done under a key is found by its digest; the key again is REPEATED and changes nothing."""
        once = make_once("a")
        assert await store.once(once.digest) is None
        await store.commit([once])
        assert await store.once(once.digest) == once
        again = replace(once, fingerprint=b"other", resource_id="sess_other", at=NOW + 1)
        refused = await refusal(store, again)
        assert (refused.why, refused.operation) == (Refused.REPEATED, again)
        assert await store.once(once.digest) == once
        assert await store.once(make_once("b").digest) is None

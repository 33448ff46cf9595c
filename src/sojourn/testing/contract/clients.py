"""Contract: a client is kept with its secret, all of it, and changes as a whole by compare-and-swap."""

from __future__ import annotations

import asyncio
from hashlib import sha256

from sojourn.core.client import Client, ClientSecret, Rotation
from sojourn.service.ports import InsertClient, Refused, Store, UpdateClient
from sojourn.testing.contract.base import NOW, ContractBase, made, make_client, refusal


def make_secret(name: str = "a", generation: int = 1, *rotations: Rotation) -> ClientSecret:
    """A secret whose text is its name."""
    return ClientSecret(
        digest=sha256(name.encode()).digest(), generation=generation, rotations=tuple(rotations)
    )


async def the_client(store: Store, client_id: str = "client_a") -> Client:
    """A client that must be there, without its place in the order."""
    found = await store.client(client_id)
    assert found is not None, f"{client_id} is not stored"
    return found


class ClientContract(ContractBase):
    """InsertClient, UpdateClient and `client`, as far as the secret is concerned."""

    async def test_a_client_is_kept_with_its_secret(self, store: Store) -> None:
        """Every field survives, with a secret of any age and with none."""
        rotations = (Rotation(NOW - 1, held=True), Rotation(NOW, held=False))
        clients = [
            make_client("client_a"),
            make_client("client_b", secret=make_secret()),
            make_client("client_c", secret=make_secret("c", 2**31, *rotations), impersonation_id="sess_a"),
        ]
        await store.commit([InsertClient(client) for client in clients])
        for place, client in enumerate(clients, 1):
            found = await the_client(store, client.id)
            assert (found.secret, found.impersonation_id) == (client.secret, client.impersonation_id)
            assert found == make_client(
                client.id, secret=client.secret, impersonation_id=client.impersonation_id, sequence=place
            )

    async def test_an_update_replaces_the_secret(self, store: Store) -> None:
        """By another one, by none, and by one again; so with the impersonation."""
        await store.commit([InsertClient(make_client(secret=make_secret()))])
        for number, secret in enumerate(
            (make_secret("b", 2, Rotation(NOW, held=True)), None, make_secret("c", 7)), 2
        ):
            before = await the_client(store)
            changed = before.changed(NOW, secret=secret, impersonation_id=secret and "sess_a")
            assert await made(store, UpdateClient(client=changed, expected_version=before.version))
            assert await the_client(store) == changed
            assert changed.version == number

    async def test_of_racing_rotations_of_a_secret_one_is_made(self, store: Store) -> None:
        """R10 on the store: of many that replace the secret they have read, one does, and it is that one."""
        await store.commit([InsertClient(make_client(secret=make_secret()))])
        before = await the_client(store)

        async def rotate(n: int) -> bool:
            changed = before.changed(NOW, secret=make_secret(f"next {n}", 2, Rotation(NOW, held=True)))
            return await made(store, UpdateClient(client=changed, expected_version=before.version))

        won = await asyncio.gather(*(rotate(n) for n in range(50)))
        assert won.count(True) == 1
        secret = (await the_client(store)).secret
        assert secret is not None
        assert secret.digest == make_secret(f"next {won.index(True)}").digest

    async def test_a_client_that_is_not_there_is_not_changed(self, store: Store) -> None:
        """The compare-and-swap finds nothing, and makes nothing."""
        update = UpdateClient(client=make_client(version=2), expected_version=1)
        assert (await refusal(store, update)).why == Refused.CHANGED
        assert await store.client("client_a") is None

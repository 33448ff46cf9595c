"""Templates whose tokens are signed by a key of the application's own: stored, opened, replaced, put under
another master key."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sojourn import Limits, Sojourn
from sojourn.core.errors import Conflict, Missing, Unavailable
from sojourn.core.keys import KeyUse
from sojourn.testing import ManualClock
from sojourn.tokens import jws
from sojourn.tokens.custom_keys import CUSTOM_ALGORITHMS
from sojourn.tokens.envelope import MasterKey
from tests.embedded import DAY, opened, store_of, watch
from tests.service.conftest import Opening
from tests.service.test_templates import claims_of, header_of, new_session
from tests.tokens.test_custom_keys import SECRET, text_for

ONE, TWO = MasterKey(b"1" * 31 + b"x"), MasterKey(b"2" * 31 + b"x")


def text_of(master: MasterKey) -> str:
    """As a setting."""
    return base64.b64encode(master.key).decode()


def custom(algorithm: str = "HS256", text: str | None = None) -> dict[str, Any]:
    """The arguments for a key of the template's own."""
    return {
        "custom_signing_key": True,
        "signing_algorithm": algorithm,
        "signing_key": text or text_for(algorithm),
    }


@pytest.mark.parametrize("algorithm", CUSTOM_ALGORITHMS)
async def test_a_key_of_its_own_signs(opening: Opening, algorithm: str) -> None:
    """Whoever has that key verifies the token; nobody else does, and the key set does not have it."""
    async with opening(master_key=text_of(ONE)) as sojourn:
        session = await new_session(sojourn)
        made = await sojourn.templates.create(name="t", claims={"x": 1}, **custom(algorithm))
        assert made.to_wire()["signing_algorithm"] == algorithm
        token = await sojourn.tokens.create(session.id, template="t")
        assert header_of(token) == {"alg": algorithm, "cat": jws.TEMPLATE, "typ": "JWT"}
        key: Any = text_for(algorithm)
        if not algorithm.startswith("HS"):
            key = load_pem_private_key(key.encode(), None).public_key()
        assert jwt.decode(token, key, algorithms=[algorithm], options={"verify_exp": False})["x"] == 1
        with pytest.raises(jws.TokenError):
            jws.verify(token, sojourn.keys.public)
        assert len(sojourn.keys.jwks()["keys"]) == 1  # pyright: ignore[reportArgumentType]
        assert [one.algorithm for one in await sojourn.keys.list()] == ["RS256"]


async def test_a_key_is_replaced_and_given_up(opening: Opening) -> None:
    """A new key signs at once, the one before is gone from the store, and so is the last one."""
    async with opening(master_key=text_of(ONE)) as sojourn:
        session = await new_session(sojourn)
        made = await sojourn.templates.create(name="t", claims={}, **custom())
        other = "o" * 40

        async def signed_by(secret: str) -> bool:
            try:
                token = await sojourn.tokens.create(session.id, template="t")
                jwt.decode(token, secret, algorithms=["HS256"], options={"verify_exp": False})
            except jwt.InvalidTokenError:
                return False
            return True

        async def stored() -> int:
            return sum(key.use is KeyUse.TEMPLATE for key in await store_of(sojourn).stored_keys())

        assert (await signed_by(SECRET), await signed_by(other)) == (True, False)
        await sojourn.templates.update(made.id, claims={"a": 1})
        await sojourn.templates.update(made.id, signing_algorithm="HS256", custom_signing_key=True)
        assert (await signed_by(SECRET), await stored()) == (True, 1)
        await sojourn.templates.update(made.id, signing_algorithm="HS256", signing_key=other)
        assert (await signed_by(SECRET), await signed_by(other), await stored()) == (False, True, 1)
        with pytest.raises(Missing):
            await sojourn.templates.update(made.id, signing_algorithm="HS384")
        changed = await sojourn.templates.update(made.id, custom_signing_key=False)
        assert (changed.key_id, changed.signing_algorithm, await stored()) == (None, "RS256", 0)
        assert jws.verify(await sojourn.tokens.create(session.id, template="t"), sojourn.keys.public)
        await sojourn.templates.update(made.id, **custom())
        await sojourn.templates.delete(made.id)
        assert await stored() == 0


async def test_a_key_lies_sealed_and_is_gone_when_it_is_replaced(tmp_path: Path, clock: ManualClock) -> None:
    """With a master key no byte of it is in the files; without one it is, until it is replaced: the
    control."""

    def lies_there(folder: str) -> bool:
        return any(SECRET.encode() in file.read_bytes() for file in (tmp_path / folder).iterdir())

    for folder, master in (("sealed", ONE), ("plain", None)):
        (tmp_path / folder).mkdir()
        url = f"sqlite:///{tmp_path}/{folder}/s.db"
        async with opened(url, clock=clock, master_key=master and text_of(master)) as sojourn:
            made = await sojourn.templates.create(name="t", claims={}, **custom())
            assert lies_there(folder) is (master is None)
            await sojourn.templates.update(made.id, signing_algorithm="HS256", signing_key="o" * 40)
            assert not lies_there(folder)
            await sojourn.templates.update(made.id, **custom())
            assert lies_there(folder) is (master is None)
            await sojourn.templates.delete(made.id)
            assert not lies_there(folder)


async def test_rekey_covers_the_keys_of_templates(opening: Opening, database_url: str) -> None:
    """After a rekey, and in the clear again, the same key signs; with the former master key it does not
    open."""
    if database_url == "memory://":
        pytest.skip("nothing is opened again")
    async with opening(master_key=text_of(ONE)) as sojourn:
        session = await new_session(sojourn)
        await sojourn.templates.create(name="t", claims={}, **custom())
        await sojourn.rekey(TWO)
    for master in (TWO, None):
        async with opening(master_key=master and text_of(master)) as sojourn:
            token = await sojourn.tokens.create(session.id, template="t")
            assert jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False})
            await sojourn.rekey(None)


@pytest.mark.embedded
async def test_a_key_that_is_stored_during_a_rekey_is_not_left_behind(opening: Opening) -> None:
    """A rekey that has not seen a new key is tried again; a new key under the former master key is
    refused."""
    async with opening(master_key=text_of(ONE)) as sojourn:
        session = await new_session(sojourn)
        store = watch(sojourn)
        store.before["commit"] = lambda: sojourn.templates.create(name="t", claims={}, **custom())
        await sojourn.rekey(TWO)
        sojourn.tokens._shaping._keys._opened.clear()
        token = await sojourn.tokens.create(session.id, template="t")
        assert jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False})
        store.before["commit"] = lambda: sojourn.rekey(ONE)
        with pytest.raises(Conflict):
            await sojourn.templates.create(name="late", claims={}, **custom())
        await sojourn.templates.create(name="late", claims={}, **custom())


@pytest.mark.embedded
async def test_a_key_that_cannot_be_opened_is_no_fault_of_the_caller(opening: Opening) -> None:
    """Where another process has put the keys under another master key, the token is unavailable."""
    async with opening(master_key=text_of(ONE)) as sojourn:
        session = await new_session(sojourn)
        await sojourn.templates.create(name="t", claims={}, **custom())
        await sojourn.rekey(TWO)
        sojourn.tokens._keys.master = ONE
        sojourn.tokens._shaping._keys._opened.clear()
        with pytest.raises(Unavailable):
            await sojourn.tokens.create(session.id, template="t")


async def test_a_long_token_is_on_record(sojourn: Sojourn) -> None:
    """The instance's key is published as long as a token by a template can be good; a key of its own is
    not."""
    session = await new_session(sojourn, limits=Limits(lifetime_seconds=30 * DAY))
    store = watch(sojourn)
    await sojourn.templates.create(name="own", claims={}, lifetime_seconds=20 * DAY, **custom())
    await sojourn.tokens.create(session.id, template="own")
    before = sojourn.keys.ring.last_exp_at(sojourn.keys.current.kid)
    await sojourn.templates.create(name="t", claims={}, lifetime_seconds=20 * DAY)
    exp = claims_of(await sojourn.tokens.create(session.id, template="t"))["exp"]
    after = sojourn.keys.ring.last_exp_at(sojourn.keys.current.kid)
    assert before < exp * 1000 <= after
    assert store.calls["commit"] == 3

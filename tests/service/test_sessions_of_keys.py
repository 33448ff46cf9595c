"""Sessions by the signing key that their tokens may be of: found and ended."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn import Sojourn
from sojourn.core.errors import NotFound
from sojourn.core.session import Status
from sojourn.service.filters import SessionFilter
from sojourn.testing import ManualClock
from sojourn.tokens.keys import SigningKey
from tests.embedded import user_id
from tests.service.rotating import different_keys, kid_of


@pytest.fixture(autouse=True)
def _different_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New signing keys are different ones."""
    monkeypatch.setattr(SigningKey, "generate", different_keys())


async def test_sessions_of_a_signing_key(sojourn: Sojourn, clock: ManualClock) -> None:
    """Those that may have been given a token of it: created before it signed its last, whether that has been
    written down or not. A key that has signed nothing has none, one that nobody knows is not found."""
    user = await user_id(sojourn)
    first = sojourn.keys.current.kid
    early = await sojourn.sessions.create(user_id=user)
    clock.advance(seconds=1)
    second = (await sojourn.keys.rotate()).kid

    async def found(kid: str, **rest: Any) -> list[str]:
        page = await sojourn.sessions.search(SessionFilter(signing_key=kid, **rest))
        return [session.id for session in page.items]

    assert (await found(first), await found(second)) == ([early.id], [])
    assert kid_of(sojourn, await sojourn.tokens.create(early.id)) == first
    clock.advance(seconds=600)
    late = await sojourn.sessions.create(user_id=user)
    assert kid_of(sojourn, await sojourn.tokens.create(early.id)) == second
    assert (await found(first), await found(second)) == ([early.id], [late.id, early.id])
    await sojourn.keys.settle()
    assert (await found(first), await found(second)) == ([early.id], [late.id, early.id])
    assert await found(second, created_before=late.created_at) == [early.id]
    with pytest.raises(NotFound):
        await found("kid_nobody")


@pytest.mark.embedded
async def test_an_ending_by_signing_key(sojourn: Sojourn, clock: ManualClock) -> None:
    """All that may hold a token of a key that has leaked end; what was created after the emergency lives."""
    user = await user_id(sojourn)
    leaked = sojourn.keys.current.kid
    old = await sojourn.sessions.create(user_id=user)
    clock.advance(ms=1)
    await sojourn.keys.rotate(emergency=True)
    new = await sojourn.sessions.create(user_id=user)
    which = SessionFilter(signing_key=leaked)
    assert (await sojourn.endings.preview(which)).count == 1
    begun = await sojourn.endings.begin(which, note="key leaked")
    assert (begun.filter.signing_key, begun.method) == (leaked, "steps")
    assert await sojourn.endings.work_off() == 1
    assert (await sojourn.sessions.get(old.id)).status is Status.REVOKED
    assert (await sojourn.sessions.get(new.id)).live
    with pytest.raises(NotFound):
        await sojourn.endings.begin(SessionFilter(signing_key="kid_nobody"))

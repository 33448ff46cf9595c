"""Search over all users, history, explanation, factors."""

from __future__ import annotations

import pytest

from sojourn import Policy, Sojourn
from sojourn.core.errors import Invalid, NotFound
from sojourn.core.session import Activity, Actor, Reason, Session, Status
from sojourn.service.filters import SessionFilter
from sojourn.testing import ManualClock
from sojourn.tokens import jws
from tests.embedded import opened, user_id


async def search_all(sojourn: Sojourn, which: SessionFilter, **options: object) -> list[Session]:
    """All pages of a search."""
    found: list[Session] = []
    cursor: str | None = None
    while True:
        page = await sojourn.sessions.search(which, cursor=cursor, limit=2, **options)  # pyright: ignore[reportArgumentType]
        found += page.items
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("url", ["memory://", "sqlite"])
async def test_search_over_all_users(url: str, tmp_path: object) -> None:
    """Every filter, page by page: users, actors, addresses, applications, statuses, instants."""
    clock = ManualClock()
    async with opened(url if url != "sqlite" else f"sqlite:///{tmp_path}/s.db", clock=clock) as sojourn:
        users = [await user_id(sojourn, str(n)) for n in range(3)]
        plain = [await sojourn.sessions.create(user_id=user) for user in users for _ in range(2)]
        clock.advance(seconds=10)
        acted = await sojourn.sessions.create(user_id=users[0], actor=Actor("user_boss", {}))
        placed = await sojourn.sessions.create(
            user_id=users[1],
            application="shop",
            activity=Activity(id="sess_activity_1", ip_address="10.1.2.3"),
        )
        await sojourn.sessions.revoke(plain[0].id)
        cases = [
            (SessionFilter(), [placed, acted, *reversed(plain)]),
            (SessionFilter(user_id=users[0]), [acted, plain[1], plain[0]]),
            (SessionFilter(actor="user_boss"), [acted]),
            (SessionFilter(application="shop"), [placed]),
            (SessionFilter(addresses=("10.0.0.0/8",)), [placed]),
            (SessionFilter(addresses=("10.2.0.0/16", "::/0")), []),
            (SessionFilter(created_from=acted.created_at), [placed, acted]),
            (SessionFilter(active_before=acted.created_at), list(reversed(plain))),
        ]
        for which, expected in cases:
            assert [s.id for s in await search_all(sojourn, which)] == [s.id for s in expected], which
        revoked = await search_all(sojourn, SessionFilter(), statuses=frozenset({Status.REVOKED}))
        assert [s.id for s in revoked] == [plain[0].id]


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "9" * 19, "¹"])
async def test_a_cursor_of_nobody(cursor: str) -> None:
    """A cursor that no page gave is refused by name."""
    async with opened() as sojourn:
        with pytest.raises(Invalid) as refused:
            await sojourn.sessions.search(SessionFilter(), cursor=cursor)
        assert refused.value.meta == {"param_name": "cursor"}


async def test_an_address_that_is_none() -> None:
    """A network that cannot be read is refused by name."""
    async with opened() as sojourn:
        with pytest.raises(Invalid) as refused:
            await sojourn.sessions.search(SessionFilter(addresses=("10.0.0.0/8", "everywhere")))
        assert refused.value.meta == {"param_name": "addresses"}


async def test_the_history_of_a_session() -> None:
    """Its events in order, its own alone; none is known of a session that never was."""
    async with opened() as sojourn:
        user = await user_id(sojourn)
        one, _ = [await sojourn.sessions.create(user_id=user) for _ in range(2)]
        await sojourn.sessions.attest(one.id, second=True)
        await sojourn.sessions.revoke(one.id, note="lost laptop")
        events = await sojourn.history.of_session(one.id)
        assert [event.type.value for event in events] == [
            "session.created",
            "session.factors_verified",
            "session.revoked",
        ]
        assert events[-1].note == "lost laptop"
        with pytest.raises(NotFound):
            await sojourn.history.of_session("sess_none")


async def test_explanations() -> None:
    """While it lives: which deadline comes next; ended: by which rule, and the cutoff that did it before any
    sweep."""
    clock = ManualClock()
    policy = Policy(inactivity_seconds=3600)
    async with opened(clock=clock, policy=policy) as sojourn:
        user = await user_id(sojourn)
        one = await sojourn.sessions.create(user_id=user)
        explained = await sojourn.history.explain(one.id)
        assert explained.rule is None
        assert explained.next is not None
        assert (explained.next.reason, explained.next.moves) == (Reason.INACTIVITY, True)
        assert explained.next.at == one.created_at + 3_600_000
        await sojourn.sessions.revoke_all_of_user(user, note="stolen")
        explained = await sojourn.history.explain(one.id)
        assert explained.session.status is Status.REVOKED
        assert explained.rule is not None
        assert explained.next is None
        assert [cutoff.note for cutoff in explained.cutoffs] == ["stolen"]
        other = await sojourn.sessions.create(user_id=user)
        clock.advance(seconds=3600)
        explained = await sojourn.history.explain(other.id)
        assert explained.session.ending is not None
        assert explained.session.ending.reason is Reason.INACTIVITY
        assert [deadline.passed for deadline in explained.deadlines] == [True, False, False]


async def test_every_reason_has_its_rule() -> None:
    """There is a sentence for each reason."""
    from sojourn.service.history import _RULES  # pyright: ignore[reportPrivateUsage]

    assert set(_RULES) == set(Reason)


async def test_attested_factors_are_in_the_token() -> None:
    """`fva` follows what the application attests; for an actor nobody's factors count."""
    clock = ManualClock()
    async with opened(clock=clock) as sojourn:
        user = await user_id(sojourn)
        one = await sojourn.sessions.create(user_id=user)
        acted = await sojourn.sessions.create(user_id=user, actor=Actor("boss", {}))

        async def ages(session: Session) -> object:
            token = await sojourn.tokens.create(session.id)
            return jws.verify(token, sojourn.keys.public).claims["fva"]

        assert (await ages(one), await ages(acted)) == ([0, -1], [-1, -1])
        clock.advance(seconds=300)
        await sojourn.sessions.attest(one.id, second=True)
        assert await ages(one) == [5, 0]
        await sojourn.sessions.attest(one.id, first=True)
        clock.advance(seconds=60)
        assert await ages(one) == [1, 1]
        with pytest.raises(Invalid):
            await sojourn.sessions.attest(one.id)
        await sojourn.sessions.revoke(one.id)
        assert (await sojourn.sessions.attest(one.id, first=True)).status is Status.REVOKED

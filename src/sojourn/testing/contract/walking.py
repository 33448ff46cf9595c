"""Contract: sessions are found by any of their facts, in bounded steps that miss none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sojourn.core.lifecycle import SubjectKind, settle
from sojourn.core.session import Actor, Session, Status
from sojourn.service.ports import InsertSession, Refused, SessionWalk, Store, UpdateSession
from sojourn.testing.contract.base import (
    NOW,
    ContractBase,
    cut,
    end,
    held,
    insert,
    make_session,
    refusal,
    seed,
    status_of,
    stored,
    update,
)

FACTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "organized": {"last_active_organization_id": "org_a"},
    "acted": {"actor": Actor("user_z", {"why": 'it\'s "so" 🙂'})},
    "applied": {"application": "key_a"},
    "late": {"created_at": NOW + 1000},
    "used": {"last_active_at": NOW + 2000},
    "expired": {"expire_at": NOW - 1},
    "other": {"user_id": "user_b", "client_id": "client_b"},
}
MATCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, list(FACTS)),
    ({"organization_id": "org_a"}, ["organized"]),
    ({"organization_id": "org_b"}, []),
    ({"actor": "user_z"}, ["acted"]),
    ({"application": "key_a"}, ["applied"]),
    ({"created_from": NOW + 1000}, ["late"]),
    ({"created_before": NOW + 1000}, [name for name in FACTS if name != "late"]),
    ({"active_from": NOW + 2000}, ["used"]),
    ({"active_before": NOW + 2000}, [name for name in FACTS if name != "used"]),
    ({"statuses": frozenset({Status.EXPIRED, Status.REVOKED})}, ["expired"]),
    ({"statuses": frozenset({Status.ACTIVE}), "user_id": "user_b"}, ["other"]),
    ({"client_id": "client_b"}, ["other"]),
    ({"client_id": "client_b", "user_id": "user_a"}, []),
    ({"organization_id": "org_a", "actor": "user_z"}, []),
]


async def walk(store: Store, *, window: int = 10_000, limit: int = 100, **facts: Any) -> list[Session]:
    """All steps of a walk, settled."""
    found: list[Session] = []
    before: int | None = None
    while True:
        step = await store.walk(SessionWalk(now=NOW, before=before, window=window, limit=limit, **facts))
        assert len(step.items) <= limit
        found += [settle(item.session, item.cutoffs, NOW) for item in step.items]
        if step.before is None:
            return found
        assert before is None or step.before < before
        before = step.before


async def fill(store: Store) -> None:
    """A session for each of FACTS."""
    sessions = [make_session(f"sess_{name}", **facts) for name, facts in FACTS.items()]
    await seed(store, *sessions, users=("user_a", "user_b"), clients=("client_a", "client_b"))


class WalkContract(ContractBase):
    """`walk`, the limit of concurrent sessions, and cutoffs that spare one."""

    @pytest.mark.parametrize("size", [(10_000, 100), (1, 1), (3, 2), (2, 3)], ids=str)
    @pytest.mark.parametrize(("facts", "names"), MATCHES, ids=[f"match-{n}" for n in range(len(MATCHES))])
    async def test_a_walk_finds_what_matches(
        self, store: Store, facts: dict[str, Any], names: list[str], size: tuple[int, int]
    ) -> None:
        """Newest first, each exactly once, whatever the size of window and step."""
        await fill(store)
        found = [session.id for session in await walk(store, window=size[0], limit=size[1], **facts)]
        assert found == [f"sess_{name}" for name in reversed(names)]

    async def test_a_step_looks_at_its_window_alone(self, store: Store) -> None:
        """A step that finds nothing in its window is empty and says where to go on."""
        await fill(store)
        step = await store.walk(SessionWalk(now=NOW, window=2, organization_id="org_a"))
        assert not step.items
        assert step.before == (await stored(store, "sess_expired")).sequence

    async def test_a_walk_of_nothing(self, store: Store) -> None:
        """In an empty store, or of a user without sessions, there is one empty step."""
        assert await walk(store) == []
        await fill(store)
        assert await walk(store, user_id="nobody") == []

    async def test_a_walk_sees_cutoffs(self, store: Store) -> None:
        """What a cutoff has ended shows as ended before it is swept."""
        await fill(store)
        await cut(store, SubjectKind.USER)
        live = await walk(store, statuses=frozenset({Status.ACTIVE}))
        assert [session.id for session in live] == ["sess_other"]

    async def test_facts_survive(self, store: Store) -> None:
        """Factors and application come back as given; a change of state writes the factors."""
        given = make_session(application="key_a", first_factor_at=NOW, second_factor_at=NOW - 5)
        await seed(store, given)
        read = await stored(store)
        assert read == replace(given, sequence=read.sequence)
        attested = replace(read, second_factor_at=NOW + 7, version=2, updated_at=NOW + 7)
        assert await update(store, read, attested)
        assert await stored(store) == attested

    # The limit ----------------------------------------------------------------------------------------------

    async def test_a_limit_counts_live_sessions(self, store: Store) -> None:
        """Sessions of the user that have ended, by themselves or by a cutoff, leave room; others' count
        nothing."""
        await seed(store, make_session("sess_old"), users=("user_a", "user_b"))
        await cut(store)
        await insert(
            store,
            make_session("sess_expired", expire_at=NOW - 1),
            make_session("sess_b", user_id="user_b"),
            make_session("sess_live"),
        )
        refused = await refusal(store, InsertSession(make_session("sess_no"), at_most=1))
        assert refused.why == Refused.LIMIT
        assert await store.session("sess_no") is None
        await store.commit([InsertSession(make_session("sess_yes"), at_most=2)])
        assert await status_of(store, "sess_yes") is Status.ACTIVE

    async def test_an_end_in_the_same_commit_leaves_room(self, store: Store) -> None:
        """Whoever replaces a session may create one at the limit."""
        await seed(store, make_session())
        before = await stored(store)
        change = UpdateSession(session=end(before, Status.REPLACED), expected_version=before.version)
        await store.commit([change, InsertSession(make_session("sess_b"), at_most=1)])
        assert await status_of(store, "sess_b") is Status.ACTIVE

    # Sparing ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_a_cutoff_spares_one(self, store: Store, kind: SubjectKind) -> None:
        """The spared session lives on, can be touched and changed; a later cutoff without exception ends
        it."""
        await seed(store, make_session("sess_a"), make_session("sess_b"), make_session("sess_c"))
        await cut(store, kind, spared="sess_b")
        assert [await status_of(store, f"sess_{s}") for s in "abc"] == [
            Status.REVOKED,
            Status.ACTIVE,
            Status.REVOKED,
        ]
        assert (await held(store, "sess_a")).cutoffs != (await held(store, "sess_b")).cutoffs
        assert await store.touch("sess_b", now=NOW + 5)
        assert not await store.touch("sess_a", now=NOW + 5)
        before = await stored(store, "sess_b")
        changed = replace(before, second_factor_at=NOW, version=2, updated_at=NOW + 9)
        assert await update(store, before, changed)
        await cut(store, kind, at=NOW + 10)
        assert await status_of(store, "sess_b") is Status.REVOKED

    async def test_a_cutoff_that_spares_is_swept(self, store: Store) -> None:
        """The sweep hands out the covered ones, never the spared one, and comes to its end."""
        await seed(store, make_session("sess_a"), make_session("sess_b"))
        await cut(store, spared="sess_a")
        seen: list[str] = []
        while batch := (await store.overdue(NOW, 10)).sessions:
            for one in batch:
                settled = settle(one.session, one.cutoffs, NOW)
                assert not settled.live
                seen.append(settled.id)
                assert await update(store, one.session, settled)
        assert seen == ["sess_b"]
        assert await status_of(store, "sess_a") is Status.ACTIVE

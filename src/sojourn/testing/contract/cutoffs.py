"""Contract: one row ends every session of a user, a client or the instance created up to it, and none
later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sojourn.core.lifecycle import Cutoffs, SubjectKind, settle
from sojourn.core.session import Instigator, Reason, Status
from sojourn.service.ports import InsertCutoff, InsertSession, SessionQuery, Store
from sojourn.testing.contract.base import (
    DAY,
    NOW,
    ContractBase,
    cut,
    end,
    held,
    insert,
    make_cutoff,
    make_session,
    seed,
    status_of,
    stored,
    update,
)


class CutoffContract(ContractBase):
    """Cutoffs and the sessions that they cover."""

    @pytest.mark.parametrize("kind", SubjectKind)
    @pytest.mark.parametrize("step", [-DAY, 0, 1])
    async def test_a_cutoff_covers_what_was_created_before(
        self, store: Store, kind: SubjectKind, step: int
    ) -> None:
        """The order of creation decides: not a clock that stood still, ran ahead or was set back."""
        await seed(store, make_session("sess_a"), make_session("sess_b", created_at=NOW + DAY))
        await cut(store, kind)
        await insert(store, make_session("sess_c", created_at=NOW + step))
        assert await status_of(store, "sess_a") is Status.REVOKED
        assert await status_of(store, "sess_b") is Status.REVOKED
        assert await status_of(store, "sess_c") is Status.ACTIVE
        assert (await held(store, "sess_c")).cutoffs == Cutoffs()

    async def test_a_cutoff_covers_its_subject_only(self, store: Store) -> None:
        """Sessions of another user or client go on, also where a user and a client share an id."""
        await seed(
            store,
            make_session("sess_a"),
            make_session("sess_b", user_id="user_b"),
            make_session("sess_c", client_id="client_c"),
            make_session("sess_d", user_id="same", client_id="client_c"),
            make_session("sess_e", user_id="user_b", client_id="same"),
            users=("user_a", "user_b", "same"),
            clients=("client_a", "client_c", "same"),
        )
        await cut(store, SubjectKind.USER, subject="user_a")
        await cut(store, SubjectKind.CLIENT, subject="same")
        ended = [s for s in "abcde" if not (await status_of(store, f"sess_{s}")).live]
        assert ended == ["a", "c", "e"]

    async def test_a_cutoff_comes_back_as_it_was_given(self, store: Store) -> None:
        """Kind, subject, instant, status, reason, instigator and note survive; the sequence is the newest
        creation's."""
        given = make_cutoff(
            at=NOW + 5,
            status=Status.ENDED,
            reason=Reason.USER_BANNED,
            instigator=Instigator.SYSTEM,
            note="büße 🙂 'it'",
        )
        await seed(store, make_session("sess_a"), make_session("sess_b"))
        newest = (await stored(store, "sess_b")).sequence
        await store.commit([InsertCutoff(replace(given, sequence=newest + 1000))])
        await insert(store, make_session("sess_c"))
        for session_id in ("sess_a", "sess_b"):
            assert (await held(store, session_id)).cutoffs == Cutoffs(user=replace(given, sequence=newest))
        assert await status_of(store, "sess_c") is Status.ACTIVE

    async def test_each_kind_of_cutoff_is_told_apart(self, store: Store) -> None:
        """A session that three cutoffs cover comes with all three."""
        await seed(store, make_session())
        for step, kind in enumerate((SubjectKind.INSTANCE, SubjectKind.CLIENT, SubjectKind.USER)):
            await cut(store, kind, at=NOW + step)
        cutoffs = (await held(store)).cutoffs
        assert [(c.kind, c.at) for c in cutoffs] == [
            (SubjectKind.USER, NOW + 2),
            (SubjectKind.CLIENT, NOW + 1),
            (SubjectKind.INSTANCE, NOW),
        ]

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_of_several_cutoffs_the_first_that_covers_counts(
        self, store: Store, kind: SubjectKind
    ) -> None:
        """A later cutoff of the same subject never takes over the sessions of an earlier one."""
        await seed(store)
        for n in range(4):
            await insert(store, make_session(f"sess_{n}"))
            await cut(store, kind, at=NOW + 10 * n, note=f"first of {n}")
            await cut(store, kind, at=NOW + 10 * n + 5, note=f"second of {n}")
        for n in range(4):
            (cutoff,) = (await held(store, f"sess_{n}")).cutoffs
            assert (cutoff.at, cutoff.note) == (NOW + 10 * n, f"first of {n}")

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_the_instants_of_a_subject_never_go_back(self, store: Store, kind: SubjectKind) -> None:
        """With a clock that was set back a cutoff gets the instant of the one before."""
        await seed(store, make_session("sess_a"))
        await cut(store, kind, at=NOW)
        await insert(store, make_session("sess_b"))
        await cut(store, kind, at=NOW - DAY)
        assert [c.at for c in (await held(store, "sess_b")).cutoffs] == [NOW]
        assert [c.at for c in (await held(store, "sess_a")).cutoffs] == [NOW]

    async def test_the_instant_of_another_subject_does_not_count(self, store: Store) -> None:
        """Each subject has instants of its own."""
        await seed(
            store,
            make_session("sess_a"),
            make_session("sess_b", user_id="user_b"),
            users=("user_a", "user_b"),
        )
        await cut(store, subject="user_a", at=NOW)
        await cut(store, subject="user_b", at=NOW - 5)
        assert [c.at for c in (await held(store, "sess_b")).cutoffs] == [NOW - 5]

    async def test_the_order_within_a_commit_counts(self, store: Store) -> None:
        """What is inserted before a cutoff is covered, what comes behind it in the same commit is not."""
        await seed(store)
        await store.commit(
            [
                InsertSession(make_session("sess_a")),
                InsertCutoff(make_cutoff()),
                InsertSession(make_session("sess_b")),
            ]
        )
        assert await status_of(store, "sess_a") is Status.REVOKED
        assert await status_of(store, "sess_b") is Status.ACTIVE

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_a_cutoff_before_all_sessions_covers_none(self, store: Store, kind: SubjectKind) -> None:
        """On an empty store there is nothing to end, and the first session stands."""
        await seed(store)
        await cut(store, kind)
        await insert(store, make_session())
        assert await status_of(store) is Status.ACTIVE

    async def test_a_list_carries_cutoffs(self, store: Store) -> None:
        """What a list returns settles to the same as what a single read returns."""
        await seed(store, make_session("sess_a"), make_session("sess_b"))
        await cut(store, SubjectKind.USER, at=NOW + 9)
        await insert(store, make_session("sess_c"))
        await cut(store, SubjectKind.CLIENT, at=NOW + 2)
        page = await store.sessions(SessionQuery(now=NOW))
        assert page.items == [await held(store, f"sess_{s}") for s in "cba"]
        settled = [settle(item.session, item.cutoffs, NOW).ending for item in page.items]
        assert [ending and ending.at for ending in settled] == [NOW + 2, NOW + 2, NOW + 2]

    async def test_an_ended_session_keeps_its_own_end(self, store: Store) -> None:
        """A cutoff behind an end that is stored changes nothing of it."""
        await seed(store, make_session())
        before = await stored(store)
        assert await update(store, before, end(before, Status.ENDED, at=NOW - 1))
        ended = await stored(store)
        await cut(store, SubjectKind.INSTANCE)
        assert await stored(store) == ended
        assert await status_of(store) is Status.ENDED

    async def test_a_cutoff_changes_no_stored_session(self, store: Store) -> None:
        """One row does it: the sessions stay as they are until a sweep, and can be updated by version."""
        await seed(store, make_session())
        before = await stored(store)
        await cut(store)
        found = await held(store)
        assert found.session == before
        assert await update(store, before, settle(before, found.cutoffs, NOW))
        assert (await stored(store)).status is Status.REVOKED

    @pytest.mark.parametrize("kind", SubjectKind)
    async def test_the_end_by_a_cutoff_is_never_undone(self, store: Store, kind: SubjectKind) -> None:
        """Covered is ended: no change but that end itself, or one that came before it, can be written."""
        await seed(store, make_session("sess_a"), make_session("sess_b", created_at=NOW + 9))
        live = await stored(store, "sess_a")
        await cut(store, kind, at=NOW + 5)
        assert not await update(store, live, replace(live, last_active_organization_id="org_a", version=2))
        assert not await update(store, live, end(live, Status.ENDED, at=NOW + 6))
        assert await stored(store, "sess_a") == live
        assert await update(store, live, end(live, Status.EXPIRED, at=NOW + 4))
        # One that says it was created after its cutoff ended at its creation.
        late = await held(store, "sess_b")
        assert not await update(store, late.session, end(late.session, Status.ENDED, at=NOW + 10))
        assert await update(store, late.session, settle(late.session, late.cutoffs, NOW))
        assert (await stored(store, "sess_b")).status is Status.REVOKED

    async def test_the_last_cutoff_of_a_user(self, store: Store) -> None:
        """It is the latest of the user's own and of the instance's, whether it covers a session or not, and
        nobody else's."""
        assert await store.last_cutoff_at("user_a") == 0
        await cut(store, SubjectKind.USER, subject="user_a", at=NOW)
        await cut(store, SubjectKind.USER, subject="user_a", at=NOW + 7, spared="sess_a")
        await cut(store, SubjectKind.CLIENT, subject="user_b", at=NOW + 9)
        assert (await store.last_cutoff_at("user_a"), await store.last_cutoff_at("user_b")) == (NOW + 7, 0)
        await cut(store, SubjectKind.INSTANCE, at=NOW + 5)
        assert (await store.last_cutoff_at("user_a"), await store.last_cutoff_at("user_b")) == (
            NOW + 7,
            NOW + 5,
        )

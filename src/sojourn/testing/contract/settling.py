"""Contract: a store's own idea of the status at an instant is that of `core.lifecycle.settle`, always."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sojourn.core.lifecycle import Cutoff, SubjectKind, settle
from sojourn.core.session import Ending, Instigator, Reason, Session, Status
from sojourn.service.ports import (
    InsertClient,
    InsertCutoff,
    InsertSession,
    InsertUser,
    Operation,
    SessionQuery,
    Store,
)
from sojourn.testing.contract.base import NOW, ContractBase, held, make_client, make_session, make_user

# Steps of whole seconds around one instant, with an inactivity in seconds: ties of every pair are frequent.
NEAR = st.integers(-3, 3).map(lambda seconds: NOW + 1000 * seconds) | st.integers(NOW - 2, NOW + 2)
ENDED = [status for status in Status if not status.live]
_example = count()


@st.composite
def sessions(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of a session of which anything may be due, done or far away."""
    far = st.just(NOW + 10**9)
    created = draw(NEAR)
    fields: dict[str, Any] = {
        "created_at": created,
        "updated_at": created,
        "last_active_at": draw(NEAR),
        "expire_at": draw(NEAR | far),
        "abandon_at": draw(NEAR | far),
        "inactivity_seconds": draw(st.none() | st.integers(1, 3)),
        "status": draw(st.sampled_from([Status.ACTIVE, Status.PENDING])),
        "user_id": draw(st.integers(0, 1)),
        "client_id": draw(st.integers(0, 1)),
    }
    if draw(st.integers(0, 5)) == 0:
        fields["status"] = draw(st.sampled_from(ENDED))
        fields["ending"] = Ending(at=draw(NEAR), reason=Reason.REVOKED, instigator=Instigator.SYSTEM)
    return fields


@st.composite
def cutoffs(draw: st.DrawFn) -> Cutoff:
    """A cutoff of anybody, at any instant near, with any end."""
    return Cutoff(
        kind=draw(st.sampled_from(SubjectKind)),
        subject=str(draw(st.integers(0, 1))),
        at=draw(NEAR),
        status=draw(st.sampled_from(ENDED)),
        reason=draw(st.sampled_from([Reason.ALL_OF_USER, Reason.USER_BANNED])),
        instigator=draw(st.sampled_from(Instigator)),
    )


class SettlingContract(ContractBase):
    """The filter of `sessions` against `settle`."""

    # The same test runs on every store that inherits it, and one store serves all examples: each has users,
    # clients and, for what a cutoff of the instance covers, places in the order of its own.

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(steps=st.lists(sessions() | cutoffs(), min_size=1, max_size=10), now=NEAR)
    async def test_a_filter_finds_what_settle_puts_there(
        self, store: Store, steps: list[dict[str, Any] | Cutoff], now: int
    ) -> None:
        """For each status, exactly the sessions of that settled status are listed, and excluded, and
        counted."""
        tag = f"{next(_example)}"
        expected = await play(store, tag, steps, now)
        for user in (None, f"user_{tag}_0", f"user_{tag}_1"):
            mine = [session for session in expected if user in (None, session.user_id)]
            # Without a user the sessions of earlier examples are in the list too, behind those of this one.
            for status in Status:
                wanted = [session.id for session in mine if session.status is status]
                query = SessionQuery(
                    now=now, user_id=user, statuses=frozenset({status}), limit=max(len(wanted), 1), count=True
                )
                page = await store.sessions(query)
                found = [item.session.id for item in page.items]
                assert found[: len(wanted)] == wanted, (status, user)
                if user is not None:
                    assert (found, page.total) == (wanted, len(wanted)), (status, user)
                    left = await store.sessions(
                        replace(query, statuses=None, excluded=frozenset({status}), limit=50)
                    )
                    assert [i.session.id for i in left.items] == [
                        s.id for s in mine if s.status is not status
                    ]


async def play(store: Store, tag: str, steps: list[dict[str, Any] | Cutoff], now: int) -> list[Session]:
    """Do the steps in one commit. The settled sessions, newest first."""
    operations: list[Operation] = []
    for n in range(2):
        operations += [
            InsertUser(make_user(f"user_{tag}_{n}")),
            InsertClient(make_client(f"client_{tag}_{n}")),
        ]
    names: list[str] = []
    for n, step in enumerate(steps):
        if isinstance(step, Cutoff):
            operations.append(InsertCutoff(replace(step, subject=f"{step.kind}_{tag}_{step.subject}")))
            continue
        names.append(f"sess_{tag}_{n}")
        owners = {
            "user_id": f"user_{tag}_{step['user_id']}",
            "client_id": f"client_{tag}_{step['client_id']}",
        }
        operations.append(InsertSession(make_session(names[-1], **{**step, **owners})))
    await store.commit(operations)
    found = [await held(store, name) for name in reversed(names)]
    return [settle(item.session, item.cutoffs, now) for item in found]

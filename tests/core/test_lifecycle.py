"""The life cycle: its table, its deadlines, and `settle` against a naive model."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sojourn.core import lifecycle
from sojourn.core.errors import Invalid, Missing
from sojourn.core.lifecycle import NO_CUTOFFS, TRANSITIONS, Cutoff, Cutoffs, SubjectKind, Trigger
from sojourn.core.policy import Limits, Policy
from sojourn.core.session import Instigator, Reason, Session, Status

NOW = 1_800_000_000_000
STEPS = 50_000 // 100 if os.environ.get("SOJOURN_FAULTS") == "full" else 60


def make(now: int = NOW, **limits: int) -> Session:
    """A new session under the default policy with some limits of its own."""
    return lifecycle.create(
        session_id="sess_1",
        user_id="user_1",
        client_id="client_1",
        policy=Policy().with_limits(Limits(**limits)),
        now=now,
    )


def cutoff(at: int, sequence: int = 1, status: Status = Status.REVOKED) -> Cutoff:
    """A cutoff of the user."""
    return Cutoff(
        kind=SubjectKind.USER,
        subject="user_1",
        at=at,
        status=status,
        reason=Reason.ALL_OF_USER,
        instigator=Instigator.APPLICATION,
        sequence=sequence,
    )


def test_the_table_is_total() -> None:
    """Live statuses know every trigger; end states know none."""
    assert set(TRANSITIONS) == set(Status)
    for status, row in TRANSITIONS.items():
        assert set(row) == (set(Trigger) if status.live else set())


@pytest.mark.parametrize("trigger", [Trigger.END, Trigger.REMOVE, Trigger.REVOKE, Trigger.REPLACE])
def test_end_states_absorb(trigger: Trigger) -> None:
    """What has ended comes back as the very same value, whatever happens to it."""
    ended = lifecycle.finish(make(), trigger, NOW + 1, instigator=Instigator.USER)
    assert not ended.live
    for other in (Trigger.END, Trigger.REMOVE, Trigger.REVOKE, Trigger.REPLACE):
        assert lifecycle.finish(ended, other, NOW + 2, instigator=Instigator.USER) is ended
    assert lifecycle.activate(ended, NOW + 2) is ended
    assert lifecycle.touch(ended, NOW + 2) is ended
    assert lifecycle.settle(ended, Cutoffs(cutoff(NOW)), NOW + 10**12) is ended


def test_the_maximum_lifetime_ends_exactly_at_its_instant() -> None:
    """One millisecond before the deadline the session stands; at it, it has expired at that instant."""
    session = make()
    assert lifecycle.settle(session, NO_CUTOFFS, session.expire_at - 1) is session
    ended = lifecycle.settle(session, NO_CUTOFFS, session.expire_at)
    assert (ended.status, ended.updated_at) == (Status.EXPIRED, session.expire_at)


def test_a_tie_is_expired() -> None:
    """Where lifetime, abandonment and a cutoff fall on one instant, it is the maximum lifetime."""
    session = make(lifetime_seconds=600, abandonment_seconds=600)
    at = session.expire_at
    ended = lifecycle.settle(session, Cutoffs(cutoff(at)), at)
    assert ended.ending is not None
    assert (ended.status, ended.ending.reason) == (Status.EXPIRED, Reason.MAXIMUM_LIFETIME)


def test_the_earliest_end_names_it_however_late_one_looks() -> None:
    """A cutoff after the inactivity deadline comes too late, one before it counts."""
    session = make(inactivity_seconds=600)
    idle = NOW + 600_000
    late = lifecycle.settle(session, Cutoffs(cutoff(idle + 1)), NOW + 10**12)
    early = lifecycle.settle(session, Cutoffs(cutoff(idle - 1)), NOW + 10**12)
    assert late.ending is not None
    assert (late.ending.reason, late.ending.at) == (Reason.INACTIVITY, idle)
    assert (early.status, early.updated_at) == (Status.REVOKED, idle - 1)


def test_a_cutoff_goes_by_the_order_of_creation_not_by_clocks() -> None:
    """A session created later is not covered though a clock says so, an earlier one is whatever it says."""
    session = lifecycle.replace(make(), sequence=5)
    assert lifecycle.settle(session, Cutoffs(cutoff(NOW + 1000, sequence=4)), NOW + 2000) is session
    ended = lifecycle.settle(session, Cutoffs(cutoff(NOW - 1000, sequence=5)), NOW)
    assert ended.ending is not None
    assert ended.ending.at == session.created_at


def test_abandonment_ends_a_pending_session() -> None:
    """A shorter abandonment ends what was never activated."""
    policy = Policy(abandonment_seconds=300)
    session = lifecycle.create(
        session_id="s", user_id="u", client_id="c", policy=policy, now=NOW, tasks=("choose-organization",)
    )
    assert session.status is Status.PENDING
    assert lifecycle.settle(session, NO_CUTOFFS, NOW + 300_000).status is Status.ABANDONED


def test_an_actor_gets_short_limits_whatever_is_asked() -> None:
    """Half an hour and ten idle minutes are the most under an actor."""
    session = lifecycle.create(
        session_id="s",
        user_id="u",
        client_id="c",
        policy=Policy().with_limits(Limits(lifetime_seconds=86_400)).for_actor(),
        now=NOW,
    )
    assert session.expire_at == NOW + 1_800_000
    assert session.inactivity_seconds == 600


def test_limits_that_contradict_each_other_are_refused_by_name() -> None:
    """An inactivity limit beyond the lifetime, or shorter than two touches, names itself."""
    for seconds in (7 * 86_400, 60):
        with pytest.raises(Invalid) as error:
            Policy(inactivity_seconds=seconds)
        assert error.value.meta["param_name"] == "inactivity_seconds"


def test_the_wire_form_comes_back_and_misses_nothing() -> None:
    """A round trip is equal, unknown members are tolerated, a missing required one is named."""
    wire = make().to_wire()
    assert Session.from_wire({**wire, "new_in_2030": 1}).to_wire() == wire
    for name in set(wire) - {"actor", "last_active_organization_id", "latest_activity", "tasks"}:
        with pytest.raises(Missing) as error:
            Session.from_wire({k: v for k, v in wire.items() if k != name})
        assert error.value.meta["param_name"] == name


class Lifecycle(RuleBasedStateMachine):
    """All events, clock moves (also back) and cutoffs, against facts that are simply written down."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.stored = make(inactivity_seconds=1200, lifetime_seconds=9000, abandonment_seconds=7000)
        self.cut: Cutoff | None = None
        self.end: tuple[int, Status] | None = None
        self.active_at = NOW
        self.seen = self.stored

    def cutoffs(self) -> Cutoffs:
        """What covers the session."""
        return Cutoffs(self.cut) if self.cut else NO_CUTOFFS

    def settled(self) -> Session:
        """The session now, written back as a sweeper would."""
        return lifecycle.settle(self.stored, self.cutoffs(), self.now)

    def expected(self) -> tuple[int, Status] | None:
        """The end that the facts say, by the plain rule: the earliest, in the order of ranks on a tie."""
        if self.end is not None:
            return self.end
        ends = [
            (at, rank, status)
            for at, rank, status in (
                (NOW + 9_000_000, 0, Status.EXPIRED),
                (self.active_at + 1_200_000, 1, Status.EXPIRED),
                (NOW + 7_000_000, 3, Status.ABANDONED),
            )
            if at <= self.now
        ]
        if self.cut:
            ends.append((max(self.cut.at, NOW), 2, self.cut.status))
        at, _, status = min(ends, default=(0, 0, Status.ACTIVE))
        return (at, status) if ends else None

    @rule(step=st.integers(-600_000, 1_500_000))
    def move_the_clock(self, step: int) -> None:
        """Time passes, or steps back."""
        if self.expected() is None or step > 0:
            self.now += step

    @rule()
    def touch(self) -> None:
        """Activity, on a live session."""
        if self.expected() is None:
            self.stored = lifecycle.touch(self.settled(), self.now)
            self.active_at = max(self.active_at, self.now)

    @rule(trigger=st.sampled_from([Trigger.END, Trigger.REMOVE, Trigger.REVOKE, Trigger.REPLACE]))
    def finish(self, trigger: Trigger) -> None:
        """Somebody ends it."""
        before = self.expected()
        self.stored = lifecycle.finish(self.settled(), trigger, self.now, instigator=Instigator.USER)
        self.end = before or (max(self.now, NOW), TRANSITIONS[Status.ACTIVE][trigger])

    @precondition(lambda self: self.cut is None)
    @rule(status=st.sampled_from([Status.REVOKED, Status.ENDED]))
    def cut_off(self, status: Status) -> None:
        """All sessions of the user end."""
        self.cut = cutoff(self.now, sequence=1, status=status)

    @rule()
    def sweep(self) -> None:
        """The settled status is written back; nothing that is read changes."""
        self.stored = self.settled()

    @invariant()
    def tells_the_truth(self) -> None:
        """Status and instant are those of the model, settling again changes nothing, and time only grows."""
        session = self.settled()
        expected = self.expected()
        if expected is None:
            assert session.live
        else:
            assert session.ending is not None
            assert (session.ending.at, session.status) == expected
        assert lifecycle.settle(session, self.cutoffs(), self.now + 10**12).live is False
        assert lifecycle.settle(session, self.cutoffs(), self.now) is session
        assert (session.expire_at, session.abandon_at) == (self.seen.expire_at, self.seen.abandon_at)
        if session.version > self.seen.version:
            assert session.updated_at > self.seen.updated_at
        self.seen = session


def test_every_history_agrees_with_the_model() -> None:
    """No sequence of events, clock moves and cutoffs makes `settle` differ from the plain facts."""
    run_state_machine_as_test(
        Lifecycle, settings=settings(max_examples=100, stateful_step_count=STEPS, deadline=None)
    )


def test_the_model_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with a `settle` that overlooks cutoffs the same run fails."""
    whole = lifecycle.settle

    def overlooking(session: Session, cutoffs: Cutoffs, now: int) -> Session:
        return whole(session, NO_CUTOFFS, now)

    monkeypatch.setattr(lifecycle, "settle", overlooking)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Lifecycle, settings=settings(max_examples=100, stateful_step_count=STEPS, deadline=None)
        )

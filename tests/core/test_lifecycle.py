"""The life cycle: its table, its deadlines, its ties, and the rules about clocks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sojourn.core import lifecycle
from sojourn.core.errors import Invalid, Missing
from sojourn.core.lifecycle import NO_CUTOFFS, TRANSITIONS, Cutoff, Cutoffs, SubjectKind, Trigger
from sojourn.core.policy import Limits, Policy
from sojourn.core.session import Ending, Instigator, Reason, Session, Status

NOW = 1_800_000_000_000


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
    session = replace(make(), sequence=5)
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


# The table and the functions -------------------------------------------------------------------------------


def in_status(status: Status) -> Session:
    """A session that stands in a status."""
    session = replace(make(), status=status, tasks=("setup-mfa",) if status is Status.PENDING else None)
    if status.live:
        return session
    return replace(session, ending=Ending(at=NOW, reason=Reason.REVOKED, instigator=Instigator.SYSTEM))


def happen(session: Session, trigger: Trigger) -> Session:
    """Let something happen to a session, by the function that is there for it."""
    match trigger:
        case Trigger.ACTIVATE:
            return lifecycle.activate(session, NOW + 1)
        case Trigger.TOUCH:
            return lifecycle.touch(session, NOW + 1)
        case Trigger.LIFETIME:
            return lifecycle.settle(replace(session, expire_at=NOW), NO_CUTOFFS, NOW)
        case Trigger.INACTIVITY:
            return lifecycle.settle(replace(session, inactivity_seconds=1), NO_CUTOFFS, NOW + 1000)
        case Trigger.ABANDONMENT:
            return lifecycle.settle(replace(session, abandon_at=NOW), NO_CUTOFFS, NOW)
        case _:
            return lifecycle.finish(session, trigger, NOW + 1, instigator=Instigator.USER)


@pytest.mark.parametrize("trigger", Trigger)
@pytest.mark.parametrize("status", Status)
def test_the_functions_do_what_the_table_says(status: Status, trigger: Trigger) -> None:
    """All 72 pairs of status and trigger lead where the table has them, and nowhere else."""
    before = in_status(status)
    after = happen(before, trigger)
    assert after.status is TRANSITIONS[status].get(trigger, status)
    assert (after.ending is None) == after.status.live
    if after.status is not status:
        assert (after.version, after.updated_at > before.updated_at) == (before.version + 1, True)


@pytest.mark.parametrize(
    ("trigger", "status", "reason"),
    [
        (Trigger.END, Status.ENDED, Reason.SIGNED_OUT),
        (Trigger.REMOVE, Status.REMOVED, Reason.REMOVED),
        (Trigger.REVOKE, Status.REVOKED, Reason.REVOKED),
        (Trigger.REPLACE, Status.REPLACED, Reason.REPLACED),
    ],
)
def test_every_end_has_a_reason_and_an_instigator(trigger: Trigger, status: Status, reason: Reason) -> None:
    """The usual reason of its kind unless another is given, who did it, and what was said about it."""
    ended = lifecycle.finish(make(), trigger, NOW + 5, instigator=Instigator.APPLICATION, note="stolen")
    assert ended.status is status
    assert ended.ending == Ending(at=NOW + 5, reason=reason, instigator=Instigator.APPLICATION, note="stolen")
    other = lifecycle.finish(make(), trigger, NOW, reason=Reason.USER_BANNED, instigator=Instigator.SYSTEM)
    assert other.ending == Ending(at=NOW, reason=Reason.USER_BANNED, instigator=Instigator.SYSTEM)


# Deadlines -------------------------------------------------------------------------------------------------


def test_the_usual_deadlines() -> None:
    """A week to live, a month until abandonment, no inactivity limit."""
    session = make()
    assert session.expire_at == NOW + 7 * 86_400_000
    assert session.abandon_at == NOW + 30 * 86_400_000
    assert session.inactivity_seconds is None
    assert session.last_active_at == session.updated_at == session.created_at == NOW


def test_abandonment_is_raised_to_a_later_expiry() -> None:
    """A session of a year is not abandoned after a month, unless a policy says so."""
    year = 365 * 86_400
    assert make(lifetime_seconds=year).abandon_at == NOW + year * 1000
    assert make(lifetime_seconds=year, abandonment_seconds=60).abandon_at == NOW + 60_000


def test_deadlines_do_not_slide() -> None:
    """Touches and changes of state move neither deadline; what is used all the time ends all the same."""
    session = make(inactivity_seconds=600)
    used = session
    for at in range(NOW, session.expire_at, 500_000):
        used = lifecycle.touch(lifecycle.settle(used, NO_CUTOFFS, at), at)
        assert used.live
    assert (used.expire_at, used.abandon_at) == (session.expire_at, session.abandon_at)
    assert lifecycle.settle(used, NO_CUTOFFS, session.expire_at).status is Status.EXPIRED


def test_inactivity_counts_from_the_last_activity() -> None:
    """One ms before the limit the session stands; at the limit it has expired at that instant."""
    session = lifecycle.touch(make(inactivity_seconds=600), NOW + 100_000)
    assert lifecycle.settle(session, NO_CUTOFFS, NOW + 699_999) is session
    ended = lifecycle.settle(session, NO_CUTOFFS, NOW + 10**9)
    expected = Ending(at=NOW + 700_000, reason=Reason.INACTIVITY, instigator=Instigator.POLICY)
    assert (ended.status, ended.ending) == (Status.EXPIRED, expected)


@pytest.mark.parametrize(
    ("expire", "idle", "cut", "abandon", "reason"),
    [
        (0, 0, 0, 0, Reason.MAXIMUM_LIFETIME),
        (1, 0, 0, 0, Reason.INACTIVITY),
        (1, 1, 0, 0, Reason.ALL_OF_USER),
        (1, 1, 1, 0, Reason.ABANDONMENT),
        (0, 0, 1, 1, Reason.MAXIMUM_LIFETIME),
        (1, 0, 0, 1, Reason.INACTIVITY),
        (0, 1, 0, 0, Reason.MAXIMUM_LIFETIME),
    ],
)
def test_the_order_on_a_tie(expire: int, idle: int, cut: int, abandon: int, reason: Reason) -> None:
    """The earliest names the end; at one instant lifetime, inactivity, cutoff, abandonment, in this order."""
    at = NOW + 600_000
    session = replace(
        make(inactivity_seconds=600),
        expire_at=at + expire,
        last_active_at=NOW + idle,
        abandon_at=at + abandon,
    )
    ended = lifecycle.settle(session, Cutoffs(cutoff(at + cut)), at + 9)
    assert ended.ending is not None
    assert (ended.ending.at, ended.ending.reason) == (at, reason)


def test_the_narrowest_cutoff_on_a_tie() -> None:
    """User before client before instance at one instant; else the earliest, of whatever kind."""

    def of(kind: SubjectKind, at: int) -> Cutoff:
        reasons = {
            SubjectKind.USER: Reason.ALL_OF_USER,
            SubjectKind.CLIENT: Reason.ALL_OF_CLIENT,
            SubjectKind.INSTANCE: Reason.ALL_OF_INSTANCE,
        }
        return replace(cutoff(at), kind=kind, reason=reasons[kind])

    def reason(user: int, client: int, instance: int) -> Reason | None:
        kinds = zip(SubjectKind, (user, client, instance), strict=True)
        ending = lifecycle.settle(
            make(), Cutoffs(*(of(kind, NOW + at) for kind, at in kinds)), NOW + 9
        ).ending
        return ending and ending.reason

    assert reason(1, 1, 1) is Reason.ALL_OF_USER
    assert reason(2, 1, 1) is Reason.ALL_OF_CLIENT
    assert reason(2, 2, 1) is Reason.ALL_OF_INSTANCE
    assert reason(3, 1, 2) is Reason.ALL_OF_CLIENT


def test_the_next_deadline_is_when_it_ends_by_itself() -> None:
    """The earliest of the three; none once it has ended."""
    assert lifecycle.next_deadline(make()) == make().expire_at
    assert lifecycle.next_deadline(make(abandonment_seconds=60)) == NOW + 60_000
    idle = make(inactivity_seconds=600)
    assert lifecycle.next_deadline(idle) == NOW + 600_000
    assert lifecycle.next_deadline(lifecycle.touch(idle, NOW + 5)) == NOW + 600_005
    assert lifecycle.next_deadline(in_status(Status.ENDED)) is None


# Clocks ----------------------------------------------------------------------------------------------------


def test_changes_are_later_than_those_before_them() -> None:
    """`updated_at` is max(now, previous + 1), with a clock that stands still or was set back."""
    pending = in_status(Status.PENDING)
    active = lifecycle.activate(pending, NOW)
    assert active.updated_at == NOW + 1
    ended = lifecycle.finish(active, Trigger.END, NOW - 10**9, instigator=Instigator.USER)
    assert ended.updated_at == NOW + 2
    assert lifecycle.finish(active, Trigger.END, NOW + 50, instigator=Instigator.USER).updated_at == NOW + 50


def test_no_end_lies_before_the_creation() -> None:
    """With a clock that was set back below it, a session ends at its creation."""
    ended = lifecycle.finish(make(), Trigger.REVOKE, NOW - 10**9, instigator=Instigator.APPLICATION)
    assert ended.ending is not None
    assert ended.ending.at == NOW


def test_a_clock_that_steps_back_prolongs_nothing() -> None:
    """Activity never goes back, deadlines stay where they are, and what is stored as ended stays ended."""
    session = lifecycle.touch(make(inactivity_seconds=600), NOW + 5000)
    back = lifecycle.touch(session, NOW - 10**6)
    assert back.last_active_at == NOW + 5000
    assert lifecycle.next_deadline(back) == lifecycle.next_deadline(session)
    ended = lifecycle.settle(session, NO_CUTOFFS, NOW + 605_000)
    assert lifecycle.settle(ended, NO_CUTOFFS, NOW) is ended


def test_a_cutoff_holds_with_any_clock() -> None:
    """It is in force at once, also for whoever's clock is behind its instant."""
    ended = lifecycle.settle(make(), Cutoffs(cutoff(NOW + 10**6)), NOW)
    assert ended.status is Status.REVOKED
    assert lifecycle.settle(make(), Cutoffs(cutoff(NOW)), NOW - 10**9).status is Status.REVOKED

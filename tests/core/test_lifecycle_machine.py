"""Every history of a session, with clocks that step back and cutoffs of everybody, against a naive model.

The model writes down facts and works everything out from them again each time it is asked; it shares no code
with `core.lifecycle`. The quick form takes seconds; SOJOURN_FAULTS=full makes it 50,000 steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from sojourn.core import lifecycle
from sojourn.core.lifecycle import Cutoff, Cutoffs, SubjectKind, Trigger
from sojourn.core.session import Activity, Instigator, Reason, Session, Status

FULL = os.environ.get("SOJOURN_FAULTS") == "full"
SETTINGS = settings(
    max_examples=500 if FULL else 200,
    stateful_step_count=100 if FULL else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
START = 1_767_225_600_000
MINUTE = 60_000
WORDS = {
    "end": ("ended", "signed_out"),
    "remove": ("removed", "removed_from_client"),
    "revoke": ("revoked", "revoked"),
    "replace": ("replaced", "replaced_on_client"),
}
KINDS = ("user", "client", "instance")


@dataclass
class Facts:
    """What has happened, in the model's own words. Instants are ms."""

    lifetime_ends: int
    abandoned_from: int
    idle_after: int | None
    pending: bool
    activity: list[int] = field(default_factory=lambda: [START])
    cutoffs: list[tuple[str, int, str]] = field(default_factory=list)
    written: tuple[int, str, str] | None = None

    def end(self, now: int) -> tuple[int, str, str] | None:
        """Instant, status and cause of the end, None while it lives: the earliest, in the order below."""
        if self.written:
            return self.written
        ends: list[tuple[int, str, str]] = []
        if self.lifetime_ends <= now:
            ends.append((self.lifetime_ends, "expired", "maximum_lifetime"))
        if self.idle_after is not None and max(self.activity) + self.idle_after <= now:
            ends.append((max(self.activity) + self.idle_after, "expired", "inactivity"))
        for kind in KINDS:
            of_kind = [(max(at, START), status) for k, at, status in self.cutoffs if k == kind]
            ends += [(at, status, f"all_sessions_of_{kind}") for at, status in of_kind]
        if self.abandoned_from <= now:
            ends.append((self.abandoned_from, "abandoned", "abandonment"))
        # sorted() is stable: of ends at one instant the first in the list wins.
        return sorted(ends, key=lambda end: end[0])[0] if ends else None

    def status(self, now: int) -> str:
        """The word for where it stands."""
        end = self.end(now)
        return end[1] if end else ("pending" if self.pending else "active")


class History(RuleBasedStateMachine):
    """One session. What is done to it goes the way of the services: read, settle, change, write."""

    now = START
    stored: Session
    facts: Facts

    @initialize(
        lifetime=st.integers(2, 9),
        abandonment=st.integers(1, 12),
        idle=st.none() | st.integers(2, 5),
        pending=st.booleans(),
    )
    def create(self, lifetime: int, abandonment: int, idle: int | None, pending: bool) -> None:
        """A session whose deadlines are whole minutes, so that they often fall on one instant."""
        ends, left = START + lifetime * MINUTE, START + abandonment * MINUTE
        self.facts = Facts(ends, left, None if idle is None else idle * MINUTE, pending)
        self.stored = Session(
            id="sess_1",
            user_id="user_1",
            client_id="client_1",
            status=Status.PENDING if pending else Status.ACTIVE,
            last_active_at=START,
            expire_at=ends,
            abandon_at=left,
            updated_at=START,
            created_at=START,
            tasks=("setup-mfa",) if pending else None,
            inactivity_seconds=None if idle is None else idle * 60,
            sequence=5,
        )
        self.cutoffs: dict[str, Cutoff] = {}
        self.last_read: Session | None = None

    # What happens -------------------------------------------------------------------------------------------

    @rule(minutes=st.integers(1, 3) | st.integers(-6, -1), ms=st.sampled_from([-1, 0, 0, 0, 1]))
    def move_the_clock(self, minutes: int, ms: int) -> None:
        """Time passes, or somebody sets the clock back."""
        self.now += minutes * MINUTE + ms
        if minutes < 0:
            # Only what was written holds across a step back: before it, the deadlines lie ahead again.
            self.last_read = None

    @rule(seen=st.booleans())
    def touch(self, seen: bool) -> None:
        """Activity: accepted exactly when the model says that the session lives."""
        settled = self.settled()
        activity = Activity(id=f"sess_activity_{self.now}") if seen else None
        touched = lifecycle.touch(settled, self.now, activity=activity)
        if self.facts.end(self.now):
            assert touched is settled
            return
        self.facts.activity.append(self.now)
        assert touched.latest_activity == (activity or self.stored.latest_activity)
        self.write(touched, change=False)

    @rule()
    def activate(self) -> None:
        """The tasks are done: a pending session becomes active, nothing else changes."""
        settled = self.settled()
        activated = lifecycle.activate(settled, self.now)
        if self.facts.status(self.now) != "pending":
            assert activated is settled
            return
        self.facts.pending = False
        assert activated.tasks is None
        self.write(activated)

    @rule(word=st.sampled_from(sorted(WORDS)), note=st.none() | st.just("why"))
    def finish(self, word: str, note: str | None) -> None:
        """Somebody ends it; who comes second changes nothing."""
        settled = self.settled()
        done = lifecycle.finish(settled, Trigger(word), self.now, instigator=Instigator.USER, note=note)
        if self.facts.end(self.now):
            assert done is settled
            return
        self.facts.written = (max(self.now, START), *WORDS[word])
        assert done.ending is not None
        assert (done.ending.note, done.ending.instigator) == (note, Instigator.USER)
        self.write(done)

    @rule(
        kind=st.sampled_from(KINDS),
        skew=st.integers(-3, 0).map(lambda minutes: minutes * MINUTE),
        status=st.sampled_from(["revoked", "ended", "removed"]),
        covers=st.booleans(),
    )
    def cut_off(self, kind: str, skew: int, status: str, covers: bool) -> None:
        """All sessions of somebody end, by a clock that may be behind; or those created before this one."""
        if kind in self.cutoffs or self.facts.written:
            return
        self.cutoffs[kind] = Cutoff(
            kind=SubjectKind(kind),
            subject=f"{kind}_1",
            at=self.now + skew,
            status=Status(status),
            reason=Reason(f"all_sessions_of_{kind}"),
            instigator=Instigator.APPLICATION,
            sequence=5 if covers else 4,
        )
        if covers:
            self.facts.cutoffs.append((kind, self.now + skew, status))
            self.last_read = None

    @rule()
    def sweep(self) -> None:
        """The settled status is written back: from now on it is a fact of its own."""
        settled = self.settled()
        end = self.facts.end(self.now)
        if self.stored.live and end:
            self.facts.written = end
            self.write(settled)
        else:
            assert settled is self.stored

    # What always holds --------------------------------------------------------------------------------------

    @invariant()
    def is_as_the_facts_say(self) -> None:
        """Status, instant and cause are the model's, at any instant, whether it was swept or not."""
        for now in (self.now, self.now - MINUTE, self.now + 3 * MINUTE, self.now + 99 * MINUTE):
            settled = self.settled(now)
            end = self.facts.end(now)
            assert settled.status.value == self.facts.status(now)
            assert settled.live == (end is None)
            if settled.ending is not None:
                assert (settled.ending.at, settled.status.value, settled.ending.reason.value) == end
            assert settled.last_active_at == max(self.facts.activity)

    @invariant()
    def has_ended_for_good(self) -> None:
        """Settling is idempotent, an end once read is read again, and nothing leads out of it."""
        settled = self.settled()
        assert self.settled() == settled
        if settled.live:
            assert settled is self.stored
            return
        everything = self.covering()
        for later in (self.now, self.now + MINUTE, self.now + 10**12):
            assert lifecycle.settle(settled, everything, later) is settled
        # To a clock behind a cutoff, a deadline between the two lies ahead: it names the end only later.
        steady = all(cutoff.at <= self.now for cutoff in everything)
        if steady:
            assert self.settled(self.now + 10**12).ending == settled.ending
        if self.last_read is not None:
            assert settled.ending == self.last_read.ending
        self.last_read = settled if steady else None
        for trigger in map(Trigger, WORDS):
            assert lifecycle.finish(settled, trigger, self.now, instigator=Instigator.SYSTEM) is settled
        assert lifecycle.activate(settled, self.now) is settled
        assert lifecycle.touch(settled, self.now) is settled

    @invariant()
    def never_slides(self) -> None:
        """What was fixed at creation stays, and the next deadline is never later than the end by itself."""
        settled = self.settled()
        fixed = (settled.expire_at, settled.abandon_at, settled.created_at, settled.sequence)
        assert fixed == (self.facts.lifetime_ends, self.facts.abandoned_from, START, 5)
        due = lifecycle.next_deadline(self.stored)
        assert (due is None) == (not self.stored.live)
        if due is not None:
            alone = lifecycle.NO_CUTOFFS
            assert lifecycle.settle(self.stored, alone, due - 1).live
            ending = lifecycle.settle(self.stored, alone, due).ending
            assert ending is not None
            assert ending.at == due

    # Helpers ------------------------------------------------------------------------------------------------

    def covering(self) -> Cutoffs:
        """All cutoffs, also those that turn out not to cover the session."""
        return Cutoffs(*(self.cutoffs.get(kind) for kind in KINDS))

    def settled(self, now: int | None = None) -> Session:
        """The session as the library tells it."""
        return lifecycle.settle(self.stored, self.covering(), self.now if now is None else now)

    def write(self, session: Session, *, change: bool = True) -> None:
        """Store it. A change of state counts once and is later than the one before; a touch is none."""
        before = self.stored
        if change:
            assert session.version == before.version + 1
            assert session.updated_at > before.updated_at
        else:
            assert (session.version, session.updated_at) == (before.version, before.updated_at)
        self.stored = session


def test_every_history_agrees_with_the_model() -> None:
    """No order of events, clock moves and cutoffs makes the library differ from the plain facts."""
    run_state_machine_as_test(History, settings=SETTINGS)


Settle = Callable[[Session, Cutoffs, int], Session]


def without_cutoffs(settle: Settle) -> Settle:
    """Overlooks cutoffs."""
    return lambda session, _, now: settle(session, lifecycle.NO_CUTOFFS, now)


def one_ms_late(settle: Settle) -> Settle:
    """Lets a session live for the very instant of its deadline."""
    return lambda session, cutoffs, now: settle(session, cutoffs, now - 1)


def covering_all(settle: Settle) -> Settle:
    """Lets a cutoff end what was created after it."""

    def broken(session: Session, cutoffs: Cutoffs, now: int) -> Session:
        everything = [replace(cutoff, sequence=9) for cutoff in cutoffs]
        return settle(session, Cutoffs(*everything), now)

    return broken


def undying(settle: Settle) -> Settle:
    """Settles what has ended once more."""
    return lambda session, cutoffs, now: settle(replace(session, ending=None), cutoffs, now)


@pytest.mark.parametrize("fault", [without_cutoffs, one_ms_late, covering_all, undying])
def test_the_model_can_tell(fault: Callable[[Settle], Settle], monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with each of these faults in `settle` the same run fails."""
    monkeypatch.setattr(lifecycle, "settle", fault(lifecycle.settle))
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_state_machine_as_test(
            History, settings=settings(SETTINGS, database=None, phases=[Phase.generate])
        )

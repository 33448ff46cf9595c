"""What a verifier knows of revocations: the state machine, by messages alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sojourn.core.revocations import Revocation, RevocationKind
from sojourn.verify.outcomes import SignedIn
from sojourn.verify.ports import FeedState
from sojourn.verify.reasons import Reason
from sojourn.verify.revocations import BOUND_MS, Batch, Heartbeat, Hello, OutOfStep, Revocations

T = 1_800_000_000
"""Unix seconds at which the tests begin."""
HORIZON_MS = 120_000
ASKED_MS = 50_000


def auth(
    session: str = "s1", user: str = "u1", iat: int = T, *, kid: str = "k1", org: str | None = None
) -> SignedIn:
    """A good token."""
    claims = {"o": {"id": org, "rol": "admin"}, "v": 2} if org else {}
    return SignedIn(
        session_id=session,
        user_id=user,
        issued_at=iat,
        kid=kid,
        payload=msgspec.json.encode(claims),
        token="",
        good_from_ms=iat * 1000,
        good_until_ms=iat * 1000 + 60_000,
    )


def hello(*, position: int = 0, resumed: bool = False, epoch: str = "e", clock: int = 0) -> Hello:
    """The beginning of a stream."""
    return Hello(epoch, position, resumed, "sub", clock, HORIZON_MS)


def beat(position: int, *, start: int = 0, clock: int = 0, at: int = T * 1000) -> Heartbeat:
    """That this is all."""
    return Heartbeat(start, position, clock, at, HORIZON_MS)


def fresh(*entries: Revocation) -> Revocations:
    """A verifier that has just heard some entries."""
    known = Revocations()
    known.begin(hello(), asked_ms=ASKED_MS)
    known.take(Batch(0, 1, entries))
    known.beat(beat(1))
    return known


def entry(kind: RevocationKind, at: int = T * 1000, **members: object) -> Revocation:
    """An entry."""
    return Revocation(kind=kind, at=at, **members)  # pyright: ignore[reportArgumentType]


def test_each_kind_refuses_what_it_says() -> None:
    """Session, client, user, instance and key, each with somebody whom it does not concern."""
    known = fresh(
        entry(RevocationKind.SESSION, session_id="gone"),
        entry(RevocationKind.CLIENT, session_ids=("left", "right")),
        entry(RevocationKind.USER, user_id="banned"),
        entry(RevocationKind.KEY, kid="leaked"),
    )
    for session in ("gone", "left", "right"):
        assert known.refuses(auth(session, iat=T + 99)) is Reason.SESSION_REVOKED
    assert known.refuses(auth(user="banned")) is Reason.SESSION_REVOKED
    assert known.refuses(auth(kid="leaked", iat=T + 99)) is Reason.JWK_KID_MISMATCH
    assert known.refuses(auth()) is None
    assert fresh(entry(RevocationKind.INSTANCE)).refuses(auth()) is Reason.SESSION_REVOKED


@pytest.mark.parametrize("kind", [RevocationKind.USER, RevocationKind.INSTANCE])
def test_t25_a_not_before_refuses_its_second_and_what_is_older(kind: RevocationKind) -> None:
    """T-25: a token of the very second may be older than the end of all; one of the next is not."""
    known = fresh(entry(kind, T * 1000 + 999, user_id="u1"))
    assert [known.refuses(auth(iat=T + n)) for n in (-1, 0)] == [Reason.SESSION_REVOKED] * 2
    assert known.refuses(auth(iat=T + 1)) is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1), (1, 0, 2), (2, 0, 1)])
def test_t25_each_not_before_spares_its_own_session_only(order: tuple[int, ...]) -> None:
    """T-25: in whatever order they are heard, a session is refused by those that do not spare it."""
    given = [("a", 10), ("b", 20), (None, 5)]
    entries = [
        entry(RevocationKind.USER, (T + given[n][1]) * 1000, user_id="u1", spared=given[n][0]) for n in order
    ]
    known = fresh(*entries)
    for session, last in (("a", 20), ("b", 10), ("c", 20)):
        assert known.refuses(auth(session, iat=T + last)) is Reason.SESSION_REVOKED
        assert known.refuses(auth(session, iat=T + last + 1)) is None


def test_a_stale_token_says_who_it_is() -> None:
    """A change of the session, of the member or of the organization makes older tokens stale, no others."""
    known = fresh(
        entry(RevocationKind.STALE, session_id="s1"),
        entry(RevocationKind.STALE, organization_id="o1", user_id="u2"),
        entry(RevocationKind.STALE, organization_id="o2"),
    )
    assert known.refuses(auth("s1")) is Reason.TOKEN_STALE
    assert known.refuses(auth("s1", iat=T + 1)) is None
    assert known.refuses(auth("s2", "u2", org="o1")) is Reason.TOKEN_STALE
    assert known.refuses(auth("s2", "u3", org="o1")) is None
    assert known.refuses(auth("s2", "u3", org="o2")) is Reason.TOKEN_STALE
    assert known.refuses(auth("s2", "u2")) is None


def test_an_end_outweighs_a_change() -> None:
    """What is revoked is refused altogether, stale or not."""
    known = fresh(
        entry(RevocationKind.STALE, session_id="s1"), entry(RevocationKind.SESSION, session_id="s1")
    )
    assert known.refuses(auth("s1")) is Reason.SESSION_REVOKED


def test_a_token_older_than_the_feed_remembers() -> None:
    """What may have been revoked and forgotten is not vouched for; at the horizon to the ms it still is."""
    known = fresh(entry(RevocationKind.SESSION, session_id="other"))
    known.beat(beat(1, at=T * 1000 + HORIZON_MS, clock=HORIZON_MS))
    assert known.refuses(auth(iat=T)) is None
    known.beat(beat(1, at=T * 1000 + HORIZON_MS + 1, clock=HORIZON_MS + 1))
    assert known.refuses(auth(iat=T)) is Reason.REVOCATIONS_UNKNOWN


def test_what_no_token_can_outlive_is_forgotten() -> None:
    """Entries go when the horizon has passed; a withdrawn key stays: whoever has it can date tokens."""
    known = fresh(
        entry(RevocationKind.SESSION, session_id="gone"),
        entry(RevocationKind.USER, user_id="u"),
        entry(RevocationKind.INSTANCE),
        entry(RevocationKind.STALE, session_id="s"),
        entry(RevocationKind.STALE, organization_id="o"),
        entry(RevocationKind.KEY, kid="leaked"),
    )
    assert len(known) == 6
    known.beat(beat(1, at=T * 1000 + HORIZON_MS, clock=1))
    assert len(known) == 6
    known.beat(beat(1, at=T * 1000 + HORIZON_MS + 1, clock=2))
    assert len(known) == 1


def test_t24_fresh_until_the_bound_and_not_a_ms_longer() -> None:
    """T-24: SYNCING until the feed has told everything, FRESH for the bound after its word, then STALE."""
    known = Revocations()
    assert known.state(ASKED_MS) is FeedState.SYNCING
    known.begin(hello(), asked_ms=ASKED_MS)
    known.take(Batch(0, 1, ()))
    assert known.state(ASKED_MS) is FeedState.SYNCING
    known.beat(beat(1))
    assert known.state(ASKED_MS + BOUND_MS - 1) is FeedState.FRESH
    assert known.state(ASKED_MS + BOUND_MS) is FeedState.STALE
    known.beat(beat(1, clock=500))
    assert known.state(ASKED_MS + 500 + BOUND_MS - 1) is FeedState.FRESH


def test_t24_a_word_that_was_held_back_is_old() -> None:
    """T-24: a heartbeat counts from when the server said it, however late it arrives; the control would count
    from the arrival, and accept."""
    known = Revocations()
    known.begin(hello(clock=7_000), asked_ms=ASKED_MS)
    arrival = ASKED_MS + 10_000
    known.beat(beat(0, clock=7_100))
    assert known.state(arrival) is FeedState.STALE
    known.beat(beat(0, clock=17_000))
    assert known.state(arrival) is FeedState.FRESH


@pytest.mark.parametrize(
    "message",
    [
        Batch(6, 9, ()), Batch(2, 4, ()), beat(9, start=6), beat(4), beat(5, clock=-2),
    ],
)  # fmt: skip
def test_a_feed_out_of_step_is_not_followed(message: Batch | Heartbeat) -> None:
    """A gap, and a feed that has gone back: nothing is accepted until it was begun anew."""
    known = Revocations()
    known.begin(hello(position=5), asked_ms=ASKED_MS)
    known.beat(beat(5, start=5))
    with pytest.raises(OutOfStep):
        known.take(message) if isinstance(message, Batch) else known.beat(message)
    assert (known.state(ASKED_MS), known.resume_from) == (FeedState.SYNCING, None)
    with pytest.raises(OutOfStep):
        known.beat(beat(5, start=5))
    known.begin(hello(position=5), asked_ms=ASKED_MS)
    known.beat(beat(5, start=5))
    assert known.state(ASKED_MS) is FeedState.FRESH


@pytest.mark.parametrize(
    "other", [hello(position=1, resumed=True, epoch="f"), hello(position=2, resumed=True)]
)
def test_a_feed_that_resumes_elsewhere_is_not_followed(other: Hello) -> None:
    """It has to go on in the same log, from the same place."""
    known = fresh()
    with pytest.raises(OutOfStep):
        known.begin(other, asked_ms=ASKED_MS)
    assert known.state(ASKED_MS) is FeedState.SYNCING


def test_a_new_epoch_keeps_what_is_known_and_accepts_nothing_yet() -> None:
    """After a restore the log may know less; what was revoked stays revoked."""
    known = fresh(entry(RevocationKind.SESSION, session_id="gone"))
    known.begin(hello(epoch="f"), asked_ms=ASKED_MS)
    assert known.state(ASKED_MS) is FeedState.SYNCING
    known.beat(beat(0))
    assert known.state(ASKED_MS) is FeedState.FRESH
    assert known.refuses(auth("gone")) is Reason.SESSION_REVOKED


class AgainstALog(RuleBasedStateMachine):
    """A verifier before a service with a log, over a line that delays, repeats, loses and reorders: whatever
    it accepts while FRESH was not revoked before the bound."""

    @initialize()
    def begin(self) -> None:
        """Nothing has happened yet."""
        self.log: list[str] = []
        self.revoked_at: dict[str, int] = {}
        self.epoch = 0
        self.now = 0
        self.known = Revocations()
        self.line: list[tuple[str, object]] = []
        self.sent = 0
        self.asked = self.opened = 0

    @rule(ms=st.integers(0, 3000))
    def time_passes(self, ms: int) -> None:
        """On both monotonic clocks alike; the server's reads 1 000 000 more."""
        self.now += ms

    @rule()
    def revoke(self) -> None:
        """The service revokes a session."""
        session = f"s{len(self.revoked_at)}"
        self.log.append(session)
        self.revoked_at[session] = self.now

    @rule(delay=st.integers(0, 500))
    def connect(self, delay: int) -> None:
        """The line is opened anew; the request takes its time."""
        self.asked = self.now
        resume = self.known.resume_from
        self.now += delay
        number = int(resume.rpartition(".")[2]) if resume and resume.startswith(f"{self.epoch}.") else -1
        resumed = 0 <= number <= len(self.log)
        self.sent = number if resumed else 0
        told = Hello(str(self.epoch), self.sent, resumed, "x", 1_000_000 + self.now, HORIZON_MS)
        self.line = [("hello", told)]

    @precondition(lambda self: self.line)
    @rule()
    def send(self) -> None:
        """The service sends what is new, and a heartbeat."""
        entries = tuple(entry(RevocationKind.SESSION, session_id=one) for one in self.log[self.sent :])
        if entries:
            self.line.append(("batch", Batch(self.sent, len(self.log), entries)))
        self.sent = len(self.log)
        self.line.append(("beat", beat(self.sent, start=self.sent, clock=1_000_000 + self.now)))

    @precondition(lambda self: len(self.line) > 1)
    @rule(which=st.integers(0, 9))
    def lose(self, which: int) -> None:
        """A piece on the line is lost."""
        del self.line[which % len(self.line)]

    @precondition(lambda self: len(self.line) > 1)
    @rule(which=st.integers(0, 9))
    def repeat(self, which: int) -> None:
        """A piece is sent again."""
        self.line.append(self.line[which % len(self.line)])

    @precondition(lambda self: len(self.line) > 1)
    @rule(which=st.integers(0, 9))
    def swap(self, which: int) -> None:
        """Two pieces change places."""
        at = which % (len(self.line) - 1)
        self.line[at], self.line[at + 1] = self.line[at + 1], self.line[at]

    @precondition(lambda self: self.line)
    @rule(count=st.integers(1, 5))
    def deliver(self, count: int) -> None:
        """Some of what is on the line arrives; after a fault the line is given up."""
        if isinstance(self.known, CountsFromTheArrival):
            self.known.now = self.now
        for kind, message in self.line[:count]:
            try:
                if kind == "hello":
                    self.known.begin(message, asked_ms=self.asked)  # pyright: ignore[reportArgumentType]
                elif kind == "batch":
                    self.known.take(message)  # pyright: ignore[reportArgumentType]
                else:
                    self.known.beat(message)  # pyright: ignore[reportArgumentType]
            except OutOfStep:
                self.line = []
                return
        del self.line[:count]

    @rule()
    def restore(self) -> None:
        """The database is replaced by an older one: another epoch, and events that never happened."""
        self.epoch += 1
        del self.log[len(self.log) // 2 :]
        for session in self.revoked_at.keys() - set(self.log):
            # Nobody has to refuse what the service itself knows nothing of any more.
            del self.revoked_at[session]
        self.line = []

    @invariant()
    def nothing_revoked_is_accepted_past_the_bound(self) -> None:
        """While it is FRESH it knows all that was revoked a bound ago or longer."""
        if not hasattr(self, "known") or self.known.state(self.now) is not FeedState.FRESH:
            return
        for session, at in self.revoked_at.items():
            if at < self.now - BOUND_MS:
                assert self.known.refuses(auth(session)) is Reason.SESSION_REVOKED


SETTINGS = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_t23_t24_nothing_revoked_is_accepted_past_the_bound_whatever_the_line_does() -> None:
    """T-23, T-24: by any history of losses, repetitions, delays, reconnections and restores."""
    run_state_machine_as_test(AgainstALog, settings=SETTINGS)


class OverlooksGaps(Revocations):
    """Takes whatever comes."""

    # ruff: noqa: D102  # the class says what is broken

    def take(self, batch: Batch) -> None:
        self._position = max(self._position, batch.start)
        super().take(batch)

    def beat(self, heartbeat: Heartbeat) -> None:
        self._position = max(self._position, heartbeat.start)
        super().beat(heartbeat)


class CountsFromTheArrival(Revocations):
    """A heartbeat is as young as its arrival."""

    now = 0

    def beat(self, heartbeat: Heartbeat) -> None:
        super().beat(heartbeat)
        self._fresh_until = self.now + self.bound_ms


def test_t23_t24_the_histories_tell_a_broken_verifier() -> None:
    """T-23, T-24, the control: one that overlooks gaps, or trusts the arrival, is found out by a history that
    the verifier stands."""

    def lost(machine: AgainstALog) -> None:
        machine.revoke()
        machine.time_passes(3000)
        machine.connect(0)
        machine.send()
        machine.lose(1)
        machine.deliver(5)

    def late(machine: AgainstALog) -> None:
        machine.connect(0)
        machine.send()
        machine.revoke()
        machine.time_passes(3000)
        machine.deliver(5)

    for history, broken in ((lost, OverlooksGaps), (late, CountsFromTheArrival)):
        for verifier in (Revocations, broken):
            machine = AgainstALog()
            machine.begin()
            machine.known = verifier()
            history(machine)
            if verifier is broken:
                with pytest.raises(AssertionError):
                    machine.nothing_revoked_is_accepted_past_the_bound()
            else:
                machine.nothing_revoked_is_accepted_past_the_bound()

"""The rules of a client's secret: where one stands by its generation and the clock."""

from __future__ import annotations

import pytest

from sojourn.core.client import (
    GRACE_MS,
    MAX_ROTATIONS,
    Client,
    ClientSecret,
    Rotation,
    Standing,
    client_uat,
    last_active,
)
from sojourn.testing.contract.base import make_ended, make_session

NOW = 1_767_225_600_000


def test_the_secret_in_force_stands() -> None:
    """Whatever the clock says; a newer one than is known is not known."""
    secret = ClientSecret(digest=b"d" * 32, generation=3)
    assert secret.standing(3, NOW) is Standing.CURRENT
    assert secret.standing(4, NOW) is Standing.UNKNOWN


@pytest.mark.parametrize(
    ("held", "later", "expected"),
    [
        (True, 0, Standing.SUCCEEDED),
        (True, GRACE_MS - 1, Standing.SUCCEEDED),
        (True, GRACE_MS, Standing.REUSED),
        (False, GRACE_MS - 1, Standing.OUTGROWN),
        (False, GRACE_MS, Standing.REUSED),
        (True, -5000, Standing.SUCCEEDED),
    ],
)
def test_r10_a_replaced_secret_has_its_grace(held: bool, later: int, expected: Standing) -> None:
    """R10: ten seconds and not a millisecond more; another process's clock may be behind."""
    secret = ClientSecret(digest=b"a").rotated(b"b", NOW, held=held)
    assert (secret.generation, secret.digest) == (2, b"b")
    assert secret.standing(1, NOW + later) is expected
    assert secret.standing(2, NOW + later) is Standing.CURRENT


def test_each_rotation_has_its_own_grace() -> None:
    """An older secret is a replay when its own time is over, though a younger one has time left; what was
    known before anybody signed in opens nothing, however often the secret was replaced since."""
    secret = ClientSecret(digest=b"a").rotated(b"b", NOW, held=False)
    secret = secret.rotated(b"c", NOW + 6_000, held=True)
    at = NOW + GRACE_MS - 1
    assert [secret.standing(n, at) for n in (1, 2, 3)] == [
        Standing.OUTGROWN,
        Standing.SUCCEEDED,
        Standing.CURRENT,
    ]
    assert [secret.standing(n, at + 1) for n in (1, 2)] == [Standing.REUSED, Standing.SUCCEEDED]
    assert secret.standing(0, at) is Standing.REUSED


def test_what_is_kept_of_rotations_is_bounded() -> None:
    """Those whose grace is over go with the next one, and there are never more than a few."""
    secret = ClientSecret(digest=b"0").rotated(b"1", NOW, held=True)
    secret = secret.rotated(b"2", NOW + GRACE_MS, held=True)
    assert secret.rotations == (Rotation(NOW + GRACE_MS, held=True),)
    for n in range(2 * MAX_ROTATIONS):
        secret = secret.rotated(b"%d" % n, NOW + GRACE_MS + n, held=True)
    assert len(secret.rotations) == MAX_ROTATIONS
    assert secret.rotations[-1].at == NOW + GRACE_MS + 2 * MAX_ROTATIONS - 1


def test_a_repr_shows_no_digest() -> None:
    """Neither in the secret nor in the client that has it."""
    client = Client(id="c", created_at=1, updated_at=1, secret=ClientSecret(digest=b"canary"))
    assert "canary" not in repr(client)


def test_the_session_in_front() -> None:
    """The one that was named while it lives, else the one that was active last, else none."""
    client = Client(id="c", created_at=NOW, updated_at=NOW, last_active_session_id="sess_a")
    first, second = make_session("sess_a"), make_session("sess_b", last_active_at=NOW + 5)
    third = make_session("sess_c", last_active_at=NOW + 5, sequence=1)
    assert last_active(client, [first, second]) is first
    assert last_active(client, [make_ended("sess_a"), second, third]) is third
    assert last_active(client, [make_ended("sess_a")]) is None


def test_the_instant_of_a_client() -> None:
    """Whole seconds of its last change, never ahead of the clock, and 0 without a live session."""
    client = Client(id="c", created_at=NOW, updated_at=NOW + 1999)
    live = [make_session("sess_a")]
    assert client_uat(client, live, NOW + 2000) == NOW // 1000 + 1
    assert client_uat(client, live, NOW + 999) == NOW // 1000
    assert client_uat(client, [make_ended("sess_a")], NOW) == client_uat(client, [], NOW) == 0
    assert client_uat(None, live, NOW) == 0

"""The policy in force: changed at run time, stored, and the same in every process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sojourn import Policy
from sojourn.core.errors import ConfigurationError, Invalid
from sojourn.service import policies
from tests.embedded import event_types, opened, until, user_id


async def test_a_change_holds_for_what_is_made_from_now_on() -> None:
    """New sessions get the new deadlines, older ones keep theirs; the change is in the log."""
    async with opened() as sojourn:
        user = await user_id(sojourn)
        before = await sojourn.sessions.create(user_id=user)
        view = await sojourn.policies.change({"lifetime_seconds": 3600, "single_session": True})
        assert view.changed == ("lifetime_seconds", "single_session")
        assert sojourn.policy.lifetime_seconds == view.policy.lifetime_seconds == 3600
        after = await sojourn.sessions.create(user_id=user)
        assert after.expire_at - after.created_at == 3_600_000
        assert (await sojourn.sessions.get(before.id)).expire_at == before.expire_at
        assert "policy.changed" in await event_types(sojourn)


async def test_a_reset_goes_back_to_what_is_configured() -> None:
    """By name or altogether."""
    configured = Policy(lifetime_seconds=7200)
    async with opened(policy=configured) as sojourn:
        await sojourn.policies.change({"lifetime_seconds": 3600, "token_lifetime_seconds": 30})
        view = await sojourn.policies.reset(["lifetime_seconds"])
        assert (view.policy.lifetime_seconds, view.changed) == (7200, ("token_lifetime_seconds",))
        view = await sojourn.policies.reset()
        assert (view.policy, view.changed) == (configured, ())


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"lifetime": 1}, "lifetime"),
        ({"lifetime_seconds": "60"}, "lifetime_seconds"),
        ({"lifetime_seconds": True}, "lifetime_seconds"),
        ({"lifetime_seconds": None}, "lifetime_seconds"),
        ({"lifetime_seconds": 0}, "lifetime_seconds"),
        ({"inactivity_seconds": 10**9}, "inactivity_seconds"),
        ({"inactivity_seconds": 1.5}, "inactivity_seconds"),
        ({"single_session": 1}, "single_session"),
        ({"session_limit_action": "shrug"}, "session_limit_action"),
        ({"max_sessions_per_user": 0}, "max_sessions_per_user"),
    ],
)
async def test_changes_that_do_not_fit(changes: dict[str, object], name: str) -> None:
    """Unknown members, wrong types and contradictions are refused by name, and nothing changes."""
    async with opened() as sojourn:
        before = sojourn.policy
        with pytest.raises(Invalid) as refused:
            await sojourn.policies.change(changes)
        assert refused.value.meta == {"param_name": name}
        assert (await sojourn.policies.get()).policy == before
        with pytest.raises(Invalid):
            await sojourn.policies.reset(["nothing"])


async def test_a_change_reaches_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process on the same file has it without being told; one that starts later has it at once."""
    monkeypatch.setattr(policies, "RELOAD_SECONDS", 0.01)
    url = f"sqlite:///{tmp_path}/p.db"
    async with opened(url) as first, opened(url) as second:
        await asyncio.gather(
            first.policies.change({"lifetime_seconds": 3600}),
            second.policies.change({"token_lifetime_seconds": 30}),
        )

        async def reached() -> bool:
            both = (first.policy, second.policy)
            return all((p.lifetime_seconds, p.token_lifetime_seconds) == (3600, 30) for p in both)

        await until(reached)
        async with opened(url) as third:
            assert third.policy == first.policy


async def test_stored_changes_that_contradict_the_configuration(tmp_path: Path) -> None:
    """A start with a configuration that the stored changes do not fit is refused, and says so."""
    url = f"sqlite:///{tmp_path}/p.db"
    async with opened(url) as sojourn:
        await sojourn.policies.change({"inactivity_seconds": 86_400})
    with pytest.raises(ConfigurationError, match="stored changes"):
        async with opened(url, policy=Policy(lifetime_seconds=3600)):
            pass


async def test_a_preset_at_run_time() -> None:
    """What it sets holds from now on, for new sessions; of one that was used before nothing is left."""
    async with opened() as sojourn:
        await sojourn.policies.use("asvs-l2")
        assert sojourn.policy.max_sessions_per_user == 10
        view = await sojourn.policies.use("nist-aal2")
        assert view.changed == ("inactivity_seconds", "lifetime_seconds")
        assert view.policy == Policy(lifetime_seconds=86_400, inactivity_seconds=3600)
        session = await sojourn.sessions.create(user_id=await user_id(sojourn))
        assert session.expire_at - session.created_at == 86_400_000
        assert session.inactivity_seconds == 3600
        with pytest.raises(Invalid):
            await sojourn.policies.use("nist-aal4")
        assert sojourn.policy == view.policy

"""Links that end one session: made for it, worth its end and nothing else."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from sojourn.core.errors import Invalid, LinkInvalid, NotFound
from sojourn.core.session import Status
from sojourn.service.end_links import LIFETIME_SECONDS, MAX_LIFETIME_SECONDS, PATH
from sojourn.testing import ManualClock
from tests.embedded import opened, user_id


def token_of(url: str) -> str:
    """What a link says."""
    return parse_qs(urlsplit(url).query)["token"][0]


async def test_a_link_ends_its_session_and_no_other() -> None:
    """Looking at it ends nothing; redeeming it again changes nothing."""
    async with opened() as sojourn:
        user = await user_id(sojourn)
        one, other = [await sojourn.sessions.create(user_id=user) for _ in range(2)]
        url = await sojourn.end_links.create(one.id)
        assert urlsplit(url).scheme == "https"
        assert urlsplit(url).path == PATH
        assert sojourn.end_links.check(token_of(url)) == one.id
        assert (await sojourn.sessions.get(one.id)).status is Status.ACTIVE
        ended = await sojourn.end_links.redeem(token_of(url))
        assert (ended.id, ended.status) == (one.id, Status.REVOKED)
        assert await sojourn.end_links.redeem(token_of(url)) == ended
        assert (await sojourn.sessions.get(other.id)).status is Status.ACTIVE


async def test_a_link_runs_out() -> None:
    """At its second, by the wall clock."""
    clock = ManualClock()
    async with opened(clock=clock) as sojourn:
        session = await sojourn.sessions.create(user_id=await user_id(sojourn))
        token = token_of(await sojourn.end_links.create(session.id))
        clock.advance(ms=LIFETIME_SECONDS * 1000 - 1)
        assert sojourn.end_links.check(token) == session.id
        clock.advance(ms=1)
        with pytest.raises(LinkInvalid):
            await sojourn.end_links.redeem(token)


async def test_what_was_not_made_here_is_refused() -> None:
    """Any change of a link, and one of another instance."""
    async with opened() as sojourn, opened() as other:
        user = await user_id(sojourn)
        one, two = [await sojourn.sessions.create(user_id=user) for _ in range(2)]
        token = token_of(await sojourn.end_links.create(one.id))
        session_id, expires_at, signature = token.split(".")
        for forged in (
            "",
            ".",
            "..",
            "\x00.\x00.\x00",
            "é.1.é",
            session_id,
            f"{two.id}.{expires_at}.{signature}",
            f"{session_id}.{int(expires_at) + 1}.{signature}",
            f"{session_id}.{expires_at}.{signature[:-1]}",
            f"{session_id}.{expires_at}.{signature}=",
            f"{session_id}.{expires_at}.",
            f"{session_id}.{'9' * 5000}.{signature}",
            token + "." + token,
        ):
            with pytest.raises(LinkInvalid):
                sojourn.end_links.check(forged)
        with pytest.raises(LinkInvalid):
            other.end_links.check(token)


async def test_refusals() -> None:
    """An unknown session, a lifetime out of bounds."""
    async with opened() as sojourn:
        session = await sojourn.sessions.create(user_id=await user_id(sojourn))
        with pytest.raises(NotFound):
            await sojourn.end_links.create("sess_unknown")
        for seconds in (0, MAX_LIFETIME_SECONDS + 1):
            with pytest.raises(Invalid):
                await sojourn.end_links.create(session.id, expires_in_seconds=seconds)

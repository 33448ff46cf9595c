"""Devices: what a request tells of the browser or device that it comes from."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.session import Activity, Session
from sojourn.service.context import Context
from sojourn.service.ports import NOWHERE, Operation, Places, SessionQuery

MAX_USER_AGENT = 512
"""Characters of a User-Agent that are looked at; browsers send under 300."""
_LOOKED_AT = 100
"""Sessions of a user among which a device is looked for."""
_REMEMBERED = 2_000
"""User-Agents whose reading is kept. A service meets a few hundred different ones a day."""
_MOBILE_SYSTEMS = frozenset({"iOS", "iPadOS", "Android", "Windows Phone", "BlackBerry OS", "KaiOS", "Tizen"})
_MOBILE_WORDS = ("Mobile", "iOS")


@dataclass(frozen=True, slots=True)
class _Read:
    """What a User-Agent says."""

    is_mobile: bool = False
    device_type: str | None = None
    browser_name: str | None = None
    browser_version: str | None = None


_UNREAD = _Read()


class Devices:
    """Describes devices by what their requests say. Nothing of it is proof of anything: whoever sends a
    request writes its User-Agent."""

    def __init__(self, context: Context, places: Places | None = None) -> None:
        self._context = context
        self._places = places
        self._known: OrderedDict[str, _Read] = OrderedDict()

    async def describe(self, *, user_agent: str | None = None, address: str | None = None) -> Activity:
        """The activity that a request with this User-Agent from this address shows.

        `address` is the peer's, or what a proxy that is trusted says it is. What cannot be read is left
        out; a User-Agent is read up to MAX_USER_AGENT characters. Needs the package ua-parser for the first
        and a city database for the place; without them these members are None.
        """
        read = _UNREAD if not user_agent else await self._read(user_agent[:MAX_USER_AGENT])
        address = _address(address)
        place = self._places.place(address) if self._places and address else NOWHERE
        return Activity(
            id=self._context.id(Prefix.ACTIVITY, self._context.clock.now()),
            is_mobile=read.is_mobile,
            device_type=read.device_type,
            browser_name=read.browser_name,
            browser_version=read.browser_version,
            ip_address=address,
            city=place.city,
            country=place.country,
        )

    async def _read(self, user_agent: str) -> _Read:
        known = self._known.get(user_agent)
        if known is None:
            # A thousand patterns are tried on one that was never met, milliseconds of them; the first of all
            # loads them, a fifth of a second.
            known = await asyncio.to_thread(_parse, user_agent)
            if len(self._known) >= _REMEMBERED:
                self._known.popitem(last=False)
            self._known[user_agent] = known
        else:
            self._known.move_to_end(user_agent)
        return known


async def news_of(context: Context, session: Session, now: int) -> Sequence[Operation]:
    """The event `session.new_device` for a session that is about to be created, where its device is none on
    which its user was seen before; nothing where that cannot be told.

    A device is known by kind, browser and country, among the user's newest sessions that are kept, or by its
    client, which holds what no stranger has. The first session of a user is no news to anybody.
    """
    shown = session.latest_activity
    if shown is None or not (shown.device_type or shown.browser_name):
        return ()
    page = await context.store.sessions(SessionQuery(now=now, user_id=session.user_id, limit=_LOOKED_AT))
    before = [held.session for held in page.items]
    known = [one.latest_activity for one in before if one.latest_activity is not None]
    if not known or any(one.client_id == session.client_id for one in before):
        return ()
    if any(_alike(activity, shown) for activity in known):
        return ()
    return (context.session_event(session, EventType.SESSION_NEW_DEVICE, now),)


def _alike(one: Activity, other: Activity) -> bool:
    """Not by version or city: browsers update themselves, and people go to work."""
    if (one.device_type, one.browser_name) != (other.device_type, other.browser_name):
        return False
    return one.country == other.country or None in (one.country, other.country)


def _parse(user_agent: str) -> _Read:
    try:
        import ua_parser
    except ModuleNotFoundError:
        return _UNREAD
    result = ua_parser.parse(user_agent)
    browser, system, device = result.user_agent, result.os, result.device
    family = device.family if device else None
    name, mobile = _browser_name(browser.family) if browser else (None, False)
    versions = (browser.major, browser.minor, browser.patch, browser.patch_minor) if browser else ()
    return _Read(
        is_mobile=mobile or bool(system and system.family in _MOBILE_SYSTEMS),
        device_type="Macintosh" if family == "Mac" else family or (system.family if system else None),
        browser_name=name,
        browser_version=".".join(v for v in versions if v) or None,
    )


def _browser_name(family: str) -> tuple[str, bool]:
    """The browser's own name, and whether it is the mobile kind: `Mobile Safari` and `Chrome Mobile iOS` are
    Safari and Chrome."""
    words = family.split()
    own = [word for word in words if word not in _MOBILE_WORDS]
    return (" ".join(own) or family, len(own) < len(words))


def _address(text: str | None) -> str | None:
    """The address in its one spelling, an IPv4 address in IPv6's clothes as what it is; None for no
    address."""
    try:
        address = ipaddress.ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)

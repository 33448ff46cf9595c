"""Devices: what a request tells of where it comes from, by its User-Agent and its address."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sojourn import Activity, Config, Sojourn
from sojourn.core.errors import ConfigurationError
from sojourn.places import CityDatabase
from sojourn.service.devices import MAX_USER_AGENT
from sojourn.service.ports import NOWHERE, Place
from tests.embedded import event_types, opened, user_id
from tests.support import clean_environment

AGENTS = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1": (True, "iPhone", "Safari", "17.5"),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36": (False, "Macintosh", "Chrome", "131.0.0.0"),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0": (False, "Windows", "Edge", "131.0.0.0"),
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Mobile Safari/537.36": (True, "Pixel 8", "Chrome", "130.0.0.0"),
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": (
        False,
        "Linux",
        "Firefox",
        "128.0",
    ),
    "curl/8.5.0": (False, None, "curl", "8.5.0"),
    "no browser at all": (False, None, None, None),
}


def cities(path: Path, **places: tuple[str, str]) -> Path:
    """A database of networks, each with its city and country; networks are written with _ for ."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City")
    for network, (city, country) in places.items():
        record = {"city": {"names": {"en": city}}, "country": {"iso_code": country}}
        writer.insert_network(IPSet([network.strip("n").replace("_", ".") + "/24"]), record)
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize("user_agent", AGENTS)
async def test_a_user_agent_is_read(user_agent: str) -> None:
    """Kind of device, name and version of the browser, and whether it is a mobile one."""
    async with opened() as sojourn:
        read = await sojourn.devices.describe(user_agent=user_agent)
    is_mobile, device, browser, version = AGENTS[user_agent]
    assert (read.is_mobile, read.device_type, read.browser_name, read.browser_version) == (
        is_mobile,
        device,
        browser,
        version,
    )
    assert read.id.startswith("sess_activity_")
    assert (read.ip_address, read.city, read.country) == (None, None, None)


async def test_what_a_stranger_sends_is_bounded() -> None:
    """A User-Agent of any length and content is read up to its bound, and thousands of them take no more
    room than hundreds."""
    async with opened() as sojourn:
        for text in ("", "\x00" * 100, "Mozilla/" * 10_000, "(" * 5_000, "é" * 3_000):
            read = await sojourn.devices.describe(user_agent=text)
            assert len(read.browser_name or "") <= MAX_USER_AGENT
        for number in range(30):
            await sojourn.devices.describe(user_agent="x" * MAX_USER_AGENT + str(number))
        known = sojourn.devices._known  # pyright: ignore[reportPrivateUsage]
        assert len([one for one in known if one.startswith("xxx")]) == 1


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.7:443", None),
        ("unix:", None),
        ("", None),
        (None, None),
    ],
)
async def test_an_address_has_one_spelling(given: str | None, address: str | None) -> None:
    """So that a filter by network finds it; what is no address is left out."""
    async with opened() as sojourn:
        assert (await sojourn.devices.describe(address=given)).ip_address == address


async def test_the_place_of_an_address(tmp_path: Path) -> None:
    """City and country come from the database that is configured; an address it lacks has neither."""
    path = cities(tmp_path / "c.mmdb", n192_0_2_0=("Lisbon", "PT"))
    async with Sojourn.open("memory://", config=Config(city_database=str(path))) as sojourn:
        here = await sojourn.devices.describe(address="::ffff:192.0.2.200")
        assert (here.city, here.country) == ("Lisbon", "PT")
        elsewhere = await sojourn.devices.describe(address="198.51.100.1")
        assert (elsewhere.city, elsewhere.country) == (None, None)


def test_a_database_that_is_replaced_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next look finds the new one; one that cannot be read leaves the old one in use."""
    path = cities(tmp_path / "c.mmdb", n192_0_2_0=("Lisbon", "PT"))
    monkeypatch.setattr("sojourn.places._LOOK_AGAIN_SECONDS", 0.0)
    database = CityDatabase(str(path))
    assert database.place("192.0.2.1") == Place(city="Lisbon", country="PT")
    os.replace(cities(tmp_path / "new.mmdb", n192_0_2_0=("Porto", "PT")), path)
    assert database.place("192.0.2.1") == Place(city="Porto", country="PT")
    (tmp_path / "bad.mmdb").write_bytes(b"no database")
    os.replace(tmp_path / "bad.mmdb", path)
    assert database.place("192.0.2.1").city == "Porto"
    path.unlink()
    assert database.place("192.0.2.1").city == "Porto"
    assert database.place("no address") == NOWHERE
    database.close()


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_database_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    """It is a configuration error before anything is opened."""
    path = tmp_path / "c.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="city_database"):
        CityDatabase(str(path))


def test_without_its_package_a_user_agent_stays_unread(tmp_path: Path) -> None:
    """The plain package embeds without ua-parser: the address is noted all the same."""
    code = (
        "import asyncio, sys\n"
        "sys.modules['ua_parser'] = None\n"
        "from sojourn import Sojourn\n"
        "async def main():\n"
        "    async with Sojourn.open('memory://') as sojourn:\n"
        "        read = await sojourn.devices.describe(user_agent='curl/8', address='192.0.2.1')\n"
        "        print(read.to_wire())\n"
        "asyncio.run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=clean_environment(),
    )
    assert "'ip_address': '192.0.2.1'" in done.stdout, done.stderr
    assert "browser_name" not in done.stdout


PHONE = Activity(id="a", is_mobile=True, device_type="iPhone", browser_name="Safari", country="PT")


@pytest.mark.parametrize(
    ("shown", "news"),
    [
        (replace(PHONE, browser_version="18.0", city="Porto", ip_address="192.0.2.1"), False),
        (replace(PHONE, country=None), False),
        (replace(PHONE, browser_name="Firefox"), True),
        (replace(PHONE, device_type="iPad"), True),
        (replace(PHONE, country="BR"), True),
        (Activity(id="a", ip_address="192.0.2.1"), False),
        (None, False),
    ],
)
async def test_a_new_device_is_announced(shown: Activity | None, news: bool) -> None:
    """By kind, browser and country, not by version or address; in the step that creates the session."""
    async with opened() as sojourn:
        user = await user_id(sojourn)
        await sojourn.sessions.create(user_id=user, activity=PHONE)
        assert "session.new_device" not in await event_types(sojourn)
        session = await sojourn.sessions.create(user_id=user, activity=shown)
        events = await sojourn.history.of_session(session.id)
        assert [event.type for event in events] == ["session.created"] + ["session.new_device"] * news


async def test_a_client_that_was_seen_is_no_new_device() -> None:
    """Its token is what no stranger has: a browser that calls itself something else now is still the same."""
    async with opened() as sojourn:
        user, other = await user_id(sojourn), await user_id(sojourn, "43")
        first = await sojourn.sessions.create(user_id=user, activity=PHONE)
        changed = replace(PHONE, browser_name="Firefox")
        await sojourn.sessions.create(user_id=user, client_id=first.client_id, activity=changed)
        assert "session.new_device" not in await event_types(sojourn)
        await sojourn.sessions.create(user_id=other, activity=PHONE)
        await sojourn.sessions.create(user_id=other, client_id=first.client_id, activity=changed)
        assert (await event_types(sojourn)).count("session.new_device") == 1

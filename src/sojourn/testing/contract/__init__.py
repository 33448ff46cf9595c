"""The contract of a store as a suite of tests: everything that `sojourn.service.ports` promises in prose.

    from sojourn.testing.contract import StoreContract

    class TestMyStore(StoreContract):
        async def open_store(self, path: Path) -> Store:
            return await MyStore.open(path / "sessions.db")

Each test gets a new, empty store. The tests are coroutines and run under anyio's pytest plugin on asyncio.
"""

import pytest

_PARTS = (
    "base",
    "clients",
    "commits",
    "cutoffs",
    "deposits",
    "directory",
    "documents",
    "keys",
    "listing",
    "log",
    "purging",
    "races",
    "sessions",
    "settling",
    "sweeping",
    "templates",
    "tickets",
    "touching",
    "users",
    "walking",
)
# Before they are imported, or a broken promise would be reported without the two values that differ.
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in _PARTS))

from sojourn.testing.contract.clients import ClientContract  # noqa: E402
from sojourn.testing.contract.commits import CommitContract  # noqa: E402
from sojourn.testing.contract.cutoffs import CutoffContract  # noqa: E402
from sojourn.testing.contract.deposits import DepositContract  # noqa: E402
from sojourn.testing.contract.directory import DirectoryContract  # noqa: E402
from sojourn.testing.contract.documents import DocumentContract  # noqa: E402
from sojourn.testing.contract.keys import KeyContract  # noqa: E402
from sojourn.testing.contract.listing import ListingContract  # noqa: E402
from sojourn.testing.contract.log import LogContract  # noqa: E402
from sojourn.testing.contract.memberships import MembershipContract  # noqa: E402
from sojourn.testing.contract.organizations import OrganizationContract  # noqa: E402
from sojourn.testing.contract.purging import PurgeContract  # noqa: E402
from sojourn.testing.contract.races import RaceContract  # noqa: E402
from sojourn.testing.contract.sessions import SessionContract  # noqa: E402
from sojourn.testing.contract.settling import SettlingContract  # noqa: E402
from sojourn.testing.contract.sweeping import SweepContract  # noqa: E402
from sojourn.testing.contract.templates import TemplateContract  # noqa: E402
from sojourn.testing.contract.tickets import TicketContract  # noqa: E402
from sojourn.testing.contract.touching import TouchContract  # noqa: E402
from sojourn.testing.contract.users import UserContract  # noqa: E402
from sojourn.testing.contract.walking import WalkContract  # noqa: E402

__all__ = ["StoreContract"]


class StoreContract(
    ClientContract,
    CommitContract,
    CutoffContract,
    DepositContract,
    DirectoryContract,
    DocumentContract,
    KeyContract,
    ListingContract,
    LogContract,
    MembershipContract,
    OrganizationContract,
    PurgeContract,
    RaceContract,
    SessionContract,
    SettlingContract,
    SweepContract,
    TemplateContract,
    TicketContract,
    TouchContract,
    UserContract,
    WalkContract,
):
    """What every store does. Subclass it and give `open_store`."""

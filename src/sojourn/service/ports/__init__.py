"""The ports: what the services ask of a store, a clock and a source of ids.

A store has few verbs. *Which* rows is said by queries, *what* happens by operations; one `commit` takes any
number of operations and does all of them or none. Each module here has the queries, the operations and the
verbs of one kind of thing; this one puts them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from sojourn.service.ports.clocks import Clock, Entropy
from sojourn.service.ports.deposits import DepositOperation, DepositStore, InsertDeposit, TakeDeposit
from sojourn.service.ports.documents import (
    DeleteDocument,
    Document,
    DocumentOperation,
    DocumentStore,
    PutDocument,
)
from sojourn.service.ports.keys import (
    DropStoredKey,
    ExpectMasterKey,
    ExpectStoredKeys,
    InsertApiKey,
    KeyOperation,
    KeyStore,
    PutInstance,
    PutStoredKey,
    RaiseLastExp,
    RevokeApiKey,
    UpdateStoredKey,
)
from sojourn.service.ports.log import AppendEvent, EventPage, InsertOnce, LogOperation, LogStore
from sojourn.service.ports.organizations import (
    DeleteMembership,
    DeleteOrganization,
    HeldInOrganization,
    InsertMembership,
    InsertOrganization,
    MembershipOrder,
    MembershipPage,
    MembershipQuery,
    NoteOrganization,
    OrganizationOperation,
    OrganizationOrder,
    OrganizationPage,
    OrganizationQuery,
    OrganizationStore,
    RequireMembership,
    UpdateMembership,
    UpdateOrganization,
)
from sojourn.service.ports.places import NOWHERE, Place, Places
from sojourn.service.ports.refused import Refused
from sojourn.service.ports.report import ReportStore, StoreReport
from sojourn.service.ports.sessions import (
    ClientPage,
    ClientQuery,
    Held,
    InsertClient,
    InsertCutoff,
    InsertSession,
    Overdue,
    SessionOperation,
    SessionPage,
    SessionQuery,
    SessionStore,
    SessionWalk,
    UpdateClient,
    UpdateSession,
    WalkStep,
)
from sojourn.service.ports.templates import (
    DeleteTemplate,
    InsertTemplate,
    TemplateOperation,
    TemplatePage,
    TemplateStore,
    UpdateTemplate,
)
from sojourn.service.ports.tickets import InsertTicket, TicketOperation, TicketStore, UpdateTicket
from sojourn.service.ports.users import (
    DeleteUser,
    InsertUser,
    UpdateUser,
    UserOperation,
    UserOrder,
    UserQuery,
    UserStore,
)

Operation: TypeAlias = (
    SessionOperation
    | UserOperation
    | KeyOperation
    | LogOperation
    | DocumentOperation
    | OrganizationOperation
    | TicketOperation
    | DepositOperation
    | TemplateOperation
)


class Store(
    SessionStore,
    UserStore,
    KeyStore,
    LogStore,
    DocumentStore,
    OrganizationStore,
    ReportStore,
    TicketStore,
    DepositStore,
    TemplateStore,
    Protocol,
):
    """Where sessions live. Every verb may raise Unavailable (nothing was changed, or it is unknown whether a
    commit was made: it was never acknowledged).

    Reads see everything that was acknowledged before they began.
    """

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Do all operations in one transaction and return when that is durable.

        Raises Refused, with nothing changed, when one of them does not apply.
        """
        ...

    async def purge(self, *, ended_before: int, events_before: int, once_before: int, limit: int) -> int:
        """Delete at most `limit` each of sessions that ended before an instant (with clients that hold none
        any more and were last changed before it too), events and idempotency records. How many rows went."""
        ...

    async def scrub(self) -> None:
        """Remove what was replaced or deleted from the storage itself, where it may outlast the commit that
        replaced it: in free space, in a log. For after a secret has been encrypted or destroyed."""
        ...

    async def close(self) -> None:
        """Finish what was accepted and release the storage."""
        ...


__all__ = [
    "NOWHERE",
    "AppendEvent",
    "ClientPage",
    "ClientQuery",
    "Clock",
    "DeleteDocument",
    "DeleteMembership",
    "DeleteOrganization",
    "DeleteTemplate",
    "DeleteUser",
    "DepositOperation",
    "DepositStore",
    "Document",
    "DocumentOperation",
    "DocumentStore",
    "DropStoredKey",
    "Entropy",
    "EventPage",
    "ExpectMasterKey",
    "ExpectStoredKeys",
    "Held",
    "HeldInOrganization",
    "InsertApiKey",
    "InsertClient",
    "InsertCutoff",
    "InsertDeposit",
    "InsertMembership",
    "InsertOnce",
    "InsertOrganization",
    "InsertSession",
    "InsertTemplate",
    "InsertTicket",
    "InsertUser",
    "KeyOperation",
    "KeyStore",
    "LogOperation",
    "LogStore",
    "MembershipOrder",
    "MembershipPage",
    "MembershipQuery",
    "NoteOrganization",
    "Operation",
    "OrganizationOperation",
    "OrganizationOrder",
    "OrganizationPage",
    "OrganizationQuery",
    "OrganizationStore",
    "Overdue",
    "Place",
    "Places",
    "PutDocument",
    "PutInstance",
    "PutStoredKey",
    "RaiseLastExp",
    "Refused",
    "ReportStore",
    "RequireMembership",
    "RevokeApiKey",
    "SessionOperation",
    "SessionPage",
    "SessionQuery",
    "SessionStore",
    "SessionWalk",
    "Store",
    "StoreReport",
    "TakeDeposit",
    "TemplateOperation",
    "TemplatePage",
    "TemplateStore",
    "TicketOperation",
    "TicketStore",
    "UpdateClient",
    "UpdateMembership",
    "UpdateOrganization",
    "UpdateSession",
    "UpdateStoredKey",
    "UpdateTemplate",
    "UpdateTicket",
    "UpdateUser",
    "UserOperation",
    "UserOrder",
    "UserQuery",
    "UserStore",
    "WalkStep",
]

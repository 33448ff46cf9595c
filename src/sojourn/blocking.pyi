# Written by tools/gen_blocking.py from the services; do not edit.
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from sojourn.config import Config
from sojourn.core.directory import IdentifierKind, User
from sojourn.core.keys import ApiKey, ApiKeyKind, Instance
from sojourn.core.policy import Limits, Policy
from sojourn.core.session import Activity, Actor, Session, Status
from sojourn.service.clients import ClientList, ClientView
from sojourn.service.context import Once
from sojourn.service.ports import Clock, Entropy, EventPage
from sojourn.service.sessions import SessionList
from sojourn.service.signing_keys import SigningKeys
from sojourn.service.users import NewUser

class BlockingSojourn:
    instance: Instance
    issuer: str
    policy: Policy
    new_secret_key: str | None
    keys: SigningKeys
    sessions: _Sessions
    tokens: _Tokens
    users: _Users
    clients: _Clients
    events: _EventLog
    api_keys: _ApiKeys
    sweeper: _Sweeper

def open(
    database_url: str | None = None,
    *,
    config: Config | None = None,
    policy: Policy | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> AbstractContextManager[BlockingSojourn]: ...

class _Sessions:
    def create(
        self,
        *,
        user_id: str,
        client_id: str | None = None,
        actor: Actor | None = None,
        organization_id: str | None = None,
        activity: Activity | None = None,
        tasks: Iterable[str] = (),
        limits: Limits | None = None,
        once: Once | None = None,
    ) -> Session: ...
    def get(self, session_id: str) -> Session: ...
    def list(
        self,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        status: Status | str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[Session]: ...
    def page(
        self,
        *,
        user_id: str | None = None,
        client_id: str | None = None,
        statuses: frozenset[Status] | None = None,
        excluded: frozenset[Status] = frozenset(),
        limit: int = 10,
        offset: int = 0,
        count: bool = False,
    ) -> SessionList: ...
    def touch(self, session_id: str, *, activity: Activity | None = None) -> Session: ...
    def touch_is_due(self, session: Session, now: int) -> bool: ...
    def activate(self, session_id: str) -> Session: ...
    def end(self, session_id: str) -> Session: ...
    def remove(self, session_id: str) -> Session: ...
    def revoke(self, session_id: str, *, note: str | None = None) -> Session: ...
    def revoke_all_of_user(self, user_id: str, *, note: str | None = None) -> None: ...
    def revoke_all(self, *, note: str | None = None) -> None: ...

class _Tokens:
    def create(
        self, session_id: str, *, expires_in_seconds: int | None = None, origin: str | None = None
    ) -> str: ...
    def verify(self, token: str) -> Mapping[str, object]: ...
    def verify_session(self, session_id: str, token: str) -> Session: ...
    def settle(self) -> None: ...

class _Users:
    def create(self, new: NewUser | None = None, *, once: Once | None = None) -> User: ...
    def ensure(self, *, external_id: str) -> User: ...
    def get(self, user_id: str) -> User: ...
    def list(
        self,
        *,
        ids: Sequence[str] | None = None,
        identifiers: Sequence[tuple[IdentifierKind, str]] | None = None,
        newest_first: bool = True,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[User]: ...
    def ban(self, user_id: str) -> User: ...
    def unban(self, user_id: str) -> User: ...
    def delete(self, user_id: str) -> None: ...

class _Clients:
    def get(self, client_id: str) -> ClientView: ...
    def list(self, *, limit: int = 10, offset: int = 0, count: bool = False) -> ClientList: ...

class _EventLog:
    def read(self, after: str | None = None, *, limit: int = 100) -> EventPage: ...
    def end(self) -> str: ...

class _ApiKeys:
    def remembered(self, text: str) -> ApiKey | None: ...
    def authenticate(self, text: str) -> ApiKey | None: ...
    def add(self, text: str, kind: ApiKeyKind = ApiKeyKind.SECRET) -> None: ...
    def create(self, kind: ApiKeyKind) -> str: ...
    def list(self) -> Sequence[ApiKey]: ...
    def make_text(self, kind: ApiKeyKind) -> str: ...

class _Sweeper:
    def run(self) -> None: ...
    def sweep(self, *, rest: bool = False) -> int: ...
    def purge(self, *, rest: bool = False) -> int: ...

# Written by tools/gen_blocking.py from the services; do not edit.
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

from sojourn.config import Config
from sojourn.core.directory import Member, Organization, User
from sojourn.core.events import Event
from sojourn.core.keys import ApiKey, ApiKeyKind, Instance, SigningKeyStatus
from sojourn.core.policy import Limits, Policy
from sojourn.core.session import Activity, Actor, Session, Status
from sojourn.core.templates import DEFAULT_CLOCK_SKEW_SECONDS, DEFAULT_LIFETIME_SECONDS, Template
from sojourn.core.ticket import Ticket
from sojourn.service.authenticator import WaitingAuthenticator
from sojourn.service.clients import ClientList, ClientView, Recognised, SignedIn
from sojourn.service.context import Once
from sojourn.service.doctor import Finding
from sojourn.service.end_links import LIFETIME_SECONDS
from sojourn.service.endings import Ending, Preview
from sojourn.service.filters import SessionFilter
from sojourn.service.history import Explanation
from sojourn.service.placing import Placement
from sojourn.service.policies import PolicyView
from sojourn.service.ports import (
    Clock,
    Entropy,
    EventPage,
    MembershipPage,
    MembershipQuery,
    OrganizationPage,
    OrganizationQuery,
    TemplatePage,
    UserQuery,
)
from sojourn.service.sessions import Companion, SessionList, SessionSearch
from sojourn.service.testing_tokens import TestingToken
from sojourn.service.tickets import (
    ACTOR_TOKEN_SECONDS,
    IMPERSONATION_SECONDS,
    SIGN_IN_TOKEN_SECONDS,
    IssuedTicket,
)
from sojourn.service.users import NewUser
from sojourn.tokens.jws import PublicKey
from sojourn.tokens.keyring import KeyRing
from sojourn.verify import Options

class BlockingSojourn:
    instance: Instance
    issuer: str
    policy: Policy
    new_secret_key: str | None
    sessions: _Sessions
    tokens: _Tokens
    templates: _Templates
    users: _Users
    organizations: _Organizations
    memberships: _Memberships
    clients: _Clients
    devices: _Devices
    tickets: _Tickets
    testing_tokens: _TestingTokens
    refresh_tokens: _RefreshTokens
    handshakes: _Handshakes
    events: _EventLog
    api_keys: _ApiKeys
    keys: _SigningKeys
    sweeper: _Sweeper
    policies: _Policies
    history: _History
    end_links: _EndLinks
    endings: _Endings
    doctor: _Doctor

    def authenticator(self, options: Options | None = None) -> WaitingAuthenticator: ...

def open(
    database_url: str | None = None,
    *,
    secret_key: str | None = None,
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
        application: str | None = None,
        pending: bool = True,
        once: Once | None = None,
        also: Companion | None = None,
        place: Placement | None = None,
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
    def search(
        self,
        which: SessionFilter,
        *,
        statuses: frozenset[Status] | None = None,
        limit: int = 10,
        cursor: str | None = None,
    ) -> SessionSearch: ...
    def touch(self, session_id: str, *, activity: Activity | None = None) -> Session: ...
    def touch_is_due(self, session: Session, now: int) -> bool: ...
    def activate(self, session_id: str) -> Session: ...
    def complete_task(self, session_id: str, key: str) -> Session: ...
    def set_organization(self, session_id: str, organization_id: str | None) -> Session: ...
    def end(self, session_id: str) -> Session: ...
    def remove(self, session_id: str) -> Session: ...
    def revoke(self, session_id: str, *, note: str | None = None) -> Session: ...
    def revoke_all_of_user(
        self, user_id: str, *, note: str | None = None, except_session_id: str | None = None
    ) -> None: ...
    def revoke_all(self, *, note: str | None = None) -> None: ...
    def attest(self, session_id: str, *, first: bool = False, second: bool = False) -> Session: ...

class _Tokens:
    def create(
        self,
        session_id: str,
        *,
        template: str | None = None,
        expires_in_seconds: int | None = None,
        origin: str | None = None,
    ) -> str: ...
    def verify(self, token: str) -> Mapping[str, object]: ...
    def verify_session(self, session_id: str, token: str) -> Session: ...
    def settle(self) -> None: ...

class _Templates:
    def create(
        self,
        *,
        name: str,
        claims: Mapping[str, object],
        lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS,
        allowed_clock_skew_seconds: int = DEFAULT_CLOCK_SKEW_SECONDS,
        custom_signing_key: bool = False,
        signing_algorithm: str | None = None,
        signing_key: str | None = None,
    ) -> Template: ...
    def get(self, template_id: str) -> Template: ...
    def named(self, name: str) -> Template: ...
    def list(self, *, limit: int = 10, offset: int = 0) -> Sequence[Template]: ...
    def page(self, *, limit: int = 10, offset: int = 0) -> TemplatePage: ...
    def update(
        self,
        template_id: str,
        *,
        name: str | None = None,
        claims: Mapping[str, object] | None = None,
        lifetime_seconds: int | None = None,
        allowed_clock_skew_seconds: int | None = None,
        custom_signing_key: bool | None = None,
        signing_algorithm: str | None = None,
        signing_key: str | None = None,
    ) -> Template: ...
    def delete(self, template_id: str) -> None: ...

class _Users:
    def create(self, new: NewUser | None = None, *, once: Once | None = None) -> User: ...
    def ensure(self, *, external_id: str) -> User: ...
    def by_external_id(self, external_id: str) -> User: ...
    def get(self, user_id: str) -> User: ...
    def list(
        self,
        *,
        query: str | None = None,
        organization_id: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[User]: ...
    def page(self, query: UserQuery, *, starting_after: str | None = None) -> Sequence[User]: ...
    def count(self, query: UserQuery | None = None) -> int: ...
    def update(
        self,
        user_id: str,
        *,
        external_id: str | None = None,
        username: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        locale: str | None = None,
        primary_email_address_id: str | None = None,
        primary_phone_number_id: str | None = None,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        unsafe_metadata: Mapping[str, object] | None = None,
        delete_self_enabled: bool | None = None,
        create_organization_enabled: bool | None = None,
        create_organizations_limit: int | None = None,
        legal_accepted_at: int | None = None,
        created_at: int | None = None,
        bypass_client_trust: bool | None = None,
        clear: Collection[str] = (),
    ) -> User: ...
    def merge_metadata(
        self,
        user_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        unsafe_metadata: Mapping[str, object] | None = None,
    ) -> User: ...
    def lock(self, user_id: str) -> User: ...
    def unlock(self, user_id: str) -> User: ...
    def ban(self, user_id: str) -> User: ...
    def unban(self, user_id: str) -> User: ...
    def delete(self, user_id: str) -> None: ...

class _Organizations:
    def create(
        self,
        *,
        name: str,
        slug: str | None = None,
        created_by: str | None = None,
        max_allowed_memberships: int = 0,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        created_at: int | None = None,
        once: Once | None = None,
    ) -> Organization: ...
    def get(self, id_or_slug: str, *, counts: bool = False) -> Organization: ...
    def list(
        self, *, query: str | None = None, user_id: str | None = None, limit: int = 10, offset: int = 0
    ) -> Sequence[Organization]: ...
    def page(self, query: OrganizationQuery) -> OrganizationPage: ...
    def update(
        self,
        organization_id: str,
        *,
        name: str | None = None,
        slug: str | None = None,
        max_allowed_memberships: int | None = None,
        admin_delete_enabled: bool | None = None,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        created_at: int | None = None,
    ) -> Organization: ...
    def merge_metadata(
        self,
        organization_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
    ) -> Organization: ...
    def delete(self, organization_id: str) -> None: ...

class _Memberships:
    def add(
        self,
        organization_id: str,
        user_id: str,
        *,
        role: str,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        once: Once | None = None,
    ) -> Member: ...
    def get(self, organization_id: str, user_id: str) -> Member: ...
    def list(
        self,
        *,
        organization_id: str | None = None,
        user_id: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[Member]: ...
    def page(self, query: MembershipQuery) -> MembershipPage: ...
    def update(self, organization_id: str, user_id: str, *, role: str) -> Member: ...
    def merge_metadata(
        self,
        organization_id: str,
        user_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
    ) -> Member: ...
    def remove(self, organization_id: str, user_id: str) -> Member: ...

class _Clients:
    def get(self, client_id: str) -> ClientView: ...
    def list(self, *, limit: int = 10, offset: int = 0, count: bool = False) -> ClientList: ...
    def uat(self, view: ClientView | None) -> int: ...
    def recognise(self, token: str | None) -> Recognised | None: ...
    def create(self) -> Recognised: ...
    def sign_in(
        self,
        ticket: str,
        *,
        token: str | None = None,
        activity: Activity | None = None,
        tasks: Iterable[str] = (),
    ) -> SignedIn: ...
    def verify(self, token: str) -> ClientView: ...
    def make_active(self, held: Recognised, session_id: str) -> Recognised: ...
    def end_session(self, held: Recognised, session_id: str) -> Recognised: ...
    def remove_session(self, held: Recognised, session_id: str) -> Recognised: ...
    def remove_sessions(self, held: Recognised) -> Recognised: ...
    def destroy(self, held: Recognised) -> ClientView: ...

class _Devices:
    def describe(self, *, user_agent: str | None = None, address: str | None = None) -> Activity: ...

class _Tickets:
    def create_actor_token(
        self,
        *,
        user_id: str,
        actor: Actor | Mapping[str, object],
        expires_in_seconds: int = ACTOR_TOKEN_SECONDS,
        session_max_duration_in_seconds: int = IMPERSONATION_SECONDS,
    ) -> IssuedTicket: ...
    def create_sign_in_token(
        self,
        *,
        user_id: str,
        organization_id: str | None = None,
        expires_in_seconds: int = SIGN_IN_TOKEN_SECONDS,
    ) -> IssuedTicket: ...
    def get(self, ticket_id: str) -> Ticket: ...
    def revoke_actor_token(self, ticket_id: str) -> Ticket: ...
    def revoke_sign_in_token(self, ticket_id: str) -> Ticket: ...
    def redeem(
        self,
        token: str,
        *,
        client_id: str | None = None,
        activity: Activity | None = None,
        tasks: Iterable[str] = (),
        place: Placement | None = None,
    ) -> Session: ...

class _TestingTokens:
    def create(self) -> TestingToken: ...

class _RefreshTokens:
    def issue(self, session_id: str) -> str: ...
    def exchange(
        self, session_id: str, *, expired_token: str, refresh_token: str, request_origin: str
    ) -> str: ...

class _Handshakes:
    def directives(
        self,
        client: Recognised | None,
        *,
        redirect_url: str,
        with_suffix: bool = True,
        domain: str | None = None,
    ) -> Sequence[str]: ...
    def token(self, directives: Sequence[str]) -> str: ...
    def nonce(self, directives: Sequence[str], *, client: Recognised | None = None) -> str: ...
    def payload(self, nonce: str) -> Sequence[str]: ...

class _EventLog:
    def read(self, after: str | None = None, *, limit: int = 100) -> EventPage: ...
    def end(self) -> str: ...

class _ApiKeys:
    def remembered(self, text: str) -> ApiKey | None: ...
    def authenticate(self, text: str) -> ApiKey | None: ...
    def add(self, text: str, kind: ApiKeyKind = ApiKeyKind.SECRET) -> None: ...
    def create(self, kind: ApiKeyKind) -> str: ...
    def revoke(self, key_id: str, *, force: bool = False) -> ApiKey: ...
    def list(self) -> Sequence[ApiKey]: ...
    def make_text(self, kind: ApiKeyKind) -> str: ...

class _SigningKeys:
    ring: KeyRing
    current: PublicKey
    def public(self, kid: str) -> PublicKey | None: ...
    def jwks(self) -> dict[str, object]: ...
    def published(self) -> dict[str, object]: ...
    def list(self) -> Sequence[SigningKeyStatus]: ...
    def rotate(self, *, publish_seconds: int | None = None, emergency: bool = False) -> SigningKeyStatus: ...
    def settle(self) -> None: ...

class _Sweeper:
    def run(self) -> None: ...
    def settle_keys(self) -> None: ...
    def sweep(self, *, rest: bool = False) -> int: ...
    def purge(self, *, rest: bool = False) -> int: ...

class _Policies:
    def get(self) -> PolicyView: ...
    def change(self, changes: Mapping[str, object]) -> PolicyView: ...
    def use(self, name: str) -> PolicyView: ...
    def reset(self, names: Iterable[str] | None = None) -> PolicyView: ...
    def load(self) -> Mapping[str, object]: ...
    def run(self) -> None: ...

class _History:
    def of_session(self, session_id: str, *, limit: int = 100) -> Sequence[Event]: ...
    def explain(self, session_id: str) -> Explanation: ...

class _EndLinks:
    def create(self, session_id: str, *, expires_in_seconds: int = LIFETIME_SECONDS) -> str: ...
    def check(self, token: str) -> str: ...
    def redeem(self, token: str) -> Session: ...

class _Endings:
    def preview(self, which: SessionFilter) -> Preview: ...
    def begin(self, which: SessionFilter, *, note: str | None = None, everything: bool = False) -> Ending: ...
    def get(self, ending_id: str) -> Ending: ...
    def list(self, *, limit: int = 10) -> Sequence[Ending]: ...
    def cancel(self, ending_id: str) -> Ending: ...
    def work_off(self) -> int: ...
    def wait(self, seconds: float) -> None: ...

class _Doctor:
    def examine(self) -> Sequence[Finding]: ...

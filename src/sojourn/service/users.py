"""Users: find or make them by the application's own id, change, ban, lock and delete them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from sojourn.core.directory import Contact, IdentifierKind, User
from sojourn.core.errors import Conflict, Invalid, NotFound, Taken, clip
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.lifecycle import SubjectKind
from sojourn.core.metadata import merge
from sojourn.core.session import Reason
from sojourn.service import cutoffs
from sojourn.service.context import ATTEMPTS, Context, Once, check_page
from sojourn.service.cutoffs import cut
from sojourn.service.ports import (
    DeleteUser,
    InsertUser,
    Operation,
    Refused,
    UpdateUser,
    UserOrder,
    UserQuery,
)

CLEARABLE = frozenset(
    {
        "external_id",
        "username",
        "first_name",
        "last_name",
        "locale",
        "create_organizations_limit",
        "legal_accepted_at",
    }
)
"""What of a user may become None again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """An e-mail address or phone number to give a new user."""

    value: str
    verified: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """What a new user is made with; everything is optional. Instants are Unix ms."""

    external_id: str | None = None
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email_addresses: Sequence[NewContact] = ()
    phone_numbers: Sequence[NewContact] = ()
    public_metadata: Mapping[str, object] | None = None
    private_metadata: Mapping[str, object] | None = None
    unsafe_metadata: Mapping[str, object] | None = None
    banned: bool = False
    locked: bool = False
    locale: str | None = None
    created_at: int | None = None
    legal_accepted_at: int | None = None
    delete_self_enabled: bool = True
    create_organization_enabled: bool = True
    create_organizations_limit: int | None = None
    bypass_client_trust: bool = False


class Users:
    """The directory's users."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def create(self, new: NewUser | None = None, *, once: Once | None = None) -> User:
        """Make a user. Raises Taken naming the parameter whose value belongs to somebody else."""
        if once is not None and (done := await self._repeated(once)) is not None:
            return done
        now = self._context.clock.now()
        user = self._build(new or NewUser(), now)
        operations: list[Operation] = [
            InsertUser(user),
            self._context.event(EventType.USER_CREATED, now, user_id=user.id),
        ]
        if once is not None:
            operations.append(once.done(user.id, now))
        try:
            await self._context.store.commit(operations)
        except Refused as refused:
            if refused.why == Refused.REPEATED and once is not None:
                done = await self._repeated(once)
                if done is not None:
                    return done
            if refused.why == Refused.IDENTIFIER_TAKEN:
                raise _taken(refused) from None
            raise Conflict from None
        return user

    async def ensure(self, *, external_id: str) -> User:
        """The user whom the application knows by `external_id`, made if there is none yet."""
        for _ in range(ATTEMPTS):
            user = await self._context.store.user_by(IdentifierKind.EXTERNAL_ID, external_id)
            if user is not None:
                return user
            try:
                return await self.create(NewUser(external_id=external_id))
            except Taken:
                continue  # somebody made the user between the look and the insert
        raise Conflict

    async def by_external_id(self, external_id: str) -> User:
        """The user whom the application knows by `external_id`. Raises NotFound."""
        user = await self._context.store.user_by(IdentifierKind.EXTERNAL_ID, external_id)
        if user is None:
            raise NotFound("user with this external id", external_id)
        return user

    async def get(self, user_id: str) -> User:
        """One user. Raises NotFound."""
        user = await self._context.store.user(user_id)
        if user is None:
            raise NotFound("user", user_id)
        return user

    async def list(
        self,
        *,
        query: str | None = None,
        organization_id: str | None = None,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[User]:
        """Users, newest first; those in whose ids, names, addresses or numbers `query` stands, and those who
        are members of an organization. `limit` is from 1 to 500. Raises Invalid, TooBroad."""
        organizations = None if organization_id is None else (organization_id,)
        asked = UserQuery(text=query, organization_ids=organizations, limit=limit, offset=offset)
        return await self.page(asked)

    async def page(self, query: UserQuery, *, starting_after: str | None = None) -> Sequence[User]:
        """As `list`, with every filter and order. `starting_after`: the page behind this user, which goes
        with the order by creation and without an offset. Raises Invalid, TooBroad."""
        check_page(query.limit, query.offset)
        if starting_after is not None:
            query = replace(query, after=await self._place(query, starting_after))
        return await self._context.store.users(_comparable_query(query))

    async def count(self, query: UserQuery | None = None) -> int:
        """How many users there are, or fit a query, whatever its page. Raises TooBroad."""
        return await self._context.store.count_users(_comparable_query(query or UserQuery()))

    async def update(
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
    ) -> User:
        """Change what is given; None leaves as it is, `clear` names what becomes None. Metadata is replaced
        as a whole, instants are Unix ms. Raises NotFound, Invalid (a primary one that is not the user's or
        not verified, a name in `clear` that cannot be None), Taken, Conflict."""
        for name in clear:
            if name not in CLEARABLE:
                raise Invalid(name[:64], f"{name[:64]} cannot be cleared.")
        given = {
            "external_id": external_id,
            "username": username,
            "first_name": first_name,
            "last_name": last_name,
            "locale": locale,
            "public_metadata": public_metadata,
            "private_metadata": private_metadata,
            "unsafe_metadata": unsafe_metadata,
            "delete_self_enabled": delete_self_enabled,
            "create_organization_enabled": create_organization_enabled,
            "create_organizations_limit": create_organizations_limit,
            "legal_accepted_at": legal_accepted_at,
            "created_at": created_at,
            "bypass_client_trust": bypass_client_trust,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        changes |= dict.fromkeys(clear)

        def change(user: User) -> Mapping[str, object]:
            emails = _primary_first(
                "primary_email_address_id", user.email_addresses, primary_email_address_id
            )
            phones = _primary_first("primary_phone_number_id", user.phone_numbers, primary_phone_number_id)
            return {**changes, "email_addresses": emails, "phone_numbers": phones}

        return await self._change(user_id, change)

    async def merge_metadata(
        self,
        user_id: str,
        *,
        public_metadata: Mapping[str, object] | None = None,
        private_metadata: Mapping[str, object] | None = None,
        unsafe_metadata: Mapping[str, object] | None = None,
    ) -> User:
        """Merge into the metadata, level by level; null removes a key. Raises NotFound, Conflict."""

        def changes(user: User) -> Mapping[str, object]:
            return {
                "public_metadata": merge(user.public_metadata, public_metadata or {}),
                "private_metadata": merge(user.private_metadata, private_metadata or {}),
                "unsafe_metadata": merge(user.unsafe_metadata, unsafe_metadata or {}),
            }

        return await self._change(user_id, changes)

    async def lock(self, user_id: str) -> User:
        """Lock a user: no new session until the lock is taken off; those that live stay. Raises NotFound."""
        return await self._change(user_id, lambda _: {"locked": True}, kind=EventType.USER_LOCKED)

    async def unlock(self, user_id: str) -> User:
        """Take a lock off. Raises NotFound."""
        return await self._change(user_id, lambda _: {"locked": False}, kind=EventType.USER_UNLOCKED)

    async def ban(self, user_id: str) -> User:
        """Ban a user and end all of the user's sessions, in one step. Raises NotFound."""

        def end(now: int) -> Sequence[Operation]:
            return cut(self._context, SubjectKind.USER, user_id, now, reason=Reason.USER_BANNED)

        return await self._change(user_id, lambda _: {"banned": True}, kind=EventType.USER_BANNED, also=end)

    async def unban(self, user_id: str) -> User:
        """Lift a ban; sessions that it ended stay ended. Raises NotFound."""
        return await self._change(user_id, lambda _: {"banned": False}, kind=EventType.USER_UNBANNED)

    async def delete(self, user_id: str) -> None:
        """Delete a user and end all of the user's sessions, in one step. Raises NotFound."""
        now = self._context.clock.now()
        operations = [
            DeleteUser(user_id),
            *cut(self._context, SubjectKind.USER, user_id, now, reason=Reason.USER_DELETED),
            self._context.event(EventType.USER_DELETED, now, user_id=user_id),
        ]
        try:
            await cutoffs.commit(self._context, operations)
        except Refused:
            raise NotFound("user", user_id) from None

    # How it is done ----------------------------------------------------------------------------------------

    def _build(self, new: NewUser, now: int) -> User:
        return User(
            id=self._context.id(Prefix.USER, now),
            created_at=now if new.created_at is None else new.created_at,
            updated_at=now,
            external_id=new.external_id,
            username=new.username,
            first_name=new.first_name,
            last_name=new.last_name,
            email_addresses=self._contacts(IdentifierKind.EMAIL_ADDRESS, new.email_addresses, now),
            phone_numbers=self._contacts(IdentifierKind.PHONE_NUMBER, new.phone_numbers, now),
            public_metadata=new.public_metadata or {},
            private_metadata=new.private_metadata or {},
            unsafe_metadata=new.unsafe_metadata or {},
            banned=new.banned,
            locked=new.locked,
            locale=new.locale,
            legal_accepted_at=new.legal_accepted_at,
            delete_self_enabled=new.delete_self_enabled,
            create_organization_enabled=new.create_organization_enabled,
            create_organizations_limit=new.create_organizations_limit,
            bypass_client_trust=new.bypass_client_trust,
        )

    def _contacts(
        self, kind: IdentifierKind, contacts: Sequence[NewContact], now: int
    ) -> tuple[Contact, ...]:
        return tuple(
            Contact(
                id=self._context.id(Prefix.IDENTIFICATION, now),
                value=_comparable((kind, contact.value))[1],
                verified=contact.verified,
                created_at=now,
            )
            for contact in contacts
        )

    async def _place(self, query: UserQuery, user_id: str) -> tuple[int, int]:
        """Where in the order by creation a user stands."""
        if query.order is not UserOrder.CREATED:
            raise Invalid("starting_after", "starting_after goes with the order by created_at only.")
        if query.offset:
            raise Invalid("starting_after", "starting_after does not go with an offset.")
        user = await self._context.store.user(user_id)
        if user is None:
            raise Invalid("starting_after", f"starting_after: there is no user with the id {clip(user_id)}.")
        return user.created_at, user.sequence

    async def _change(
        self,
        user_id: str,
        changes: Callable[[User], Mapping[str, object]],
        *,
        kind: EventType = EventType.USER_UPDATED,
        also: Callable[[int], Sequence[Operation]] = lambda _: (),
    ) -> User:
        """Change a user as it is at the commit, and log it, with what `also` gives for the instant (ms). What
        changes nothing is not written."""
        for _ in range(ATTEMPTS):
            user = await self.get(user_id)
            now = self._context.clock.now()
            wanted = replace(user, **changes(user))  # pyright: ignore[reportArgumentType]  # fields of User
            if wanted == user:
                return user
            changed = replace(wanted, updated_at=max(now, user.updated_at + 1), version=user.version + 1)
            operations: list[Operation] = [UpdateUser(user=changed, expected_version=user.version)]
            operations += [*also(now), self._context.event(kind, now, user_id=user_id)]
            try:
                await cutoffs.commit(self._context, operations)
            except Refused as refused:
                if refused.why == Refused.IDENTIFIER_TAKEN:
                    raise _taken(refused) from None
                continue
            return changed
        raise Conflict

    async def _repeated(self, once: Once) -> User | None:
        made = await self._context.made(once)
        return None if made is None else await self.get(made)


def _taken(refused: Refused) -> Taken:
    parameter = refused.detail or "external_id"
    return Taken(parameter, f"That {parameter} belongs to another user.")


def _primary_first(name: str, contacts: tuple[Contact, ...], primary: str | None) -> tuple[Contact, ...]:
    """The contacts with the primary one first, which is what makes it the primary one."""
    if primary is None:
        return contacts
    first = [contact for contact in contacts if contact.id == primary]
    if not first:
        raise Invalid(name, f"{name} is not of this user.")
    if not first[0].verified:
        raise Invalid(name, f"{name} is not verified.")
    return (*first, *(contact for contact in contacts if contact.id != primary))


def _comparable_query(query: UserQuery) -> UserQuery:
    """A query as it is compared with what is stored."""
    if query.email_addresses is None:
        return query
    kind = IdentifierKind.EMAIL_ADDRESS
    return replace(query, email_addresses=tuple(_comparable((kind, one))[1] for one in query.email_addresses))


def _comparable(identifier: tuple[IdentifierKind, str]) -> tuple[IdentifierKind, str]:
    """An identifier as it is stored and looked for: e-mail addresses belong to one user however they are
    capitalised."""
    kind, value = identifier
    return (kind, value.lower()) if kind is IdentifierKind.EMAIL_ADDRESS else identifier

"""Users: find or make them by the application's own id, ban and delete them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sojourn.core.directory import Contact, IdentifierKind, User
from sojourn.core.errors import Conflict, NotFound, Taken
from sojourn.core.events import EventType
from sojourn.core.ids import Prefix
from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Reason
from sojourn.service.context import ATTEMPTS, Context, Once, check_page
from sojourn.service.cutoffs import cut
from sojourn.service.ports import (
    DeleteUser,
    InsertUser,
    Operation,
    Refused,
    UpdateUser,
    UserQuery,
)


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
                parameter = refused.detail or "external_id"
                raise Taken(parameter, f"That {parameter} belongs to another user.") from None
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
        ids: Sequence[str] | None = None,
        identifiers: Sequence[tuple[IdentifierKind, str]] | None = None,
        newest_first: bool = True,
        limit: int = 10,
        offset: int = 0,
    ) -> Sequence[User]:
        """Users in the order of creation, all of them or those with one of the ids or identifiers. `limit` is
        from 1 to 500. Raises Invalid."""
        check_page(limit, offset)
        return await self._context.store.users(
            UserQuery(
                ids=None if ids is None else tuple(ids),
                identifiers=None if identifiers is None else tuple(map(_comparable, identifiers)),
                newest_first=newest_first,
                limit=limit,
                offset=offset,
            )
        )

    async def ban(self, user_id: str) -> User:
        """Ban a user and end all of the user's sessions, in one step. Raises NotFound."""
        return await self._set_banned(user_id, banned=True)

    async def unban(self, user_id: str) -> User:
        """Lift a ban; sessions that it ended stay ended. Raises NotFound."""
        return await self._set_banned(user_id, banned=False)

    async def delete(self, user_id: str) -> None:
        """Delete a user and end all of the user's sessions, in one step. Raises NotFound."""
        now = self._context.clock.now()
        operations = [
            DeleteUser(user_id),
            *cut(self._context, SubjectKind.USER, user_id, now, reason=Reason.USER_DELETED),
            self._context.event(EventType.USER_DELETED, now, user_id=user_id),
        ]
        try:
            await self._context.store.commit(operations)
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

    async def _set_banned(self, user_id: str, *, banned: bool) -> User:
        for _ in range(ATTEMPTS):
            user = await self.get(user_id)
            now = self._context.clock.now()
            if user.banned == banned:
                return user
            changed = replace(
                user,
                banned=banned,
                updated_at=max(now, user.updated_at + 1),
                version=user.version + 1,
            )
            kind = EventType.USER_BANNED if banned else EventType.USER_UNBANNED
            operations: list[Operation] = [UpdateUser(user=changed, expected_version=user.version)]
            if banned:
                operations += cut(self._context, SubjectKind.USER, user_id, now, reason=Reason.USER_BANNED)
            operations.append(self._context.event(kind, now, user_id=user_id))
            try:
                await self._context.store.commit(operations)
            except Refused:
                continue
            return changed
        raise Conflict

    async def _repeated(self, once: Once) -> User | None:
        made = await self._context.made(once)
        return None if made is None else await self.get(made)


def _comparable(identifier: tuple[IdentifierKind, str]) -> tuple[IdentifierKind, str]:
    """An identifier as it is stored and looked for: e-mail addresses belong to one user however they are
    capitalised."""
    kind, value = identifier
    return (kind, value.lower()) if kind is IdentifierKind.EMAIL_ADDRESS else identifier

"""What each operation of a commit does to the tables. Runs inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apsw

from sojourn.core.directory import DAY_MS, User
from sojourn.core.errors import clip
from sojourn.core.lifecycle import SubjectKind
from sojourn.core.session import Activity
from sojourn.service.ports import (
    AppendEvent,
    DeleteUser,
    InsertApiKey,
    InsertClient,
    InsertCutoff,
    InsertOnce,
    InsertSession,
    InsertUser,
    Operation,
    PutInstance,
    PutStoredKey,
    Refused,
    UpdateClient,
    UpdateSession,
    UpdateUser,
)
from sojourn.stores.sql import queries
from sojourn.stores.sqlite import rows
from sojourn.stores.sqlite.driver import Connection, extended_code

_SQL = queries("sqlite")
_NO_ENDING = (None, None, None, None)
_DUPLICATE = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY)


class Operations:
    """The statements of the operations, on the writing connection."""

    def __init__(self, connection: Connection) -> None:
        self._execute = connection.cursor().execute
        self._changes = connection.changes

    def apply(self, operations: Sequence[Operation]) -> None:
        """Do all in their order. Raises Refused; whoever called takes back what was done until then."""
        for operation in operations:
            self._methods[type(operation)](self, operation)

    def touch(self, session_id: str, now: int, activity: Activity | None) -> bool:
        """Touch a session that is live at `now` (ms). False when it is not."""
        bindings = {"id": session_id, "now": now, "activity": rows.activity_value(activity)}
        touched = self._execute(_SQL["session_touch"], bindings).fetchall()
        if not touched:
            return False
        self._execute(_SQL["user_touch_day"], {"id": touched[0][0], "day": now - now % DAY_MS})
        return True

    # Sessions and clients -----------------------------------------------------------------------------------

    def _insert_session(self, operation: InsertSession) -> None:
        session = operation.session
        self._execute(_SQL["user_signed_in"], {"id": session.user_id, "at": session.created_at})
        if not self._changes():
            there = self._execute(_SQL["user_exists"], (session.user_id,)).fetchall()
            raise Refused(Refused.USER_BANNED if there else Refused.USER_MISSING, operation)
        try:
            self._insert("session_insert", rows.session_values(session), session.id)
        except apsw.ConstraintError as error:
            if extended_code(error) == apsw.SQLITE_CONSTRAINT_FOREIGNKEY:
                raise Refused(Refused.CLIENT_MISSING, operation) from None
            raise

    def _update_session(self, operation: UpdateSession) -> None:
        session = operation.session
        ending = _NO_ENDING if session.ending is None else rows.ending_values(session.ending)
        ended_at, reason, instigator, note = ending
        bindings = {
            "id": session.id,
            "expected_version": operation.expected_version,
            "expected_active_at": operation.expected_active_at,
            "status": session.status.value,
            "updated_at": session.updated_at,
            "version": session.version,
            "organization_id": session.last_active_organization_id,
            "tasks": rows.tasks_value(session.tasks),
            "ended_at": ended_at,
            "reason": reason,
            "instigator": instigator,
            "note": note,
        }
        self._change("session_update", bindings, operation)

    def _insert_client(self, operation: InsertClient) -> None:
        client = operation.client
        values = (
            client.id,
            client.created_at,
            client.updated_at,
            client.last_active_session_id,
            client.last_authentication_strategy,
            client.version,
        )
        self._insert("client_insert", values, client.id)

    def _update_client(self, operation: UpdateClient) -> None:
        client = operation.client
        values = (
            client.created_at,
            client.updated_at,
            client.last_active_session_id,
            client.last_authentication_strategy,
            client.version,
            client.id,
            operation.expected_version,
        )
        self._change("client_update", values, operation)

    # Users --------------------------------------------------------------------------------------------------

    def _insert_user(self, operation: InsertUser) -> None:
        user = operation.user
        values = (
            user.id,
            user.version,
            int(user.banned),
            user.created_at,
            user.updated_at,
            user.last_sign_in_at,
            user.last_active_at,
            rows.user_document(user),
        )
        self._insert("user_insert", values, user.id)
        self._claim_identifiers(user, operation)

    def _update_user(self, operation: UpdateUser) -> None:
        user = operation.user
        bindings = {
            "id": user.id,
            "expected_version": operation.expected_version,
            "version": user.version,
            "banned": int(user.banned),
            "created_at": user.created_at,
            "updated_at": user.updated_at,
            "last_sign_in_at": user.last_sign_in_at,
            "last_active_at": user.last_active_at,
            "document": rows.user_document(user),
        }
        self._change("user_update", bindings, operation)
        self._execute(_SQL["identifiers_delete"], (user.id,))
        self._claim_identifiers(user, operation)

    def _delete_user(self, operation: DeleteUser) -> None:
        # The identifiers go with it, by their reference.
        self._execute(_SQL["user_delete"], (operation.user_id,))
        if not self._changes():
            raise Refused(Refused.USER_MISSING, operation)

    def _claim_identifiers(self, user: User, operation: InsertUser | UpdateUser) -> None:
        for kind, value in user.identifiers():
            try:
                self._execute(_SQL["identifier_insert"], (kind.value, value, user.id))
            except apsw.ConstraintError as error:
                if extended_code(error) in _DUPLICATE:
                    raise Refused(Refused.IDENTIFIER_TAKEN, operation, kind.value) from None
                raise

    # The rest -----------------------------------------------------------------------------------------------

    def _insert_cutoff(self, operation: InsertCutoff) -> None:
        cutoff = operation.cutoff
        # A store serves one instance, so its cutoffs cover every session whatever the instance is called.
        scope = "instance" if cutoff.kind is SubjectKind.INSTANCE else cutoff.subject
        bindings = {
            "scope": scope,
            "kind": cutoff.kind.value,
            "subject": cutoff.subject,
            "at": cutoff.at,
            "status": cutoff.status.value,
            "reason": cutoff.reason.value,
            "instigator": cutoff.instigator.value,
            "note": cutoff.note,
        }
        self._execute(_SQL["cutoff_insert"], bindings)

    def _append_event(self, operation: AppendEvent) -> None:
        self._execute(_SQL["event_insert"], rows.event_values(operation.event))

    def _insert_once(self, operation: InsertOnce) -> None:
        values = (operation.digest, operation.fingerprint, operation.resource_id, operation.at)
        self._insert_unrepeated("once_insert", values, operation)

    def _insert_api_key(self, operation: InsertApiKey) -> None:
        key = operation.key
        values = (key.id, key.kind.value, key.digest, key.hint, key.created_at, key.revoked_at)
        self._insert_unrepeated("api_key_insert", values, operation)

    def _put_stored_key(self, operation: PutStoredKey) -> None:
        key = operation.key
        values = (
            key.kid,
            key.use.value,
            key.algorithm,
            key.state,
            key.material,
            key.created_at,
            key.published_until,
        )
        self._execute(_SQL["stored_key_put"], values)

    def _put_instance(self, operation: PutInstance) -> None:
        one = operation.instance
        values = (one.id, one.publishable_key, one.epoch, one.created_at, one.master_key_id)
        self._execute(_SQL["instance_put"], values)

    _methods: Mapping[type, Callable[..., None]] = {
        InsertSession: _insert_session,
        UpdateSession: _update_session,
        InsertClient: _insert_client,
        UpdateClient: _update_client,
        InsertUser: _insert_user,
        UpdateUser: _update_user,
        DeleteUser: _delete_user,
        InsertCutoff: _insert_cutoff,
        AppendEvent: _append_event,
        InsertOnce: _insert_once,
        InsertApiKey: _insert_api_key,
        PutStoredKey: _put_stored_key,
        PutInstance: _put_instance,
    }

    # Helpers ------------------------------------------------------------------------------------------------

    def _change(self, query: str, bindings: Any, operation: Operation) -> None:
        """Run an update that must find its row. Raises Refused.CHANGED."""
        self._execute(_SQL[query], bindings)
        if not self._changes():
            raise Refused(Refused.CHANGED, operation)

    def _insert(self, query: str, values: rows.Values, identifier: str) -> None:
        """Run an insert under a new id. Raises ValueError for a stored one: the source of ids is at fault."""
        try:
            self._execute(_SQL[query], values)
        except apsw.ConstraintError as error:
            if extended_code(error) in _DUPLICATE:
                raise ValueError(f"{clip(identifier)} is stored already; ids are never used twice") from None
            raise

    def _insert_unrepeated(self, query: str, values: rows.Values, operation: Operation) -> None:
        try:
            self._execute(_SQL[query], values)
        except apsw.ConstraintError as error:
            if extended_code(error) in _DUPLICATE:
                raise Refused(Refused.REPEATED, operation) from None
            raise

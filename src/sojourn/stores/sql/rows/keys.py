"""API keys, private keys at rest and the instance as rows."""

from __future__ import annotations

from sojourn.core.keys import ApiKey, ApiKeyKind, Instance, KeyUse, StoredKey
from sojourn.stores.sql.rows.sessions import Row


def api_key_of(row: Row) -> ApiKey:
    """An API key from `api_key_columns`."""
    identifier, kind, digest, hint, created_at, revoked_at = row
    return ApiKey(
        id=identifier,
        kind=ApiKeyKind(kind),
        digest=digest,
        hint=hint,
        created_at=created_at,
        revoked_at=revoked_at,
    )


def stored_key_values(key: StoredKey) -> dict[str, str | int | bytes | None]:
    """The values of `stored_key_put` and `stored_key_update`."""
    return {
        "kid": key.kid,
        "use": key.use.value,
        "algorithm": key.algorithm,
        "state": key.state,
        "material": key.material,
        "created_at": key.created_at,
        "activates_at": key.activates_at,
        "retired_at": key.retired_at,
        "last_exp_at": key.last_exp_at,
        "version": key.version,
    }


def stored_key_of(row: Row) -> StoredKey:
    """A private key at rest from `stored_key_list`."""
    kid, use, algorithm, state, material, created_at, activates_at, retired_at, last_exp_at, version = row
    return StoredKey(
        kid=kid,
        use=KeyUse(use),
        algorithm=algorithm,
        state=state,
        material=material,
        created_at=created_at,
        activates_at=activates_at,
        retired_at=retired_at,
        last_exp_at=last_exp_at,
        version=version,
    )


def instance_of(row: Row) -> Instance:
    """The instance from `instance_get`."""
    identifier, publishable_key, epoch, created_at, master_key_id = row
    return Instance(
        id=identifier,
        publishable_key=publishable_key,
        epoch=epoch,
        created_at=created_at,
        master_key_id=master_key_id,
    )

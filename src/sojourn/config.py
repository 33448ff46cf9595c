"""Configuration: every setting with its default and its unit, from a TOML file and then SOJOURN_*
variables."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from sojourn.core.errors import ConfigurationError, Invalid
from sojourn.core.plans import Plans
from sojourn.core.policy import Policy
from sojourn.core.presets import preset
from sojourn.core.roles import Roles
from sojourn.places import CityDatabase
from sojourn.service.frontend import FrontendSettings
from sojourn.service.signing_keys import PUBLISH_SECONDS, RotationSettings
from sojourn.tokens.envelope import MasterKey

PREFIX = "SOJOURN_"
POLICY_PREFIX = "SOJOURN_POLICY_"
FILE_VARIABLE = "SOJOURN_CONFIG"
_LISTS = ("secret_key", "allowed_origins", "satellite_origins", "trusted_proxies")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Each has a line in the TOML file and an environment variable with its name in capitals
    behind `SOJOURN_`; the variable wins. Lists are comma separated in variables."""

    database_url: str = "sqlite:///sojourn.db"
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, `memory://`, `postgresql://user@host/name`; several
    hosts with commas between them mean the one that is the primary. For programs also the `https://` of a
    running service."""
    database_connections: Annotated[int, msgspec.Meta(ge=2, le=200)] = 10
    """Most connections to PostgreSQL that a process reads on, and as many again that it writes on."""
    durability: Literal["standard", "strict"] = "standard"
    """`strict`: nothing is acknowledged unless a second PostgreSQL server has it."""
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8787
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """Processes that serve one database."""
    secret_key: tuple[str, ...] = ()
    """Keys that callers of the Backend API may present; several at once, so that they can be rolled."""
    publishable_key: str | None = None
    allowed_origins: tuple[str, ...] = ()
    """Origins of the browsers' pages, for the Frontend API; none: `http://localhost` and other names of the
    browser's own machine, with any port."""
    satellite_origins: tuple[str, ...] = ()
    """Origins of pages on another site than the service, which are signed in by `client/sync`."""
    public_url: str | None = None
    """Where browsers reach the Frontend API, `https://clerk.example.com`; None: as each request comes in."""
    proxy_path: str = "/__clerk"
    """The Frontend API is served below this path too, for a proxy on the application's own origin."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed."""
    cookie_domain: str | None = None
    """The domain of cookies; None: they belong to the one host that sets them."""
    sign_in_url: str | None = None
    """The application's page that takes `__clerk_ticket`; None: the first allowed origin."""
    city_database: str | None = None
    """A file in MaxMind's format that tells the city and country of an address; None: they stay unknown."""
    master_key: str | None = None
    """32 bytes in base64; encrypts the keys in the database."""
    issuer: str | None = None
    """The `iss` of tokens; None: https:// and the host in the publishable key."""
    token_version: Literal[1, 2] = 2
    """Version of the claims in session tokens."""
    signing_key_publish_seconds: int = PUBLISH_SECONDS
    """How long a new signing key is published before it signs."""
    signing_key_max_age_days: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """At what age a signing key is replaced by itself; None: never."""
    revocation_horizon_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] | None = None
    """How old a token can be that the revocation feed still speaks of; None: the policy's token lifetime."""
    migrate: bool = True
    """Bring an empty or older database up to date when it is opened."""
    sweep: bool = True
    """Write ended sessions back, announce and purge them in this process."""
    sweep_interval_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    graceful_stop_seconds: Annotated[int, msgspec.Meta(ge=0)] = 30
    """How long requests in flight may take after the signal to stop."""
    remote_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """How long one attempt of a call may take where `database_url` is the URL of a running service."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "text"
    policy: dict[str, Any] = {}
    """Lifetimes and limits by their names in `Policy`, over those of a `preset` if one is named;
    SOJOURN_POLICY_… as a variable."""
    roles: dict[str, tuple[str, ...]] = {}
    """What each role may do: `org:<role>` = a list of `org:<feature>:<permission>`."""

    plans: dict[str, tuple[str, ...]] = {}
    """What is in each plan: `u:<plan>` for users or `o:<plan>` for organizations = a list of features."""

    def __repr__(self) -> str:
        """Blind: some of the settings are secrets, and a URL may hold a password."""
        return f"Config(database_url={blind(self.database_url)!r}, host={self.host!r}, port={self.port})"

    def build_policy(self) -> Policy:
        """The policy. Raises ConfigurationError naming the setting that does not fit."""
        known = set(Policy.__dataclass_fields__)
        given = {name: value for name, value in self.policy.items() if name != "preset"}
        for name in given:
            if name not in known:
                raise ConfigurationError(f"policy.{name} is not a setting.")
        try:
            chosen = self.policy.get("preset")
            base = Policy() if chosen is None else preset(str(chosen)).policy()
            settings = {
                name: msgspec.convert(value, _POLICY_TYPES[name], strict=False)
                for name, value in given.items()
            }
            return replace(base, **settings)
        except (msgspec.ValidationError, Invalid) as error:
            raise ConfigurationError(f"policy: {error}") from None

    def build_rotation(self) -> RotationSettings:
        """When signing keys are rotated. Raises ConfigurationError naming the setting that does not fit."""
        try:
            return RotationSettings(
                publish_seconds=self.signing_key_publish_seconds, max_age_days=self.signing_key_max_age_days
            )
        except Invalid as error:
            raise ConfigurationError(error.detail) from None

    def build_frontend(self, *, production: bool) -> FrontendSettings:
        """How browsers reach the service. Raises ConfigurationError naming the setting that does not fit."""
        try:
            return FrontendSettings.of(
                allowed_origins=self.allowed_origins,
                public_url=self.public_url,
                proxy_path=self.proxy_path,
                trusted_proxies=self.trusted_proxies,
                cookie_domain=self.cookie_domain,
                sign_in_url=self.sign_in_url,
                satellite_origins=self.satellite_origins,
                production=production,
            )
        except Invalid as error:
            raise ConfigurationError(f"{error.meta['param_name']}: {error.detail}") from None

    def build_roles(self) -> Roles:
        """The roles. Raises ConfigurationError naming the one that does not fit."""
        try:
            return Roles(self.roles)
        except Invalid as error:
            raise ConfigurationError(f"roles: {error.meta['param_name']}: {error}") from None

    def build_places(self) -> CityDatabase | None:
        """Where addresses are. Raises ConfigurationError where the file cannot be used."""
        return None if self.city_database is None else CityDatabase(self.city_database)

    def build_plans(self) -> Plans:
        """The plans. Raises ConfigurationError naming the one that does not fit."""
        try:
            return Plans(self.plans)
        except Invalid as error:
            raise ConfigurationError(f"plans: {error.meta['param_name']}: {error}") from None

    def build_master_key(self) -> MasterKey | None:
        """The master key. Raises ConfigurationError, which never repeats the text."""
        if self.master_key is None:
            return None
        try:
            return MasterKey.parse(self.master_key)
        except ValueError as error:
            raise ConfigurationError(f"SOJOURN_MASTER_KEY: {error}") from None


def blind(url: str) -> str:
    """A database URL without what stands before its host."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"


_POLICY_TYPES: dict[str, Any] = get_type_hints(Policy)
_TABLES = ("policy", "roles", "plans")
"""Settings that no single variable can hold."""


def load(path: str | Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the file, if one is named here or by SOJOURN_CONFIG, then the variables.

    Raises ConfigurationError naming an unknown setting or one with an unusable value; the values themselves
    are not repeated, as they may be secrets.
    """
    given = os.environ if environment is None else environment
    named = path or given.get(FILE_VARIABLE)
    settings = _read(Path(named)) if named else {}
    policy = settings.setdefault("policy", {})
    if not isinstance(policy, dict):
        raise ConfigurationError("policy has to be a table of settings.")
    known = {field.name for field in msgspec.structs.fields(Config)}
    for variable, value in given.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        if variable.startswith(POLICY_PREFIX):
            policy[variable.removeprefix(POLICY_PREFIX).lower()] = value
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in known or name in _TABLES or variable != variable.upper():
            raise ConfigurationError(f"{variable} is not a setting of sojourn.")
        if value != "":  # an empty variable is as good as none, as compose files have them
            listed = name in _LISTS
            settings[name] = [p for item in value.split(",") if (p := item.strip())] if listed else value
    if isinstance(settings.get("secret_key"), str):
        settings["secret_key"] = [settings["secret_key"]]
    return convert(settings)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The configuration file {path} is not TOML: {error}.") from None


def convert(settings: dict[str, Any]) -> Config:
    """Settings by their names, as values or as text. Raises ConfigurationError naming the one that does not
    fit."""
    fields = {field.name: field for field in msgspec.structs.fields(Config)}
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in fields:
            raise ConfigurationError(f"{name} is not a setting of sojourn.")
        try:
            values[name] = msgspec.convert(value, fields[name].type, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"{name}: {error}.") from None
    return Config(**values)

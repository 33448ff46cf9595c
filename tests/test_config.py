"""Settings: where they come from, which one wins, and how a wrong one is named."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from sojourn import Config, Policy
from sojourn.config import convert, load
from sojourn.core.errors import ConfigurationError
from sojourn.core.plans import Plan
from tests.support import clean_environment

CANARY = "sk_test_canarycanarycanary"


def write(folder: Path, text: str) -> Path:
    """A configuration file."""
    file = folder / "sojourn.toml"
    file.write_text(text)
    return file


def test_defaults() -> None:
    """Without file and variables every setting has its default, and the policy is the default policy."""
    config = load(environment={})
    assert config == Config()
    assert config.build_policy() == Policy()
    assert config.build_master_key() is None


def test_every_setting_has_a_variable() -> None:
    """Each setting can be given by the variable with its name in capitals."""
    values = {
        "SOJOURN_DATABASE_URL": "sqlite:////data/a.db",
        "SOJOURN_DATABASE_CONNECTIONS": "4",
        "SOJOURN_DURABILITY": "strict",
        "SOJOURN_HOST": "0.0.0.0",
        "SOJOURN_PORT": "9000",
        "SOJOURN_WORKERS": "3",
        "SOJOURN_SECRET_KEY": "sk_a, sk_b ,",
        "SOJOURN_PUBLISHABLE_KEY": "pk_test_x",
        "SOJOURN_ALLOWED_ORIGINS": "https://a.org,https://b.org",
        "SOJOURN_CITY_DATABASE": "city.mmdb",
        "SOJOURN_SATELLITE_ORIGINS": "https://c.net",
        "SOJOURN_PUBLIC_URL": "https://clerk.a.org",
        "SOJOURN_PROXY_PATH": "/auth",
        "SOJOURN_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1",
        "SOJOURN_COOKIE_DOMAIN": "a.org",
        "SOJOURN_SIGN_IN_URL": "https://a.org/sign-in",
        "SOJOURN_MASTER_KEY": "key",
        "SOJOURN_ISSUER": "https://id.org",
        "SOJOURN_TOKEN_VERSION": "1",
        "SOJOURN_SIGNING_KEY_PUBLISH_SECONDS": "900",
        "SOJOURN_SIGNING_KEY_MAX_AGE_DAYS": "90",
        "SOJOURN_REVOCATION_HORIZON_SECONDS": "3600",
        "SOJOURN_MIGRATE": "false",
        "SOJOURN_SWEEP": "0",
        "SOJOURN_SWEEP_INTERVAL_SECONDS": "2.5",
        "SOJOURN_GRACEFUL_STOP_SECONDS": "5",
        "SOJOURN_REMOTE_TIMEOUT_SECONDS": "3",
        "SOJOURN_LOG_LEVEL": "debug",
        "SOJOURN_LOG_FORMAT": "json",
        "SOJOURN_POLICY_LIFETIME_SECONDS": "3600",
    }
    config = load(environment=values)
    tables = {"SOJOURN_POLICY", "SOJOURN_ROLES", "SOJOURN_PLANS"}
    assert {f"SOJOURN_{f.name.upper()}" for f in msgspec.structs.fields(Config)} - tables == {
        name for name in values if "POLICY" not in name
    }
    assert (config.port, config.workers, config.token_version) == (9000, 3, 1)
    assert (config.secret_key, config.allowed_origins) == (
        ("sk_a", "sk_b"),
        ("https://a.org", "https://b.org"),
    )
    assert (config.migrate, config.sweep, config.sweep_interval_seconds) == (False, False, 2.5)
    assert (config.log_level, config.log_format) == ("debug", "json")
    assert config.build_policy().lifetime_seconds == 3600


def test_the_file_and_the_variables(tmp_path: Path) -> None:
    """The file is read first, variables win over it, and a policy is put together from both."""
    file = write(
        tmp_path,
        f'port = 9000\nhost = "1.2.3.4"\nsecret_key = "{CANARY}"\n'
        "[policy]\nlifetime_seconds = 60\nsingle_session = true\n",
    )
    config = load(file, {"SOJOURN_PORT": "9001", "SOJOURN_POLICY_LIFETIME_SECONDS": "7200"})
    assert (config.port, config.host, config.secret_key) == (9001, "1.2.3.4", (CANARY,))
    assert (config.build_policy().lifetime_seconds, config.build_policy().single_session) == (7200, True)
    assert load(environment={"SOJOURN_CONFIG": str(file)}).port == 9000


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    """A variable that is set to nothing leaves what the file says."""
    file = write(tmp_path, f'secret_key = ["{CANARY}"]\nissuer = "https://id.org"\n')
    config = load(file, {"SOJOURN_SECRET_KEY": "", "SOJOURN_ISSUER": "", "SOJOURN_PORT": ""})
    assert (config.secret_key, config.issuer, config.port) == ((CANARY,), "https://id.org", 8787)


def test_other_variables_are_left_alone() -> None:
    """Only what begins with SOJOURN_ is looked at."""
    assert load(environment={"PATH": "/bin", "SOJOURNER": "x", "XSOJOURN_PORT": "1"}) == Config()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SOJOURN_NONSENSE", "1"),
        ("SOJOURN_", "1"),
        ("SOJOURN_port", "1"),
        ("SOJOURN_POLICY", "{}"),
        ("SOJOURN_PORTS", ""),
    ],
)
def test_an_unknown_variable_is_named(variable: str, value: str) -> None:
    """A misspelt variable is an error with its name."""
    with pytest.raises(ConfigurationError, match=variable):
        load(environment={variable: value})


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("SOJOURN_PORT", "65536", "port"),
        ("SOJOURN_PORT", "eighty", "port"),
        ("SOJOURN_WORKERS", "0", "workers"),
        ("SOJOURN_TOKEN_VERSION", "3", "token_version"),
        ("SOJOURN_SWEEP", "perhaps", "sweep"),
        ("SOJOURN_SWEEP_INTERVAL_SECONDS", "0", "sweep_interval_seconds"),
        ("SOJOURN_GRACEFUL_STOP_SECONDS", "-1", "graceful_stop_seconds"),
        ("SOJOURN_LOG_LEVEL", "loud", "log_level"),
    ],
)
def test_an_unusable_value_is_named(variable: str, value: str, named: str) -> None:
    """A value that does not fit is an error with the name of its setting."""
    with pytest.raises(ConfigurationError, match=f"^{named}: "):
        load(environment={variable: value})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("ports = 1", "ports"),
        ('port = "x"', "port"),
        ("policy = 5", "policy"),
        ("secret_key = 5", "secret_key"),
        ("[policies]", "policies"),
        ("port = ", "TOML"),
        ("= ", "TOML"),
    ],
)
def test_an_unusable_file(tmp_path: Path, text: str, named: str) -> None:
    """What is wrong in the file is named, whether or not variables are given beside it."""
    for environment in ({}, {"SOJOURN_POLICY_LIFETIME_SECONDS": "60"}):
        with pytest.raises(ConfigurationError, match=named):
            load(write(tmp_path, text), environment)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are no text are errors with the path."""
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, tmp_path / "binary.toml"):
        with pytest.raises(ConfigurationError, match=str(path)):
            load(path, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIFETIME", "60"),
        ("LIFETIME_SECONDS", "0"),
        ("LIFETIME_SECONDS", "soon"),
        ("INACTIVITY_SECONDS", "604800"),
        ("SINGLE_SESSION", "maybe"),
        ("TOKEN_LIFETIME_SECONDS", "999999999999"),
    ],
)
def test_a_policy_that_does_not_fit(name: str, value: str) -> None:
    """An unknown limit, an unusable one and one that contradicts another are configuration errors."""
    config = load(environment={f"SOJOURN_POLICY_{name}": value})
    with pytest.raises(ConfigurationError):
        config.build_policy()


def test_every_limit_can_be_set() -> None:
    """Each field of the policy has its variable, whatever its type."""
    values = {name: _other(getattr(Policy(), name)) for name in Policy.__dataclass_fields__}
    values |= {
        "max_sessions_per_user": 3,
        "session_limit_action": "evict_idle",
        "session_token_template": "x",
    }
    environment = {f"SOJOURN_POLICY_{name.upper()}": str(value).lower() for name, value in values.items()}
    policy = load(environment=environment).build_policy()
    assert {name: getattr(policy, name) for name in values} == values


def _other(default: object) -> object:
    """A value that is not the default, or at least not None."""
    return not default if isinstance(default, bool) else default or 3600


def test_roles_are_read_from_the_file(tmp_path: Path) -> None:
    """Each role has its list of permissions; what cannot be a role or a permission is refused by its name,
    and there is no variable for the table."""
    text = '[roles]\n"org:editor" = ["org:posts:manage", "org:posts:read"]\n"org:admin" = []\n'
    roles = load(write(tmp_path, text), {}).build_roles()
    assert roles.permissions_of("org:editor") == ("org:posts:manage", "org:posts:read")
    for role, permission in (
        ("editor", "org:posts:read"),
        ("org:editor", "posts:read"),
        ("org:editor", "org:sys_profile:manage"),
    ):
        config = load(write(tmp_path, f'roles = {{"{role}" = ["{permission}"]}}'), {})
        with pytest.raises(ConfigurationError, match="roles"):
            config.build_roles()
    with pytest.raises(ConfigurationError, match="SOJOURN_ROLES"):
        load(environment={"SOJOURN_ROLES": "org:editor"})


def test_secrets_are_not_repeated() -> None:
    """Neither the repr of a configuration nor an error about a secret shows it."""
    config = load(environment={"SOJOURN_SECRET_KEY": CANARY, "SOJOURN_MASTER_KEY": "canary-master"})
    assert "canary" not in repr(config)
    with pytest.raises(ConfigurationError) as error:
        config.build_master_key()
    assert "canary" not in error.value.detail
    assert "SOJOURN_MASTER_KEY" in error.value.detail


def test_master_keys() -> None:
    """Base64 of 32 bytes is a master key, padded or not, in either alphabet; a placeholder is none."""
    raw = bytes(range(200, 232))
    texts = [base64.b64encode(raw), base64.urlsafe_b64encode(raw), base64.b64encode(raw).rstrip(b"=") + b"\n"]
    keys = [Config(master_key=text.decode()).build_master_key() for text in texts]
    assert len({key.id for key in keys if key}) == 1
    for bad in (bytes(32), raw[:31], raw + b"x"):
        with pytest.raises(ConfigurationError):
            Config(master_key=base64.b64encode(bad).decode()).build_master_key()


def test_conversion_names_the_setting() -> None:
    """What the command line gives is checked like what a file gives."""
    assert convert({"port": "80", "host": "x"}).port == 80
    with pytest.raises(ConfigurationError, match="nonsense"):
        convert({"nonsense": 1})


def test_the_clean_environment_of_the_suite() -> None:
    """What the tests start gets no setting that it does not know."""
    assert load(environment=clean_environment()) == Config()


def test_a_preset_of_the_policy(tmp_path: Path) -> None:
    """Named in the file or by its variable; what is set beside it wins; an unknown one is refused by name."""
    file = tmp_path / "sojourn.toml"
    file.write_text('[policy]\npreset = "nist-aal2"\ninactivity_seconds = 1800\n')
    policy = load(file, environment={}).build_policy()
    assert (policy.lifetime_seconds, policy.inactivity_seconds) == (86_400, 1800)
    policy = load(file, environment={"SOJOURN_POLICY_PRESET": "nist-aal3"}).build_policy()
    assert (policy.lifetime_seconds, policy.inactivity_seconds) == (43_200, 1800)
    with pytest.raises(ConfigurationError, match="asvs-l2"):
        load(environment={"SOJOURN_POLICY_PRESET": "asvs-l9"}).build_policy()


def test_plans_are_read_from_the_file(tmp_path: Path) -> None:
    """What is in a plan stands in the table of plans, by whom it is for."""
    text = '[plans]\n"u:pro" = ["export"]\n"o:team" = []\n'
    plans = load(write(tmp_path, text), {}).build_plans()
    assert plans.of_user({"plan": "pro"}) == Plan("pro", ("export",))
    assert plans.of_organization({"plan": "team"}) == Plan("team")
    for wrong in ('"pro" = []', '"u:pro" = ["a,b"]'):
        with pytest.raises(ConfigurationError, match="plans"):
            load(write(tmp_path, f"plans = {{{wrong}}}"), {}).build_plans()

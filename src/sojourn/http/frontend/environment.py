"""The environment (operations getEnvironment, updateEnvironment): what the browser SDK asks first of all."""

from __future__ import annotations

from typing import Any

from sojourn.http.frontend.calls import FrontCall, FrontOperation
from sojourn.runtime import Sojourn

_ATTRIBUTES = (
    *("email_address", "phone_number", "username", "web3_wallet", "first_name", "last_name"),
    *("password", "authenticator_app", "ticket", "backup_code", "passkey"),
)
_PAGES = (
    *("home_url", "sign_in_url", "sign_up_url", "user_profile_url", "waitlist_url", "oauth_consent_url"),
    *("after_sign_in_url", "after_sign_up_url", "after_sign_out_one_url", "after_sign_out_all_url"),
    *("after_switch_session_url", "after_join_waitlist_url", "organization_profile_url"),
    *("create_organization_url", "after_leave_organization_url", "after_create_organization_url"),
    "logo_link_url",
)
_OFF = {"enabled": False}


async def get_environment(call: FrontCall) -> object:
    """Tell a page how this instance is set up."""
    return environment(call.sojourn)


def environment(sojourn: Sojourn) -> dict[str, object]:
    """Settings of the instance: sign-in by ticket alone, no sign-up, no billing."""
    settings, policy, instance = sojourn.frontend, sojourn.policy, sojourn.instance
    return {
        "auth_config": _auth_config(instance.id, single_session=policy.single_session),
        "display_config": _display_config(
            instance.id, production=settings.production, sign_in_url=settings.sign_in_url or ""
        ),
        "user_settings": _user_settings(),
        "organization_settings": {
            "enabled": True,
            "max_allowed_memberships": 0,
            "actions": {"admin_delete": False},
            "domains": {"enabled": False, "enrollment_modes": [], "default_role": "org:member"},
            "slug": {"disabled": False},
            "creator_role": "org:admin",
        },
        "fraud_settings": {"object": "fraud_settings", "native": {"device_attestation_mode": "disabled"}},
        "commerce_settings": {
            "billing": {
                "stripe_publishable_key": None,
                "free_trial_requires_payment_method": False,
                "user": {"enabled": False, "has_paid_plans": False},
                "organization": {"enabled": False, "has_paid_plans": False},
            }
        },
        "api_keys_settings": {
            "enabled": False,
            "user_api_keys_enabled": False,
            "orgs_api_keys_enabled": False,
        },
        "protect_config": {},
        "client_debug_mode": False,
        "partitioned_cookies": False,
        "maintenance_mode": False,
    }


def _auth_config(instance_id: str, *, single_session: bool) -> dict[str, object]:
    names = ("first_name", "last_name", "email_address", "phone_number", "username", "password")
    return {
        "object": "auth_config",
        "id": instance_id,
        **dict.fromkeys(names, "off"),
        "identification_requirements": [],
        "identification_strategies": [],
        "first_factors": ["ticket"],
        "second_factors": [],
        "email_address_verification_strategies": [],
        "single_session_mode": single_session,
        "enhanced_email_deliverability": False,
        "test_mode": False,
        "cookieless_dev": True,
        "url_based_session_syncing": True,
        "claimed_at": None,
        "reverification": False,
        "native_settings": {
            "object": "native_settings",
            "api_enabled": True,
            "trusted_device_sign_in_enabled": False,
            "trusted_device_enrollment_prompt_after_sign_in_enabled": False,
            "trusted_device_enrollment_prompt_after_sign_up_enabled": False,
        },
    }


def _display_config(instance_id: str, *, production: bool, sign_in_url: str) -> dict[str, object]:
    absent = (
        *("support_email", "clerk_js_version", "google_one_tap_client_id", "help_url", "privacy_policy_url"),
        *("terms_url", "logo_url", "favicon_url", "logo_image", "favicon_image", "captcha_public_key"),
        *("captcha_widget_type", "captcha_public_key_invisible", "captcha_provider"),
        *("logo_image_url", "favicon_image_url"),
    )
    return {
        "object": "display_config",
        "id": instance_id,
        "instance_environment_type": "production" if production else "development",
        "application_name": "sojourn",
        "theme": {},
        "preferred_sign_in_strategy": "password",
        # The application has its own pages; empty, the browser SDK stays where it is.
        **dict.fromkeys(_PAGES, ""),
        "sign_in_url": sign_in_url,
        **dict.fromkeys(absent),
        "branded": False,
        "experimental_force_oauth_first": False,
        "show_devmode_warning": False,
        "captcha_oauth_bypass": [],
        "captcha_heartbeat": False,
    }


def _user_settings() -> dict[str, Any]:
    attribute: dict[str, object] = {
        **dict.fromkeys(("enabled", "required", "used_for_first_factor", "used_for_second_factor"), False),
        "first_factors": [],
        "second_factors": [],
        "verifications": [],
        "verify_at_sign_up": False,
        "immutable": False,
    }
    by_ticket = {**attribute, "enabled": True, "used_for_first_factor": True, "first_factors": ["ticket"]}
    return {
        "attributes": {**dict.fromkeys(_ATTRIBUTES, attribute), "ticket": by_ticket},
        "social": {},
        "saml": _OFF,
        "enterprise_sso": _OFF,
        "sign_in": {"second_factor": {"required": False}},
        "sign_up": {
            "captcha_enabled": False,
            "captcha_widget_type": "smart",
            "custom_action_required": False,
            "progressive": True,
            # Nobody signs up here: the application knows its users.
            "mode": "restricted",
            "legal_consent_enabled": False,
        },
        "restrictions": {
            "allowlist": _OFF,
            "blocklist": _OFF,
            "allowlist_blocklist_disabled_on_sign_in": _OFF,
            "block_email_subaddresses": _OFF,
            "block_disposable_email_domains": _OFF,
        },
        "password_settings": {
            **dict.fromkeys(("disable_hibp", "disable_password_reverification"), True),
            "min_length": 8,
            "max_length": 72,
            **dict.fromkeys(("require_special_char", "require_numbers"), False),
            **dict.fromkeys(("require_uppercase", "require_lowercase", "show_zxcvbn"), False),
            "min_zxcvbn_strength": 0,
            "enforce_hibp_on_sign_in": False,
            "allowed_special_characters": "",
        },
        "username_settings": {
            "min_length": None,
            "max_length": None,
            "allow_extended_special_characters": True,
            "allow_numeric_usernames": True,
        },
        "actions": {"delete_self": False, "create_organization": False, "create_organizations_limit": None},
        "attack_protection": {
            "user_lockout": {"enabled": False, "max_attempts": 0, "duration_in_minutes": 0},
            "pii": {"enabled": True},
            "email_link": {"require_same_client": True},
            "enumeration_protection": {"enabled": True},
        },
        "passkey_settings": {
            "allow_autofill": False,
            "show_sign_in_button": False,
            "satisfies_second_factor": False,
        },
    }


OPERATIONS = (
    FrontOperation(
        method="GET",
        path="/v1/environment",
        name="getEnvironment",
        handler=get_environment,
        differs="sign-in by ticket alone; everything that the service does not do is off",
    ),
    FrontOperation(
        method="PATCH",
        path="/v1/environment",
        name="updateEnvironment",
        handler=get_environment,
        differs="changes nothing: a page has nothing to say about the instance",
    ),
)

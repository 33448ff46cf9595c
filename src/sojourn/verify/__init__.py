"""Verify session tokens where they are used: offline, strict, and refusing what was revoked.

Loads no store, no web framework and, beside the standard library, only cryptography and msgspec.
"""

from sojourn.verify.feed import Feed
from sojourn.verify.leases import Lease, LeaseEnded, leased
from sojourn.verify.options import Options, WhenSilent
from sojourn.verify.organization import FactorAges, Organization
from sojourn.verify.outcomes import Handshake, Outcome, SignedIn, SignedOut
from sojourn.verify.ports import Authenticator, FeedState, RevocationSet
from sojourn.verify.reasons import Reason
from sojourn.verify.request import Request
from sojourn.verify.require import Denied, Factor, require
from sojourn.verify.verifier import Verifier

__all__ = [
    "Authenticator",
    "Denied",
    "Factor",
    "FactorAges",
    "Feed",
    "FeedState",
    "Handshake",
    "Lease",
    "LeaseEnded",
    "Options",
    "Organization",
    "Outcome",
    "Reason",
    "Request",
    "RevocationSet",
    "SignedIn",
    "SignedOut",
    "Verifier",
    "WhenSilent",
    "leased",
    "require",
]

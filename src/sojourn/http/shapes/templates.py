"""Templates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from sojourn.http.shapes.common import Instant, Shape


class JWTTemplate(Shape):
    """A named shape of claims. The key of its own, if it has one, is in no answer."""

    object: Literal["jwt_template"]
    id: str
    name: str
    claims: dict[str, Any]
    lifetime: Annotated[int, Meta(description="Seconds.")]
    allowed_clock_skew: Annotated[int, Meta(description="Seconds.")]
    custom_signing_key: bool
    signing_algorithm: str
    created_at: Instant
    updated_at: Instant

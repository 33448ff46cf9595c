"""Organizations and memberships."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from sojourn.http.shapes.common import Instant, Metadata, Shape

Count = Annotated[int, Meta(ge=0)]


class Organization(Shape):
    """A team or tenant of the application."""

    object: Literal["organization"]
    id: str
    name: str
    slug: Annotated[str, Meta(description="Empty where there is none.")]
    image_url: str
    has_image: bool
    max_allowed_memberships: Annotated[int, Meta(description="0: no limit.", ge=0)]
    admin_delete_enabled: bool
    public_metadata: Metadata
    private_metadata: Metadata
    created_at: Instant
    updated_at: Instant
    created_by: str | UnsetType = UNSET
    members_count: Count | UnsetType = UNSET
    missing_member_with_elevated_permissions: bool | UnsetType = UNSET


class PublicUserData(Shape):
    """What other members may know of a user."""

    user_id: str
    first_name: str | None
    last_name: str | None
    profile_image_url: None
    image_url: str
    has_image: bool
    identifier: str | None
    username: str | None
    banned: bool


class OrganizationMembership(Shape):
    """A user's place in an organization."""

    object: Literal["organization_membership"]
    id: str
    role: Annotated[str, Meta(description="`org:admin`, `org:member` or another `org:<key>`.")]
    role_name: str
    permissions: list[str]
    public_metadata: Metadata
    private_metadata: Metadata
    organization: Organization
    public_user_data: PublicUserData
    created_at: Instant
    updated_at: Instant

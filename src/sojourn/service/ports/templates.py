"""Templates: what happens, and the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sojourn.core.templates import Template


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """`total` counts all templates, not only this page."""

    items: Sequence[Template]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InsertTemplate:
    """Store a new template. Refused.IDENTIFIER_TAKEN when another one has its name, Refused.FULL when there
    are `at_most` already."""

    template: Template
    at_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTemplate:
    """Replace a stored template, if it is there and still at `expected_version` (else Refused.CHANGED).
    Refused.IDENTIFIER_TAKEN when another one has its name."""

    template: Template
    expected_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTemplate:
    """Remove a template that is still at `expected_version` (else Refused.CHANGED). Its name is free
    again."""

    template_id: str
    expected_version: int


TemplateOperation: TypeAlias = InsertTemplate | UpdateTemplate | DeleteTemplate


class TemplateStore(Protocol):
    """The verbs for templates."""

    async def template(self, template_id: str) -> Template | None:
        """One template."""
        ...

    async def template_by_name(self, name: str) -> Template | None:
        """The template with exactly this name."""
        ...

    async def templates(self, *, limit: int, offset: int) -> TemplatePage:
        """Templates, newest first."""
        ...

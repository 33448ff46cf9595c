"""Stores that break a promise about templates, one each."""

# ruff: noqa: D102  # the class says what is broken; what the verb should do is said by the port

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.core.templates import Template
from sojourn.service.ports import (
    DeleteTemplate,
    ExpectStoredKeys,
    InsertTemplate,
    Operation,
    TemplatePage,
    UpdateTemplate,
)
from sojourn.stores.memory import MemoryStore
from tests.contract.broken import breaks


@breaks("test_templates_are_found_by_id_and_name")
class FindsInAnyCase(MemoryStore):
    """The case of a name is no matter."""

    async def template_by_name(self, name: str) -> Template | None:
        every = self._tables.templates.values()
        return next((one for one in every if one.name.lower() == name.lower()), None)


@breaks("test_stored_claims_are_nobody_elses")
class SharesClaims(MemoryStore):
    """Claims are kept by reference."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        for operation in operations:
            if isinstance(operation, InsertTemplate):
                template = operation.template
                stored = self._tables.templates[template.id]
                self._tables.templates[template.id] = replace(stored, claims=template.claims)


@breaks("test_a_name_has_one_template")
class LetsNamesBeTaken(MemoryStore):
    """A template may be renamed to anything."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, UpdateTemplate):
                self._tables.template_ids.pop(operation.template.name, None)
        await super().commit(operations)


@breaks("test_an_update_of_a_template_replaces_it")
class ForgetsTheKey(MemoryStore):
    """The key of a template stays what it was."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        kept = {one.id: one.key_id for one in self._tables.templates.values()}
        await super().commit(operations)
        for template_id, key_id in kept.items():
            if (stored := self._tables.templates.get(template_id)) is not None:
                self._tables.templates[template_id] = replace(stored, key_id=key_id)


class IgnoresTheVersion(MemoryStore):
    """The last to change a template wins."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if isinstance(operation, UpdateTemplate | DeleteTemplate):
                changed = isinstance(operation, UpdateTemplate)
                template_id = operation.template.id if changed else operation.template_id
                if (stored := self._tables.templates.get(template_id)) is not None:
                    version = operation.expected_version
                    self._tables.templates[template_id] = replace(stored, version=version)
        await super().commit(operations)


@breaks("test_a_template_of_another_version_is_not_changed")
class ChangesWhatWasChanged(IgnoresTheVersion):
    """A change undoes one that it has not seen."""


@breaks("test_of_racing_changes_of_a_template_one_wins")
class LetsEverybodyWin(IgnoresTheVersion):
    """Every change of a race is made."""


@breaks("test_a_deleted_template_is_gone")
class FindsWhatIsGone(MemoryStore):
    """A deleted template is still found by its id."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, Template] = {}

    async def template(self, template_id: str) -> Template | None:
        return self._tables.templates.get(template_id) or self._seen.get(template_id)

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(operations)
        self._seen.update(self._tables.templates)


@breaks("test_templates_are_listed_newest_first")
class SortsByInstant(MemoryStore):
    """The list goes by `created_at`."""

    async def templates(self, *, limit: int, offset: int) -> TemplatePage:
        every = sorted(self._tables.templates.values(), key=lambda one: -one.created_at)
        return TemplatePage(every[offset : offset + limit], len(every))


@breaks("test_there_are_never_more_templates_than_allowed")
class TakesAnyNumber(MemoryStore):
    """There is no limit."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit(
            [replace(one, at_most=10**9) if isinstance(one, InsertTemplate) else one for one in operations]
        )


@breaks("test_stored_keys_are_those_that_are_expected")
class LeavesKeysBehind(MemoryStore):
    """Whatever keys there are is fine."""

    async def commit(self, operations: Sequence[Operation]) -> None:
        await super().commit([one for one in operations if not isinstance(one, ExpectStoredKeys)])

"""Contract: templates are found by id and name, a name has one template, changes are compare-and-swap."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from sojourn.core.templates import Template
from sojourn.service.ports import (
    AppendEvent,
    DeleteTemplate,
    InsertTemplate,
    Refused,
    Store,
    UpdateTemplate,
)
from sojourn.testing.contract.base import NOW, ContractBase, event_ids, made, make_event, refusal

_MOST = 100


def make_template(name: str = "a", **changes: Any) -> Template:
    """A template without claims."""
    values: dict[str, Any] = {
        "id": f"jtmp_{name}",
        "name": name,
        "claims": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Template(**{**values, **changes})


def insertion(name: str = "a", *, at_most: int = _MOST, **changes: Any) -> InsertTemplate:
    """The operation that stores it."""
    return InsertTemplate(template=make_template(name, **changes), at_most=at_most)


def change(template: Template, **changes: Any) -> UpdateTemplate:
    """The operation that changes a template that was read."""
    changed = replace(template, version=template.version + 1, **changes)
    return UpdateTemplate(template=changed, expected_version=template.version)


async def the_template(store: Store, name: str = "a") -> Template:
    """A template that must be there."""
    found = await store.template(f"jtmp_{name}")
    assert found is not None, f"{name} is not stored"
    return found


class TemplateContract(ContractBase):
    """`template`, `template_by_name`, `templates` and the operations on templates."""

    async def test_templates_are_found_by_id_and_name(self, store: Store) -> None:
        """Every field survives; a name is exact, to its case, and another id or name finds nothing."""
        full = make_template(
            "A b\u00e9",
            id="jtmp_full",
            claims={"a": [1, None, {"b": "{{user.id}} \u00e9\U0001f600"}], "c": 1.5, "d": True, "": {}},
            lifetime_seconds=315_360_000,
            allowed_clock_skew_seconds=0,
            signing_algorithm="ES256",
            key_id="kid_1",
            created_at=NOW - 5,
            version=3,
        )
        await store.commit([InsertTemplate(template=full, at_most=_MOST), insertion("b")])
        found = await store.template("jtmp_full")
        assert found is not None
        assert replace(found, sequence=0) == full
        assert await store.template_by_name("A b\u00e9") == found
        assert await store.template("jtmp_none") is None
        for other in ("", "a b\u00e9", "A b", "A b\u00e9 ", "jtmp_full"):
            assert await store.template_by_name(other) is None

    async def test_stored_claims_are_nobody_elses(self, store: Store) -> None:
        """What the caller does with the claims later changes nothing stored."""
        claims: dict[str, Any] = {"list": [1]}
        await store.commit([insertion(claims=claims)])
        claims["list"].append(2)
        claims["more"] = True
        assert (await the_template(store)).claims == {"list": [1]}

    async def test_a_name_has_one_template(self, store: Store) -> None:
        """Neither a new one nor a renamed one takes a name that is there; a name that was left is free."""
        await store.commit([insertion("a"), insertion("b")])
        again = insertion("a", id="jtmp_again")
        assert (await refusal(store, again)).why == Refused.IDENTIFIER_TAKEN
        renaming = change(await the_template(store, "b"), name="a")
        assert (await refusal(store, AppendEvent(make_event("evt_1")), renaming)).why == (
            Refused.IDENTIFIER_TAKEN
        )
        assert await event_ids(store) == []
        assert (await the_template(store, "b")).name == "b"
        await store.commit([change(await the_template(store, "a"), name="c"), again])
        assert [t and t.id for t in [await store.template_by_name(n) for n in "abc"]] == [
            "jtmp_again",
            "jtmp_b",
            "jtmp_a",
        ]

    async def test_an_update_of_a_template_replaces_it(self, store: Store) -> None:
        """Everything is as it was given, and its place in the list stays."""
        await store.commit([insertion("a"), insertion("b")])
        before = await the_template(store)
        update = change(
            before,
            claims={"x": 1},
            lifetime_seconds=90,
            allowed_clock_skew_seconds=9,
            signing_algorithm="HS256",
            key_id="kid_2",
            updated_at=NOW + 1,
        )
        await store.commit([update])
        assert await the_template(store) == update.template
        assert [one.name for one in (await store.templates(limit=9, offset=0)).items] == ["b", "a"]

    async def test_a_template_of_another_version_is_not_changed(self, store: Store) -> None:
        """Neither changed nor deleted when it was changed meanwhile or is not there; nor anything beside."""
        await store.commit([insertion()])
        stale = replace(await the_template(store), version=7)
        missing = make_template("none")
        for operation in (
            change(stale, name="z"),
            DeleteTemplate(template_id=stale.id, expected_version=7),
            change(missing),
            DeleteTemplate(template_id=missing.id, expected_version=1),
        ):
            refused = await refusal(store, AppendEvent(make_event("evt_1")), operation)
            assert refused.why == Refused.CHANGED
        assert (await the_template(store)).name == "a"
        assert await event_ids(store) == []

    async def test_of_racing_changes_of_a_template_one_wins(self, store: Store) -> None:
        """However many change it at once, one does, and that one stays."""
        await store.commit([insertion()])
        before = await the_template(store)
        changes = [change(before, claims={"n": n}) for n in range(30)]
        won = await asyncio.gather(*(made(store, one) for one in changes))
        assert won.count(True) == 1
        assert (await the_template(store)).claims == {"n": won.index(True)}

    async def test_a_deleted_template_is_gone(self, store: Store) -> None:
        """By id, by name and from the list; its name may be used again."""
        await store.commit([insertion()])
        await store.commit([DeleteTemplate(template_id="jtmp_a", expected_version=1)])
        assert await store.template("jtmp_a") is None
        assert await store.template_by_name("a") is None
        page = await store.templates(limit=9, offset=0)
        assert (list(page.items), page.total) == ([], 0)
        await store.commit([insertion(id="jtmp_new")])
        found = await store.template_by_name("a")
        assert found is not None
        assert found.id == "jtmp_new"

    async def test_templates_are_listed_newest_first(self, store: Store) -> None:
        """In the order of creation whatever their instants, in pages, with the number of all."""
        await store.commit([insertion(name, created_at=NOW - n) for n, name in enumerate("abcde")])
        for limit, offset, names in ((2, 0, "ed"), (2, 3, "ba"), (9, 4, "a"), (9, 5, ""), (0, 0, "")):
            page = await store.templates(limit=limit, offset=offset)
            assert ("".join(one.name for one in page.items), page.total) == (names, 5)

    async def test_there_are_never_more_templates_than_allowed(self, store: Store) -> None:
        """At the number given a new one is refused, also when they race; one less makes room."""
        await store.commit([insertion("a")])

        async def stored(name: str) -> bool:
            try:
                await store.commit([insertion(name, at_most=3)])
            except Refused as refused:
                assert refused.why == Refused.FULL
                return False
            return True

        assert (await asyncio.gather(*(stored(name) for name in "bcdef"))).count(True) == 2
        assert (await store.templates(limit=9, offset=0)).total == 3
        await store.commit([DeleteTemplate(template_id="jtmp_a", expected_version=1)])
        assert await stored("g")

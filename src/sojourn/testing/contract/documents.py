"""Contract: documents change under their version, and come back as they were given."""

from __future__ import annotations

import pytest

from sojourn.service.ports import AppendEvent, DeleteDocument, Operation, PutDocument, Refused, Store
from sojourn.testing.contract.base import ContractBase, event_ids, log, make_event, refusal, seed

CONTENT = {"a": [1, None, True, 2**53], "b": {"é": "🙂 'it' \ud800"}}


def put(version: int = 0, document_id: str = "one", **content: object) -> PutDocument:
    """A change of a document."""
    return PutDocument(kind="k", id=document_id, content=content or CONTENT, expected_version=version)


class DocumentContract(ContractBase):
    """`document`, `documents`, and their operations."""

    async def test_a_document_comes_back(self, store: Store) -> None:
        """With its version; another kind or id has none, and what the caller does with its own changes
        nothing."""
        given = {"list": [1]}
        await store.commit([PutDocument(kind="k", id="one", content=given, expected_version=0)])
        given["list"].append(2)
        found = await store.document("k", "one")
        assert found is not None
        assert (found.kind, found.id, found.version, found.content) == ("k", "one", 1, {"list": [1]})
        assert await store.document("k", "two") is None
        assert await store.document("other", "one") is None
        await store.commit([put(1)])
        found = await store.document("k", "one")
        assert found is not None
        assert (found.version, found.content) == (2, CONTENT)

    @pytest.mark.parametrize("version", [0, 2, 7])
    async def test_a_document_at_another_version_stays(self, store: Store, version: int) -> None:
        """Neither a change nor a deletion is made from a version that is not the stored one."""
        await store.commit([put()])
        operations: list[Operation] = [put(version, changed=True)]
        if version:
            operations.append(DeleteDocument(kind="k", id="one", expected_version=version))
        for operation in operations:
            assert (await refusal(store, operation)).why == Refused.CHANGED
        found = await store.document("k", "one")
        assert found is not None
        assert found.version == 1

    async def test_a_missing_document_is_not_changed(self, store: Store) -> None:
        """A version other than 0 needs a document."""
        assert (await refusal(store, put(1))).why == Refused.CHANGED
        assert await store.document("k", "one") is None

    async def test_documents_are_listed(self, store: Store) -> None:
        """Of one kind, the newest first, and bounded; a change moves none, a deletion takes one out."""
        await store.commit([put(document_id=f"d{n}") for n in range(5)])
        await store.commit([PutDocument(kind="other", id="d9", content={}, expected_version=0)])
        await store.commit([put(1, "d1"), DeleteDocument(kind="k", id="d3", expected_version=1)])
        assert [one.id for one in await store.documents("k", 100)] == ["d4", "d2", "d1", "d0"]
        assert [one.id for one in await store.documents("k", 2)] == ["d4", "d2"]

    async def test_a_refused_document_takes_the_commit_with_it(self, store: Store) -> None:
        """Nothing else of the commit has happened."""
        await seed(store)
        refused = await refusal(store, AppendEvent(make_event("evt_no")), put(3))
        assert refused.why == Refused.CHANGED
        assert await event_ids(store) == []

    async def test_the_events_of_a_session(self, store: Store) -> None:
        """Those that name it, in reading order, the newest where there are more than asked for."""
        await seed(store)
        await log(store, "evt_1", "evt_2", session_id="sess_a")
        await log(store, "evt_3", session_id="sess_b")
        await log(store, "evt_4", session_id="sess_a")
        await log(store, "evt_5")
        found = await store.events_of_session("sess_a", 10)
        assert [event.id for event in found] == ["evt_1", "evt_2", "evt_4"]
        assert [event.id for event in await store.events_of_session("sess_a", 2)] == ["evt_2", "evt_4"]
        assert list(await store.events_of_session("sess_none", 2)) == []

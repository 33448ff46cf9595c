"""How the revocation feed is put: events of a stream, pages, positions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_DIGITS = 30


def page_of(hello: bytes, batches: Sequence[msgspec.Raw], heartbeat: msgspec.Raw | None) -> dict[str, object]:
    """A page; without a heartbeat there is more to read at once."""
    return {
        "object": "revocation_page",
        "hello": msgspec.Raw(hello),
        "batches": batches,
        "heartbeat": heartbeat,
    }


def event_of(name: str, position: str | None, data: bytes) -> bytes:
    """One server-sent event. JSON has no line breaks, so it is one line of data."""
    head = f"event: {name}\n" if position is None else f"id: {position}\nevent: {name}\n"
    return b"%sdata: %s\n\n" % (head.encode(), data)


def place_of(position: str) -> int:
    """The place of a store's position as a number that grows with it. Where a place has two parts, the
    transaction and the event in it, the second gets 32 bits."""
    first, _, second = position.rpartition(".")[2].partition("-")
    return (int(first) << 32) + int(second) + 1 if second else int(first)


def number_of(position: str, epoch: str) -> int:
    """The place of a position in the log, -1 for one of another epoch and for what is none."""
    given, _, number = position.rpartition(".")
    known = given == epoch and number.isascii() and number.isdigit() and len(number) < _DIGITS
    return int(number) if known else -1

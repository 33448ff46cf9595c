"""Metadata: how a change is merged into what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

_NOTHING: Mapping[str, object] = {}


def merge(metadata: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Metadata with changes merged in: objects level by level, everything else replaced; null removes a key
    at any level (operations …Metadata of the published API)."""
    result = dict(metadata)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            if not isinstance(before, Mapping):
                before = _NOTHING
            result[key] = merge(cast("Mapping[str, object]", before), cast("Mapping[str, object]", value))
        else:
            result[key] = value
    return result

"""Templates as rows."""

from __future__ import annotations

import json

from sojourn.core.templates import Template
from sojourn.stores.sql.rows.sessions import Row, Values, document


def template_of(row: Row) -> Template:
    """A template from `template_columns`."""
    return Template(
        sequence=row[0],
        id=row[1],
        created_at=row[2],
        name=row[3],
        claims=json.loads(row[4]),
        lifetime_seconds=row[5],
        allowed_clock_skew_seconds=row[6],
        signing_algorithm=row[7],
        key_id=row[8],
        version=row[9],
        updated_at=row[10],
    )


def template_values(template: Template) -> Values:
    """The values of `template_values`: what of a template may change."""
    return (
        template.name,
        document(template.claims),
        template.lifetime_seconds,
        template.allowed_clock_skew_seconds,
        template.signing_algorithm,
        template.key_id,
        template.version,
        template.updated_at,
    )

"""Write docs/session.md, docs/lifecycle.md and docs/policy-presets.md from the code, docs/asvs.md from its
table, and the tables of docs/templates.md.

    python tools/gen_docs.py [--check]

With --check nothing is written; exits with 1 where a page is not up to date.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import fields
from pathlib import Path

from sojourn.core.lifecycle import INITIAL, TRANSITIONS
from sojourn.core.presets import PRESETS
from sojourn.core.session import Session, Status
from sojourn.core.shortcodes import SHORTCODES
from sojourn.core.templates import RESERVED

DOCS = Path(__file__).parent.parent / "docs"
NOTE = "<!-- Written by tools/gen_docs.py from the code; do not edit. -->\n\n"
WIRE_TYPES = {
    "Literal['session']": '`"session"`',
    "str": "string",
    "str | None": "string or null",
    "int": "integer",
    "Status": "enum",
    "Actor | None": "object or null",
    "Activity | None": "object or null",
    "tuple[str, ...] | None": "array of `{key}` or null",
}


def main() -> None:
    """Write the pages, or compare them."""
    stale = [
        name for name, text in pages().items() if "--check" in sys.argv and (DOCS / name).read_text() != text
    ]
    if stale:
        sys.exit(f"not up to date: {', '.join(stale)}")
    if "--check" not in sys.argv:
        for name, text in pages().items():
            (DOCS / name).write_text(text)


def pages() -> dict[str, str]:
    """Name and text of every generated page."""
    return {
        "session.md": session_page(),
        "lifecycle.md": lifecycle_page(),
        "templates.md": filled_in("templates.md", {"shortcodes": shortcodes(), "reserved": reserved()}),
        "policy-presets.md": presets_page(),
        "asvs.md": asvs_page(),
    }


def filled_in(name: str, parts: dict[str, str]) -> str:
    """A page that is written by hand, with its generated parts between `<!-- part -->` and `<!-- end -->`."""
    text = (DOCS / name).read_text()
    for part, made in parts.items():
        before, _, rest = text.partition(f"<!-- {part}: written by tools/gen_docs.py -->\n")
        _, _, after = rest.partition("<!-- end -->")
        text = f"{before}<!-- {part}: written by tools/gen_docs.py -->\n{made}\n<!-- end -->{after}"
    return text


def shortcodes() -> str:
    """Every shortcode with its meaning."""
    rows = [
        f"| `{{{{{name}}}}}`{', `.…`' if one.deep else ''} | {one.meaning} |"
        for name, one in SHORTCODES.items()
    ]
    return "| shortcode | what it stands for |\n|---|---|\n" + "\n".join(rows)


def reserved() -> str:
    """The claims that no template sets."""
    return ", ".join(f"`{name}`" for name in sorted(RESERVED))


PRESETS_HEAD = """# Policy presets

Chosen by `preset` in the table `[policy]`, by `SOJOURN_POLICY_PRESET`, or at run time by
`sojourn policy use`. What a preset does not set keeps its default, and every member may be set beside it.
Durations are seconds. An inactivity limit ends a session up to `touch_interval_seconds` early and never late.
A preset makes nobody conformant: the last column says what its source asks for that no policy can do.

| preset | sets | source | beyond a policy |
|---|---|---|---|
"""


def presets_page() -> str:
    """The policy presets with their sources."""
    page = NOTE + PRESETS_HEAD
    for one in PRESETS.values():
        members = "<br>".join(f"`{name}` = {shown(value)}" for name, value in one.members.items())
        page += f"| `{one.name}` | {members} | {one.source} | {one.beyond} |\n"
    return page


ASVS_HEAD = """# OWASP ASVS 5.0: sessions and self-contained tokens

Chapters 7 and 9, each requirement with the tests that show what sojourn does for it and with what is left to
the application. For programs it is in [asvs.toml](asvs.toml). A map to check by, no claim of conformance.

| requirement | level | gist | shown by | the application |
|---|---|---|---|---|
"""


def asvs_page() -> str:
    """Requirements and their tests."""
    page = NOTE + ASVS_HEAD
    for one in tomllib.loads((DOCS / "asvs.toml").read_text())["requirement"]:
        tests = "<br>".join(f"`{test}`" for test in one["tests"])
        page += f"| {one['id']} | {one['level']} | {one['gist']} | {tests} | {one.get('application', '')} |\n"
    return page


def shown(value: object) -> str:
    """A value as the TOML file has it, or that there is none."""
    return "none" if value is None else str(value).lower()


def session_page() -> str:
    """The reference of the resource on the wire."""
    rows = [
        f"| {f.name} | {WIRE_TYPES[str(f.type).replace(chr(34), chr(39))]} | "
        f"{'yes' if f.metadata['required'] else 'no'} | {f.metadata['meaning']} |"
        for f in fields(Session)
        if "meaning" in f.metadata
    ]
    head = "# Session\n\nInstants are integer milliseconds of Unix time.\n\n"
    table = "| field | type | required | meaning |\n|---|---|---|---|\n" + "\n".join(rows)
    words = f"\n\nStatus is one of {', '.join(f'`{s}`' for s in Status)}.\n"
    return NOTE + head + table + words


def lifecycle_page() -> str:
    """The state diagram, and the table that it is drawn from."""
    arrows = [f"    [*] --> {status}: create" for status in INITIAL]
    for status, row in TRANSITIONS.items():
        following: dict[Status, list[str]] = {}
        for trigger, after in row.items():
            following.setdefault(after, []).append(trigger)
        arrows += [f"    {status} --> {after}: {', '.join(names)}" for after, names in following.items()]
    arrows += [f"    {status} --> [*]" for status, row in TRANSITIONS.items() if not row]
    diagram = "```mermaid\nstateDiagram-v2\n" + "\n".join(arrows) + "\n```\n"
    triggers = list(dict.fromkeys(trigger for row in TRANSITIONS.values() for trigger in row))
    head = "| status | " + " | ".join(triggers) + " |\n|" + "---|" * (len(triggers) + 1) + "\n"
    rows = [
        f"| {status} | " + " | ".join(row.get(trigger, "-") for trigger in triggers) + " |"
        for status, row in TRANSITIONS.items()
    ]
    text = "End states absorb: nothing leads out of them, and a dash changes nothing.\n"
    return f"{NOTE}# Life cycle\n\n{diagram}\n{text}\n{head}" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()

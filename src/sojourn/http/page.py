"""A page for people, made from the OpenAPI document: no script, nothing loaded from anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, cast

Json = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: #2563eb }
@media (prefers-color-scheme: dark) { :root { --link: #7aa7ff } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.55 system-ui, sans-serif; display: grid;
  grid-template-columns: 19rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.2rem; font-size: 13px;
  border-right: 1px solid var(--line) }
nav h2 { margin: 1rem 0 .2rem; font-size: 12px; text-transform: uppercase; letter-spacing: .05em }
nav a { display: block; padding: .1rem 0; text-decoration: none }
a { color: var(--link) }
main { padding: 1.5rem 2.5rem 6rem; max-width: 62rem }
h1 { margin: 0 0 .5rem } h2 { margin: 2.5rem 0 .5rem; text-transform: capitalize }
section { border-top: 1px solid var(--line); padding: 1rem 0 }
h3 { margin: 0 0 .4rem; font-size: 1.05rem } h4 { margin: 1rem 0 .2rem; font-size: .85rem }
code { font: .87em ui-monospace, monospace; background: var(--soft); border-radius: 3px; padding: .05em .3em;
  overflow-wrap: anywhere }
.verb { display: inline-block; min-width: 4.2em; font-weight: 700 }
.quiet { opacity: .7; font-size: 13px }
table { border-collapse: collapse; width: 100%; font-size: 14px }
td, th { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0;
  border-bottom: 1px solid var(--line) }
td:first-child { width: 15rem }
ul { margin: .3rem 0; padding-left: 1.2rem }
@media (max-width: 55rem) { body { display: block } nav { position: static; height: auto; border: 0 }
  main { padding: 1rem } }
"""

USUAL = {
    "400": "BadRequest",
    "401": "Unauthorized",
    "414": "UrlTooLong",
    "431": "HeadersTooLarge",
    "500": "InternalError",
    "503": "Unavailable",
    "507": "StorageFull",
}
"""Said once for all operations: status and component."""


def page(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    groups: dict[str, list[tuple[str, str, Json]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    head = f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style>"
    shared = (_parameter(given) for given in document["components"]["parameters"].values())
    usual = [
        _answer(document, status, document["components"]["responses"][USUAL[status]]) for status in USUAL
    ]
    main = [
        f"<h1>{escape(info['title'])} API</h1>",
        f"<p class=quiet>Version {escape(info['version'])}, OpenAPI {escape(document['openapi'])}",
        ': <a href="openapi.json">openapi.json</a></p>',
        _prose(info["description"]),
        _table("Parameters of every operation, the last one where something is created", shared),
        _table("Answers that any operation may give", usual),
    ]
    for tag, operations in groups.items():
        main += [f"<h2>{escape(tag)}</h2>", *(_operation(document, *one) for one in operations)]
    main.append("<h2 id=schemas>Schemas</h2>")
    main += [_component(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"{head}<body><nav>{_contents(groups)}</nav><main>{''.join(main)}</main>\n"
    )


def _contents(groups: Mapping[str, list[tuple[str, str, Json]]]) -> str:
    parts: list[str] = []
    for tag, operations in groups.items():
        parts.append(f"<h2>{escape(tag)}</h2>")
        parts += [f'<a href="#{o["operationId"]}">{_inline(o["summary"])}</a>' for _, _, o in operations]
    return "".join(parts) + '<h2>More</h2><a href="#schemas">Schemas</a>'


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    keys = [name for item in operation["security"] for name in item]
    who = " or ".join(map(_words, keys)) if keys else "everybody"
    parts = [
        f'<section id="{operation["operationId"]}"><h3>{_inline(operation["summary"])}</h3>',
        f"<p><span class=verb>{method}</span><code>{escape(path)}</code></p>",
        f"<p class=quiet>{escape(operation['operationId'])} · for {escape(who)}</p>",
        _prose(operation["description"]),
        _table("Parameters", (_parameter(given) for given in operation["parameters"] if "$ref" not in given)),
    ]
    body = operation.get("requestBody")
    if body is not None:
        (content,) = body["content"].values()
        parts.append(f"<h4>Body</h4><p>{_type(content['schema'])}</p>")
    answers = [_answer(document, *given) for given in operation["responses"].items() if given[0] not in USUAL]
    return "".join([*parts, _table("Answers", answers), "</section>"])


def _answer(document: Json, status: str, answer: Json) -> tuple[str, str]:
    answer = _resolved(document, answer)
    (content,) = answer["content"].values()
    shape = _type(content["schema"]) if status == "200" else _inline(answer["description"])
    return f"<code>{status}</code>", shape


def _parameter(given: Json) -> tuple[str, str]:
    where = "" if given["in"] == "query" else f" <span class=quiet>in the {given['in']}</span>"
    words = _inline(given.get("description", ""))
    return (
        f"<code>{escape(given['name'])}</code>{where}",
        f"{words} <span class=quiet>{_type(given['schema'])}</span>",
    )


def _component(name: str, schema: Json) -> str:
    required = set(schema.get("required", ()))
    rows: list[tuple[str, str]] = []
    for member, shape in schema.get("properties", {}).items():
        optional = "" if member in required else " <span class=quiet>optional</span>"
        words = _inline(shape.get("description", ""))
        rows.append(
            (
                f"<code>{escape(member)}</code>{optional}",
                f"{_type(shape)}<br>{words}" if words else _type(shape),
            )
        )
    own = "" if rows else f"<p>{_type(schema)}</p>"
    title = f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
    return f"{title}{_prose(schema.get('description', ''))}{own}{_table('', rows)}</section>"


def _type(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(_literal(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}" if schema.get("items") else "array"
    bounds = [
        f"{word} {schema[name]}"
        for name, word in _BOUNDS.items()
        if name in schema and abs(cast(int, schema[name])) < 2**63 - 1
    ]
    return escape(", ".join([schema.get("format") or schema.get("type") or "anything", *bounds]))


_BOUNDS = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most"}


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><td>{left}<td>{right}" for left, right in rows)
    heading = f"<h4>{title}</h4>" if title else ""
    return f"{heading}<table>{lines}</table>" if lines else ""


def _resolved(document: Json, given: Json) -> Json:
    if "$ref" not in given:
        return given
    kind, name = given["$ref"].split("/")[-2:]
    return document["components"][kind][name]


def _words(name: str) -> str:
    return {"secretKey": "a secret key", "verifierKey": "a verifier key"}.get(name, name)


def _prose(text: str) -> str:
    """Paragraphs and lists of Markdown, as far as the document uses it."""
    parts: list[str] = []
    for block in filter(None, text.split("\n\n")):
        if block.startswith("- "):
            items = "".join(f"<li>{_inline(item)}" for item in block[2:].split("\n- "))
            parts.append(f"<ul>{items}</ul>")
        else:
            parts.append(f"<p>{_inline(block)}</p>")
    return "".join(parts)


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)

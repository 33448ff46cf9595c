"""Write src/sojourn/blocking.pyi from the services: the same signatures without `async`.

    python tools/gen_blocking.py [--check]

With --check nothing is written; exits with 1 where the file is not up to date.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "src/sojourn/blocking.pyi"
SERVICES = {
    "sessions": ("sessions", "Sessions"),
    "tokens": ("tokens", "Tokens"),
    "templates": ("templates", "Templates"),
    "users": ("users", "Users"),
    "organizations": ("organizations", "Organizations"),
    "memberships": ("memberships", "Memberships"),
    "clients": ("clients", "Clients"),
    "devices": ("devices", "Devices"),
    "tickets": ("tickets", "Tickets"),
    "testing_tokens": ("testing_tokens", "TestingTokens"),
    "refresh_tokens": ("refresh_tokens", "RefreshTokens"),
    "handshakes": ("handshakes", "Handshakes"),
    "events": ("event_log", "EventLog"),
    "api_keys": ("api_keys", "ApiKeys"),
    "keys": ("signing_keys", "SigningKeys"),
    "sweeper": ("sweeper", "Sweeper"),
    "policies": ("policies", "Policies"),
    "history": ("history", "History"),
    "end_links": ("end_links", "EndLinks"),
    "endings": ("endings", "Endings"),
    "doctor": ("doctor", "Doctor"),
}
HEAD = """# Written by tools/gen_blocking.py from the services; do not edit.
from contextlib import AbstractContextManager

{imports}

class BlockingSojourn:
    instance: Instance
    issuer: str
    policy: Policy
    new_secret_key: str | None
{attributes}

    def authenticator(self, options: Options | None = None) -> WaitingAuthenticator: ...

def open(
    database_url: str | None = None,
    *,
    secret_key: str | None = None,
    config: Config | None = None,
    policy: Policy | None = None,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
) -> AbstractContextManager[BlockingSojourn]: ...
"""
ALWAYS = {
    "Config": "sojourn.config",
    "Instance": "sojourn.core.keys",
    "Policy": "sojourn.core.policy",
    "Clock": "sojourn.service.ports",
    "Entropy": "sojourn.service.ports",
    "Options": "sojourn.verify",
    "WaitingAuthenticator": "sojourn.service.authenticator",
}


def main() -> None:
    """Write the file, or compare it."""
    text = build()
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET.relative_to(ROOT)} is not up to date")
    TARGET.write_text(text)


def build() -> str:
    """The text of the stub."""
    origins: dict[str, str] = dict(ALWAYS)
    classes: list[str] = []
    for module, name in SERVICES.values():
        tree = ast.parse((ROOT / f"src/sojourn/service/{module}.py").read_text())
        found = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        methods = [stub for node in found[name].body if (stub := method(node)) is not None]
        classes.append(f"class _{name}:\n" + "\n".join(methods))
        used = {n.id for m in methods for n in ast.walk(ast.parse(m.strip())) if isinstance(n, ast.Name)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                origins.update({a.name: node.module for a in node.names if a.name in used})
        own = {*found, *(target.id for node in tree.body for target in assigned(node))}
        origins.update({other: f"sojourn.service.{module}" for other in own if other in used})
    imports = "\n".join(f"from {module} import {name}" for name, module in sorted(origins.items()))
    attributes = "\n".join(f"    {attribute}: _{name}" for attribute, (_, name) in SERVICES.items())
    text = HEAD.format(imports=imports, attributes=attributes) + "\n" + "\n\n".join(classes) + "\n"
    return tidy(text)


def assigned(node: ast.stmt) -> list[ast.Name]:
    """The names that a statement of a module gives a value."""
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [target for target in targets if isinstance(target, ast.Name)]


def method(node: ast.stmt) -> str | None:
    """One public method as a stub line, without `async`."""
    if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) or node.name.startswith("_"):
        return None
    returns = ast.unparse(node.returns) if node.returns else "None"
    if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list):
        return f"    {node.name}: {returns}"
    return f"    def {node.name}({ast.unparse(node.args)}) -> {returns}: ..."


def tidy(text: str) -> str:
    """Sorted and formatted as `make check` wants it."""
    ruff = [str(Path(sys.executable).parent / "ruff")]
    for command in (["check", "--select", "I", "--fix", "-q"], ["format", "-q"]):
        text = subprocess.run(
            [*ruff, *command, "--stdin-filename", str(TARGET), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
    return text


if __name__ == "__main__":
    main()

"""The rooms of the house: who may import whom, and that the map of them is true."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("server", "completion", "indexing", "escalation")
MAY_IMPORT = {"server": {"completion", "indexing", "escalation"}}
# Third-party packages and the only places that may import them.
FENCES = {
    "pygls": ("server/",),
    "lsprotocol": ("server/",),
    "llama_cpp": ("completion/llama.py", "completion/training/"),
    "tree_sitter": ("indexing/",),
    "torch": ("completion/training/",),
    "tokenizers": ("completion/training/",),
    "gguf": ("completion/training/",),
    "peft": ("completion/training/lora.py",),
    "transformers": ("completion/training/lora.py",),
    "openai": ("escalation/",),
    "anthropic": ("escalation/",),
    "re2": ("escalation/redaction/",),
    "starlette": ("escalation/http.py", "server/unix_http.py"),
    "uvicorn": ("server/unix_http.py",),
    "httpx2": (
        "escalation/",
        "completion/connection.py",
        "completion/remote.py",
        "completion/models/fetching.py",
    ),
}


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every import in `file` as (number of leading dots, dotted name)."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((0, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [n.name for n in node.names]
            yield from ((node.level, name) for name in names)


@pytest.mark.parametrize("file", list(modules()), ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_respect_the_rooms(file: Path) -> None:
    """A room imports itself with one dot; only `server` reaches next door."""
    place = file.relative_to(ROOT)
    room, depth = place.parts[0], len(place.parts) - 1
    for dots, name in imports(file):
        top = name.split(".")[0]
        assert not (dots == 0 and top == "wicket"), f"{place}: {name} is not relative"
        if dots == depth + 1 and top in ROOMS:
            assert top in MAY_IMPORT.get(room, set()), f"{place} may not import {top}"
        if dots == 0:
            for package, homes in FENCES.items():
                if top == package or top.startswith(f"{package}_"):
                    assert str(place).startswith(homes), f"{place} may not import {name}"


def test_every_room_states_its_contract() -> None:
    for room in ROOMS:
        contract = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
        assert contract
        assert "Invariant:" in contract


def test_every_folder_with_code_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packed = set(settings["tool"]["setuptools"]["packages"])
    folders = {".".join(("wicket", *f.relative_to(ROOT).parent.parts)) for f in modules()}
    assert folders <= packed


def test_the_map_is_true() -> None:
    """Every path on the map exists, and every module is on it."""
    page = (ROOT / "docs/map.md").read_text()
    listed = set(re.findall(r"^\| `([\w/.-]+)` \|", page, re.MULTILINE))
    assert all((ROOT / path).exists() for path in listed), listed
    modules_on_disk = {str(f.relative_to(ROOT)) for f in modules() if f.name != "__init__.py"}
    assert modules_on_disk <= listed, modules_on_disk - listed


def test_direct_dependencies_are_few_and_explained() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    rows = [line for line in block.splitlines() if line.strip().startswith('"')]
    grammars = [row for row in rows if row.strip().startswith('"tree-sitter-')]
    assert len(rows) - len(grammars) <= 15
    assert all("#" in row for row in rows), "each dependency states its reason"


def test_who_types_does_not_wait_for_what_only_the_gate_needs() -> None:
    """A language server starts without the log, the providers and their libraries."""
    found = subprocess.run(
        [sys.executable, "-c", "import sys, wicket.server.lsp; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(found.stdout.split())
    heavy = {"wicket.escalation.audit", "cryptography", "httpx2", "anthropic", "openai", "rich"}
    assert not heavy & loaded

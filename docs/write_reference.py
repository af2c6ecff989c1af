"""Write what the code itself knows best: the map of all modules, all settings, all commands.

`make docs` runs this, and a test sees that running it again would change nothing.
"""

import ast
import json
from argparse import SUPPRESS
from pathlib import Path

from wicket.server.__main__ import sentence
from wicket.server.settings_table import TABLE
from wicket.server.verbs import VERBS

ROOT = Path(__file__).parents[1]

ROOMS = (
    ("completion/", "**a suggestion at the cursor**"),
    ("server/", "**LSP, the command line, processes, settings**"),
    ("indexing/", "**what the repository defines and where**"),
    ("escalation/", "**the gate and its log**"),
    ("editors/", "front-ends for Neovim and VS Code"),
    ("tests/", "mirrors the folders; `tests/benchmarks` measures"),
    ("docs/", "this manual; most of it is written by `make docs`"),
)

LETTERS = {
    "S": "your own or the managed file only",
    "ST": "your own or the managed file; a repository may tighten it",
    "C": "also the editor",
    "CT": "also the editor; a repository may tighten it",
}


def the_map() -> str:
    rows = [
        "# The map",
        "",
        "Every module with its first sentence. What a folder is for, and what is absent from it,",
        "is said by its `__init__.py`; how the processes go together, by",
        "[the README](../README.md#how-it-is-built).",
        "",
        "| path | what it is |",
        "|---|---|",
    ]
    for room, meaning in ROOMS:
        rows.append(f"| `{room}` | {meaning} |")
        for file in sorted((ROOT / room).rglob("*.py")):
            place = file.relative_to(ROOT)
            contract = file == ROOT / room / "__init__.py"
            if contract or place.parts[0] in ("tests", "docs", "editors"):
                continue
            rows.append(f"| `{place}` | {first_sentence(file)} |")
    return "\n".join(rows) + "\n"


def first_sentence(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    return docstring.split("\n\n")[0].replace("\n", " ").rstrip(".")


def settings() -> str:
    rows = [
        "# Settings",
        "",
        "Your own settings are in `~/.config/wicket/wicket.toml`, the administrator's in",
        "`/etc/wicket/wicket.toml`, where a list `locked` names keys that nobody else may set. An",
        "editor may set comfort settings under the same names. A `.wicket.toml` at the root of a",
        "workspace folder can only tighten. Environment variables set nothing. `wicket config`",
        "shows what is in force and where it comes from.",
        "",
        "| key | default | meaning | who may set it |",
        "|---|---|---|---|",
    ]
    for key in TABLE:
        default = json.dumps(key.default)
        meaning = key.meaning.replace("|", "\\|")
        rows.append(f"| `{key.name}` | `{default}` | {meaning} | {LETTERS[key.letters]} |")
    return "\n".join(rows) + "\n"


def commands() -> str:
    rows = [
        "# Commands",
        "",
        "Exit codes: 0 done, 1 failed or not found, 2 usage, 130 interrupted. With `--json` there",
        "is one JSON object on standard output. Errors are one line: what, why, what to do.",
    ]
    for verb in VERBS:
        rows += ["", f"## wicket {verb.name}", f"{sentence(verb.help)}", ""]
        rows += [
            f"- `{argument.usage}`: {argument.meaning}"
            for argument in verb.arguments
            if argument.meaning != SUPPRESS
        ]
    return "\n".join(rows).rstrip() + "\n"


def written() -> dict[Path, str]:
    """Every file that is written, with what belongs into it."""
    return {
        ROOT / "docs" / "map.md": the_map(),
        ROOT / "docs" / "settings.md": settings(),
        ROOT / "docs" / "commands.md": commands(),
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text)

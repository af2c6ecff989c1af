"""What a person is shown before anything leaves: six lines first, every byte on demand."""

import base64
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ..escalation.tools import EDIT
from .settings_checks import plain

# Places that are named; of the others it is said how many.
PLACES = 4
# As in what the gate calls micro-USD.
MILLION = 1_000_000


def summary(prepared: Mapping[str, Any]) -> list[str]:
    """Six lines about a prepared request.  Pure: `prepared` is what the gate answered."""
    return [
        f"to      {_whom(prepared)}",
        f"sends   {_what(prepared['manifest'], prepared['bytes'])}",
        f"masked  {_masked(prepared['redactions'])}",
        f"then    {_then(prepared)}",
        f"costs   {_costs(prepared)}",
        f"kept    {_kept(prepared)}; chosen: {plain(str(prepared['why']))}",
    ]


def exact(request_base64: str) -> str:
    """The request as it leaves; what cannot be seen in a text is written out."""
    return visible(base64.b64decode(request_base64).decode("utf-8", "replace"))


def visible(text: str) -> str:
    """Foreign text for a terminal or an editor: its control characters, and what hides or
    turns other characters, as their code points."""
    return "".join(c if c in "\n\t" or _is_seen(c) else f"<U+{ord(c):04X}>" for c in text)


def _is_seen(character: str) -> bool:
    # Control, format (bidirectional and zero-width), surrogate, private, ends of lines.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def size(number: int) -> str:
    return f"{number} bytes" if number < 1000 else f"{number / 1000:.1f} kB"


def count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _whom(prepared: Mapping[str, Any]) -> str:
    region = f", region {plain(str(prepared['region']))}" if prepared["region"] else ""
    model, host = plain(str(prepared["model"])), plain(str(prepared["host"]))
    return f"{plain(str(prepared['provider']))} ({prepared['tier']}): {model} at {host}{region}"


def _what(manifest: Sequence[Mapping[str, Any]], total: int) -> str:
    places = [f"{plain(row['path'])}:{row['lines'][0]}-{row['lines'][1]}" for row in manifest]
    files = len({row["path"] for row in manifest})
    shown = ", ".join(places[:PLACES])
    more = f", {len(places) - PLACES} more" if len(places) > PLACES else ""
    number = f"{count(len(places), 'piece')} of {count(files, 'file')}"
    pieces = f": {number} ({shown}{more})" if places else ", no file"
    return f"{size(total)}{pieces}"


def _masked(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "nothing"
    return ", ".join(f"{row['count']} {plain(str(row['kind']))}" for row in rows)


def _then(prepared: Mapping[str, Any]) -> str:
    scope = prepared["scope"]
    if not prepared["tools"]:
        return "nothing more leaves without another question"
    where = "any file of this folder" if "**" in scope["globs"] else "the files above"
    tools = ", ".join(name for name in prepared["tools"] if name != EDIT)
    if not tools:
        return f"may mend its edits: up to {size(scope['bytes_max'])} in {scope['turns_max']} turns"
    return (
        f"may ask for {tools} in {where}, never in secret files: "
        f"up to {size(scope['bytes_max'])} in {scope['turns_max']} turns, for 15 minutes"
    )


def _costs(prepared: Mapping[str, Any]) -> str:
    tokens = f"about {prepared['tokens']} tokens to read"
    name, since = plain(str(prepared["provider"])), prepared.get("prices")
    if prepared["cost"] is None:
        return f"{tokens}; no price is known: none in [providers.{name}], nor in the table"
    whose = "" if since in (None, "settings") else f" by prices of {since}"
    return f"{tokens}, ${prepared['cost'] / MILLION:.4f}{whose}, and the answer"


def _kept(prepared: Mapping[str, Any]) -> str:
    found = [f"{name} {plain(str(prepared[name]))}" for name in ("retention", "contract")
             if prepared[name]]  # fmt: skip
    return ", ".join(found) or "as the provider says; no retention is agreed in your settings"

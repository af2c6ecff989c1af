"""What a process that was killed in the middle of an edit left: put on record, and said."""

from . import edit, processes, undo
from .app import Startup
from .undo import Kept


async def settled(startup: Startup, spawn: processes.Spawn = processes.spawn) -> list[str]:
    """One line for each.  What cannot be put on record now is looked at again the next time.

    Raises OSError and UnsafePath.
    """
    if all(kept.state == "applied" for kept in undo.all_kept(startup.paths)):
        return []
    with undo.held(startup.paths):
        # Once more: who was at work meanwhile has ended it.
        left = [kept for kept in undo.all_kept(startup.paths) if kept.state != "applied"]
        return [await _settled(kept, startup, spawn) for kept in left]


async def _settled(kept: Kept, startup: Startup, spawn: processes.Spawn) -> str:
    # A crash in here changes nothing: the same comes of it the next time.
    undo.sweep(kept)
    decision, said = _judged(kept)
    if decision is None:
        return said
    unrecorded = await edit.recorded(kept.exchange, kept.digest, decision, startup, spawn)
    if unrecorded is not None and not unrecorded.final:
        return f"{said}; {unrecorded.why}"
    if decision in ("applied", "partly"):
        undo.marked(kept, "applied")
    else:
        kept.place.unlink()
    return said


def _judged(kept: Kept) -> tuple[str | None, str]:
    """What is to be on record, if anything, and what is said.  Reads the files."""
    stand = kept.stand
    if kept.state == "undoing":
        if stand == "before":
            return "reverted", f"undoing the edit of {kept.files} was interrupted at its end: done"
        return None, f"undoing the edit of {kept.files} was interrupted; `wicket revert` goes on"
    what = f"the edit of {kept.files} was interrupted"
    if kept.by_editor or stand == "after":
        return "applied", f"{what} at its end: it is applied, `wicket revert` undoes it"
    if stand == "before":
        return "rejected", f"{what} before anything was written"
    if stand == "between":
        return "partly", f"{what} half-way; `wicket revert` undoes what was written"
    return "partly", f"{what}, and a file changed since; `wicket revert --force` undoes both"

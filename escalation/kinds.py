"""What may be asked for: one row for each kind of task, with the words that a row brings.

Policies, routes and records name a task by its kind.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`title` is what a menu says, and `words` what is asked where nobody says more;
    `edits` tells that files are to be changed by it."""

    name: str
    title: str = ""
    words: str = ""
    edits: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("ask"),
        Kind(
            "explain",
            "Explain",
            "Explain what this code does, why it is so, and what may surprise in it.",
        ),
        Kind("review"),
        Kind("test"),
        Kind("rename-across"),
        Kind("refactor", edits=True),
        Kind("edit", edits=True),
        Kind(
            "document",
            "Document",
            "Write the documentation of this code as the file around it does, or mend what is "
            "there. Change no code.",
            edits=True,
        ),
        Kind("fix", "Fix", "Find what is wrong with this code, and mend it.", edits=True),
        Kind(
            "types",
            "Add types",
            "Add the types that this code lacks, as exactly as the code around it tells. Change "
            "nothing that it does.",
            edits=True,
        ),
        Kind(
            "extract",
            "Extract",
            "Extract this code into a function of its own beside the one it is in, with a name "
            "that says what it does, and call it here.",
            edits=True,
        ),
        Kind(
            "simplify",
            "Simplify",
            "Make this code simpler and shorter. Change nothing that it does.",
            edits=True,
        ),
    )
}

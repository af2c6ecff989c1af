"""What completion is asked and what it answers: plain values, no editor in sight."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a text.

    `path` is relative to the workspace folder, with forward slashes; `language` is an LSP
    language identifier; `offset` counts code points from the start of `text`.
    """

    path: str
    language: str
    text: str
    offset: int

    @property
    def prefix(self) -> str:
        return self.text[: self.offset]

    @property
    def suffix(self) -> str:
        return self.text[self.offset :]

    @property
    def line_before(self) -> str:
        """The cursor's line up to the cursor."""
        start = max(self.text.rfind("\n", 0, self.offset), self.text.rfind("\r", 0, self.offset))
        return self.text[start + 1 : self.offset]

    @property
    def line_after(self) -> str:
        """The cursor's line from the cursor on, without its line break."""
        ends = (self.text.find("\n", self.offset), self.text.find("\r", self.offset))
        return self.text[self.offset : min((e for e in ends if e >= 0), default=None)]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of another file to put before the prompt, and why it was chosen.

    `lines` are its first and last, from 1; `tokens` are estimated.
    """

    path: str
    text: str
    lines: tuple[int, int] = (1, 1)
    why: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to insert at the cursor, replacing `replace` code points after it.

    An empty `text` means that there is nothing to offer; `filtered` then names the rule
    that said no, or is None where nothing was produced.  `chance` is the chance that the
    text is right, `where` the path that it was copied from.  `tokens` counts prefill,
    reused and decoded; `ms` splits the time.  `others` are less likely texts for who asks
    by hand, without any of their own.
    """

    text: str
    replace: int = 0
    source: str = "none"  # model | cache | model-free | mixed | none
    model: str | None = None
    filtered: str | None = None
    rules: tuple[str, ...] = ()
    chance: float = 0.0
    where: str = ""
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    ms: dict[str, float] = field(default_factory=dict[str, float])
    context: tuple[Snippet, ...] = ()
    others: tuple["Suggestion", ...] = ()


def gist(text: str) -> str:
    """What tells a suggestion from others: its first line that is not blank."""
    return text.strip().split("\n")[0].rstrip()

"""What is frozen: everything, or what goes to one provider, from one repository; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

SCOPES = ("provider", "kind", "repository", "user")


@dataclass(frozen=True, slots=True)
class Frozen:
    """One brake; it holds what matches all that it names, and everything where it names
    nothing.  `why` says by whom and for what; `repository` is a folder's path."""

    why: str
    provider: str | None = None
    kind: str | None = None
    repository: str | None = None
    user: str | None = None

    @property
    def everything(self) -> bool:
        return not self.scope

    @property
    def scope(self) -> dict[str, str]:
        """What it names."""
        said = {name: getattr(self, name) for name in SCOPES}
        return {name: value for name, value in said.items() if value is not None}

    def holds(self, provider: str, kind: str, folder: str | None, user: str) -> bool:
        """Whether a request may not be sent.  One from no folder may be from any."""
        return (
            self.provider in (None, provider)
            and self.kind in (None, kind)
            and self.user in (None, user)
            and (self.repository is None or folder is None or _inside(folder, self.repository))
        )

    def as_json(self) -> dict[str, str]:
        return {"why": self.why} | self.scope


def everything(rows: Iterable[Frozen]) -> str | None:
    """Why nothing at all may be sent, or None."""
    return next((row.why for row in rows if row.everything), None)


def _inside(folder: str, repository: str) -> bool:
    return PurePosixPath(folder).is_relative_to(repository)

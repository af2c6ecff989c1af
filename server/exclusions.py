"""The one path policy: secrets always, and what the settings exclude.

Such a file gets no ghost text and is in no index and no prompt.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import pathspec

# Files that hold secrets by custom; no setting takes one off this list.
NEVER = (
    ".env*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    "credentials",
    "credentials.*",
    "*.tfstate",
    "*.tfstate.*",
    "*.tfvars",
)
# Characters; a larger file is data or generated.
LARGEST_TEXT = 8_000_000

_NEVER = pathspec.PathSpec.from_lines("gitignore", [p.lower() for p in NEVER])


def excluded(path: str, globs: Sequence[str]) -> str | None:
    """The rule that keeps `path` (relative, forward slashes) from completion, or None."""
    return policy(tuple(globs))(path)


@lru_cache(maxsize=16)
def policy(globs: tuple[str, ...]) -> Callable[[str], str | None]:
    """`excluded` for many paths: the rules are compiled once, names are looked at once."""
    chosen = pathspec.PathSpec.from_lines("gitignore", globs) if globs else None

    def rule(path: str) -> str | None:
        if any(map(_is_secret, path.lower().split("/"))):
            return "the list of secret files"
        if chosen is not None and chosen.match_file(path):
            return "completion.exclude or the policy"
        return None

    return rule


@lru_cache(maxsize=1 << 16)
def _is_secret(name: str) -> bool:
    """Whether a file or directory of this name is on the list, whose patterns are names."""
    return _NEVER.match_file(name)


def reason(path: str, text: str, globs: Sequence[str]) -> str | None:
    """Why this file is left alone: nothing is suggested in it and nothing taken from it."""
    if rule := excluded(path, globs):
        return f"the path is excluded by {rule}"
    if len(text) > LARGEST_TEXT:
        return "the file is too large"
    if "\0" in text[:8192]:
        return "the file is binary"
    return None

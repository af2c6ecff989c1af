"""Files that get no ghost text: secrets always, and what the settings exclude."""

from collections.abc import Sequence

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
    if _NEVER.match_file(path.lower()):
        return "the list of secret files"
    if globs and pathspec.PathSpec.from_lines("gitignore", globs).match_file(path):
        return "completion.exclude"
    return None


def reason(path: str, text: str, globs: Sequence[str]) -> str | None:
    """Why this file is left alone: nothing is suggested in it and nothing taken from it."""
    if rule := excluded(path, globs):
        return f"the path is excluded by {rule}"
    if len(text) > LARGEST_TEXT:
        return "the file is too large"
    if "\0" in text[:8192]:
        return "the file is binary"
    return None

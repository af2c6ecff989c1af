"""Secrets whose values are known: they are found in every form, and by nothing else."""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

# Characters.  Shorter values stand in ordinary code by chance.
SHORTEST = 6
# A piece of a known secret at the end of a text, cut there, counts from this length.
SHORTEST_PIECE = 8
# Between two slashes as many characters of base 64, small and capital letters and digits among
# them, are random and no name: 996 of 1000 keys of 40 characters that begin with a slash have
# that, and 11 of 122,651 paths below /usr.
RANDOM = re.compile(r"[A-Za-z0-9+=_-]{12,}")
# Values of settings that are no secrets, though they stand beside them.
_COMMON = frozenset(
    {"default", "development", "disabled", "enabled", "localhost", "password", "production"}
    | {"postgres", "redis://localhost", "secret", "staging", "username", "127.0.0.1"}
)


@dataclass(frozen=True, slots=True)
class Known:
    """`values` are the secrets, `forms` what to look for in a text: longest first."""

    values: tuple[str, ...]
    forms: tuple[str, ...]

    def begun_at_the_end(self, text: str) -> int:
        """How many characters at the end of `text` are the start of a secret that goes on."""
        return max((_overlap(text, value) for value in self.values), default=0)

    def ended_at_the_start(self, text: str) -> int:
        """How many characters at the start of `text` are the end of a secret."""
        return max((_overlap(value, text) for value in self.values), default=0)


NOTHING = Known((), ())


def known(values: Iterable[str]) -> Known:
    """The secrets among `values`: what is too short or too common to be one is left out."""
    kept = sorted({value for given in values if _is_secret(value := given.strip())})
    forms = {form for value in kept for form in forms_of(value)}
    return Known(tuple(kept), tuple(sorted(forms, key=lambda form: (-len(form), form))))


def forms_of(value: str) -> set[str]:
    """The ways in which `value` may stand in a text: plain, escaped, encoded, reversed."""
    content = value.encode()
    forms = {value, value[::-1], content.hex(), content.hex().upper()}
    forms |= {urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value)}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    for shift in range(3):
        # Base 64 of a text that holds the value at any place: the letters in which bits of
        # its neighbours are mixed are left out.
        padded = base64.b64encode(bytes(shift) + content).decode()
        first = -(-shift * 8 // 6)
        inner = padded[first : (shift + len(content)) * 8 // 6]
        if len(inner) >= SHORTEST_PIECE:
            forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def _is_secret(value: str) -> bool:
    if len(value) < SHORTEST or value.lower() in _COMMON or (value.isdigit() and len(value) < 8):
        return False
    # Paths and plain words stand beside secrets in the same files.
    return not _is_path(value) and not (value.isalpha() and value.islower())


def _is_path(value: str) -> bool:
    """Whether it names a place on the disk; a key in base 64 may begin with a slash, too."""
    if not value.startswith(("/", "./", "~/")):
        return False
    return not any(RANDOM.fullmatch(part) and _is_mixed(part) for part in value.split("/"))


def _is_mixed(part: str) -> bool:
    return all(any(test(c) for c in part) for test in (str.islower, str.isupper, str.isdigit))


def _overlap(before: str, after: str) -> int:
    """The longest proper part at the end of `before` with which `after` starts, if long enough."""
    longest = min(len(before), len(after))
    for length in range(longest, SHORTEST_PIECE - 1, -1):
        if before.endswith(after[:length]):
            return length
    return 0

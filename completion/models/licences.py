"""Which licences need somebody's consent before a model is used; a pure decision."""

import re
from collections.abc import Sequence

# Free for any use but what the law or common decency forbids (OpenRAIL).
ALLOWED = (
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BigCode OpenRAIL-M",
    "BigScience OpenRAIL-M",
)


def question(licence: str, allowed: Sequence[str]) -> str:
    """What is to be accepted, as one line; empty where nothing is.

    Names are compared by letters and digits: `apache-2.0` is `Apache 2.0`.
    """
    if _plain(licence) in map(_plain, allowed):
        return ""
    if licence.startswith("non-commercial"):
        return f"NOT FOR COMMERCIAL USE ({licence})"
    if licence in ("", "not said"):
        return "the file does not say under which licence it may be used"
    return f"its licence, {licence}, is not among models.licences"


def _plain(licence: str) -> str:
    return re.sub(r"[^a-z0-9]", "", licence.lower())

"""From the bytes of one file to its facts."""

from .facts import Facts


def parse(language: str, source: bytes) -> Facts:
    """What `source` says, as far as it is understood; it may be broken anywhere.

    `language` is the name of a row of `languages.LANGUAGES`; another one gives no rows.
    """
    return Facts(language, source.count(b"\n") + 1, 0.0)

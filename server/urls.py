"""URLs of servers that the settings name, taken apart."""

from urllib.parse import urlsplit


def address(url: str) -> tuple[str, int]:
    """Host and port of a URL.  Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "wicket+tls") or not parts.hostname:
        raise ValueError(f"{url} is not a URL like http://127.0.0.1:8080")
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)

"""Who may call: tokens that the shop's key server signed."""

import hmac
from hashlib import sha256


class Unauthorized(Exception):
    """No token, or one that is not ours."""


def check_token(token: str, secret: bytes) -> str:
    """The caller's name.  Raises Unauthorized."""
    caller, _, signature = token.partition(".")
    wanted = hmac.new(secret, caller.encode(), sha256).hexdigest()
    if not hmac.compare_digest(wanted, signature):
        raise Unauthorized("the token is not signed by the shop")
    return caller

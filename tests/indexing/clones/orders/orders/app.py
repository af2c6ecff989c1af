"""Routes to handlers."""

import re

from . import handlers
from .auth import Unauthorized, check_token
from .idempotency import SeenKeys
from .store import OrderStore

ROUTES = (
    ("POST", re.compile(r"/v1/orders"), handlers.create_order),
    ("GET", re.compile(r"/v1/orders"), handlers.list_orders),
    ("POST", re.compile(r"/v1/orders/([^/]+)/cancel"), handlers.cancel_order),
)


class App:
    def __init__(self, store: OrderStore, queue, secret: bytes) -> None:
        self.store, self.queue, self.secret, self.seen = store, queue, secret, SeenKeys()

    def answer(self, method: str, path: str, headers: dict, body: dict) -> tuple[int, dict]:
        try:
            check_token(headers.get("Authorization", ""), self.secret)
        except Unauthorized as error:
            return 401, {"error": str(error)}
        for wanted, pattern, handler in ROUTES:
            if wanted == method and (found := pattern.fullmatch(path)):
                try:
                    return 200, self.call(handler, found.groups(), headers, body)
                except handlers.Conflict as error:
                    return 409, {"error": str(error)}
        return 404, {"error": "no such route"}

    def call(self, handler, groups, headers: dict, body: dict) -> dict:
        if handler is handlers.create_order:
            key = headers.get("Idempotency-Key", "")
            return handler(self.store, self.queue, self.seen, body, key)
        if handler is handlers.cancel_order:
            return handler(self.store, self.queue, groups[0], body.get("reason", ""))
        return handler(self.store, body.get("after", ""))

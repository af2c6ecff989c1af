"""What other services hear: one JSON line per event on the shop's queue."""

import json
from typing import Protocol

from .models import Order


class Queue(Protocol):
    def put(self, line: str) -> None: ...


def order_placed(queue: Queue, order: Order) -> None:
    queue.put(json.dumps({"event": "order.placed", "number": order.number}))


def order_cancelled(queue: Queue, order: Order, reason: str) -> None:
    """Billing writes a credit note when it hears this."""
    said = {"event": "order.cancelled", "number": order.number, "reason": reason}
    queue.put(json.dumps(said))

"""Credit notes for orders that were cancelled."""

import json

from shopclient.errors import ConflictError, ShopError

from .ledger import Ledger


def on_event(ledger: Ledger, line: str) -> int | None:
    """Hear one event of the shop's queue; the cents that were given back."""
    said = json.loads(line)
    if said["event"] != "order.cancelled":
        return None
    return give_back(ledger, said["number"])


def give_back(ledger: Ledger, order: str) -> int:
    cents = ledger.booked(order)
    ledger.book(order, -cents)
    return cents


def cancel_and_credit(client, ledger: Ledger, order: str) -> bool:
    """Whether the order could be cancelled."""
    try:
        client.cancel_order(order, reason="billing")
    except ConflictError:
        return False
    except ShopError:
        raise
    give_back(ledger, order)
    return True

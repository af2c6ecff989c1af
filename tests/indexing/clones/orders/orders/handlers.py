"""One function per route; what they raise is mapped in `app`."""

from uuid import uuid4

from . import events
from .idempotency import SeenKeys
from .models import Line, Order, Status
from .pricing import price_order
from .store import OrderStore


class Conflict(Exception):
    """The order is not in a state in which that may be done."""


def create_order(store: OrderStore, queue, seen: SeenKeys, body: dict, key: str) -> dict:
    if (earlier := seen.earlier_answer(key)) is not None:
        return earlier
    order = Order(str(uuid4()), body["customer"], [Line(**line) for line in body["lines"]])
    price_order(order)
    store.save(order)
    events.order_placed(queue, order)
    answer = {"number": order.number, "total_cents": order.total_cents}
    seen.note(key, answer)
    return answer


def cancel_order(store: OrderStore, queue, number: str, reason: str) -> dict:
    order = store.load(number)
    if order is None or not order.is_open():
        raise Conflict(f"order {number} cannot be cancelled")
    order.status = Status.CANCELLED
    store.save(order)
    events.order_cancelled(queue, order, reason)
    return {"number": number, "status": order.status.value}


def list_orders(store: OrderStore, after: str) -> dict:
    orders = store.page(after)
    rows = [{"number": one.number, "total_cents": one.total_cents} for one in orders]
    return {"orders": rows, "next": orders[-1].number if len(orders) == 50 else None}

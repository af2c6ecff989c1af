"""What an order costs: articles, rebates by quantity, shipping."""

from .models import Line, Order

REBATE_FROM = 10
REBATE_PERCENT = 5
FREE_SHIPPING_FROM = 5000
SHIPPING_CENTS = 490


def line_total(line: Line) -> int:
    total = line.quantity * line.unit_cents
    if line.quantity >= REBATE_FROM:
        total -= total * REBATE_PERCENT // 100
    return total


def price_order(order: Order) -> int:
    """The total in cents, shipping included; it is noted in the order."""
    goods = sum(line_total(line) for line in order.lines)
    shipping = 0 if goods >= FREE_SHIPPING_FROM else SHIPPING_CENTS
    order.total_cents = goods + shipping
    return order.total_cents

"""Figures for the bookkeepers: revenue by month, open amounts."""

from collections import Counter

from shopclient import OrderClient


def revenue_by_customer(client: OrderClient) -> Counter:
    found: Counter = Counter()
    for order in client.iter_orders():
        found[order.customer] += order.total_cents
    return found


def as_csv(figures: Counter) -> str:
    return "\n".join(f"{name};{cents}" for name, cents in figures.most_common())

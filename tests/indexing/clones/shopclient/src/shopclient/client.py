"""The client itself: one method per route of the orders service."""

from collections.abc import Iterator
from uuid import uuid4

from .models import OrderSummary
from .pagination import pages
from .transport import Transport


class OrderClient:
    """Orders of the shop, as other services may see and change them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create_order(self, customer: str, lines: list[dict]) -> OrderSummary:
        """Place an order; sent twice, it is still one order."""
        body = {"customer": customer, "lines": lines}
        said = self._transport.post("/v1/orders", body, key=str(uuid4()))
        return OrderSummary(said["number"], customer, said["total_cents"])

    def iter_orders(self) -> Iterator[OrderSummary]:
        for page in pages(self._transport, "/v1/orders"):
            yield from (OrderSummary.parse(row) for row in page["orders"])

    def cancel_order(self, number: str, reason: str) -> None:
        """Raises ConflictError where it is too late."""
        self._transport.post(f"/v1/orders/{number}/cancel", {"reason": reason}, key=number)


def connect(url: str, token: str) -> OrderClient:
    return OrderClient(Transport(url, token))

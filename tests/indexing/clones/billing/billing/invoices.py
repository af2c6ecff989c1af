"""Invoices: one per order, numbered without gaps."""

from dataclasses import dataclass

from shopclient import OrderClient
from shopclient.models import OrderSummary

from .currency import format_amount
from .ledger import Ledger


@dataclass
class Invoice:
    number: int
    order: str
    amount_cents: int
    text: str


def write_invoice(ledger: Ledger, order: OrderSummary) -> Invoice:
    """The invoice of an order, which is noted in the ledger."""
    number = ledger.next_number()
    text = f"Invoice {number}: {format_amount(order.total_cents, 'EUR')}"
    invoice = Invoice(number, order.number, order.total_cents, text)
    ledger.book(invoice.order, invoice.amount_cents)
    return invoice


def nightly_run(client: OrderClient, ledger: Ledger) -> list[Invoice]:
    """Invoices for every order that has none yet."""
    wanted = (order for order in client.iter_orders() if not ledger.has(order.number))
    return [write_invoice(ledger, order) for order in wanted]

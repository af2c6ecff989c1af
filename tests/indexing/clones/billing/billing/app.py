"""The nightly run, from its settings to its end."""

import os

from shopclient import OrderClient, connect

from .invoices import nightly_run
from .ledger import Ledger
from .mail import send_invoice


def main() -> int:
    client: OrderClient = connect(os.environ["ORDERS_URL"], os.environ["SHOP_TOKEN"])
    for invoice in nightly_run(client, Ledger()):
        send_invoice(invoice, "books@shop.example")
    return 0

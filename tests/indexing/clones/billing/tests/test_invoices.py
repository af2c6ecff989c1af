from billing.invoices import write_invoice
from billing.ledger import Ledger
from shopclient.models import OrderSummary


def test_an_invoice_is_booked():
    ledger = Ledger()
    write_invoice(ledger, OrderSummary("7", "c", 1234))
    assert ledger.booked("7") == 1234

"""Invoices by mail."""

import smtplib
from email.message import EmailMessage


def send_invoice(invoice, address: str, host: str = "localhost") -> None:
    message = EmailMessage()
    message["Subject"] = f"Invoice {invoice.number}"
    message["To"] = address
    message.set_content(invoice.text)
    with smtplib.SMTP(host) as server:
        server.send_message(message)

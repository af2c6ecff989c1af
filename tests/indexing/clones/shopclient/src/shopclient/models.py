"""What the orders service answers, as values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OrderSummary:
    number: str
    customer: str
    total_cents: int

    @classmethod
    def parse(cls, row: dict) -> "OrderSummary":
        return cls(row["number"], row.get("customer", ""), row["total_cents"])

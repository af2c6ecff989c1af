"""What an order is."""

from dataclasses import dataclass, field
from enum import Enum


class Status(Enum):
    OPEN = "open"
    PACKED = "packed"
    CANCELLED = "cancelled"


@dataclass
class Line:
    article: str
    quantity: int
    unit_cents: int


@dataclass
class Order:
    """Some articles that one customer wants; money is whole cents."""

    number: str
    customer: str
    lines: list[Line] = field(default_factory=list)
    status: Status = Status.OPEN
    total_cents: int = 0

    def is_open(self) -> bool:
        return self.status is Status.OPEN

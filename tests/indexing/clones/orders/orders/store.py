"""Orders in SQLite."""

import json
import sqlite3
from dataclasses import asdict

from .models import Line, Order, Status


class OrderStore:
    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("CREATE TABLE IF NOT EXISTS orders (number TEXT, body TEXT)")

    def save(self, order: Order) -> None:
        body = json.dumps(asdict(order), default=lambda value: value.value)
        self._database.execute("REPLACE INTO orders VALUES (?, ?)", (order.number, body))

    def load(self, number: str) -> Order | None:
        query = "SELECT body FROM orders WHERE number = ?"
        row = self._database.execute(query, (number,)).fetchone()
        if row is None:
            return None
        said = json.loads(row[0])
        lines = [Line(**line) for line in said.pop("lines")]
        return Order(**{**said, "lines": lines, "status": Status(said["status"])})

    def page(self, after: str, size: int = 50) -> list[Order]:
        query = "SELECT number FROM orders WHERE number > ? ORDER BY number LIMIT ?"
        numbers = self._database.execute(query, (after, size)).fetchall()
        return [order for (number,) in numbers if (order := self.load(number))]

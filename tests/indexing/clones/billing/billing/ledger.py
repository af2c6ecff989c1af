"""What was booked, in order."""


class Ledger:
    def __init__(self) -> None:
        self._rows: list[tuple[str, int]] = []
        self._number = 0

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def book(self, order: str, cents: int) -> None:
        self._rows.append((order, cents))

    def booked(self, order: str) -> int:
        return sum(cents for name, cents in self._rows if name == order)

    def has(self, order: str) -> bool:
        return any(name == order for name, _cents in self._rows)

"""Requests that come twice are answered once."""

from collections import OrderedDict

REMEMBERED = 10_000


class SeenKeys:
    """Answers by the Idempotency-Key header, the oldest forgotten first."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, dict] = OrderedDict()

    def earlier_answer(self, key: str) -> dict | None:
        return self._answers.get(key)

    def note(self, key: str, answer: dict) -> None:
        self._answers[key] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)

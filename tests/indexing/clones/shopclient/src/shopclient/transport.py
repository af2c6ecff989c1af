"""HTTP with patience: requests that may succeed later are sent again."""

import json
import time
from urllib.request import Request, urlopen

from .errors import Unavailable, raise_for

ATTEMPTS = 4
FIRST_PAUSE = 0.2


class Transport:
    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def get(self, path: str, body: dict) -> dict:
        return self._with_retries("GET", path, body, {})

    def post(self, path: str, body: dict, key: str) -> dict:
        return self._with_retries("POST", path, body, {"Idempotency-Key": key})

    def _with_retries(self, method: str, path: str, body: dict, headers: dict) -> dict:
        pause = FIRST_PAUSE
        for attempt in range(ATTEMPTS):
            try:
                return self._send(method, path, body, headers)
            except Unavailable:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(pause)
                pause *= 2
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: dict, headers: dict) -> dict:
        headers = headers | {"Authorization": self._token}
        request = Request(self._url + path, json.dumps(body).encode(), headers, method=method)
        with urlopen(request) as answer:
            said = json.load(answer)
            raise_for(answer.status, said)
            return said

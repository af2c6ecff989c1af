"""The token that a server is shown: what a command of the user's prints, kept in memory."""

import re
import subprocess
import threading
from collections.abc import Sequence

from ..completion.engine import BackendError
from . import processes

# A password manager may ask its user for a passphrase first.
COMMAND_SECONDS = 60.0
# What may stand in an HTTP header; a line end in it would begin another header.
TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class TokenCommand:
    """Runs `argv` at the first use, and again when the token it printed was refused.

    Neither the token nor anything else that the command prints is ever logged or shown.
    `what` is the setting that holds the command, for what is said when it fails.
    """

    def __init__(self, argv: Sequence[str], what: str = "token_command") -> None:
        self._argv, self._what = argv, what
        self._token: str | None = None
        self._lock = threading.Lock()

    def __call__(self, fresh: bool) -> str:
        """Raises BackendError."""
        with self._lock:
            if self._token is None or fresh:
                self._token = self._run()
            return self._token

    def _run(self) -> str:
        name, fix = f"{self._what} {self._argv[0]}", f"run {self._what} in a terminal"
        try:
            ran = subprocess.run(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_SECONDS,
                env=processes.own_environment(),
                cwd="/",
                check=False,
            )
        except subprocess.TimeoutExpired:
            seconds = f"{COMMAND_SECONDS:.0f} s"
            raise BackendError(f"{name} printed nothing in {seconds}", fix) from None
        except OSError as error:
            raise BackendError(f"{name}: {error.strerror}", fix) from None
        if ran.returncode:
            raise BackendError(f"{name} ended with code {ran.returncode}", fix)
        token = ran.stdout.decode("ascii", "replace").strip()
        if not TOKEN.fullmatch(token):
            raise BackendError(f"{name} printed no token of one line", fix)
        return token

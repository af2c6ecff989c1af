"""What the user is told about completion: one line, sent when it changes, never a popup."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from ..completion.wire import State

STATUS = "wicket/status"


@dataclass(frozen=True, slots=True)
class Status:
    """`reason` says why there is no ghost text, `fix` the command that mends it."""

    state: Literal["ready", "loading", "off"]
    model: str | None = None
    reason: str | None = None
    fix: str | None = None
    progress: float | None = None


def of_engine(state: State, language: str | None) -> Status:
    """The status that an engine's state means for a document in `language`."""
    if language and language in state.profiles:
        state = replace(state, model=state.profiles[language])
    if state.state == "loading":
        return Status("loading", state.model, progress=state.progress)
    if state.state == "off":
        return Status("off", state.model, state.reason, state.fix)
    if language and state.languages and language not in state.languages:
        known = ", ".join(state.languages)
        reason = f"{state.model} completes {known}, not {language}"
        return Status("off", state.model, reason, "wicket model list")
    # A better one that is down or slow is the reason.
    return Status("ready", state.model, state.reason, state.fix)


class StatusLine:
    """Sends a status to the editor when it differs from the last one."""

    def __init__(self) -> None:
        self._send: Callable[[str, dict[str, Any]], None] | None = None
        self.shown: Status | None = None
        self._last: Status | None = None
        self._aside = ""

    def open(self, send: Callable[[str, dict[str, Any]], None]) -> None:
        """From now on there is an editor that listens; it is told what it missed.

        Before `initialized` clients drop what they are told.
        """
        self._send = send
        if self.shown:
            send(STATUS, asdict(self.shown))

    def say_aside(self, words: str) -> None:
        """Something that stops nothing and is worth a look; "" for no such thing any more."""
        self._aside = words
        if self._last:
            self.show(self._last)

    def show(self, status: Status) -> None:
        self._last = status
        if self._aside:
            reason = "; ".join(filter(None, (status.reason, self._aside)))
            status = replace(status, reason=reason, fix=status.fix or "wicket doctor")
        if status != self.shown:
            self.shown = status
            if self._send:
                self._send(STATUS, asdict(status))

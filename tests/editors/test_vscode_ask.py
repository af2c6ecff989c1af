"""A question in a real VS Code: said in an input box, shown, answered in a document."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..escalation import anthropic_wire
from ..escalation.provider import ANSWERS, ProviderServer
from ..server.gate_home import CLAUDE
from .test_neovim_ask import provider
from .test_vscode import editor as editor  # noqa: PLC0414 - a fixture
from .test_vscode import workspace as workspace  # noqa: PLC0414 - a fixture
from .vscode import WICKET, Editor

SOURCE = "def open_store(path):\n    return path\n\n\nopen_store('x')\n"
TYPED = "# on"
WORDS = "Who opens the store?"
SAID = (
    "It is `open_store`. [a](file:///etc/passwd) ![b](http://evil/?q)\n\n"
    "```\n[c](file:///etc/passwd) [d](file:////etc/passwd)\n```\n"
)
ANSWERS["speaks of a store"] = [
    anthropic_wire.HEAD + anthropic_wire.start() + anthropic_wire.text(0, SAID),
    anthropic_wire.end(),
]


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with provider() as running:
        yield running


@pytest.fixture
def asked(editor: Editor, workspace: Path, server: ProviderServer) -> Iterator[dict[str, Any]]:
    """A folder with an index and a provider; what every scenario is asked."""
    editor.start_server_by([*WICKET, "lsp"])
    (workspace / "reading.py").write_text(SOURCE)
    editor.set_up_provider(CLAUDE.format(port=server.port) + "[completion]\nenabled = false\n")
    editor.wicket("index", str(workspace))
    yield {"state": "off", "lines": 2, "typed": TYPED, "words": WORDS}
    editor.drop_provider()


def test_asked_shown_answered_and_asked_more(
    editor: Editor, workspace: Path, server: ProviderServer, asked: dict[str, Any]
) -> None:
    """The six lines stand in a document, keys go on into the code, and a link leads to it."""
    server.answer = "speaks of a store"
    seen = editor.drive(
        *("ask", workspace),
        **asked, more="And who closes it?", link="open_store", after=SOURCE + TYPED,
        picture=str(editor.home / "ask.png"),
    )  # fmt: skip
    assert seen["about"] == "Wicket: ask about reading.py:1-2"
    places = [seen["summary"].index(f"{word} ") for word in
              ("to", "sends", "masked", "then", "costs", "kept")]  # fmt: skip
    assert places == sorted(places)
    assert seen["messages"] == 1, "one question, and nothing pops up while typing"
    assert "home (on-prem): m at 127.0.0.1; sends" in seen["question"]
    assert "reading.py:1-2" in seen["question"]
    head, body = server.requests[0]
    # As far as the window shows it; spaces are where its lines are broken, too.
    drawn = seen["bytes"].replace(" ", "").partition("{")
    assert len(drawn[2]) > 200
    assert body.decode().replace(" ", "").startswith("".join(drawn[1:]))
    assert b"sk-canary" in head
    assert "sk-canary" not in seen["bytes"]
    assert seen["answer"].startswith(f"# {WORDS}")
    assert seen["written"]
    assert seen["place"] == "reading.py"
    assert seen["more"] == "Wicket: ask about this answer"
    assert seen["second"].startswith("# And who closes it?")
    assert WORDS.encode() in server.requests[1][1], "the first question went along"


def case(
    what: str, says: str, *, answer: str = "claude whole", send: bool = False, **more: Any
) -> Any:
    return pytest.param(answer, "Send" if send else None, says, more, id=what)


@pytest.mark.parametrize(
    ("answer", "send", "says", "more"),
    [
        case("no provider", "no provider is set up; wicket setup", settings=""),
        case("no key", "wicket key set home", key=""),
        case("frozen", "wicket gate thaw", frozen=True),
        case("wrong key", "401", answer="claude unauthorized", send=True),
        case("cut in the middle", "Hel *the", answer="claude cut", send=True),
        case("cancelled", "cancelled", answer="claude stalls", send=True, growing="Hel"),
        case("killed", "Hel", answer="claude stalls", send=True, growing="Hel", killed=True),
    ],
)
def test_no_answer_is_one_line_and_the_question_is_kept(
    editor: Editor, workspace: Path, server: ProviderServer, asked: dict[str, Any],
    answer: str, send: str | None, says: str, more: dict[str, Any],
) -> None:  # fmt: skip
    """It is read where the answer would be, without a message beside it."""
    server.answer = answer
    completion = "[completion]\nenabled = false\n"
    settings = more.get("settings", CLAUDE.format(port=server.port)) + completion
    editor.set_up_provider(settings, more.get("key", "sk-canary-0123456789"))
    if more.get("frozen"):
        editor.wicket("gate", "freeze", "--reason", "a drill")
    try:
        seen = editor.drive(
            *("askInVain", workspace),
            **asked, says=says, answer=send, wait=500, growing=more.get("growing"),
            killed=more.get("killed") and f"HOME={editor.home}",
            picture=str(editor.home / "vain.png"),
        )  # fmt: skip
    finally:
        if more.get("frozen"):
            editor.wicket("gate", "thaw")
    assert seen["answer"].startswith(f"# {WORDS}")
    assert "Traceback" not in seen["answer"]
    if more.get("killed"):
        # Then the server cannot say it.
        assert "the server stopped before it was done; try again" in seen["message"]
    else:
        assert seen["toasts"] == 0
    assert seen["kept"] == WORDS
    assert len(server.requests) == (1 if send else 0)
    # The file is VS Code's to save; what was typed is in it, or waits to be saved.
    assert seen["dirty"] or (workspace / "reading.py").read_text() == SOURCE + TYPED

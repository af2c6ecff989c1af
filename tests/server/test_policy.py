"""The policy of this machine: who writes it, what it keeps from whom, and `wicket policy`."""

import asyncio
import dataclasses
import json
import os
from pathlib import Path

import pytest
from wicket.server import exclusions
from wicket.server.paths import Paths
from wicket.server.settings import for_folder, load

from ..escalation.provider import ProviderServer
from .gate_home import Home
from .planted import wicket

NEVER = '[[rule]]\nname = "crown"\npaths = ["core/*.py"]\ndecision = "never"\n'
CLOSED = 'default = "never"\n[[rule]]\nname = "open"\npaths = ["docs/"]\ndecision = "ask"\n'


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths.of({"HOME": str(tmp_path / "home"), "XDG_RUNTIME_DIR": str(tmp_path)})
    found = dataclasses.replace(found, managed=tmp_path / "etc", administrator=os.getuid())
    for path in found.policies:
        path.parent.mkdir(parents=True, mode=0o700)
    return found


def hidden(paths: Paths, path: str, folder: Path | None = None) -> bool:
    effective = load(paths, None, [folder] if folder else [])
    if folder:
        effective = for_folder(effective, folder / path)
    return exclusions.excluded(path, effective.settings.completion.exclude) is not None


@pytest.mark.parametrize(
    ("managed", "user", "settings", "seen", "unseen"),
    [
        ("", "", "", ["core/a.py", "a.py"], [".env"]),
        (NEVER, "", "", ["a.py"], ["core/a.py"]),
        ("", NEVER, "", ["a.py"], ["core/a.py"]),
        (NEVER, 'default = "allow"', "", ["a.py"], ["core/a.py"]),
        (NEVER, "", "completion.exclude = ['*.md']", ["a.py"], ["core/a.py"]),
        (CLOSED, "", "", ["docs/a.md", "docs/x/b.py"], ["a.py", "src/docs.py"]),
        (CLOSED, "", "completion.exclude = ['*.md']", ["docs/a.py"], ["docs/a.md", "a.py"]),
        (CLOSED, NEVER, "", ["docs/a.md"], ["core/a.py", "a.py"]),
        ("default = 'never", "", "", [], ["a.py", "docs/a.md"]),
        ("", "defualt = 'ask'", "", [], ["a.py"]),
        ("", '[[rule]]\nkinds = ["ask"]\ndecision = "never"', "", ["a.py"], []),
    ],
)
def test_what_nobody_may_see(
    paths: Paths, managed: str, user: str, settings: str, seen: list[str], unseen: list[str]
) -> None:
    for path, text in zip(paths.policies, (managed, user), strict=True):
        if text:
            path.write_text(text)
    paths.user_settings.write_text(settings)
    assert [path for path in (*seen, *unseen) if hidden(paths, path)] == unseen
    effective = load(paths, None, [])
    assert bool(effective.warnings) == ("default = 'never" in managed or "defualt" in user)
    assert all("policy.toml" in line and "\n" not in line for line in effective.warnings)


@pytest.mark.parametrize(
    ("endpoint", "kept"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("https://gpu.corp:8080", True),
        ("wicket+tls://gpu.corp:8080", True),
    ],
)
def test_what_stays_on_this_machine_is_in_no_prompt_where_a_model_is_elsewhere(
    paths: Paths, endpoint: str, kept: bool
) -> None:
    _managed, user = paths.policies
    user.write_text(NEVER.replace("never", "this-machine"))
    assert not hidden(paths, "core/a.py")
    paths.user_settings.write_text(f'[engine.models]\nbox = {{ endpoint = "{endpoint}" }}\n')
    assert hidden(paths, "core/a.py") is kept
    assert not hidden(paths, "a.py")


@pytest.mark.parametrize("mode", [0o666, 0o622])
def test_a_policy_of_the_administrator_that_others_can_write_blocks(
    paths: Paths, mode: int
) -> None:
    managed, _user = paths.policies
    managed.write_text('default = "allow"')
    managed.chmod(mode)
    assert hidden(paths, "a.py")
    assert "writable by others" in load(paths, None, []).warnings[0]


def test_no_repository_and_no_editor_has_a_say(paths: Paths, tmp_path: Path) -> None:
    _managed, user = paths.policies
    user.write_text(NEVER)
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "policy.toml").write_text('default = "allow"')
    (folder / ".wicket.toml").write_text(
        '[[rule]]\ndecision = "allow"\n[policy]\ndefault = "allow"\n'
        "[completion]\nexclude = ['!core/a.py']\n"
    )
    assert hidden(paths, "core/a.py", folder)
    editor = load(paths, {"completion": {"exclude": ["!core/a.py"]}, "policy": {}}, [folder])
    assert exclusions.excluded("core/a.py", editor.settings.completion.exclude)


def test_a_policy_that_lies_in_an_open_folder_is_no_policy(paths: Paths) -> None:
    """What is open in an editor may be somebody else's."""
    before = load(paths, None, [paths.config]).warnings
    paths.policies[1].write_text('default = "allow"')
    effective = load(paths, None, [paths.config])
    (warning,) = set(effective.warnings) - set(before)
    assert "until it is mended nothing is completed" in warning
    assert exclusions.excluded("a.py", effective.settings.completion.exclude)


@pytest.fixture
def user(tmp_path: Path) -> Path:
    (tmp_path / ".config/wicket").mkdir(parents=True, mode=0o700)
    return tmp_path


def write(user: Path, text: str) -> None:
    (user / ".config/wicket/policy.toml").write_text(text)


HOUSE = (
    NEVER
    + '[[rule]]\nname = "prices"\npaths = ["**/pricing/**"]\nclassification = "confidential"\n'
    + 'decision = "on-prem"\n[[rule]]\nname = "no reviews"\nkinds = ["review"]\n'
    + 'decision = "this-machine"\n'
)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["check"], 0, "  never        crown: paths core/*.py"),
        (["explain", "src/a.py"], 0, "src/a.py: ask by the policy's default"),
        (["explain", "core/a.py"], 0, "core/a.py: never by the policy's rule 'crown'"),
        (["explain", "a/.env"], 0, "a/.env: never by the list of secret files"),
        (["explain", "x/pricing/a"], 0, "on-prem by the policy's rule 'prices' (confidential)"),
        (["explain", "a", "--kind", "review"], 0, "a: this-machine by the policy's rule"),
        (["explain", "a", "--kind", "nonsense"], 1, "there is no kind nonsense"),
        (["explain"], 2, "say which file"),
        (["test", "cases.toml"], 1, "case 2: core/a.py: never by the policy's rule 'crown'; "),
        (["test", "cases.toml"], 1, "1 of 2 cases hold"),
        (["test", "none.toml"], 1, "none.toml: No such file"),
        (["test"], 2, "say which file of cases"),
        (["check", "--policy", "bad.toml"], 1, "unknown key dfault"),
        (["check", "--policy", "none.toml"], 1, "there is no"),
        (["replay"], 1, "there is no log"),
    ],
)
def test_the_verb(user: Path, arguments: list[str], code: int, said: str) -> None:
    write(user, HOUSE)
    (user / "cases.toml").write_text(
        '[[case]]\npath = "src/a.py"\nverdict = "ask"\n'
        '[[case]]\npath = "core/a.py"\nverdict = "ask"\n'
    )
    (user / "bad.toml").write_text("dfault = 'never'")
    done = wicket(user, "policy", *arguments)
    assert said in done.stdout + done.stderr
    assert done.returncode == code


def test_a_file_is_named_from_where_one_stands(user: Path) -> None:
    write(user, HOUSE)
    (user / ".git").mkdir()
    (user / "core").mkdir()
    for given in ("a.py", "./a.py", str(user / "core/a.py")):
        done = wicket(user, "policy", "explain", given, cwd=user / "core")
        assert done.stdout == "core/a.py: never by the policy's rule 'crown'\n"


def test_the_verb_answers_in_json(user: Path) -> None:
    write(user, HOUSE)
    checked = json.loads(wicket(user, "policy", "check", "--json").stdout)
    assert [rule["name"] for rule in checked["rules"]] == ["crown", "prices", "no reviews"]
    explained = json.loads(wicket(user, "policy", "explain", "core/a.py", "--json").stdout)
    assert explained["files"][0]["verdict"] == "never"


def test_a_broken_policy_is_said_and_blocks(user: Path) -> None:
    write(user, "default = ")
    done = wicket(user, "policy", "check")
    assert done.returncode == 1
    assert "until it is mended nothing is completed and nothing may leave" in done.stderr
    (user / "a.py").write_text("import o\n")
    done = wicket(user, "complete", "a.py:1:9", "--json")
    assert json.loads(done.stdout)["filtered"].startswith("the path is excluded")


async def test_replay_says_what_would_not_leave_today(tmp_path: Path) -> None:
    provider = ProviderServer()
    await provider.start()
    home = Home(tmp_path, provider.port)
    await home.start()
    try:
        assert (await home.post("/v1/send", await home.prepared())).status_code == 200
        await home.until("outcome")
    finally:
        await home.stop()
        await provider.stop()

    async def replayed() -> str:
        return (await asyncio.to_thread(wicket, tmp_path, "policy", "replay")).stdout

    assert await replayed() == "0 of 1 requests would not leave today\n"
    write(tmp_path, '[[rule]]\nname = "sources"\npaths = ["src/"]\ndecision = "never"\n')
    said = await replayed()
    assert "was ask, would be never: src/a.py: never by the policy's rule 'sources'" in said
    assert "1 of 1 requests would not leave today" in said

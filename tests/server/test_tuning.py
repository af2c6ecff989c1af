"""The threshold that suits a user is found from what the user did, and chance finds none."""

import asyncio
import json
import random
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from lsprotocol import types
from wicket.completion.chances import SHOWN
from wicket.completion.complete import UNSURE
from wicket.server import processes, settings, stats_verb
from wicket.server.__main__ import parser
from wicket.server.paths import Paths
from wicket.server.stats import store
from wicket.server.stats.figures import Share
from wicket.server.stats.store import Numbers, Row
from wicket.server.stats.tuning import FEWEST, TARGET, WORTH, tuned

from .test_lsp import Editor as ServedEditor
from .test_lsp import initialize, starting
from .test_stats import LINE, Editor, Hurried

NOW = round(100 * SHOWN)
# How likely this user finds a suggestion right that was given a chance.
User = Callable[[float], float]


def below(edge: float, low: float, high: float) -> User:
    return lambda chance: high if chance >= edge else low


def honest(chance: float) -> float:
    return chance


def overrated(chance: float) -> float:
    return chance / 2


def underrated(chance: float) -> float:
    return min(1.0, 0.5 + chance / 2)


def whatever(share: float) -> User:
    return lambda _chance: share


def lived(user: User, count: int, seed: int, now: int = NOW) -> list[Row]:
    """Suggestions shown with `now`, of equally many of each chance."""
    dice = random.Random(seed)
    rows: list[Row] = []
    for at in range(count):
        chance = dice.uniform(now / 100, 1)
        outcome = "accepted" if dice.random() < user(chance) else "rejected"
        number = f"a-{at}"
        rows.append(Row(number, at, "python", "m", "model", "", 0, outcome, chance=chance))
    return rows


def best(user: User, now: int = NOW) -> int:
    """The percent from `now` on with the most gain, reckoned, not drawn."""
    steps = [(n + 0.5) / 1000 for n in range(10 * now, 1000)]
    gains: dict[int, float] = {}
    for least in range(now, 100):
        above = [user(chance) for chance in steps if 100 * chance >= least]
        if sum(above) >= TARGET * len(above):
            gains[least] = sum(above) - WORTH * len(above)
    return max(gains, key=lambda least: gains[least])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("user", "within"),
    [
        (below(0.6, 0.05, 0.5), 5),
        (below(0.8, 0.0, 0.7), 5),
        (below(0.5, 0.1, 0.45), 5),
        (below(0.6, 0.0, 1.0), 5),
        # The share of the right ones grows so slowly here that few events say where it is.
        (overrated, 15),
    ],
)
def test_the_best_threshold_is_found(user: User, within: int, seed: int) -> None:
    found = tuned(lived(user, 3000, seed), NOW)
    assert found.proposed is not None, found.why
    assert abs(found.proposed - best(user)) <= within
    # It holds for suggestions that nobody has seen yet.
    new = [
        row for row in lived(user, 5000, 100 + seed) if 100 * (row.chance or 0) >= found.proposed
    ]
    fresh = Share(sum(row.outcome == "accepted" for row in new), len(new))
    low, high = found.after.bounds
    assert low - 0.03 <= (fresh.value or 0) <= high + 0.03
    assert (fresh.value or 0) > (found.before.value or 0)
    assert found.before.whole == 1000


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("user", [honest, below(0.2, 0.1, 0.8)])
def test_where_enough_is_right_nothing_changes(user: User, seed: int) -> None:
    assert tuned(lived(user, 3000, seed), NOW).proposed is None


@pytest.mark.parametrize("seed", range(4))
def test_down_only_by_a_step_and_with_reason(seed: int) -> None:
    assert tuned(lived(underrated, 3000, seed), NOW).proposed == NOW - 5
    assert tuned(lived(underrated, 3000, seed, 5), 5).proposed is None


def test_chance_finds_nothing() -> None:
    for share in (0.1, 0.3, 0.38, 0.5, 0.9):
        found = [tuned(lived(whatever(share), 1500, seed), NOW) for seed in range(30)]
        # One in forty is what 97.5 % leaves over.
        assert sum(one.proposed is not None for one in found) <= 3, share


def test_few_tell_nothing() -> None:
    rows = lived(below(0.6, 0.0, 1.0), FEWEST, 1)
    assert tuned(rows, NOW).proposed is not None
    for fewer in (
        rows[1:],
        [Row(**{f: getattr(r, f) for f in r.__slots__} | {"manual": 1}) for r in rows],
        [Row(**{f: getattr(r, f) for f in r.__slots__} | {"chance": None}) for r in rows],
        [Row(**{f: getattr(r, f) for f in r.__slots__} | {"outcome": "ignored"}) for r in rows],
    ):
        found = tuned(fewer, NOW)
        assert (found.proposed, found.why) == (None, f"{FEWEST} are needed")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    return Paths.of(
        {f"XDG_{n}_HOME": str(tmp_path / n) for n in ("CONFIG", "STATE")} | {"HOME": "/"}
    )


def run(*arguments: str) -> int:
    return stats_verb.run(parser().parse_args(["stats", *arguments]))


def test_from_an_editor_to_the_setting_and_back(
    home: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody takes what has a chance of 60 % and more, and nothing else."""
    dice = random.Random(1)

    async def session(editor: Editor) -> None:
        for number in range(FEWEST // 3):
            uri = f"file:///place/{number}.py"
            editor.open("x = 1\n", uri)
            editor.chance = dice.uniform(0.15, 1)
            editor.ask(1, 0, LINE, uri=uri)
            await asyncio.sleep(0.3)
            if editor.chance >= 0.6:
                editor.change(1, 0, LINE, uri)
                editor.observer.accepted(str(len(editor.known)))
            else:
                editor.change(1, 0, "x", uri)
            editor.documents.close(uri)

    file = home.stats / store.FILE
    for _ in range(3):
        loop, editor = Hurried(), Editor(file)
        loop.run_until_complete(session(editor))
        loop.close()
        editor.observer.close()

    settings_file = home.user_settings
    settings_file.parent.mkdir(parents=True, exist_ok=True)
    settings_file.write_text("# mine\n[completion]\nmax_lines = 3\n")
    assert run("tune") == 0
    said = capsys.readouterr().out
    assert "To take it: wicket stats tune --apply" in said
    assert "least_chance" not in settings_file.read_text(), "nothing is written unasked"

    assert run("tune", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["known"] == FEWEST
    assert found["written"] is None
    assert found["held_out"]["before"]["value"] < found["held_out"]["after"]["value"]

    assert run("tune", "--apply") == 0
    said = capsys.readouterr().out
    assert f"back with: wicket stats tune --to {NOW}" in said
    written = settings_file.read_text()
    assert written.startswith("# mine\n")
    assert tomllib.loads(written)["completion"]["least_chance"] == found["proposed"]
    assert settings.load(home, None, []).settings.completion.least_chance == found["proposed"]

    assert run("tune", "--to", str(NOW)) == 0
    assert settings.load(home, None, []).settings.completion.least_chance == NOW


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--apply",), 2, "--apply and --to belong to `wicket stats tune`"),
        (("tune", "--apply", "--to", "3"), 2, "say one of them"),
        (("tune", "--picture", "x.svg"), 2, "--picture draws what `wicket stats` tells"),
        (("tune", "--to", "100"), 1, "must be a whole number from 0 to 99"),
    ],
)
def test_mistakes_are_one_line(
    home: Paths,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    assert run(*arguments) == code
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1
    assert not home.user_settings.exists()


def test_with_nothing_known(home: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tune", "--apply") == 0
    said = capsys.readouterr().out
    assert f"No change: {FEWEST} are needed." in said
    assert not home.user_settings.exists()
    store.write(home.stats / store.FILE, Numbers(lived(whatever(0.3), 900, 1)), 1000)
    assert run("tune") == 0
    assert "No change" in capsys.readouterr().out


async def test_the_server_obeys() -> None:
    """What is too unlikely to come by itself, comes with a lower threshold, and not with 99."""
    with tempfile.TemporaryDirectory(prefix="wt", dir="/tmp") as folder:
        client = await starting(folder).start()
        editor = ServedEditor(client)
        await initialize(client, initialization_options={"completion": {"least_chance": 0}})
        await editor.until("ready")
        editor.open("value = 7\nwh")
        at = types.Position(1, 2)
        assert (await editor.ask(at)).items
        why = await editor.explain()
        assert why.chance < SHOWN
        wishes = types.DidChangeConfigurationParams({"completion": {"least_chance": 99}})
        client.workspace_did_change_configuration(wishes)
        other = "file:///home/space/other.py"
        editor.open("value = 7\nwh", other)
        assert not (await editor.ask(at, other)).items
        assert (await editor.explain()).filtered == UNSURE
        await client.shutdown_session()
        await client.stop()
        for found in processes.running(Path(folder) / "wicket"):
            assert processes.stop(found)

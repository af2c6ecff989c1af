"""What masking costs edits, and what becomes of models that spoil a placeholder.

Every edit goes the whole way: gate, log, SDK, wire, validation, file.  How many succeed of more
cases, and why others do not, prints `tests/benchmarks/edit_tax.py`.
"""

import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.escalation.redaction.rules import Pack

from .edit_desk import FILE, EditDesk
from .obedient import cases

SECRET = "sk_live_Zt6Vb9Wn1Lk5Qw2Nz5Xm7Lp1"
TEXT = f"""import os


def charge(amount):
    key = "{SECRET}"
    url = f"https://pay/v1?k={{key}}"
    return post(url, key, amount)
"""
KEPT = """{"do": "rename", "name": "amount", "to": "cents"}"""


@pytest.fixture
async def desk() -> AsyncIterator[EditDesk]:
    with tempfile.TemporaryDirectory(prefix="wt", dir="/tmp") as place:
        async with EditDesk.open(Path(place)) as made:
            yield made


async def test_as_many_edits_succeed_with_redaction_as_without() -> None:
    rows = list(cases(seed=7, count=24))
    found: list[list[str]] = []
    for rules in (None, Pack((), (), "")):
        with tempfile.TemporaryDirectory(prefix="wt", dir="/tmp") as place:
            async with EditDesk.open(Path(place), rules) as desk:
                found.append([await desk.outcome(case) for case in rows])
                masked = "WICKET_" in desk.model.received.partition(">>>end of")[0]
                assert masked == (rules is None), "or nothing would have been compared"
    assert found == [["right"] * len(rows)] * 2, [
        row for row in zip(rows, *found, strict=True) if row[1:] != ("right", "right")
    ]


# What a model makes of `key = "@"`, in which @ is the placeholder and @lower, @cut, ... others
# like it; what the file has then, or why nothing of it is written.
SPOILT: list[tuple[str, str, str, str]] = [
    ("kept", 'key = "@"', 'key = "{}"', ""),
    ("gone", "key = None", "key = None", ""),
    ("other quotation marks", "key = '@'", "key = '{}'", ""),
    ("wrapped", 'key = f("@", 1)', 'key = f("{}", 1)', ""),
    ("on another line", 'pass\n    key = "@"', 'pass\n    key = "{}"', ""),
    ("in a longer text", 'key = "Bearer @"', 'key = "Bearer {}"', ""),
    ("in a longer f-string", 'key = f"{x} @"', 'key = f"{{x}} {}"', ""),
    ("repeated", 'key = "@" or "@"', "", "or not so often"),
    ("in lower case", 'key = "@lower"', "", "altered"),
    ("taken apart", 'key = "@head" + "@tail"', "", "altered"),
    ("cut off", 'key = "@head"', "", "altered"),
    ("in braces", 'key = f"{@}"', "", "no braces"),
    ("a name", "key = @", "", "quotation marks"),
    ("unknown", 'key = "@unknown"', "", "stands for nothing"),
    ("of another exchange", 'key = "@foreign"', "", "altered"),
]


@pytest.mark.parametrize(("name", "made", "has", "why"), SPOILT, ids=[row[0] for row in SPOILT])
async def test_a_placeholder_never_comes_into_a_file(
    desk: EditDesk, name: str, made: str, has: str, why: str
) -> None:
    def twisted(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        (row,) = rows
        (holder,) = re.findall(r"WICKET_\w+", row["new"])
        like = {"@lower": holder.lower(), "@head": holder[:9], "@tail": holder[9:],
                "@unknown": holder.replace("_1_", "_8_"), "@foreign": f"{holder[:-4]}0000",
                "@": holder}  # fmt: skip
        spoilt = made
        for word, text in like.items():
            spoilt = spoilt.replace(word, text)
        return [row | {"new": row["new"].replace(f'key = "{holder}"', spoilt)}]

    desk.model.style, desk.model.twist = "selection", twisted
    said = await desk.edited(TEXT, 4, 7, KEPT)
    file = (desk.folder / FILE).read_text()
    assert "wicket" not in file.lower(), name
    if why:
        assert why in (said or "")
        assert "\n" not in (said or "")
        assert file == TEXT
    else:
        assert said is None
        assert f"    {has.format(SECRET)}\n" in file
        assert "return post(url, key, cents)" in file
    records = desk.world.records("outcome")
    assert [bool(row["data"]["edits"]) for row in records] == ([False, False] if why else [True])


async def test_a_model_that_is_told_may_do_better(desk: EditDesk) -> None:
    """Within the same approval, and what was wrong is in the request that tells it."""
    answers = iter(("_8_", "_1_"))

    def twisted(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [rows[0] | {"new": rows[0]["new"].replace("_1_", next(answers))}]

    desk.model.style, desk.model.twist, desk.model.gives_up = "selection", twisted, False
    assert await desk.edited(TEXT, 4, 7, KEPT) is None
    assert (desk.folder / FILE).read_text() == TEXT.replace("amount", "cents")
    assert "_8_" in desk.model.told
    assert "stands for nothing" in desk.model.told


async def test_what_the_user_wrote_comes_into_the_file(desk: EditDesk) -> None:
    """Though it was masked on the way, and stood nowhere in it."""
    words = '{"do": "insert", "line": 1, "text": "contact = \'maria@bank-nord.de\'"}'
    assert await desk.edited(TEXT, 4, 7, words) is None
    assert "    contact = 'maria@bank-nord.de'\n" in (desk.folder / FILE).read_text()
    assert "maria" not in desk.model.received

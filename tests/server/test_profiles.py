"""Models by language and by trigger, in real engines that the settings start."""

import json

import pytest

from .home import MODEL, Home

PROFILES = """\
[completion.profiles]
written = {model = "mine", languages = ["python"], trigger = "auto"}
asked = {model = "other", trigger = "manual"}
lost = {model = "nowhere", languages = ["go"]}
"""
SOURCE = "def double(number):\n    retur\n"


@pytest.fixture
def home(plain_home: Home) -> Home:
    return plain_home


def test_who_asks_by_hand_gets_the_profiles_model(home: Home) -> None:
    for name in ("mine", "other"):
        arguments = ("--name", name, "--no-test")
        assert home.wicket("model", "import", str(MODEL), *arguments).returncode == 0
    home.configure(PROFILES)
    place = home.file("a.py", SOURCE) + ":2:10"
    said = json.loads(home.wicket("complete", place, "--json").stdout)
    assert (said["model"], bool(said["text"])) == ("other", True)
    (engine,) = json.loads(home.wicket("ps", "--json").stdout)["processes"]
    assert engine["models"] == ["wicket-base", "other"]
    assert "wicket-base  other" in home.wicket("ps").stdout

    # A model that is named answers whatever the profiles say.
    said = json.loads(home.wicket("complete", place, "--json", "--model", "mine").stdout)
    assert said["model"] == "mine"

    told = home.wicket("doctor").stdout
    assert "ok  profile: asked: other for any language, manual" in told
    assert "!!  profile: lost: no model is called nowhere" in told


def test_profiles_of_the_same_model_need_no_shelf(home: Home) -> None:
    home.configure('[completion.profiles]\nx = {model = "wicket-base", trigger = "manual"}\n')
    place = home.file("a.py", SOURCE) + ":2:10"
    said = json.loads(home.wicket("complete", place, "--json").stdout)
    assert said["model"] == "wicket-base"
    (engine,) = json.loads(home.wicket("ps", "--json").stdout)["processes"]
    assert engine["models"] == ["wicket-base"]

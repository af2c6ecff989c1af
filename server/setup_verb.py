"""`wicket setup`: first steps, and a provider to ask: its row, its key, and nothing sent.

What is written is one table of `wicket.toml` and one key; all else keeps its default.
"""

import argparse
import getpass
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.prompt import Prompt

from ..escalation.providers import prices
from . import doctor, key_verb, keys, processes
from .app import Startup, start
from .paths import UnsafePath
from .settings_checks import Unfit, endpoint, is_loopback, plain
from .settings_file import Unwritten, set_user
from .settings_rows import provider_source


@dataclass(frozen=True, slots=True)
class Offer:
    """What one may choose, with what is usual for it; the model is always the user's."""

    name: str
    kind: str
    base_url: str
    tier: str


OFFERS = {
    "anthropic": Offer("claude", "anthropic", "https://api.anthropic.com", "frontier"),
    "openai": Offer("gpt", "openai", "https://api.openai.com/v1", "frontier"),
    "own": Offer("home", "compatible", "http://127.0.0.1:8000/v1", "on-prem"),
}
QUESTION = (
    "A larger model, to ask and to edit with? Nothing leaves without one, nor before you saw it.\n"
    "[b]none[/b], [b]anthropic[/b], [b]openai[/b], or [b]own[/b]: an OpenAI-compatible server"
)


class Given(Exception):
    """What was answered cannot be used; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    # Before a key is in memory, and before libraries look around.
    keys.close_memory()
    startup = start()
    for finding in (doctor.llama(startup), doctor.model(startup)):
        doctor.show(finding)
    print(f"ok  editor: any that speaks LSP starts `{' '.join(processes.command('lsp'))}`")
    names = list(startup.effective.settings.providers)
    try:
        if arguments.provider is None and not sys.stdin.isatty():
            raise Given("answers come from a terminal; without one say --provider and --model")
        if names and arguments.provider is None:
            print(f"ok  provider: {', '.join(names)}; `wicket doctor` looks at them")
            return 0
        return _provider(startup, arguments)
    except (EOFError, KeyboardInterrupt) as ended:
        print("\nwicket setup: nothing more is written", file=sys.stderr)
        return 130 if isinstance(ended, KeyboardInterrupt) else 1
    except (Given, Unwritten, UnsafePath) as error:
        print(f"wicket setup: {error}", file=sys.stderr)
    except keys.NoKey as error:
        print(f"wicket setup: {error}; {error.fix}", file=sys.stderr)
    return 1


def _provider(startup: Startup, arguments: argparse.Namespace) -> int:
    """Ask what was not said, write the row, then keep the key."""
    if "providers" in startup.effective.locked:
        raise Given("the administrator has set the providers; `wicket route ask` shows them")
    choices = ["none", *OFFERS]
    chosen = arguments.provider or Prompt.ask(QUESTION, choices=choices, default="none")
    if chosen == "none":
        print("ok  provider: none; everything stays on this machine")
        return 0
    offer = OFFERS[chosen]
    if offer.name in startup.effective.settings.providers:
        raise Given(
            f"[providers.{offer.name}] is there; change it in {startup.paths.user_settings}"
        )
    base_url = arguments.base_url or (_address(offer) if chosen == "own" else offer.base_url)
    try:
        host = urlsplit(endpoint(base_url)).hostname or ""
        row = {"kind": offer.kind, "base_url": base_url, "model": arguments.model or _model(host)}
        row |= {"tier": _tier(host) if chosen == "own" else offer.tier}
        provider_source(row)
    except Unfit as error:
        raise Given(f"the provider {error}") from None
    key = _key(offer, needed=chosen != "own")
    where = f", its key in the {keys.keep(startup.paths, offer.name, key, None)}" if key else ""
    # A crash here leaves a key that nothing uses; `wicket key list` shows it.
    set_user(startup.paths, f"providers.{offer.name}", row)
    key_verb.stop_gate(startup.paths)
    print(f"ok  provider: {offer.name} is in {startup.paths.user_settings}{where}")
    print(f'      -> wicket ask --provider {offer.name} "What does this project do?"')
    return 0


def _address(offer: Offer) -> str:
    if not sys.stdin.isatty():
        raise Given("say which --base-url")
    return Prompt.ask("Its address", default=offer.base_url)


def _model(host: str) -> str:
    known = prices.models(host)
    shown = f" (with known prices: {', '.join(known)})" if known else ""
    if not sys.stdin.isatty():
        raise Given("say which --model")
    if said := Prompt.ask(f"Its model, by the provider's name for it{shown}").strip():
        return said
    raise Given("a provider needs a model")


def _tier(host: str) -> str:
    """Where the own server stands decides who may get what; a guess would be a leak."""
    if is_loopback(host):
        return "on-prem"
    if not sys.stdin.isatty():
        return "frontier"
    said = Prompt.ask("Is it a machine of your own house?", choices=["yes", "no"], default="no")
    return "on-prem" if said == "yes" else "frontier"


def _key(offer: Offer, needed: bool) -> str:
    """The key, from a prompt that does not show it, or from standard input; "" for none."""
    if sys.stdin.isatty():
        key = getpass.getpass("Its key, not shown" + ("" if needed else ", or nothing") + ": ")
    else:
        key = sys.stdin.read(key_verb.LONGEST)
    if needed and not key.strip():
        raise Given(f"{plain(offer.name)} needs a key; nothing is written")
    return key.strip()

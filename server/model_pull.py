"""`wicket model pull` and `import`: a model brought to this machine, with consent and whole."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from .. import __version__
from ..completion.connection import on_loopback, trusted
from ..completion.engine import BackendError
from ..completion.gguf import BadModel
from ..completion.models import Model, hashes, licence_of, note_path
from ..completion.models import fetching as f
from ..completion.models.catalogue import MODELS, SHIPPED, row_for
from ..completion.models.importing import (
    PART,
    CannotImport,
    adopt,
    allowed_name,
    alone,
    checked,
    default_name,
    import_file,
)
from ..completion.models.licences import question
from ..completion.private import make_private
from . import perimeter, terminal, urls
from .app import Startup
from .paths import Paths
from .tokens import TokenCommand

# What was fetched from which address, and the digest it had the first time.
PINS = ".hashes.json"


class NotAccepted(BadModel):
    """Nobody consented to the licence."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to fetch: `licence` is empty where only the file itself can tell it."""

    name: str
    url: str
    licence: str = ""


def wish(said: str, name: str | None, startup: Startup) -> Wish:
    """What `said`, a model of the table or an address, means.  Raises BadModel."""
    if "://" in said:
        parts = urlsplit(said)
        secure = parts.scheme == "https" or (parts.scheme == "http" and on_loopback(said))
        if not secure or not parts.hostname or "@" in parts.netloc:
            raise BadModel(f"{said[:200]!r} is no https address of a .gguf file")
        return Wish(allowed_name(name or default_name(Path(parts.path))), said)
    row = row_for(said)
    if row is None:
        known = ", ".join(row.name for row in MODELS if row.page)
        raise BadModel(f"no model is called {said[:100]!r}; `pull` knows {known}, or a URL")
    if row is SHIPPED:
        raise BadModel(f"{row.name} ships with Wicket; there is nothing to pull")
    hub = startup.effective.settings.models.endpoint
    url = f"{hub}/{row.repository}/resolve/main/{row.file}"
    return Wish(allowed_name(name or row.name), url, row.licence)


def pull(wish: Wish, startup: Startup, accepted: bool, changed: bool) -> Model:
    """Fetch, check and put into place.

    Raises BadModel, OSError, and KeyboardInterrupt with the part kept.
    """
    if wish.licence:
        consent(wish.name, wish.licence, startup, accepted)
    directory = startup.paths.pulled_models
    target, part = directory / f"{wish.name}.gguf", directory / f"{wish.name}.gguf{PART}"
    make_private(directory)
    with alone(directory):
        if target.exists():
            do = f"`wicket model verify {wish.name}` checks it"
            raise CannotImport(f"{wish.name} is on this machine already; {do}")
        pins = hashes.read_object(directory / PINS)
        pin = "" if changed else str(pins.get(wish.url, ""))
        fetched = _fetch(wish, part, startup, pin)
        try:
            if not wish.licence:
                header, _fim = checked(part)
                licence = licence_of(header, row_for(urlsplit(wish.url).path.rpartition("/")[2]))
                consent(wish.name, licence, startup, accepted)
            model = adopt(part, target, fetched.sha256, urlsplit(wish.url).path.rpartition("/")[2])
        except NotAccepted:
            raise  # The part stays: the same command with consent needs no network.
        except BadModel:
            f.discard(part)
            raise
        f.discard(part)
        _pin(directory, wish.url, fetched.sha256)
    if not fetched.vouched:
        note = "that server names no content hash; the one noted is of what arrived"
        print(f"wicket model pull: {note}", file=sys.stderr)
    return model


def _fetch(wish: Wish, part: Path, startup: Startup, pin: str) -> f.Fetched:
    settings = startup.effective.settings
    proxy, command = settings.network.proxy, settings.models.token_command
    # Behind a proxy that is the only address that is ever reached.
    left = perimeter.enclose([urls.address(proxy or wish.url)])
    bar, task = terminal.transfer(f"pulling {wish.name}")
    with bar:

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        def pause(seconds: float, why: str) -> None:
            bar.console.print(f"{why}; again in {seconds:.0f} s", style="yellow", highlight=False)
            time.sleep(seconds)

        try:
            http = f.client(proxy, trusted(settings.network.ca_file))
            way = f.Way(
                http,
                admit=(lambda _host, _port: None) if proxy else left.admit,
                token=TokenCommand(command) if command else None,
                pause=pause,
                agent=f"wicket/{__version__}",
            )
            with http:
                return f.fetch(wish.url, part, way, pin, show)
        except BackendError as error:
            raise BadModel(f"{error}{f'; {error.fix}' if error.fix else ''}") from None
        except f.CannotFetch as error:
            named = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} & set(os.environ)
            if "cannot be reached" in str(error) and named and not proxy:
                what = f"{error} {min(named)} is not read here: set network.proxy in wicket.toml"
                raise f.CannotFetch(what) from None
            raise


def bring(source: Path, name: str | None, startup: Startup, accepted: bool, link: bool) -> Model:
    """Import a file of this machine.  Raises BadModel."""
    header, _fim = checked(source)
    consent(
        name or default_name(source), licence_of(header, row_for(source.name)), startup, accepted
    )
    bar, task = terminal.transfer(f"importing {source.name}")
    with bar:

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return import_file(source, startup.paths.pulled_models, name, show, link)


def consent(name: str, licence: str, startup: Startup, accepted: bool) -> None:
    """Raises NotAccepted unless the licence is allowed, or somebody accepts it now."""
    asked = question(licence, startup.effective.settings.models.licences)
    if not asked:
        return
    if "models.licences" in startup.effective.locked:
        raise NotAccepted(f"{name}: {asked}; the administrator allows no other licences")
    print(f"{name}: {asked}", file=sys.stderr)
    if accepted:
        return
    if sys.stdin.isatty() and sys.stderr.isatty():
        print("Do you accept that? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
        raise NotAccepted(f"{name} was not accepted; nothing was installed")
    raise NotAccepted(f"{name} needs your consent; read its licence, then say --accept-licence")


def remove(name: str, paths: Paths) -> int:
    """Delete a model that was pulled or imported, or what there is of it; bytes freed.

    Raises BadModel.
    """
    if name == SHIPPED.name:
        raise CannotImport(f"{name} ships with Wicket and stays")
    directory = paths.pulled_models
    target = directory / f"{allowed_name(name)}.gguf"
    part = directory / f"{target.name}{PART}"
    if not target.exists() and not part.exists():
        where = f"is none of those in {directory}; `wicket model list` shows them"
        raise CannotImport(f"{name} {where}")
    with alone(directory):
        freed = f.size_of(target) + f.size_of(part)
        f.discard(part)
        target.unlink(missing_ok=True)
        note_path(target).unlink(missing_ok=True)
        target.with_suffix(".md").unlink(missing_ok=True)  # The card of one that was tuned here.
    return freed


def _pin(directory: Path, url: str, sha256: str) -> None:
    pins = hashes.read_object(directory / PINS) | {url: sha256}
    hashes.write_whole(directory / PINS, hashes.as_json(pins))

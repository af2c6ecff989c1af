"""The models on this machine: what is there, which one a name means, is it intact.

Beside this module stand the model files that ship with the package, each with its card.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import gguf
from ..gguf import BadModel, Gguf, shown
from . import hashes
from .catalogue import MODELS, Row, row_for

# Our own key: `general.languages` of a GGUF holds human languages.
LANGUAGES = "wicket.languages"
# Licences that forbid use at work in one way or another.
RESTRICTED = re.compile(r"non.?commercial|non.?production|research|mnpl|by-nc", re.I)


class UnknownModel(BadModel):
    """No model of this name is on this machine."""


@dataclass(frozen=True, slots=True)
class Model:
    """A file on this machine, or an inference server at `endpoint`.

    A server's token is what `token_command` prints; `ca_file` holds the certificates to
    believe, None meaning the system's.

    `sha256` is empty until the file was hashed; `languages` are LSP identifiers, none
    meaning any; `context` counts tokens, 0 where unknown.  `problem` says in one line
    why the file cannot be used, and is empty where it can.
    """

    name: str
    path: Path = Path()
    sha256: str = ""
    licence: str = ""
    languages: tuple[str, ...] = ()
    context: int = 0
    embedded: bool = False
    endpoint: str | None = None
    token_command: tuple[str, ...] = ()
    ca_file: Path | None = None
    problem: str = ""


def shipped() -> Path:
    """The directory of the models that come with the package."""
    return Path(__file__).parent


def installed(search_path: Sequence[Path], cache: Path | None = None) -> list[Model]:
    """Every model file in these directories; of two with one name the first counts.

    Damaged files are among them, with their `problem`.  `cache` is the JSON file with
    digests of files that have no note beside them; none is computed here.
    """
    found: dict[str, Model] = {}
    for directory in search_path:
        for path in sorted(directory.glob("*.gguf")):
            model = describe(path, cache)
            found.setdefault(model.name, model)
    return list(found.values())


def find(
    name: str,
    search_path: Sequence[Path],
    named: Mapping[str, Mapping[str, str]] | None = None,
    cache: Path | None = None,
    progress: hashes.Progress = hashes.silent,
) -> Model:
    """The model that `name` means: one of the settings' own first, then a file's.

    `named` maps names to {"path": absolute path} or {"endpoint": URL}.  A file that was
    never hashed is hashed now, and the digest noted in `cache`.
    Raises UnknownModel, and BadModel where the file cannot be used.
    """
    if named and name in named:
        model = _named(name, named[name], cache)
    else:
        models = {model.name: model for model in installed(search_path, cache)}
        if name not in models:
            raise UnknownModel(_unknown(name, list(models)))
        model = models[name]
    if model.problem:
        raise BadModel(model.problem)
    if model.sha256 or model.endpoint:
        return model
    try:
        sha256 = hashes.sha256_of(model.path, progress)
    except OSError as error:
        why = f"cannot be read ({error.strerror}); check the disk"
        raise BadModel(f"{shown(model.path)}: {why}") from None
    hashes.remember(model.path, sha256, cache)
    return replace(model, sha256=sha256)


def verify(model: Model, progress: hashes.Progress = hashes.silent) -> str:
    """Read the whole file again; its digest.  Nothing to read at an endpoint: "".

    Raises BadModel where the header or the digest is not what it was.
    """
    if model.endpoint:
        return ""
    gguf.read(model.path)
    try:
        sha256 = hashes.sha256_of(model.path, progress)
    except OSError as error:
        why = f"cannot be read ({error.strerror}); check the disk"
        raise BadModel(f"{shown(model.path)}: {why}") from None
    if model.sha256 and sha256 != model.sha256:
        do = "install wicket again" if model.embedded else "remove it and import it again"
        raise BadModel(
            f"{shown(model.path)}: the file is damaged or was replaced, its sha256 is "
            f"{sha256} and should be {model.sha256}; {do}"
        )
    return sha256


def describe(path: Path, cache: Path | None = None) -> Model:
    """What is known of one file without hashing it.  Never raises BadModel."""
    embedded = path.parent == shipped()
    row = row_for(path.name) or row_for(path.stem)
    name = row.name if row else path.stem
    try:
        header = gguf.read(path, keep=(LANGUAGES,))
        note = read_note(path)
        sha256 = str(note.get("sha256", "")) or hashes.remembered(path, cache)
    except BadModel as error:
        return Model(name, path, embedded=embedded, problem=str(error))
    except OSError as error:
        why = f"{shown(path)}: cannot be read ({error.strerror}); check permissions"
        return Model(name, path, embedded=embedded, problem=why)
    problem = ""
    if note and note.get("size") != header.size:
        problem = f"{shown(path)}: has changed since it was imported; import it again"
    if embedded and row:
        sha256 = row.sha256
        if header.size != row.size:
            problem = f"{shown(path)}: is not the file that was shipped; install again"
    return Model(
        name=name,
        path=path,
        sha256=sha256,
        licence=str(note.get("licence", "")) or licence_of(header, row),
        languages=languages_of(header, row),
        context=header.context,
        embedded=embedded,
        problem=problem,
    )


def licence_of(header: Gguf, row: Row | None) -> str:
    """A licence that restricts the use says so in its first words."""
    if row:
        return row.licence
    own = header.metadata.get("general.license.name")
    licence = shown(own or header.metadata.get("general.license", "not said"))
    if RESTRICTED.search(licence) and not licence.startswith("non-commercial"):
        return f"non-commercial: {licence}"
    return licence


def languages_of(header: Gguf, row: Row | None) -> tuple[str, ...]:
    own = header.arrays.get(LANGUAGES)
    if own is not None:
        return tuple(shown(language) for language in own)
    return row.languages if row else ()


def note_path(path: Path) -> Path:
    """Where the note about an imported model stands."""
    return path.with_suffix(".json")


def read_note(path: Path) -> Mapping[str, Any]:
    """The note beside a model file; empty where there is none or it is damaged."""
    note = hashes.read_object(note_path(path))
    whole = re.fullmatch(r"[0-9a-f]{64}", str(note.get("sha256")))
    return note if whole else {}


def _named(name: str, own: Mapping[str, str], cache: Path | None) -> Model:
    """A model that the settings name."""
    if endpoint := own.get("endpoint"):
        return Model(name, endpoint=endpoint)
    path = Path(own.get("path", "")).expanduser()
    if not path.is_absolute():
        raise BadModel(
            f"engine.models.{shown(name)} has no absolute path and no endpoint; set "
            "one of them in wicket.toml"
        )
    return replace(describe(path, cache), name=name)


def _unknown(name: str, known: Sequence[str]) -> str:
    here = ", ".join(known) or "none"
    if (row := row_for(name)) and row.page:
        return (
            f"{row.name} is not on this machine; get {row.file} from {row.page} and "
            f"run `wicket model import {row.file}`, or use one of: {here}"
        )
    others = ", ".join(r.name for r in MODELS if r.name not in known)
    return (
        f"no model is called {shown(name)}; on this machine: {here}; known and free to "
        f"get: {others}; `wicket model list` shows all"
    )

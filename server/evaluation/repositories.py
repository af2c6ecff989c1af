"""A repository as an evaluation sees it: files to cut holes into, texts to look things up.

Copies, data and secrets are left out, and the report says how many.
"""

import os
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ...completion.earlier import Text
from ...completion.holes import Hole, Source, digest
from ...indexing.memory import InMemory
from .. import exclusions
from ..languages import BY_NAME, BY_SUFFIX, language_of
from ..nearby import distance

# Known by their suffix, but no code.
NO_CODE = ("css", "html", "json", "markdown", "restructuredtext", "toml", "yaml")
CODE = frozenset({*BY_SUFFIX.values(), *BY_NAME.values()}.difference(NO_CODE))
# Folders that hold what others wrote or a program made, where git does not say.
FOREIGN = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
# Bytes; a larger file of code was hardly typed.
LARGEST_FILE = 256 << 10
# Bytes of all files together.
MOST_BYTES = 64 << 20
# Bytes of other files that a completion without a model looks at.
LOOKED_AT = 4 << 20
# A file with a smaller share of letters is a table of data.
LETTERS = 0.5
# A file is a copy if so much of it stands in one other file: then the other would show
# what is hidden in it.  Only lines of some length tell.
COPIED, TELLING_LINE, TELLING_LINES = 0.8, 12, 10


class NoRepository(Exception):
    """A folder in which there is nothing to evaluate; the message is one line."""


@dataclass(frozen=True)
class Repository:
    """`sources` are where holes are made, `texts` what may be looked at besides, by path.

    `revision` is the commit of the texts, "" where git does not know; `left_out` counts
    files by the reason why they are in neither.
    """

    name: str
    sources: tuple[Source, ...]
    texts: Mapping[str, str] = field(repr=False)
    left_out: Mapping[str, int]
    revision: str = ""

    @cached_property
    def hash(self) -> str:
        """Changes with any text that could change an answer."""
        return digest(*(part for path in sorted(self.texts) for part in (path, self.texts[path])))

    def others(self, hole: Hole) -> list[Text]:
        """Texts but that of the hole's own file, the nearest directories first."""
        paths = (path for path in self.texts if path != hole.path)
        found: list[Text] = []
        room = LOOKED_AT
        for path in sorted(paths, key=lambda path: distance(hole.path, path)):
            found.append(Text(path, self._bytes[path]))
            room -= len(self._bytes[path])
            if room <= 0:
                break
        return found

    @cached_property
    def index(self) -> InMemory:
        """What the texts define; what a hole's own file says is for who asks to replace."""
        return InMemory(self.texts)

    @cached_property
    def _bytes(self) -> dict[str, bytes]:
        return {path: text.encode("utf-8", "replace") for path, text in self.texts.items()}


def read(folder: Path, exclude: Sequence[str] = (), commits: int = 0) -> Repository:
    """The repository at `folder`; with `commits` holes come from the lines they added.

    Raises NoRepository.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise NoRepository(f"{folder} is not a folder; name one with source files")
    if commits:
        return _from_history(folder, exclude, commits)
    files, beyond = _files(folder)
    texts, left_out = _readable(files, exclude)
    left_out.update({"more than can be looked at": beyond} if beyond else {})
    if not texts:
        raise NoRepository(f"{folder} holds no source files that can be read")
    sources = (Source(folder.name, path, language_of(path), texts[path]) for path in sorted(texts))
    return Repository(folder.name, tuple(sources), texts, left_out, _revision(folder))


def _from_history(folder: Path, exclude: Sequence[str], commits: int) -> Repository:
    """What may be looked at is as it was before the first of the commits."""
    wanted = ("log", "--no-merges", "--first-parent", f"-{commits}", "--format=%H %P", "--", ".")
    rows = [row.split() for row in _git(folder, *wanted).decode().splitlines()]
    edits = [row for row in rows if len(row) == 2]  # The first commit of all edits nothing.
    if not edits:
        raise NoRepository(f"{folder} has no history to take cursors from; leave --history out")
    base = edits[-1][1]
    texts, left_out = _readable(_tree(folder, base), exclude)
    sources: list[Source] = []
    for commit, parent in edits:
        changed = _git(
            folder, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--relative",
            "--diff-filter=AM", parent, commit,
        )  # fmt: skip
        paths = [path.decode("utf-8", "replace") for path in changed.split(b"\0") if path]
        new = _readable(_blobs(folder, commit, paths), exclude)[0]
        old = _blobs(folder, parent, list(new))
        for path, text in new.items():
            before = _with_lf(old.get(path, b"").decode("utf-8", "replace"))
            language = language_of(path)
            sources.append(Source(folder.name, path, language, text, before, commit[:12]))
    if not sources:
        raise NoRepository(f"the last {commits} commits of {folder} added no code; try more")
    return Repository(folder.name, tuple(sources), texts, left_out, base[:12])


def _files(folder: Path) -> tuple[dict[str, bytes], int]:
    """The contents of files of code, and how many there are beyond `MOST_BYTES`.

    Of a repository too large to be read, any part is as good as another: a hash chooses.
    """
    found: dict[str, bytes] = {}
    beyond, room = 0, MOST_BYTES
    for path in sorted(_listed(folder), key=digest):
        if room > 0:
            found[path] = _bytes_of(folder / path)
            room -= len(found[path])
        else:
            beyond += 1
    return found, beyond


def _listed(folder: Path) -> Iterator[str]:
    """Paths of code below `folder`: those that git tracks, else all but foreign ones."""
    tracked = _git(folder, "ls-files", "-z", "--cached", "--", ".")
    if tracked:
        paths: Iterable[str] = (p.decode("utf-8", "replace") for p in tracked.split(b"\0"))
    else:
        paths = _walked(folder)
    for path in paths:
        file = folder / path
        # A link may lead out of the repository.
        if language_of(path) in CODE and file.is_file() and not file.is_symlink():
            yield path


def _walked(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in FOREIGN)
        for file in sorted(files):
            yield (Path(place) / file).relative_to(folder).as_posix()


def _bytes_of(file: Path) -> bytes:
    """The beginning of a file, one byte more than is wanted of any; empty if unreadable."""
    try:
        with file.open("rb") as opened:
            return opened.read(LARGEST_FILE + 1)
    except OSError:
        return b""


def _readable(
    files: Mapping[str, bytes], exclude: Sequence[str]
) -> tuple[dict[str, str], Counter[str]]:
    """The texts that may be used, and how many may not, by reason."""
    texts: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for path, data in files.items():
        text = _decoded(data)
        if exclusions.excluded(path, exclude):
            left_out["excluded by the settings or secret"] += 1
        elif len(data) > LARGEST_FILE:
            left_out["too large"] += 1
        elif text is None:
            left_out["not UTF-8 text"] += 1
        elif not _written(text):
            left_out["empty, or data"] += 1
        else:
            texts[path] = _with_lf(text)
    for path in _copies(texts):
        del texts[path]
        left_out["a copy of another file"] += 1
    return texts, left_out


def _decoded(data: bytes) -> str | None:
    """None where this is no text, or would not come back as it was."""
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _written(text: str) -> bool:
    """Whether a person may have written this: mostly letters."""
    visible = "".join(text.split())
    letters = sum(letter.isalpha() or letter == "_" for letter in visible)
    return letters > LETTERS * len(visible)


def _copies(texts: Mapping[str, str]) -> list[str]:
    """Files nearly all of whose lines stand in one other file that is kept."""
    lines = {
        path: {line.strip() for line in text.split("\n") if len(line.strip()) >= TELLING_LINE}
        for path, text in texts.items()
    }
    where: defaultdict[str, list[str]] = defaultdict(list)
    copies: list[str] = []
    # The larger of two is kept.
    for path in sorted(lines, key=lambda path: (-len(lines[path]), path)):
        shared = Counter(other for line in lines[path] for other in where[line])
        most = max(shared.values(), default=0)
        if len(lines[path]) >= TELLING_LINES and most >= COPIED * len(lines[path]):
            copies.append(path)
            continue
        for line in lines[path]:
            where[line].append(path)
    return copies


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _revision(folder: Path) -> str:
    """The commit checked out, with a mark where files differ from it."""
    commit = _git(folder, "rev-parse", "--short=12", "HEAD").decode().strip()
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{commit}+" if commit and changed else commit


def _tree(folder: Path, commit: str) -> dict[str, bytes]:
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", ".")
    paths = [path.decode("utf-8", "replace") for path in listed.split(b"\0") if path]
    return _blobs(folder, commit, paths)


def _blobs(folder: Path, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
    """The code among `paths` as it was at `commit`; what was not there is left out."""
    wanted = [path for path in paths if language_of(path) in CODE and "\n" not in path]
    asked = "".join(f"{commit}:./{path}\n" for path in wanted).encode("utf-8", "replace")
    said = _git(folder, "cat-file", "--batch", asked=asked)
    found: dict[str, bytes] = {}
    at = 0
    for path in wanted:
        head, at = said[at : said.index(b"\n", at)], said.index(b"\n", at) + 1
        # "ID blob SIZE", or "NAME missing".
        fields = head.rsplit(b" ", 2)
        if fields[-1] == b"missing":
            continue
        size = int(fields[-1])
        if fields[1] == b"blob":
            found[path] = said[at : at + size]
        at += size + 1
    return found


def _git(folder: Path, *arguments: str, asked: bytes = b"") -> bytes:
    """What git says, nothing where it fails or is not there.

    The repository may be somebody else's: none of its programs is run.
    """
    quiet = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    try:
        return subprocess.run(
            ["git", *quiet, "-C", str(folder), *arguments],
            input=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        ).stdout
    except OSError:
        return b""

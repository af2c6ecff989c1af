"""The models on a machine: found, checked, imported, and never half there."""

import fcntl
import hashlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from wicket.completion import models
from wicket.completion.formats import FAMILIES
from wicket.completion.gguf import BadModel
from wicket.completion.models import LANGUAGES, Model, UnknownModel, hashes
from wicket.completion.models.catalogue import MODELS, SHIPPED, row_for
from wicket.completion.models.importing import CannotImport, import_file

from .gguf_files import F32, Raw, Value, Weights, byte_level, write

MARKERS = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
MADE = byte_level(MARKERS, name="Qwen2.5 Coder tiny") | {"general.license": "mit"}
# More than the padding before the weights takes up.
LARGER: dict[str, Value | Raw] = {"x": "y" * 99}
# Three chunks of copying.
TENSOR = Weights("blk.0.weight", (1 << 10, 700), F32, size=700 << 12)


def model_file(path: Path, made: dict[str, Value | Raw] = MADE, *tensors: Weights) -> Path:
    return write(path, made, tensors or (TENSOR,))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def listing(directory: Path) -> list[str]:
    """Everything in a directory, hidden files too."""
    return sorted(os.listdir(directory)) if directory.exists() else []


def never(_done: int, _total: int) -> None:
    """Progress of a hashing that must not happen."""
    pytest.fail("the file was read as a whole")


def refused(call: Callable[[], object], *parts: str) -> str:
    """`call` fails with one line that contains `parts`."""
    with pytest.raises(BadModel) as error:
        call()
    line = str(error.value)
    assert line.isprintable()
    for part in parts:
        assert part in line
    return line


class TestShipped:
    def test_it_is_found_without_reading_it_whole(self) -> None:
        model = models.find("wicket-base", [models.shipped()], progress=never)
        assert model.path == models.shipped() / "wicket-base-q8_0.gguf"
        assert (model.embedded, model.endpoint, model.context) == (True, None, 1024)
        assert (model.licence, model.languages) == ("Apache-2.0", ("python",))
        assert model.sha256 == SHIPPED.sha256

    def test_it_is_the_file_that_its_card_describes(self) -> None:
        """The real digest of the real file is the one in the catalogue and the card."""
        model = models.find("wicket-base", [models.shipped()])
        assert models.verify(model) == SHIPPED.sha256
        assert model.path.stat().st_size == SHIPPED.size
        assert SHIPPED.sha256 in (models.shipped() / "CARD.md").read_text()

    def test_damage_is_noticed(self, tmp_path: Path) -> None:
        """One changed bit in the weights."""
        model = models.find("wicket-base", [models.shipped()])
        data = bytearray(model.path.read_bytes())
        data[-1000] ^= 1
        copy = tmp_path / "copy.gguf"
        copy.write_bytes(data)
        line = refused(lambda: models.verify(replace(model, path=copy)))
        assert "damaged or was replaced" in line
        assert line.endswith("install wicket again")


class TestCatalogue:
    def test_rows_are_consistent(self) -> None:
        assert len({row.name for row in MODELS}) == len(MODELS)
        assert len({row.file.lower() for row in MODELS}) == len(MODELS)
        families = {family.name for family in FAMILIES}
        for row in MODELS:
            assert row.family in families
            assert row.size < row.memory
            assert row.file.endswith(".gguf")
            assert row_for(row.file.upper()) is row_for(row.name) is row

    def test_no_checksum_is_invented(self) -> None:
        """Only the file that we made has one; only it needs no page to get it from."""
        assert [row.name for row in MODELS if row.sha256] == ["wicket-base"]
        assert [row.name for row in MODELS if not row.page] == ["wicket-base"]

    def test_a_restricted_licence_says_so_first(self) -> None:
        row = row_for("qwen2.5-coder-3b")
        assert row
        assert row.licence.startswith("non-commercial")


class TestImport:
    def test_the_file_arrives_whole_with_its_note(self, tmp_path: Path) -> None:
        source = model_file(tmp_path / "My Model (1).gguf")
        directory = tmp_path / "new" / "models"
        seen: list[tuple[int, int]] = []
        model = import_file(source, directory, progress=lambda *at: seen.append(at))
        assert listing(directory) == ["My-Model-1.gguf", "My-Model-1.json"]
        assert model.path.read_bytes() == source.read_bytes()
        assert model == Model(
            "My-Model-1",
            directory / "My-Model-1.gguf",
            digest(source),
            "mit",
            context=2048,
        )
        assert seen[-1] == (source.stat().st_size,) * 2
        assert len(seen) == 3
        assert json.loads((directory / "My-Model-1.json").read_text()) == {
            "name": "My-Model-1",
            "sha256": digest(source),
            "size": source.stat().st_size,
            "family": "qwen2.5-coder",
            "licence": "mit",
            "languages": [],
            "context": 2048,
            "source": "My Model (1).gguf",
        }
        assert models.find("My-Model-1", [directory], progress=never) == model
        assert models.verify(model) == digest(source)

    @pytest.mark.parametrize(("directory", "file"), [(0o700, 0o600), (0o755, 0o644)])
    def test_permissions_follow_the_directory(
        self, directory: int, file: int, tmp_path: Path
    ) -> None:
        """What everybody may list everybody may read, and nobody else's else."""
        folder = tmp_path / "models"
        folder.mkdir()
        folder.chmod(directory)
        model = import_file(model_file(tmp_path / "a.gguf"), folder)
        for path in folder.iterdir():
            assert path.stat().st_mode & 0o777 == file
        assert model.name == "a"

    def test_a_known_file_gets_its_name_and_licence_from_the_catalogue(
        self, tmp_path: Path
    ) -> None:
        row = row_for("qwen2.5-coder-3b")
        assert row
        model = import_file(model_file(tmp_path / row.file), tmp_path / "models")
        assert (model.name, model.licence) == (row.name, row.licence)

    def test_other_licences_that_restrict_say_so_first(self, tmp_path: Path) -> None:
        made = MADE | {"general.license": "other", "general.license.name": "mnpl"}
        model = import_file(model_file(tmp_path / "a.gguf", made), tmp_path / "models")
        assert model.licence == "non-commercial: mnpl"

    def test_languages_come_from_our_own_key(self, tmp_path: Path) -> None:
        """`general.languages` holds human languages."""
        made = MADE | {LANGUAGES: ["python", "go"], "general.languages": ["en"]}
        model = import_file(model_file(tmp_path / "a.gguf", made), tmp_path / "models")
        assert model.languages == ("python", "go")

    def test_the_same_file_again_changes_nothing(self, tmp_path: Path) -> None:
        source = model_file(tmp_path / "a.gguf")
        first = import_file(source, tmp_path / "models")
        before = first.path.stat()
        assert import_file(source, tmp_path / "models") == first
        assert first.path.stat() == before
        # A note that a crash kept from being written is made good.
        (tmp_path / "models" / "a.json").unlink()
        assert import_file(source, tmp_path / "models") == first
        assert listing(tmp_path / "models") == ["a.gguf", "a.json"]

    def test_another_file_is_not_overwritten(self, tmp_path: Path) -> None:
        """Neither one of another size nor one of the same size."""
        kept = import_file(model_file(tmp_path / "a.gguf"), tmp_path / "models")
        before = digest(kept.path)
        for made in (MADE | {"general.license": "mi2"}, MADE | LARGER):
            other = model_file(tmp_path / "other.gguf", made)
            line = refused(lambda o=other: import_file(o, tmp_path / "models", "a"))
            assert "another file is already imported as a;" in line
        assert digest(kept.path) == before
        assert listing(tmp_path / "models") == ["a.gguf", "a.json"]


REFUSED = [
    ("not a model", lambda p: p.write_text("hello") and p, "not a GGUF file"),
    ("no markers", lambda p: model_file(p, byte_level(["<s>"])), "no fill-in-the"),
    ("vocabulary", lambda p: write(p, MADE), "a vocabulary and no weights"),
    ("part", lambda p: model_file(p, MADE | {"split.count": 2}), "one of 2 parts"),
    ("missing", lambda p: p, "no such file"),
]


@pytest.mark.parametrize(("name", "make", "why"), REFUSED, ids=lambda c: str(c)[:12])
def test_unusable_files_are_refused_before_anything_is_written(
    name: str, make: Callable[[Path], Path], why: str, tmp_path: Path
) -> None:
    source = make(tmp_path / "model.gguf")
    refused(lambda: import_file(source, tmp_path / "models"), "model.gguf", why)
    assert listing(tmp_path / "models") == []


@pytest.mark.parametrize(
    "name", ["../a", "a/b", ".a", "-a", "a\nb", "wicket-base", "a" * 101, "ä", " "]
)
def test_names_that_are_not_allowed(name: str, tmp_path: Path) -> None:
    source = model_file(tmp_path / "model.gguf")
    refused(lambda: import_file(source, tmp_path / "models", name), "cannot be the name")
    assert listing(tmp_path / "models") == []


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    source = model_file(tmp_path / "model.gguf")
    os.truncate(source, source.stat().st_size - 10)
    refused(lambda: import_file(source, tmp_path / "models"), "10 bytes", "missing")
    assert listing(tmp_path / "models") == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The kernel lets this process write no further than `size` bytes into a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path) -> None:
    """The kernel refuses the write in the middle of the file."""
    source = model_file(tmp_path / "model.gguf")
    with largest_file(3 << 19):
        line = refused(lambda: import_file(source, tmp_path / "models"))
    assert line.startswith("no room for model in ")
    assert "free some space" in line
    assert listing(tmp_path / "models") == []


def test_a_file_larger_than_the_free_space_is_not_begun(tmp_path: Path) -> None:
    """Eight terabytes, all of them a hole."""
    size = 8 << 40
    tensor = Weights("blk.0.weight", (1 << 20, size >> 22), F32, size=size)
    source = model_file(tmp_path / "model.gguf", MADE, tensor)
    with largest_file(1 << 20):
        line = refused(lambda: import_file(source, tmp_path / "models"))
    assert f"takes {size >> 20} MB and " in line
    assert listing(tmp_path / "models") == []


def test_a_source_that_changes_while_it_is_copied(tmp_path: Path) -> None:
    source = model_file(tmp_path / "model.gguf")

    def cut(done: int, _total: int) -> None:
        os.truncate(source, done)

    call = lambda: import_file(source, tmp_path / "models", progress=cut)  # noqa: E731
    refused(call, "model.gguf: changed while it was copied")
    assert listing(tmp_path / "models") == []


KILLED = """
import os, signal, sys
from pathlib import Path
from wicket.completion.models.importing import import_file

def die(done, total):
    os.kill(os.getpid(), signal.SIGKILL)

import_file(Path(sys.argv[1]), Path(sys.argv[2]), progress=die)
"""


def test_a_killed_import_leaves_no_model(tmp_path: Path) -> None:
    """Its hidden copy is neither found nor kept by the next import."""
    source = model_file(tmp_path / "model.gguf")
    directory = tmp_path / "models"
    command = [sys.executable, "-c", KILLED, str(source), str(directory)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (left,) = listing(directory)
    assert left.startswith(".model.")
    assert models.installed([directory]) == []
    import_file(source, directory)
    assert listing(directory) == ["model.gguf", "model.json"]


def test_directories_are_private_from_the_first_one_made(tmp_path: Path) -> None:
    """What keeps keys and logs below the same one refuses to where others may enter."""
    directory = tmp_path / "share" / "wicket" / "models"
    import_file(model_file(tmp_path / "model.gguf"), directory)
    for made in (directory, directory.parent, directory.parent.parent):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_one_import_at_a_time(tmp_path: Path) -> None:
    """The copy of a running import is not taken for a dead one's."""
    source = model_file(tmp_path / "model.gguf")
    directory = tmp_path / "models"
    directory.mkdir()
    (directory / ".model.x.part").write_text("of the other import")
    handle = os.open(directory, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    refused(lambda: import_file(source, directory), "an import into", "is running")
    assert listing(directory) == [".model.x.part"]
    os.close(handle)
    import_file(source, directory)
    assert listing(directory) == ["model.gguf", "model.json"]


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    source = model_file(tmp_path / "model.gguf")
    with pytest.raises(CannotImport, match="model was not imported: ") as error:
        import_file(source, tmp_path / "models")
    assert str(error.value).isprintable()


class TestInstalled:
    def test_the_first_directory_wins_and_damage_is_told(self, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        one.mkdir()
        two.mkdir()
        model_file(one / "a.gguf")
        model_file(two / "a.gguf", MADE | {"general.license": "other"})
        (two / "b.gguf").write_text("no model")
        (two / "c.txt").write_text("no model")
        found = models.installed([one, tmp_path / "missing", two])
        assert [(m.name, m.licence, bool(m.problem)) for m in found] == [
            ("a", "mit", False),
            ("b", "", True),
        ]
        refused(lambda: models.find("b", [one, two]), "b.gguf: not a GGUF file")

    def test_nothing_stands_before_the_shipped_model(self, tmp_path: Path) -> None:
        """A file that takes its name in a later directory is not reached."""
        model_file(tmp_path / "wicket-base.gguf")
        model_file(tmp_path / "wicket-base-q8_0.gguf")
        path = [models.shipped(), tmp_path]
        assert models.find("wicket-base", path).embedded
        assert len(models.installed(path)) == 1

    def test_unknown_names(self, tmp_path: Path) -> None:
        """What is known but not here is said with the place to get it from."""
        path = [models.shipped(), tmp_path]
        with pytest.raises(UnknownModel, match="no model is called gpt; on this") as error:
            models.find("gpt", path)
        assert "qwen2.5-coder-1.5b" in str(error.value)
        line = refused(lambda: models.find("qwen2.5-coder-0.5b", path))
        assert "not on this machine; get qwen2.5-coder-0.5b-q8_0.gguf from https" in line
        assert "use one of: wicket-base" in line


class TestNamed:
    def test_the_settings_name_files_and_servers(self, tmp_path: Path) -> None:
        file = model_file(tmp_path / "a.gguf")
        named = {
            "mine": {"path": str(file)},
            "team": {"endpoint": "https://box:8000", "token_command": "pass box"},
            "wicket-base": {"path": str(file)},
            "relative": {"path": "a.gguf"},
            "empty": {},
            "gone": {"path": str(tmp_path / "gone.gguf")},
        }
        path = [models.shipped()]
        mine = models.find("mine", path, named)
        assert (mine.name, mine.path, mine.sha256) == ("mine", file, digest(file))
        team = models.find("team", path, named, progress=never)
        assert team == Model("team", endpoint="https://box:8000")
        assert models.verify(team) == ""
        assert not models.find("wicket-base", path, named).embedded
        refused(lambda: models.find("relative", path, named), "no absolute path")
        refused(lambda: models.find("empty", path, named), "engine.models.empty")
        refused(lambda: models.find("gone", path, named), "no such file")


class TestDigests:
    def test_a_file_without_a_note_is_hashed_once(self, tmp_path: Path) -> None:
        path = model_file(tmp_path / "a.gguf")
        cache = tmp_path / "cache" / "hashes.json"
        assert models.installed([tmp_path], cache)[0].sha256 == ""
        assert models.find("a", [tmp_path], cache=cache).sha256 == digest(path)
        again = models.find("a", [tmp_path], cache=cache, progress=never)
        assert again.sha256 == models.installed([tmp_path], cache)[0].sha256
        assert cache.stat().st_mode & 0o777 == 0o600

    def test_a_changed_file_is_hashed_again(self, tmp_path: Path) -> None:
        """Another time, size or inode under the same name."""
        path, cache = model_file(tmp_path / "a.gguf"), tmp_path / "hashes.json"

        def touched() -> None:
            os.utime(path, ns=(1, path.stat().st_mtime_ns + 1))

        def grown() -> None:
            state = path.stat()
            model_file(path, MADE | LARGER)
            os.utime(path, ns=(1, state.st_mtime_ns))

        def moved() -> None:
            state = path.stat()
            os.rename(model_file(tmp_path / "b", MADE | {"x": "z" * 99}), path)
            os.utime(path, ns=(1, state.st_mtime_ns))

        for change in (touched, grown, moved):
            models.find("a", [tmp_path], cache=cache)
            assert hashes.remembered(path, cache) == digest(path)
            change()
            assert hashes.remembered(path, cache) == ""
            assert models.find("a", [tmp_path], cache=cache).sha256 == digest(path)

    def test_files_that_are_gone_are_forgotten(self, tmp_path: Path) -> None:
        cache = tmp_path / "hashes.json"
        for name in ("a", "b"):
            model_file(tmp_path / f"{name}.gguf")
            models.find(name, [tmp_path], cache=cache)
            (tmp_path / f"{name}.gguf").unlink()
        model_file(tmp_path / "c.gguf")
        models.find("c", [tmp_path], cache=cache)
        assert list(json.loads(cache.read_text())) == [str(tmp_path / "c.gguf")]

    @pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"a": 1}'])
    def test_a_damaged_cache_costs_only_time(self, content: bytes, tmp_path: Path) -> None:
        path, cache = model_file(tmp_path / "a.gguf"), tmp_path / "hashes.json"
        cache.write_bytes(content)
        assert models.find("a", [tmp_path], cache=cache).sha256 == digest(path)
        assert models.find("a", [tmp_path], cache=cache, progress=never)

    def test_a_cache_that_cannot_be_written_costs_only_time(self, tmp_path: Path) -> None:
        path, cache = model_file(tmp_path / "a.gguf"), tmp_path / "directory"
        cache.mkdir()
        assert models.find("a", [tmp_path], cache=cache).sha256 == digest(path)
        assert listing(tmp_path) == ["a.gguf", "directory"]


class TestNote:
    def test_a_file_replaced_after_its_import(self, tmp_path: Path) -> None:
        """Another size is seen at once, other bytes of the same size by `verify`."""
        model = import_file(model_file(tmp_path / "a.gguf"), tmp_path / "models")
        model_file(model.path, MADE | {"general.license": "mi2"})
        found = models.find(model.name, [tmp_path / "models"])
        refused(lambda: models.verify(found), "replaced", "import it again")
        model_file(model.path, MADE | LARGER)
        refused(
            lambda: models.find(model.name, [tmp_path / "models"]),
            "changed since it was imported",
        )

    @pytest.mark.parametrize("note", ["", "[]", "{", '{"sha256": "../../etc"}', "{}"])
    def test_a_damaged_note_is_no_note(self, note: str, tmp_path: Path) -> None:
        path = model_file(tmp_path / "a.gguf")
        (tmp_path / "a.json").write_text(note)
        assert models.find("a", [tmp_path]).sha256 == digest(path)

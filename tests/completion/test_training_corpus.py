"""What a corpus is made of: licences, held-out packages, copies, and what machines wrote."""

import hashlib
import http.server
import io
import json
import re
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from wicket.completion.training import archives, corpus, curve, manifest, parts
from wicket.completion.training.__main__ import MANIFEST
from wicket.completion.training.manifest import BadManifest, Row
from wicket.completion.training.shingles import Seen, few, shingles
from wicket.completion.training.sizes import SIZES

ROOT = Path(__file__).parents[2]
ZEROS = "0" * 64


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-2.0-or-later", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("(MIT OR GPL-3.0-only) AND ISC", True),
        ("MIT AND (GPL-2.0-only OR LGPL-2.1-only)", False),
        ("Apache-2.0 AND GPL-2.0-only", False),
        ("LGPL-2.1-only", False),
        ("MPL-2.0", False),
        ("AGPL-3.0-or-later", False),
        ("BUSL-1.1", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT License", False),
        ("", False),
    ],
)
def test_permissive_licences_alone(expression: str, allowed: bool) -> None:
    assert manifest.permissive(expression) is allowed


@pytest.mark.parametrize(
    ("name", "licence", "why"),
    [
        ("gensim", "LGPL-2.1-only", "LGPL-2.1-only"),
        ("hypothesis", "MPL-2.0", "MPL-2.0"),
        ("httpx2", "BSD-3-Clause", "httpx"),
        ("httpcore2", "BSD-3-Clause", "httpx"),
        ("Quart", "MIT", "flask"),
        ("asyncclick", "BSD-3-Clause", "click"),
        ("rich_click", "MIT", "click"),
        ("niquests", "Apache-2.0", "requests"),
        ("Jinja2", "BSD-3-Clause", "jinja2"),
        ("requests", "Apache-2.0", "requests"),
        ("django", "BSD-3-Clause", ""),
    ],
)
def test_what_no_model_is_trained_on(name: str, licence: str, why: str) -> None:
    said = manifest.refusal(Row(name, "1", licence, ZEROS))
    assert (why in said) if why else said == ""


def test_the_manifest_that_ships() -> None:
    """Every row is allowed, pinned, and none is a held-out package by another name."""
    rows = manifest.read(MANIFEST)
    assert {"gensim", "hypothesis"}.isdisjoint(row.name for row in rows)
    assert {row.name for row in rows if row.use != "train"} == set(manifest.HELD)
    assert len({row.name for row in rows}) == len(rows) > 50
    measures = "requests httpx click flask starlette rich attrs jinja2 werkzeug fastapi pygls"
    assert {*measures.split(), "lsprotocol"} == set(manifest.HELD)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no [[package]] tables"),
        ("[[package", "no TOML"),
        ('[[package]]\nname = "a"', "needs name, version"),
        (
            f'[[package]]\nname="a"\nversion="1"\nlicence="MIT"\nsha256="{ZEROS}"\nurl="x"',
            "unknown",
        ),
        ('[[package]]\nname="a"\nversion="1"\nlicence="MIT"\nsha256="0"', "64"),
        (f'[[package]]\nname="a"\nversion="1"\nlicence="GPL-3.0-only"\nsha256="{ZEROS}"', "GPL"),
    ],
)
def test_manifests_that_are_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(BadManifest, match=re.escape(why)):
        manifest.read(path)


@pytest.mark.parametrize(
    ("metadata", "refused"),
    [
        ("License-Expression: MIT", False),
        ("License-Expression: LGPL-2.1-only", True),
        ("Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("Classifier: License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", True),
        ("License-Expression: Apache-2.0 OR GPL-2.0-or-later", False),
        ("License: BSD\n        License: GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ('{\n  "license": "AGPL-3.0"\n}', True),
        ("Summary: not about the GPL", False),
    ],
)
def test_an_archive_that_contradicts_its_row(metadata: str, refused: bool) -> None:
    assert bool(manifest.contradiction(Row("a", "1", "MIT", ZEROS), metadata)) is refused


def source(seed: int, lines: int = 60) -> str:
    """Code like no other with another seed."""
    return "".join(
        f"def name_{seed}_{n}(value_{seed}):\n    return value_{seed} + {n * seed}\n"
        for n in range(lines)
    )


def wheel(path: Path, files: Mapping[str, str], licence: str = "MIT") -> str:
    with zipfile.ZipFile(path, "w") as opened:
        for name, text in files.items():
            opened.writestr(name, text)
        opened.writestr("a-1.dist-info/METADATA", f"Name: a\nLicense-Expression: {licence}\n\nx")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def built(folder: Path, files: Mapping[str, str], held: str = "") -> corpus.Corpus:
    rows = [Row("a", "1", "MIT", wheel(folder / "a-1-py3-none-any.whl", files))]
    if held:
        digest = wheel(folder / "click-1-py3-none-any.whl", {"click/core.py": held})
        rows.append(Row("click", "1", "BSD-3-Clause", digest, use="validate"))
    return corpus.build(rows, folder)


def test_what_is_left_out(tmp_path: Path) -> None:
    files = {
        "a/own.py": source(1),
        "a/copy.py": source(1).replace("\n", "\n\n") + "\nlast = 1\n",
        "a/_vendor/other.py": source(2),
        "a/thing_pb2.py": source(3),
        "a/made.py": '"""Generated by a tool."""\n' + source(4),
        "a/data.py": "x = [" + "1, " * 600 + "]\n",
        "a/short.py": "x = 1\n",
        "a/latin.py": source(5),
        "a/notes.md": source(6),
    }
    found = built(tmp_path, files)
    assert [document.path for document in found.train] in (
        ["a/own.py", "a/latin.py"],
        ["a/latin.py", "a/own.py"],
    )
    assert sum(found.account.left_out.values()) == 6


def test_a_copy_of_a_held_out_file_is_found_by_its_content(tmp_path: Path) -> None:
    """Renamed as asyncclick renames click, with other names put in, wrapped anew."""
    held = (ROOT / "completion/families.py").read_text()
    port = held.replace("def token_ids", "async def token_ids").replace("vocabulary", "words")
    part = source(7, 10) + held[: len(held) // 2]
    files = {"a/port.py": port, "a/part.py": part, "a/own.py": source(8)}
    found = built(tmp_path, files, held)
    assert [document.path for document in found.train] == ["a/own.py"]
    assert found.account.left_out["like a held-out file"] == 2
    assert [document.path for document in found.validate] == ["click/core.py"]


def test_files_that_have_little_in_common_are_kept() -> None:
    one, other = (
        shingles((ROOT / "completion" / name).read_text()) for name in ("holes.py", "tiers.py")
    )
    seen = Seen()
    seen.add(one)
    assert seen.share(other) < 0.02
    assert seen.share(one) == 1
    assert 0.02 < len(few(one)) / len(one) < 0.12


def test_an_archive_must_be_the_pinned_one(tmp_path: Path) -> None:
    digest = wheel(tmp_path / "a-1.whl", {"a/own.py": source(1)})
    assert archives.archive(Row("a", "1", "MIT", digest), tmp_path, False)
    with pytest.raises(BadManifest, match="put it there, or say --fetch"):
        archives.archive(Row("a", "1", "MIT", ZEROS), tmp_path, False)


def test_an_archive_with_another_licence_stops_everything(tmp_path: Path) -> None:
    digest = wheel(tmp_path / "a-1.whl", {"a/own.py": source(1)}, "GPL-3.0-only")
    with pytest.raises(BadManifest, match="GPL"):
        corpus.build([Row("a", "1", "MIT", digest)], tmp_path)


def packed(files: Mapping[str, str]) -> bytes:
    """An archive as npm and crates make them: everything is in a first folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as opened:
        for name, text in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(text.encode())
            opened.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()


def test_npm_and_crates_come_as_tar(tmp_path: Path) -> None:
    data = packed({"a/own.py": source(1)})
    (tmp_path / "a-1.tgz").write_bytes(data)
    row = Row("a", "1", "MIT", hashlib.sha256(data).hexdigest(), registry="npm")
    assert dict(archives.files(row, tmp_path, False)) == {"a/own.py": source(1).encode()}


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
def test_npm_fetches_what_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real client, and a registry on this machine; scripts of the package do not run."""
    about = {
        "name": "@some/thing", "version": "1.2.0", "scripts": {"prepack": "touch ran"},
    }  # fmt: skip
    data = packed({"package.json": json.dumps(about), "a.js": "const a = 1;\n" * 40})

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = f"http://127.0.0.1:{self.server.server_port}"  # pyright: ignore
            dist = {"tarball": f"{host}/thing.tgz", "shasum": hashlib.sha1(data).hexdigest()}
            one = {"name": about["name"], "version": "1.2.0", "dist": dist}
            known = {"name": about["name"], "versions": {"1.2.0": one}, "dist-tags": {}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data if self.path.endswith(".tgz") else json.dumps(known).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        digest = hashlib.sha256(data).hexdigest()
        row = Row("@some/thing", "1.2.0", "MIT", digest, registry="npm")
        found = dict(archives.files(row, tmp_path / "archives", True))
        missing = Row("@some/thing", "9.0.0", "MIT", ZEROS, registry="npm")
        with pytest.raises(BadManifest, match=r"npm gave no @some/thing 9\.0\.0"):
            archives.archive(missing, tmp_path / "archives", True)
        server.shutdown()
    assert set(found) == {"package.json", "a.js"}
    assert [path.name for path in (tmp_path / "archives").iterdir()] == ["some-thing-1.2.0.tgz"]


@pytest.mark.parametrize(
    ("paths", "kept"),
    [
        # What a compiler made stands beside what it was made from, or elsewhere.
        (("src/a.ts", "a.js", "a.d.ts", "a.mjs", "a.d.mts"), ["src/a.ts"]),
        # Somebody typed the script, and its declaration by hand.
        (("index.js", "index.d.ts"), ["index.js"]),
        (("src/a.ts", "tool.js"), ["src/a.ts", "tool.js"]),
    ],
)
def test_what_a_compiler_wrote_is_left_out(paths: tuple[str, ...], kept: list[str]) -> None:
    row = Row("a", "1", "MIT", ZEROS, registry="npm")
    found = {path: f"// {path}\n{'const value = other(1);' * 2}\n".encode() * 9 for path in paths}
    account = corpus.Account()
    languages = ("javascript", "typescript")
    assert [one.path for one in corpus.documents(row, found, languages, account)] == kept


@pytest.mark.parametrize("size", [0, 1_000, 10_000_000])
def test_a_corpus_comes_back_from_its_parts(tmp_path: Path, size: int) -> None:
    made = built(tmp_path, {f"a/{n}.py": source(n) for n in range(1, 9)}, source(99))
    written = corpus.save(made, tmp_path / "c.xz", size)
    assert (len(written) > 1) == (size == 1_000)
    back = corpus.load(tmp_path / "c.xz")
    assert (back.train, back.validate, back.rows) == (made.train, made.validate, made.rows)
    assert back.account == made.account
    if len(written) > 1:
        written[1].unlink()
        with pytest.raises(BadManifest, match="parts do not make the whole"):
            corpus.load(tmp_path / "c.xz")


def test_parts_replace_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    parts.write(path, b"x" * 100, 30)
    parts.write(path, b"y" * 50, 30)
    assert parts.read(path) == b"y" * 50
    parts.write(path, b"z")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_the_sizes_are_what_they_are_called() -> None:
    """Parameters within a tenth of the name; widths that every kind of number can pack."""
    for name, size in SIZES.items():
        if name != "toy":
            assert abs(size.parameters / 1e6 / float(name[:-1]) - 1) < 0.1, size.parameters
            assert size.width % 256 == size.hidden % 256 == 0
        assert size.vocabulary % 32 == size.width % 32 == 0
        assert size.seconds(1e12) > 0


def test_a_picture_of_a_record() -> None:
    record = [
        {"step": 20, "tokens": 1000, "loss": 5.0},
        {"step": 40, "tokens": 2000, "loss": 4.0, "validation": 4.2, "answers": 3.9},
    ]
    drawn = curve.drawn(record, "wicket-toy")
    assert drawn.count("stroke-width='2'") == 3
    assert "wicket-toy: loss, nats per token<" in drawn
    both = curve.drawn([*record, {"step": 50, "exact": 0.2, "low": 0.1, "high": 0.4}], "x")
    assert "x: loss, nats per token and exact match, %<" in both
    assert ">40.00<" in both
    assert "NaN" not in curve.drawn([], "nothing")


def test_no_part_of_the_product_imports_training() -> None:
    for room in ("server", "completion", "indexing", "escalation"):
        for file in (ROOT / room).rglob("*.py"):
            place = file.relative_to(ROOT).as_posix()
            if not place.startswith(("completion/training/", "server/model_tune.py")):
                assert not re.search(r"^\s*(from|import)\b.*\btraining\b", file.read_text(), re.M)

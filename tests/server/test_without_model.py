"""A plain `pip install .`, without the extra: it starts, says what is missing, and mends it.

The environment is real: a virtual environment that holds everything but llama-cpp-python
and numpy, into which the real pip installs the wheel that was built for this machine.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.server import build, processes
from wicket.server.paths import Paths

# What chooses tokens, or weighs them; all else has to do without.
NEEDS_NUMPY = ("__main__", ".llama", ".scoring", ".local", ".decoding", ".guides", ".mixture")
NEEDS_NUMPY += (".drafts", ".continuations", ".suffixes")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wicket-dev"


class Thin:
    """An environment without llama-cpp-python, and a user of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.python = folder / "venv/bin/python"
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        self.packages = packages = folder / "venv/lib" / version / "site-packages"
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(("llama_cpp", "numpy", "bin")):
                (packages / entry.name).symlink_to(entry)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        (folder / "a.py").write_text("def double(number):\n    retur\n")

    def wicket(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.python, "-I", "-m", "wicket.server", *arguments],
            env=self.environment | environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def thin() -> Iterator[Thin]:
    with tempfile.TemporaryDirectory(prefix="wt", dir="/tmp") as folder:
        yield Thin(Path(folder))
        sockets = Path(folder) / "wicket"
        for found in processes.running(sockets) if sockets.exists() else []:
            assert processes.stop(found)


def test_it_starts_and_says_what_is_missing(thin: Thin) -> None:
    done = thin.wicket("complete", "a.py:2:10")
    assert done.returncode == 0
    assert done.stderr == (
        "wicket complete: no suggestion: llama-cpp-python is not installed; wicket engine build\n"
    )
    found = json.loads(thin.wicket("doctor", "--json").stdout)["findings"]
    (llama,) = [row for row in found if row["name"] == "llama-cpp-python"]
    assert (llama["ok"], llama["fix"]) == (False, "wicket engine build")


def test_without_numpy_only_intervals_are_missing(thin: Thin) -> None:
    """Every verb starts; the one that needs it says so in one line."""
    done = thin.wicket("eval", ".")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("wicket eval: intervals need numpy")
    assert done.stderr.count("\n") == 1
    code = "import pkgutil, importlib, wicket.server as s, wicket.completion as c; "
    code += "names = [m.name for r in (s, c) for m in pkgutil.iter_modules(r.__path__, r.__name__"
    code += " + '.')]; [importlib.import_module(n) for n in names if not n.endswith("
    code += f"{NEEDS_NUMPY})]; print(len(names))"
    ran = subprocess.run(
        [thin.python, "-I", "-c", code], env=thin.environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 100


def test_a_build_that_fails_says_why_in_one_line(thin: Thin) -> None:
    done = thin.wicket("engine", "build")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "llama-cpp-python" in line
    assert build.current(Paths.of(thin.environment)) is not None
    found = json.loads(thin.wicket("doctor", "--json").stdout)["findings"]
    assert any("the last build failed" in row["detail"] for row in found)


def test_a_build_mends_it(thin: Thin) -> None:
    """Once installed, the next request is answered by the model."""
    wheels = sorted(CACHE.glob("wheels/llama-cpp-python-*"))
    assert wheels, "no wheel in the cache: run `make test`, which builds it"
    # pip would fetch numpy as well, but tests reach no registry.
    for entry in Path(sysconfig.get_path("purelib")).glob("numpy*"):
        (thin.packages / entry.name).symlink_to(entry)
    done = thin.wicket("engine", "build", PIP_FIND_LINKS=str(wheels[-1]))
    assert done.returncode == 0, done.stderr
    assert "installed" in done.stdout
    assert thin.wicket("complete", "a.py:2:10").stdout.startswith("n")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (
            "CMake Error at CMakeLists.txt:3 (project):\n"
            "  No CMAKE_CXX_COMPILER could be found.\nERROR: Failed building wheel",
            build.NO_COMPILER,
        ),
        ("cc1plus: fatal error: out of memory\nERROR: x", "fatal error: out of memory"),
        ("x\nERROR: Could not find a version\n", "Could not find a version"),
        ("nothing of use", "pip failed"),
    ],
)
def test_reasons_are_found_in_the_noise(output: str, said: str) -> None:
    found = build.reason(output)
    assert said in found
    assert "\n" not in found

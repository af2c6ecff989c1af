"""A user of the command line, with directories of their own and real processes."""

import os
import subprocess
import sys
from pathlib import Path

import wicket.completion.models as models_folder

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"


class Home:
    """A user with directories of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sockets = folder / "wicket"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
        }

    def wicket(self, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "wicket.server", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **more,  # type: ignore[call-overload]
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def configure(self, text: str) -> None:
        folder = self.folder / "config" / "wicket"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "wicket.toml").write_text(text)

    def file(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

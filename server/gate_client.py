"""The gate as our other processes see it: where it listens, and how it is started."""

from pathlib import Path

from . import processes
from .paths import Paths, socket_directory


def socket_path(paths: Paths) -> Path:
    """Where the gate of these settings listens.  Raises UnsafePath."""
    return socket_directory(paths) / processes.socket_name("gate", str(paths.config))


def starter(paths: Paths, spawn: processes.Spawn = processes.spawn) -> processes.Starter:
    """How the gate is started when it is needed.  Raises UnsafePath."""
    path = socket_path(paths)
    argv = processes.command("gate", "--started", str(path))
    return processes.Starter(path, argv, paths.logs / "gate.log", spawn=spawn)

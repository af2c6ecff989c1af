"""Trees of sources to index: copies, a made one of any size, a repository with two branches."""

import random
import shutil
import subprocess
import sysconfig
from pathlib import Path

# Of the names in the synthetic tree.
VERBS = "read write open close find take drop send parse check make join split".split()  # noqa: SIM905
NOUNS = "file name path line user order stock price token table field index cache page".split()  # noqa: SIM905


def synthetic(folder: Path, count: int) -> Path:
    """A tree of modules that define, import and call each other."""
    chance = random.Random(7)
    verbs = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    for number in range(count):
        place = folder / f"package{number // 400}" / f"part{number // 20 % 20}"
        if number % 20 == 0:
            place.mkdir(parents=True, exist_ok=True)
        other = chance.randrange(count)
        lines = [f'"""Module {number}."""', "", "import os", f"from .. import module{other}", ""]
        for name in chance.sample(verbs, chance.randrange(4, 24)):
            noun, called = chance.choice(NOUNS), chance.choice(verbs)
            lines += [
                f"def {name}({noun}: str, limit: int = {chance.randrange(99)}) -> bool:",
                f'    """Say whether the {noun} is one, and no more than `limit` of them."""',
                f"    found = module{other}.{called}({noun}, limit + 1)",
                f"    if not found or limit > {chance.randrange(999)}:",
                f"        raise ValueError('no {noun} of that name was found here')",
                f"    return os.path.exists({noun}) and found.{chance.choice(NOUNS)} > limit",
                "",
            ]
        (place / f"module{number}.py").write_text("\n".join(lines))
    return folder


def two_branches(folder: Path, changed: int) -> None:
    """A repository on its first branch, whose second has other content in so many files."""
    synthetic(folder, max(2000, changed + 500))
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "1"]):
        git(folder, *arguments)
    git(folder, "checkout", "-q", "-b", "other")
    for number, path in enumerate(sorted(folder.rglob("*.py"))[:changed]):
        path.write_text(path.read_text() + f"\ndef other_{number}(): pass\n")
    git(folder, "commit", "-q", "-a", "-m", "2")
    git(folder, "checkout", "-q", "-")


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0")
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True)


def library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def copied(folder: Path, place: Path) -> Path:
    """A copy that may be written to, without what others installed into it."""
    left_out = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__", "*.so")
    target = place / folder.name
    shutil.copytree(folder, target, ignore=left_out, symlinks=True)
    return target

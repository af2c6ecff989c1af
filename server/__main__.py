"""`wicket VERB ...`: the verb's row says what to import, and no other verb's code is read."""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from . import perimeter
from .verbs import VERBS, Verb

EPILOGUE = """\
exit codes: 0 done, 1 failed or not found, 2 usage, 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="wicket",
        description="Inline code completion by a small model on this machine.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"wicket {__version__}")
    verbs = whole.add_subparsers(metavar="VERB", required=True)
    for verb in VERBS:
        one = verbs.add_parser(verb.name, help=verb.help, description=sentence(verb.help))
        for row in verb.arguments:
            one.add_argument(*row.flags, **row.options)  # type: ignore[arg-type]
        one.set_defaults(verb=verb)
    return whole


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def misnamed(words: Sequence[str]) -> str:
    """What is wrong with the verb, and what may have been meant; "" where it is one.  Pure."""
    if not words:
        return "say what to do: `wicket setup` to begin with; `wicket --help` lists all"
    names = [verb.name for verb in VERBS]
    if words[0].startswith("-") or words[0] in names:
        return ""
    close = difflib.get_close_matches(words[0], names, 1)
    meant = f"did you mean `wicket {close[0]}`? " if close else ""
    return f"there is no `{words[0]}`; {meant}`wicket --help` lists all"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb.  Whatever goes wrong is one line on stderr, never a traceback."""
    if sys.stdin is None:
        # Closed by who started us: then it is empty, and nobody is there to ask.
        sys.stdin = open(os.devnull)  # noqa: SIM115
    words = sys.argv[1:] if argv is None else argv
    if fault := misnamed(words):
        print(f"wicket: {fault}", file=sys.stderr)
        return 2
    arguments, unknown = parser().parse_known_args(words)
    verb: Verb = arguments.verb
    # Language clients append flags of their own to `lsp`; elsewhere they are mistakes.
    if unknown and verb.name != "lsp":
        parser().error(f"unknown arguments: {' '.join(unknown)}")
    if not verb.reaches:
        perimeter.enclose()
    module, _, function = verb.run.partition(":")
    try:
        run: Callable[[argparse.Namespace], int] = getattr(
            importlib.import_module(f".{module}", __package__), function
        )
        return run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        return 0
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"wicket {verb.name}: {name}{error.strerror or error}", file=sys.stderr)
        return 1
    except Exception as error:
        # The last resort: a person gets one line, whatever we did not think of.
        reason = (str(error).splitlines() or [""])[0]
        print(f"wicket {verb.name}: {type(error).__name__}: {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

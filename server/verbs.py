"""What `wicket` can be told to do: one row per verb."""

import argparse
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class Argument:
    """One `add_argument` call."""

    flags: tuple[str, ...]
    options: dict[str, object]

    @property
    def usage(self) -> str:
        """As one writes it: `--idle SECONDS`, `PATH:LINE:COL`, `build|use`."""
        metavar = self.options.get("metavar", "")
        names = cast(tuple[str, ...], metavar) if isinstance(metavar, tuple) else (str(metavar),)
        shown = " ".join(names)
        if isinstance(choices := self.options.get("choices"), tuple):
            shown = "|".join(cast(tuple[str, ...], choices))
        if not self.flags[0].startswith("-"):
            return shown or self.flags[0].upper()
        return f"{self.flags[0]} {shown}".rstrip()

    @property
    def meaning(self) -> str:
        return str(self.options["help"])


def argument(*flags: str, **options: object) -> Argument:
    return Argument(flags, options)


JSON = argument("--json", action="store_true", help="one JSON object on stdout")
PROVIDER = argument(
    "--provider",
    metavar="NAME",
    help="a provider, a tier, `more` or `less`, instead of what `wicket route` says",
)


@dataclass(frozen=True, slots=True)
class Verb:
    """`run` is "module:function" in this room; it takes the parsed arguments and answers
    an exit code.  A verb that `reaches` the network says so; the others have unix sockets
    only."""

    name: str
    help: str
    run: str
    arguments: tuple[Argument, ...] = ()
    reaches: bool = False


VERBS = (
    Verb(
        "lsp",
        "serve an editor on standard input and output",
        "lsp:run",
        (
            argument("--stdio", action="store_true", help="accepted and meant anyway"),
            argument(
                "--clientProcessId",
                type=int,
                metavar="PID",
                help="leave when this process is gone",
            ),
        ),
    ),
    Verb(
        "complete",
        "print one suggestion, by the path that the editor uses",
        "complete_verb:run",
        (
            argument("place", metavar="PATH:LINE:COL", help="1-based, columns in characters"),
            JSON,
            argument("--no-context", action="store_true", help="the open file alone"),
            argument("--model", metavar="NAME", help="instead of the model in the settings"),
        ),
    ),
    Verb(
        "demo",
        "open a source file as an editor would, type, and show the ghost text",
        "demo:run",
        (
            argument(
                "path",
                nargs="?",
                metavar="PATH",
                help="a source file (default: one of Wicket's own)",
            ),
        ),
    ),
    Verb(
        "engine",
        "serve tokens (started by itself); build or choose where they come from",
        "engine_verb:run",
        (
            argument(
                "action",
                nargs="?",
                choices=("build", "use", "token"),
                help="compile llama-cpp-python; take tokens from a server that runs already; "
                "or make a token for a user of --listen",
            ),
            argument("url", nargs="?", metavar="URL|NAME", help="of that server; of that user"),
            argument("--model", metavar="NAME", help="instead of the model in the settings"),
            argument("--listen", metavar="HOST:PORT", help="serve a team over TLS"),
            argument("--cert", metavar="FILE", help="its certificate, PEM"),
            argument("--key", metavar="FILE", help="the certificate's key, PEM"),
            argument("--tokens", metavar="FILE", help="its users and digests of their tokens"),
            argument(
                "--parallel",
                type=int,
                default=8,
                metavar="N",
                help="requests that are put to the server at once (default: 8)",
            ),
            argument("--started", action="store_true", help=argparse.SUPPRESS),
            argument("--idle", type=float, metavar="SECONDS", help="leave after so long unused"),
        ),
        reaches=True,
    ),
    Verb(
        "gate",
        "record and send what may leave (started by itself)",
        "gate_verb:run",
        (
            argument(
                "action",
                nargs="?",
                choices=("freeze", "thaw", "forget"),
                help="send nothing more, and end what is under way; send again; take back "
                "every yes that was to hold on",
            ),
            argument("--provider", metavar="NAME", help="freeze or thaw what goes to this one"),
            argument("--kind", metavar="KIND", help="tasks of this kind, such as review"),
            argument("--repository", metavar="DIR", help="what comes from this folder"),
            argument("--user", metavar="NAME", help="what this user asks"),
            argument("--reason", metavar="TEXT", help="why it is frozen, on record"),
            argument("--started", metavar="SOCKET", help=argparse.SUPPRESS),
            argument("--idle", type=float, metavar="SECONDS", help="leave after so long unused"),
        ),
        reaches=True,
    ),
    Verb(
        "ask",
        "ask a provider about the code here; shows first what would leave",
        "ask_verb:run",
        (
            argument("question", metavar="QUESTION", help="in your own words"),
            argument(
                "--file",
                action="append",
                metavar="PATH:A-B",
                help="what it is about, these lines or all; may be said several times",
            ),
            PROVIDER,
            argument("--show", action="store_true", help="print every byte, and send none"),
            argument("--yes", action="store_true", help="send it without the question"),
            JSON,
        ),
    ),
    Verb(
        "route",
        "say where a task of a kind would go now, and why nowhere else",
        "route_verb:run",
        (
            argument("kind", metavar="KIND", help="such as ask, explain, review, refactor"),
            argument("path", nargs="*", metavar="PATH", help="files that would go along"),
            argument("--size", type=int, metavar="BYTES", help="as if it were so large"),
            argument("--prefer", metavar="NAME", help="a provider, a tier, `more` or `less`"),
            JSON,
        ),
    ),
    Verb(
        "refactor",
        "have a provider edit lines of a file; shows what would leave, then the diff",
        "refactor_verb:run",
        (
            argument("place", metavar="PATH:START-END", help="the lines, 1-based"),
            argument("instruction", nargs="?", metavar="INSTRUCTION", help="in your own words"),
            argument(
                "--kind",
                choices=("refactor", "document", "fix", "types", "extract", "simplify"),
                default="refactor",
                help="refactor, or one that needs no instruction",
            ),
            argument(
                "--also",
                action="append",
                metavar="PATH:A-B",
                help="further lines that may be edited; may be said several times",
            ),
            PROVIDER,
            argument("--show", action="store_true", help="print every byte, and send none"),
            argument("--dry-run", action="store_true", help="show the diff, and apply nothing"),
            argument("--yes", action="store_true", help="send and apply without the questions"),
            argument(
                "--force",
                action="store_true",
                help="also a file with uncommitted changes, or one that would not parse any more",
            ),
            JSON,
        ),
    ),
    Verb(
        "revert",
        "undo the edits that were applied last, in the terminal or in an editor",
        "refactor_verb:revert",
        (
            argument("--force", action="store_true", help="also a file that changed since"),
            JSON,
        ),
    ),
    Verb(
        "key",
        "keep the keys of providers, which only the gate reads",
        "key_verb:run",
        (
            argument(
                "action",
                choices=("set", "list", "remove"),
                help="ask for a key, or read it from standard input; say which there are; forget",
            ),
            argument("name", nargs="?", metavar="NAME", help="of [providers.NAME]"),
            JSON,
        ),
    ),
    Verb(
        "index",
        "build or refresh the index of a folder (editors do so by themselves)",
        "index_verb:run",
        (
            argument("folder", nargs="?", metavar="DIR", help="default: the current one"),
            JSON,
            argument("--started", metavar="ORDER", help=argparse.SUPPRESS),
            argument("--idle", type=float, metavar="SECONDS", help=argparse.SUPPRESS),
        ),
    ),
    Verb(
        "context",
        "what would be put before the model at a place, and why",
        "context_verb:run",
        (
            argument("place", metavar="PATH:LINE:COL", help="a cursor, counted from 1"),
            argument("--budget", type=int, default=1024, metavar="N", help="tokens; 1024"),
            argument("--repos", action="store_true", help="and other repositories' part in it"),
            JSON,
        ),
    ),
    Verb(
        "model",
        "list, fetch, import, choose, check and remove models",
        "model_verb:run",
        (
            argument(
                "action",
                choices=("list", "pull", "import", "use", "remove", "verify", "test", "tune"),
                help="show all; fetch one from the hub; take a file of this machine; choose one; "
                "delete one; hash again and compare; have one fill known holes; train the "
                "shipped one further on a folder",
            ),
            argument(
                "name",
                nargs="?",
                metavar="NAME",
                help="a model; for `pull` also a URL, for `import` a .gguf file, for `tune` a "
                "folder (default: here)",
            ),
            argument(
                "--name",
                dest="new_name",
                metavar="NAME",
                help="for `pull`, `import` and `tune`: call it so",
            ),
            argument(
                "--accept-licence",
                action="store_true",
                help="consent to a licence that is not among models.licences",
            ),
            argument(
                "--accept-change",
                action="store_true",
                help="for `pull`: the hub's file may be another one than the first time",
            ),
            argument(
                "--no-test",
                action="store_true",
                help="for `pull` and `import`: do not try the model afterwards",
            ),
            argument(
                "--link",
                action="store_true",
                help="for `import`: a hard link instead of a copy, where that is possible",
            ),
            argument(
                "--base",
                metavar="NAME",
                help="for `tune`: what to begin with (default: the shipped model)",
            ),
            argument(
                "--minutes",
                type=float,
                default=10.0,
                metavar="N",
                help="for `tune`: of training, at most (default: 10)",
            ),
            argument(
                "--holes",
                type=int,
                default=100,
                metavar="N",
                help="for `tune`: of each kind, to compare before and after (default: 100)",
            ),
            argument(
                "--use", action="store_true", help="for `tune`: choose it, unless it is worse"
            ),
            JSON,
        ),
        reaches=True,
    ),
    Verb(
        "eval",
        "measure completions on your own code; tell which of two reports is better",
        "eval_verb:run",
        (
            argument(
                "what",
                nargs="*",
                metavar="DIR|compare A B",
                help="folders to cut holes into (default: here); or two reports made with --json",
            ),
            argument(
                "--model",
                action="append",
                metavar="NAME",
                help="instead of the model in the settings; may be said several times",
            ),
            argument(
                "--set",
                action="append",
                metavar="NAME=VALUE",
                help="a setting of completions, such as completion.lines=block; each value "
                "of one that is said several times is measured apart",
            ),
            argument(
                "--holes",
                type=int,
                default=100,
                metavar="N",
                help="holes of each kind in each folder (default: 100)",
            ),
            argument(
                "--kind",
                action="append",
                choices=("rest", "line", "block"),
                help="only this kind of hole; may be said several times",
            ),
            argument("--seed", type=int, default=1, metavar="N", help="other holes (default: 1)"),
            argument(
                "--history",
                type=int,
                default=0,
                metavar="N",
                help="cursors in the lines that the last N commits added, not in any line",
            ),
            argument(
                "--slices",
                action="store_true",
                help="also in broken code, after a typo, below a comment that is not English",
            ),
            argument(
                "--bits", action="store_true", help="also what the hidden text costs the model"
            ),
            argument("--fresh", action="store_true", help="ask again what was answered before"),
            argument("--report", metavar="FILE.md", help="write the tables as Markdown"),
            argument(
                "--pictures", metavar="DIR", help="write the main tables as pictures there (SVG)"
            ),
            JSON,
        ),
    ),
    Verb(
        "bench",
        "measure how fast models answer on this machine",
        "bench_verb:run",
        (
            argument(
                "what",
                nargs="?",
                choices=("completion", "server", "index", "audit"),
                help="a model (default); the LSP process without one; an index; the audit log",
            ),
            argument(
                "--model",
                action="append",
                metavar="NAME",
                help="instead of the model in the settings; several take turns",
            ),
            argument("--runs", type=int, default=5, metavar="N", help="of each (default: 5)"),
            argument(
                "--keys",
                type=int,
                default=60,
                metavar="N",
                help="typed, or tens of files (default: 60)",
            ),
            argument("--append", metavar="FILE", help="add the JSON as a line to a file"),
            JSON,
        ),
    ),
    Verb(
        "audit",
        "verify, read, prove, export, erase and anchor the log of what left this machine",
        "audit_verb:run",
        (
            argument(
                "action",
                choices=(
                    "verify",
                    "show",
                    "tail",
                    "search",
                    "prove",
                    "export",
                    "erase",
                    "hold",
                    "retain",
                    "anchor",
                    "accept-rollback",
                    "report",
                    "doctor",
                ),
                help="verify exits 0 whole, 1 tampered with, 2 usage, 3 incomplete",
            ),
            argument(
                "what",
                nargs="*",
                metavar="SEQ|WORD",
                help="records, such as 12 or 12-15; for `search` words and name:value",
            ),
            argument("--dir", metavar="DIR", help="a log, or a copy of one (default: your own)"),
            argument(
                "--expect",
                action="append",
                metavar="FILE",
                help="a checkpoint that was kept elsewhere and must still hold, for `verify`",
            ),
            argument("--key", metavar="FILE", help="the log's public key, from a trusted place"),
            argument(
                "--jobs", type=int, default=0, metavar="N", help="processes (default: one per core)"
            ),
            argument(
                "--no-payloads", action="store_true", help="verify records, not their content"
            ),
            argument("--payload", action="store_true", help="show the content too, on record"),
            argument("--reader", metavar="FILE", help="the private key that opens payloads"),
            argument(
                "-n", "--lines", type=int, default=10, metavar="N", help="of `tail` (default: 10)"
            ),
            argument("-f", "--follow", action="store_true", help="wait for more, for `tail`"),
            argument(
                "--since", metavar="TIME", help="such as 2026-11-01, for `search` and `report`"
            ),
            argument("--user", metavar="NAME", help="requests of one user, for `report`"),
            argument(
                "--repo",
                metavar="PATH|URL",
                help="requests from one folder or repository, for `report` (HTML on stdout)",
            ),
            argument("--csv", action="store_true", help="export rows for a spreadsheet"),
            argument(
                "--bundle",
                nargs="+",
                metavar=("FILE", "SEQ"),
                help="export records with their proofs, and a verifier, as a zip",
            ),
            argument("--who", metavar="NAME", help="on whose decision, for what is recorded"),
            argument("--reason", metavar="TEXT", help="why, for what is recorded"),
            argument("--lift", action="store_true", help="end a hold"),
            argument(
                "--months", type=int, metavar="N", help="payloads older than this, for `retain`"
            ),
            argument("--to", metavar="PLACE", help="a directory or git repository to anchor in"),
            argument("--yes", action="store_true", help="do it; without, only show what would be"),
            JSON,
        ),
    ),
    Verb(
        "policy",
        "check, explain, test and replay the rules about which file may go where",
        "policy_verb:run",
        (
            argument(
                "action",
                choices=("check", "explain", "test", "replay"),
                help="`test` and `check` exit 1 where something is wrong",
            ),
            argument(
                "what", nargs="*", metavar="PATH", help="files to explain, or one of cases to test"
            ),
            argument("--policy", metavar="FILE", help="instead of the policies in force"),
            argument("--kind", metavar="KIND", help="what for, such as ask (default) or review"),
            argument("--provider", metavar="NAME", help="to whom (default: the first there is)"),
            argument("--dir", metavar="DIR", help="a log, or a copy of one, for `replay`"),
            argument("--reader", metavar="FILE", help="the private key that opens its payloads"),
            JSON,
        ),
    ),
    Verb(
        "setup",
        "first steps: what works, and a provider to ask, with its key; sends nothing",
        "setup_verb:run",
        (
            argument(
                "--provider",
                choices=("none", "anthropic", "openai", "own"),
                help="whom, without being asked; own: an OpenAI-compatible server",
            ),
            argument("--model", metavar="MODEL", help="by the provider's name for it"),
            argument("--base-url", metavar="URL", help="instead of the provider's usual address"),
        ),
    ),
    Verb(
        "config",
        "print every setting, its value and where it comes from",
        "config_verb:run",
        (JSON,),
    ),
    Verb(
        "doctor",
        "say what works, and the command that mends the rest",
        "doctor:run",
        (
            argument(
                "--security",
                action="store_true",
                help="try what each process may not do, and say what the kernel refuses",
            ),
            argument(
                "--probe",
                metavar="NAME",
                help="have the gate ask this provider what it can do: a few requests without "
                "anything of yours, on record",
            ),
            argument(
                "--any-tier",
                action="store_true",
                help="for `--probe`: also a provider that is not on-prem, which may cost",
            ),
            JSON,
        ),
    ),
    Verb(
        "redteam",
        "try published attacks on this installation, with its own rules",
        "redteam_verb:run",
        (
            argument("attack", nargs="*", metavar="NAME", help="only these (default: all)"),
            JSON,
        ),
        # It listens on the loopback.  Nothing keeps it from connecting: what would, is seen.
        reaches=True,
    ),
    Verb(
        "stats",
        "tell what became of the suggestions on this machine; tune from it what is shown",
        "stats_verb:run",
        (
            argument(
                "action",
                nargs="?",
                choices=("tune",),
                help="say from which chance on suggestions should come here, and how sure that is",
            ),
            argument("--apply", action="store_true", help="write what `tune` proposes"),
            argument("--to", type=int, metavar="PERCENT", help="write this instead, as to go back"),
            argument("--since", metavar="DAYS|DATE", help="7d, or 2026-08-31 (default: always)"),
            argument("--picture", metavar="FILE.svg", help="write the figures as a picture"),
            JSON,
        ),
    ),
    Verb(
        "data", "list what is kept on this machine, and what removes it", "stored_verb:run", (JSON,)
    ),
    Verb(
        "purge",
        "remove what `wicket data` lists, but for what you wrote and the audit log",
        "stored_verb:purge",
        (
            argument("--repo", metavar="DIR", help="only what is kept of this folder"),
            argument("--audit", action="store_true", help="the audit log as well, and its key"),
            argument("--yes", action="store_true", help="do it; without, only say what"),
            JSON,
        ),
    ),
    Verb("ps", "list the processes that Wicket runs", "ps_verb:run", (JSON,)),
    Verb(
        "stop",
        "stop them",
        "ps_verb:stop",
        (
            argument(
                "process", nargs="?", choices=("engine", "index", "gate"), help="only this one"
            ),
        ),
    ),
)

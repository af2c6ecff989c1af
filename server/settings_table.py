"""Every setting as a row: its name, what it may be, its default, who may set it.

The table drives validation, `wicket config` and the manual.  A new setting is a row
here and a field in `settings.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..completion.chances import SHOWN
from ..completion.models.licences import ALLOWED
from ..completion.wire import DECODINGS
from .settings_checks import (
    Check,
    anchor_place,
    argv,
    decision_hook,
    dollars,
    file,
    files,
    globs,
    hub,
    languages,
    one_of,
    proxy,
    recipients,
    texts,
    truth,
    truth_or,
    whole,
)
from .settings_rows import (
    model_choice,
    model_name,
    model_names,
    model_source,
    profile,
    provider_source,
    repositories,
    routes,
)
from .settings_strictness import both, in_both, in_either, least, least_of, least_true

# S: security, set by the managed and the user's file only.  C: comfort, set by the
# editor as well.  T: a repository may tighten it.
Letters = Literal["S", "C", "ST", "CT"]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting.

    `tighter` finds the stricter of two values, for who may only tighten: the repository
    where `letters` has a T, and the editor where `editor_tightens`.  `from_editor` is a
    narrower check for what the editor says.  With `rows` the setting is a table of
    named rows: `check` looks at one, and the user's rows join the managed ones.
    """

    name: str
    check: Check
    default: object
    letters: Letters
    meaning: str
    tighter: Callable[[Any, Any], object] | None = None
    editor_tightens: bool = False
    from_editor: Check | None = None
    rows: bool = False


# A row reads as one thought, so that the formatter keeps its hands off.
# fmt: off
TABLE = (
    Key("completion.enabled", truth, True, "CT",
        "offer completions at all", both),
    Key("completion.languages", languages, ("*",), "CT",
        'LSP language identifiers that get completions; ["*"] is all of them', in_both),
    Key("completion.trigger", one_of("auto", "manual"), "auto", "C",
        "complete while typing, or only when asked"),
    Key("completion.debounce_ms", whole(0, 5000, "adaptive"), "adaptive", "C",
        "milliseconds of silence before a request, or adaptive to the typing"),
    Key("completion.lines", one_of("auto", "line", "block"), "auto", "C",
        "offer one line, a block, or what fits the place"),
    Key("completion.max_lines", whole(1, 100), 10, "C",
        "lines of the longest suggestion"),
    Key("completion.least_chance", whole(0, 99), round(100 * SHOWN), "C",
        "percent that a suggestion must be likely to be right to come by itself"),
    Key("completion.model", model_choice, "", "C",
        "a model's name, empty for the one that ships; a path only in a settings file",
        from_editor=model_name),
    Key("completion.profiles", profile, {}, "C",
        "models for some languages or for asking by hand: "
        "NAME = {model, languages, trigger = any, auto or manual}",
        rows=True),
    Key("completion.context", truth_or("auto"), "auto", "CT",
        "show the model pieces of other files: true, false (copy nothing from them, either), "
        "or auto: where the model is large enough to be better for it", least_true),
    Key("completion.decoding", one_of(*DECODINGS), "plain", "C",
        "experimental: mixed lets other files say with the model on this machine what comes "
        "next, drafted guesses ahead from them; neither is surely better than plain"),
    Key("completion.add_imports", truth, True, "C",
        "add the import that an accepted suggestion needs, where only one can be meant"),
    Key("completion.exclude", globs, (), "CT",
        "files that get no completion, as patterns of .gitignore", in_either),
    Key("engine.models", model_source, {}, "S",
        "models of your own: NAME = {path} or {endpoint, token_command, ca_file}",
        rows=True),
    Key("engine.fallback", model_names, ("",), "S",
        "models that speak while a server does not, in this order; empty: the shipped one"),
    Key("engine.patience_ms", whole(50, 10_000), 600, "S",
        "how long a server may take for its first word before the next model speaks"),
    Key("engine.threads", whole(1, 512, "auto"), "auto", "S",
        "threads of the model, or as many as fit"),
    Key("engine.gpu_layers", whole(0, 1000, "auto"), "auto", "S",
        "layers of the model on the GPU, or as many as fit"),
    Key("engine.memory_mb", whole(64, 10_000_000, "auto"), "auto", "S",
        "megabytes that the models of profiles may take together, or half of the memory"),
    Key("engine.idle_minutes", whole(1, 10_080), 15, "S",
        "minutes without use after which the engine leaves"),
    Key("models.endpoint", hub, "https://huggingface.co", "S",
        "the hub that `wicket model pull` fetches from, or a mirror that speaks like it"),
    Key("models.token_command", argv, (), "S",
        "a command that prints the token to show that hub"),
    Key("models.licences", texts, ALLOWED, "S",
        "licences of models that need no consent of their own; locked: no others at all"),
    Key("network.proxy", proxy, None, "S",
        "the HTTP proxy for `wicket model pull`"),
    Key("network.ca_file", file, None, "S",
        "certificates to believe instead of the system's, a PEM file"),
    Key("providers", provider_source, {}, "S",
        "providers that the gate may ask: NAME = {kind, base_url, model, tier, region, ...}",
        rows=True),
    Key("gate.enabled", truth, True, "ST",
        "whether anything may be sent to a provider at all", both),
    Key("gate.idle_minutes", whole(1, 10_080), 10, "S",
        "minutes without use after which the gate leaves"),
    Key("routes", routes, {}, "S",
        "tiers that a kind of task goes to, the first before the next: KIND = [tiers]"),
    Key("budget.day_usd", dollars, "unlimited", "ST",
        "US dollars that one user may spend in a day (UTC)", least_of),
    Key("budget.month_usd", dollars, "unlimited", "ST",
        "US dollars that one user may spend in a month", least_of),
    Key("budget.day_tokens", whole(0, 10**12, "unlimited"), "unlimited", "ST",
        "tokens, in and out, that one user may use in a day", least_of),
    Key("features.ask", truth, True, "ST",
        "questions, explanations and reviews", both),
    Key("features.edit", truth, True, "ST",
        "edits that a provider proposes: fix, document, test, refactor, ...", both),
    Key("features.tools", truth, True, "ST",
        "whether a model may ask for pieces of files while it answers", both),
    Key("audit.level", one_of("metadata", "request", "full"), "full", "S",
        "what the log keeps, sealed: no content, what was sent, or also the answers"),
    Key("audit.recipients", recipients, (), "S",
        "public keys that can open the log's payloads; empty is a key of your own"),
    Key("audit.anchor", anchor_place, {}, "S",
        "where the gate copies the log's checkpoints to: NAME = a directory or git repository",
        rows=True),
    Key("audit.anchor_minutes", whole(1, 10_080), 5, "S",
        "how often the gate does that while it runs"),
    Key("audit.refuse_after_unanchored_hours", whole(1, 8760, "never"), "never", "S",
        "nothing is sent when one of these places was not reached for so many hours"),
    Key("index.enabled", truth, True, "CT",
        "keep an index of the open folders", both),
    Key("index.exclude", globs, (), "CT",
        "files that are in no index and in no prompt, as patterns of .gitignore", in_either),
    Key("index.max_files", whole(1, 10_000_000), 100_000, "CT",
        "source files of a folder that are indexed; the nearest to the open ones first", least),
    Key("index.max_file_kb", whole(1, 100_000), 1024, "CT",
        "kilobytes of the largest file that is indexed", least),
    Key("index.watch", one_of("auto", "poll", "off"), "auto", "C",
        "hear of changes from the file system, look now and then, or only at the start"),
    Key("editor.symbols", truth, False, "C",
        "answer documentSymbol and workspace/symbol; read at the start of the server"),
    Key("redaction.rules", files, (), "S",
        "files with rules and words of your own, which are masked as well in all that leaves"),
    Key("redaction.hook", decision_hook, "", "S",
        "who else decides about every request: command: WORDS, or an https address"),
    Key("redaction.hook_seconds", whole(1, 60), 5, "S",
        "how long it may take; then the request is denied"),
    Key("redaction.hook_bytes", truth, False, "S",
        "show it the whole request, not only what it is about"),
    Key("repository", repositories, (), "S",
        "other clones on this machine that questions may look into: [[repository]] path = DIR"),
    Key("log.level", one_of("error", "warning", "info", "debug"), "info", "C",
        "how much Wicket's own log says; never source code"),
    Key("stats.enabled", truth, True, "CT",
        "keep numbers for `wicket stats` on this machine; never code, never a path", both),
    Key("trusted", truth, True, "C",
        "whether the open folder is trusted; an editor can only say no", both,
        editor_tightens=True),
)
# fmt: on

KEYS = {key.name: key for key in TABLE}

# Tables of features that read them with rows of their own.  Here they are known by name
# and letters alone: what is written for them causes no warning, and a source that may
# not set them is still refused.
UNREAD: dict[str, Letters] = {
    "editor": "C",
    "policy": "S",
}

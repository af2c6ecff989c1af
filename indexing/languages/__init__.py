"""The languages that are understood: one row here and one query file each.

A query file says what stands where.  Each pattern has one capture for what it finds: a kind
of definition (see `facts.Definition`), `@import` or `@whole`; the others give its parts:

- a definition: `@name`; `@body`, before which its signature ends; `@bases`; `@typed`, where
  no colon or arrow in the signature tells the type, and `@value`, which may tell it too;
- a definition whose name stands somewhere in a declarator, as in C: `@declared` instead of
  `@name`; one that stands outside of its class: `@receiver`, which names that;
- `@implementation`: members of the class that its `@receiver` names;
- `@import`: `@module`, `@name`, `@alias`; `@export` where it offers the name to others,
  `@default` where one of both is what a module offers by default, `@all` where it binds
  all that is there;
- `@whole`: what belongs to the definition `@target` and stands around it.

Strings and comments are told by a regular expression: to visit all nodes of a tree takes
longer than anything else that is done with it, parsing aside.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from os.path import splitext


def not_underscored(name: str, _signature: str, _member: bool) -> bool:
    return not name.startswith("_") or name.endswith("__")


# A string that its line does not close is left alone: it may be half typed.
_REST = rb"[^%b\\\n]*(?:\\.[^%b\\\n]*)*%b"
_STRINGS = b"|".join(q + _REST % (q, q, q) for q in (b'"', b"'"))
_TRIPLED = b"|".join(
    b"%b(?:%b(?s:.*?)%b|%b)" % (q, q * 2, q * 3, _REST % (q, q, q)) for q in (b'"', b"'")
)
_C_LIKE = re.compile(rb"//.*|/\*(?s:.*?)\*/|" + _STRINGS)


def says_export(name: str, signature: str, member: bool) -> bool:
    if member:
        return not name.startswith(("_", "#"))
    return signature.startswith(("export ", "exports.", "module.exports"))


def capitalised(name: str, _signature: str, _member: bool) -> bool:
    return name[:1].isupper()


def says_pub(_name: str, signature: str, _member: bool) -> bool:
    return signature.startswith("pub")


def not_private(_name: str, signature: str, _member: bool) -> bool:
    return not re.search(r"\bprivate\b", signature)


def not_static(_name: str, signature: str, _member: bool) -> bool:
    return not signature.startswith("static ")


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its files, its grammar, its query, and what the query cannot say.

    `grammar` names a package on PyPI and the function of it that gives the grammar; with
    none, there are no definitions but those of a manifest.
    `queries` are files here, read one after the other.  `exported` decides by name,
    signature and whether it is a member.  `prose` matches comments and strings; it starts
    with one of few characters, as that is what makes it fast.  `comment` starts a line of
    documentation above what it documents; where it is empty, documentation is a string
    inside.  `filler` is a statement of one byte that does nothing; `braces` says whether
    they hold blocks.  Code calls an imported module by what follows the last `separator`,
    if it has one.

    Of an `outline` only the definitions are kept: its names are in no look-up by name, as
    they are not what code refers to, or not told apart well enough for that.  `names` are
    last components of paths that belong to it, whatever their suffix.
    """

    name: str
    suffixes: tuple[str, ...]
    grammar: tuple[str, str]
    queries: tuple[str, ...]
    exported: Callable[[str, str, bool], bool]
    prose: re.Pattern[bytes]
    comment: bytes = b"//"
    filler: bytes = b";"
    braces: bool = True
    separator: str = ""
    outline: bool = False
    names: tuple[str, ...] = ()


_NOTHING = re.compile(rb"(?!)")

_ROWS = (
    Language(
        "python",
        (".py", ".pyi", ".pyw"),
        ("tree_sitter_python", "language"),
        ("python",),
        exported=not_underscored,
        prose=re.compile(b"#.*|" + _TRIPLED),
        comment=b"",
        filler=b"0",
        braces=False,
    ),
    Language(
        "javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        ("tree_sitter_javascript", "language"),
        ("ecmascript", "javascript"),
        exported=says_export,
        prose=_C_LIKE,
    ),
    Language(
        "typescript",
        (".ts", ".mts", ".cts"),
        ("tree_sitter_typescript", "language_typescript"),
        ("ecmascript", "typescript"),
        exported=says_export,
        prose=_C_LIKE,
    ),
    Language(
        "tsx",
        (".tsx",),
        ("tree_sitter_typescript", "language_tsx"),
        ("ecmascript", "typescript"),
        exported=says_export,
        prose=_C_LIKE,
    ),
    Language(
        "go",
        (".go",),
        ("tree_sitter_go", "language"),
        ("go",),
        exported=capitalised,
        prose=_C_LIKE,
        separator="/",
    ),
    Language(
        "rust",
        (".rs",),
        ("tree_sitter_rust", "language"),
        ("rust",),
        exported=says_pub,
        # A quote may begin a lifetime.
        prose=re.compile(rb"//.*|/\*(?s:.*?)\*/|\"" + _REST % ((b'"',) * 3)),
        separator="::",
    ),
    Language(
        "java",
        (".java",),
        ("tree_sitter_java", "language"),
        ("java",),
        exported=not_private,
        prose=_C_LIKE,
        separator=".",
    ),
    Language(
        "c",
        (".c", ".h"),
        ("tree_sitter_c", "language"),
        ("c",),
        exported=not_static,
        prose=_C_LIKE,
    ),
    Language(
        "cpp",
        (".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"),
        ("tree_sitter_cpp", "language"),
        ("c", "cpp"),
        exported=not_static,
        prose=_C_LIKE,
    ),
    # Files of settings that say what imports mean; `manifests` reads them.
    *(
        Language(
            name,
            (),
            grammar,
            queries,
            exported=not_underscored,
            prose=_NOTHING,
            comment=b"#",
            outline=True,
            names=(name,),
        )
        for name, grammar, queries in (
            ("go.mod", ("", ""), ()),
            ("Cargo.toml", ("tree_sitter_toml", "language"), ("toml",)),
            ("package.json", ("tree_sitter_json", "language"), ("json",)),
            ("tsconfig.json", ("tree_sitter_json", "language"), ("json",)),
        )
    ),
    *(
        Language(
            name,
            suffixes,
            (package, function),
            (name,),
            exported=not_private if name in ("csharp", "php") else not_underscored,
            prose=_NOTHING,
            comment=comment,
            outline=True,
            names=names,
        )
        for name, suffixes, package, function, comment, names in (
            ("csharp", (".cs",), "tree_sitter_c_sharp", "language", b"//", ()),
            ("ruby", (".rb",), "tree_sitter_ruby", "language", b"#", ("Rakefile", "Gemfile")),
            ("php", (".php",), "tree_sitter_php", "language_php", b"//", ()),
            ("bash", (".sh", ".bash"), "tree_sitter_bash", "language", b"#", ()),
            ("lua", (".lua",), "tree_sitter_lua", "language", b"--", ()),
            ("sql", (".sql",), "tree_sitter_sql", "language", b"--", ()),
            ("html", (".html", ".htm"), "tree_sitter_html", "language", b"<!--", ()),
            ("css", (".css",), "tree_sitter_css", "language", b"/*", ()),
            ("json", (".json", ".jsonc"), "tree_sitter_json", "language", b"//", ()),
            ("yaml", (".yaml", ".yml"), "tree_sitter_yaml", "language", b"#", ()),
            ("toml", (".toml",), "tree_sitter_toml", "language", b"#", ()),
            ("hcl", (".hcl", ".tf"), "tree_sitter_hcl", "language", b"#", ()),
            ("make", (".mk",), "tree_sitter_make", "language", b"#", ("Makefile", "GNUmakefile")),
            (
                "containerfile",
                (".dockerfile", ".containerfile"),
                "tree_sitter_containerfile",
                "language",
                b"#",
                ("Dockerfile", "Containerfile"),
            ),
            ("markdown", (".md", ".markdown"), "tree_sitter_markdown", "language", b"<!--", ()),
            ("rst", (".rst",), "tree_sitter_rst", "language", b"..", ()),
        )
    ),
)
LANGUAGES = {row.name: row for row in _ROWS}
_BY_SUFFIX = {suffix: row.name for row in _ROWS for suffix in row.suffixes}
_TSCONFIG = re.compile(r"(ts|js)config(\.[\w-]+)*\.json")
_BY_NAME = {name: row.name for row in _ROWS for name in row.names}


def language_of(path: str) -> str | None:
    """The name of the row for a path of code that is understood, None where there is none."""
    name = indexed_as(path)
    return None if name is None or LANGUAGES[name].outline else name


@lru_cache(1 << 12)
def indexed_as(path: str) -> str | None:
    """The name of the row for a path, also where it is outlined only."""
    base = path.rpartition("/")[2]
    if _TSCONFIG.fullmatch(base):
        return "tsconfig.json"
    name = _BY_NAME.get(base) or _BY_SUFFIX.get(splitext(base)[1].lower())
    return name if name and _is_installed(LANGUAGES[name].grammar[0]) else None


@cache
def _is_installed(package: str) -> bool:
    """Some grammars are large and come with the extra `languages`."""
    return not package or find_spec(package) is not None

"""LSP language identifiers by file name, for where no editor tells.

Identifiers from the LSP specification, "Text Document Item"; names from each language's
own documentation.
"""

from pathlib import PurePath

BY_SUFFIX = {
    ".bash": "shellscript",
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cs": "csharp",
    ".css": "css",
    ".cxx": "cpp",
    ".go": "go",
    ".h": "c",
    ".hpp": "cpp",
    ".html": "html",
    ".java": "java",
    ".js": "javascript",
    ".json": "json",
    ".jsx": "javascriptreact",
    ".kt": "kotlin",
    ".lua": "lua",
    ".md": "markdown",
    ".mjs": "javascript",
    ".php": "php",
    ".py": "python",
    ".pyi": "python",
    ".rb": "ruby",
    ".rs": "rust",
    ".rst": "restructuredtext",
    ".sh": "shellscript",
    ".sql": "sql",
    ".swift": "swift",
    ".toml": "toml",
    ".ts": "typescript",
    ".tsx": "typescriptreact",
    ".yaml": "yaml",
    ".yml": "yaml",
}
BY_NAME = {"Dockerfile": "dockerfile", "Makefile": "makefile"}


def language_of(path: str) -> str:
    """The identifier for a path, "plaintext" where none is known."""
    name = PurePath(path)
    return BY_NAME.get(name.name) or BY_SUFFIX.get(name.suffix, "plaintext")

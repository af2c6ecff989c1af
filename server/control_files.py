"""Files that programs obey: a proposed change of one takes a yes of its own.

What a model writes into code is run when somebody runs the code.  What it writes into one of
these is run by git, by an editor, by a build machine or by an installer, unasked.
"""

import pathspec

# Patterns of .gitignore, in lower case as file systems may fold it.
OBEYED = (
    # git, and what hooks itself into it.
    *(".git", ".githooks/", ".husky/", ".gitattributes", ".gitmodules"),
    *(".pre-commit-config.yaml", "lefthook.y*ml"),
    # Editors, shells that enter a folder, and assistants.
    *(".vscode/", "*.code-workspace", ".idea/", ".zed/", ".devcontainer/", ".devcontainer.json"),
    *(".nvim.lua", ".nvimrc", ".exrc", ".vimrc", ".dir-locals.el", ".envrc", ".mise.toml"),
    *(".wicket.toml", ".cursor/", ".cursorrules", ".claude/", ".codex/", ".mcp.json"),
    *("agents.md", "claude.md", "copilot-instructions.md"),
    # Build machines.
    *(".github/workflows/", ".github/actions/", "action.y*ml", ".gitlab-ci.yml", ".gitlab/"),
    *(".circleci/", ".buildkite/", ".travis.yml", ".drone.yml", "jenkinsfile*"),
    *("azure-pipelines*.y*ml", "bitbucket-pipelines.yml", ".tekton/", ".woodpecker*"),
    # What is installed, and from where.
    *("package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", ".yarnrc*"),
    *("pnpm-lock.yaml", ".pnpmfile.*", "bun.lock*", "deno.lock", "requirements*.txt"),
    *("poetry.lock", "uv.lock", "pdm.lock", "pipfile.lock", "pip.conf", "cargo.lock"),
    *(".cargo/", "go.sum", "gemfile.lock", "composer.lock", "packages.lock.json"),
    *("gradle-wrapper.properties", "maven-wrapper.properties", "flake.lock"),
)

_SPEC = pathspec.PathSpec.from_lines("gitignore", OBEYED)


def is_obeyed(path: str) -> bool:
    """Whether programs act on this file (relative, forward slashes) without being asked."""
    return _SPEC.match_file(path.lower())

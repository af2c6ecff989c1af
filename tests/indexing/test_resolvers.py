"""Which file an import means, as a function of the paths that exist."""

# ruff: noqa: E501  Files of settings have long lines.

from collections.abc import Mapping
from typing import ClassVar

import pytest
from wicket.indexing.facts import Facts
from wicket.indexing.languages import indexed_as
from wicket.indexing.parse import parse
from wicket.indexing.resolvers import resolve


class Tree(frozenset[str]):
    """Paths that exist, as resolvers see them; of some it is known what they say."""

    said: ClassVar[Mapping[str, Facts]] = {}

    def definers(self, name: str) -> list[str]:
        return [p for p, f in self.said.items() if name in {one.name for one in f.definitions}]

    def facts(self, path: str) -> Facts | None:
        return self.said.get(path)

    def exists(self, path: str) -> bool:
        return path in self

    def named(self, base: str) -> list[str]:
        return sorted(path for path in self if path.rpartition("/")[2] == base)

    def inside(self, directory: str) -> list[str]:
        return sorted(path for path in self if path.rpartition("/")[0] == directory)


def tree(text: str) -> Tree:
    return Tree(text.split())


PYTHON = tree(
    """setup.py src/shop/__init__.py src/shop/cart.py src/shop/cart.pyi src/shop/db/__init__.py
    src/shop/db/rows.py src/other/db/rows.py tests/cart.py tests/space/deep.py top/util.py
    server/paths.py __init__.py"""
)
SCRIPT = tree(
    """src/store.ts src/store.test.ts src/view/index.tsx src/view/row.tsx src/legacy.js
    src/types.d.ts packages/core/src/index.ts packages/core/src/log.ts packages/ui/index.ts
    apps/web/src/store.ts lib/a.mts"""
)


@pytest.mark.parametrize(
    ("module", "importer", "expected"),
    [
        (".cart", "src/shop/__init__.py", "src/shop/cart.py src/shop/cart.pyi"),
        (".", "src/shop/cart.py", "src/shop/__init__.py"),
        ("..cart", "src/shop/db/rows.py", "src/shop/cart.py src/shop/cart.pyi"),
        (".db", "src/shop/cart.py", "src/shop/db/__init__.py"),
        ("....cart", "src/shop/cart.py", ""),
        ("shop.cart", "tests/cart.py", "src/shop/cart.py src/shop/cart.pyi"),
        ("db.rows", "src/other/x.py", "src/other/db/rows.py src/shop/db/rows.py"),
        ("shop", "tests/cart.py", "src/shop/__init__.py"),
        ("space.deep", "setup.py", "tests/space/deep.py"),
        ("wicket.server.paths", "tests/x.py", "server/paths.py"),
        (".paths", "server/x.py", "server/paths.py"),
        ("os.path", "setup.py", ""),
        ("numpy", "setup.py", ""),
    ],
)
def test_python(module: str, importer: str, expected: str) -> None:
    assert resolve("python", module, importer, PYTHON) == expected.split()


@pytest.mark.parametrize(
    ("module", "importer", "expected"),
    [
        ("./store", "src/main.ts", "src/store.ts"),
        ("./store.js", "src/main.ts", "src/store.ts"),
        ("./view", "src/main.ts", "src/view/index.tsx"),
        (".", "src/view/row.tsx", "src/view/index.tsx"),
        ("../legacy", "src/view/row.tsx", "src/legacy.js"),
        ("./types", "src/main.ts", "src/types.d.ts"),
        ("@/store", "src/view/row.tsx", "src/store.ts apps/web/src/store.ts"),
        ("~/store", "apps/web/src/x.ts", "apps/web/src/store.ts src/store.ts"),
        ("@scope/core", "apps/web/src/x.ts", "packages/core/src/index.ts"),
        ("ui", "apps/web/src/x.ts", "packages/ui/index.ts"),
        ("./a.mjs", "lib/b.mts", "lib/a.mts"),
        ("react", "src/main.ts", ""),
        ("../../../x", "src/main.ts", ""),
        ("node:fs", "src/main.ts", ""),
    ],
)
def test_ecmascript(module: str, importer: str, expected: str) -> None:
    assert resolve("typescript", module, importer, SCRIPT) == expected.split()


OTHERS = tree(
    """go.mod cmd/main.go pkg/store/store.go pkg/store/rows.go pkg/store/rows_test.go fmt.go
    src/lib.rs src/store.rs src/store/row.rs src/view/mod.rs src/view/page.rs util/src/lib.rs
    util/src/text.rs app/java/a/b/Cart.java app/java/a/b/Row.java lib/java/a/b/Cart.java
    include/shop/store.h source/store.c source/local.h deep/source/local.h"""
)


@pytest.mark.parametrize(
    ("language", "module", "importer", "expected"),
    [
        ("go", "host/me/shop/pkg/store", "cmd/main.go", "pkg/store/rows.go pkg/store/store.go"),
        ("go", "fmt", "cmd/main.go", ""),
        ("go", "host/other/thing", "cmd/main.go", ""),
        ("rust", "crate::store", "src/view/page.rs", "src/store.rs"),
        ("rust", "crate::store::row", "src/lib.rs", "src/store/row.rs"),
        ("rust", "self::row", "src/store.rs", "src/store/row.rs"),
        ("rust", "super", "src/view/page.rs", "src/view/mod.rs"),
        ("rust", "super::super::store", "src/view/page.rs", "src/store.rs"),
        ("rust", "page", "src/view/mod.rs", "src/view/page.rs"),
        ("rust", "crate", "src/store.rs", "src/lib.rs"),
        ("rust", "util::text", "src/lib.rs", "util/src/text.rs"),
        ("rust", "std::io", "src/lib.rs", ""),
        (
            "java",
            "a.b.Cart",
            "app/java/a/b/Row.java",
            "app/java/a/b/Cart.java lib/java/a/b/Cart.java",
        ),
        ("java", "a.b.Row.LIMIT", "x/Y.java", "app/java/a/b/Row.java"),
        ("java", "java.util.List", "x/Y.java", ""),
        ("c", "local.h", "source/store.c", "source/local.h"),
        ("c", "shop/store.h", "source/store.c", "include/shop/store.h"),
        ("cpp", "../source/local.h", "deep/other/x.cpp", "deep/source/local.h"),
        ("cpp", "vector", "deep/other/x.cpp", ""),
    ],
)
def test_others(language: str, module: str, importer: str, expected: str) -> None:
    assert resolve(language, module, importer, OTHERS) == expected.split()


def described(paths: str, **said: str) -> Tree:
    """A tree with the contents of its manifests, whose paths are written with __ for /."""
    texts = {name.replace("__", "/"): text for name, text in said.items()}
    made = Tree((*paths.split(), *texts))
    made.said = {  # type: ignore[misc]
        path: parse(indexed_as(path) or "", text.encode()) for path, text in texts.items()
    }
    return made


TSCONFIG = described(
    """apps/web/src/store.ts apps/web/src/view/index.tsx apps/web/src/deep/x.ts other/store.ts
    apps/web/types/api.d.ts shared/src/log.ts shared/src/special.ts vite/src/a.ts vite/src/b.ts
    src/store.ts plain/lib/x.ts plain/y.ts packages/core/lib/entry.ts packages/core/lib/sub.ts
    packages/ui/src/index.ts packages/ui/src/button.tsx""",
    **{
        "apps__web__tsconfig.json": """{
          // The alias of the bundler.
          "extends": "../../tsconfig.base.json",
          "compilerOptions": { "paths": {
            "@/*": ["./src/*",],
            "~api": ["types/api"], /* exactly */
            "url//*": ["no"],
            "#log/special": ["../../shared/src/special"],
            "#log/*": ["../../shared/src/*"],
          }, },
        }""",
        "tsconfig.base.json": '{"compilerOptions": {"paths": {"@/*": ["other/*"]}}}',
        "shared__tsconfig.json": '{"extends": ["../tsconfig.base"]}',
        "plain__tsconfig.json": '{"compilerOptions": {"baseUrl": "."}}',
        "vite__tsconfig.json": '{"files": [], "references": [{"path": "./tsconfig.app.json"}]}',
        "vite__tsconfig.app.json": '{"compilerOptions": {"baseUrl": "src", "paths": {"$/*": ["*"]}}}',
        "loop__tsconfig.json": '{"extends": "./tsconfig.json"}',
        "broken__tsconfig.json": '{"compilerOptions": [',
        "packages__core__package.json": '{"name": "@acme/core", "main": "./lib/entry.js"}',
        "packages__ui__package.json": '{"name": "kit", "exports": {".": {"import": "./dist/i.js"}}}',
    },
)


@pytest.mark.parametrize(
    ("module", "importer", "expected"),
    [
        ("@/store", "apps/web/src/deep/x.ts", "apps/web/src/store.ts"),
        ("@/view", "apps/web/src/deep/x.ts", "apps/web/src/view/index.tsx"),
        ("~api", "apps/web/src/store.ts", "apps/web/types/api.d.ts"),
        ("#log/log", "apps/web/src/store.ts", "shared/src/log.ts"),
        ("#log/special", "apps/web/src/store.ts", "shared/src/special.ts"),
        # Said by the file that is extended, and from there.
        ("@/store", "shared/src/log.ts", "other/store.ts"),
        ("lib/x", "plain/y.ts", "plain/lib/x.ts"),
        ("$/b", "vite/src/a.ts", "vite/src/b.ts"),
        ("b", "vite/src/a.ts", "vite/src/b.ts"),
        ("react", "loop/x.ts", ""),
        ("react", "broken/x.ts", ""),
        ("@acme/core", "apps/web/src/store.ts", "packages/core/lib/entry.ts"),
        ("@acme/core/lib/sub", "apps/web/src/store.ts", "packages/core/lib/sub.ts"),
        ("kit", "apps/web/src/store.ts", "packages/ui/src/index.ts"),
        ("kit/button", "apps/web/src/store.ts", "packages/ui/src/button.tsx"),
    ],
)
def test_tsconfig_and_package_json(module: str, importer: str, expected: str) -> None:
    assert resolve("typescript", module, importer, TSCONFIG) == expected.split()


MODULES = described(
    """cmd/main.go pkg/store/store.go pkg/store/store_test.go errors/errors.go tools/gen/gen.go
    vendor/host/far/thing/a.go crates/text-tools/src/lib.rs crates/text-tools/src/wrap.rs
    crates/odd/lib/root.rs crates/odd/lib/inner.rs app/src/main.rs""",
    **{
        "go.mod": "// A shop.\nmodule host/me/shop\n\ngo 1.22\n",
        "tools__go.mod": 'module "host/me/shop/tools"\n',
        "go.work": "go 1.22\nuse (\n\t.\n\t./tools\n)\n",
        "crates__text-tools__Cargo.toml": '[package]\nname = "text-tools"\n',
        "crates__odd__Cargo.toml": '[package]\nname = "x"\n[lib]\nname = "odd"\npath = "lib/root.rs"\n',
    },
)


@pytest.mark.parametrize(
    ("language", "module", "expected"),
    [
        ("go", "host/me/shop/pkg/store", "pkg/store/store.go"),
        ("go", "host/me/shop/tools/gen", "tools/gen/gen.go"),
        # The end of the path is the same; the module is another one.
        ("go", "host/pkg/errors", ""),
        ("go", "errors", ""),
        ("go", "host/far/thing", "vendor/host/far/thing/a.go"),
        ("rust", "text_tools::wrap", "crates/text-tools/src/wrap.rs"),
        ("rust", "odd::inner", "crates/odd/lib/inner.rs"),
        ("rust", "serde::de", ""),
    ],
)
def test_modules_by_their_manifest(language: str, module: str, expected: str) -> None:
    importer = "cmd/main.go" if language == "go" else "app/src/main.rs"
    assert resolve(language, module, importer, MODULES) == expected.split()


def test_a_language_without_a_resolver_resolves_nothing() -> None:
    assert resolve("klingon", "a", "b", PYTHON) == []
    assert resolve("python", "", "b", PYTHON) == []

"""Which file an import means, as a function of the paths that exist."""

import pytest
from wicket.indexing.resolvers import resolve


class Tree(frozenset[str]):
    """Paths that exist, as resolvers see them."""

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


def test_a_language_without_a_resolver_resolves_nothing() -> None:
    assert resolve("klingon", "a", "b", PYTHON) == []
    assert resolve("python", "", "b", PYTHON) == []

"""Which file an import means, as a function of the paths that exist."""

import pytest
from wicket.indexing.resolvers import resolve


class Tree(frozenset[str]):
    """Paths that exist, as resolvers see them."""

    def exists(self, path: str) -> bool:
        return path in self

    def named(self, base: str) -> list[str]:
        return sorted(path for path in self if path.rpartition("/")[2] == base)


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


def test_a_language_without_a_resolver_resolves_nothing() -> None:
    assert resolve("klingon", "a", "b", PYTHON) == []
    assert resolve("python", "", "b", PYTHON) == []

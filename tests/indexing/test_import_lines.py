"""Where an import goes in a file, and how it is written there."""

from textwrap import dedent

import pytest
from wicket.indexing.import_lines import added, statement
from wicket.indexing.retrieval.unimported import Way


def check(language: str, before: str, said: str, after: str) -> None:
    """`said` is "module name [alias]", "-" for the module itself."""
    module, name, *alias = said.split()
    bound = "" if name == "-" else name
    way = Way(module, bound, alias[0] if alias else bound or module, here=True)
    text = dedent(before)
    got = added(language, text, way, lambda module: module.startswith((".", "shop", "@/")))
    assert got == dedent(after)


PYTHON = {
    "no import yet": ("x = 1\n", ".m a", "from .m import a\n\nx = 1\n"),
    "above a definition": ("def f(): ...\n", ".m a", "from .m import a\n\n\ndef f(): ...\n"),
    "behind what documents the file": (
        '"""Doc."""\n\ndef f(): ...\n',
        "os -",
        '"""Doc."""\n\nimport os\n\n\ndef f(): ...\n',
    ),
    "right behind what documents the file": (
        '"""Doc."""\nx = 1\n',
        "os -",
        '"""Doc."""\n\nimport os\n\nx = 1\n',
    ),
    "behind a shebang": ("#!/bin/x\n\nx = 1\n", "os -", "#!/bin/x\n\nimport os\n\nx = 1\n"),
    "joined in order": ("from .m import a, c\n", ".m b", "from .m import a, b, c\n"),
    "joined without order": ("from .m import c, a\n", ".m b", "from .m import c, a, b\n"),
    "joined as isort has it": (
        "from .m import LIMIT, Store, a\n",
        ".m Row",
        "from .m import LIMIT, Row, Store, a\n",
    ),
    "joined in any case": ("from .m import a, B, c\n", ".m Bz", "from .m import a, B, Bz, c\n"),
    "joined under another name": ("from .m import a\n", ".m b c", "from .m import a, b as c\n"),
    "joined before a comment": (
        "from .m import a  # why\n",
        ".m b",
        "from .m import a, b  # why\n",
    ),
    "joined on lines": (
        "from .m import (\n    a,\n    c,\n)\n",
        ".m b",
        "from .m import (\n    a,\n    b,\n    c,\n)\n",
    ),
    "joined as the last line": (
        "from .m import (\n    a,\n    c\n)\n",
        ".m d",
        "from .m import (\n    a,\n    c,\n    d\n)\n",
    ),
    "joined as the last line with a comma": (
        "from .m import (\n    a,  # why\n    c,  # too\n)\n",
        ".m d",
        "from .m import (\n    a,  # why\n    c,\n    d,  # too\n)\n",
    ),
    "joined to a long line": (
        f"from .m import {'a' * 40}, {'b' * 30}\n",
        ".m c",
        f"from .m import (\n    {'a' * 40},\n    {'b' * 30},\n    c,\n)\n",
    ),
    "not to all there is": ("from .m import *\n", ".m b", "from .m import *\nfrom .m import b\n"),
    "sorted into its group": (
        "import os\nimport re\n\nfrom . import a\nfrom .z import b\n\nx = 1\n",
        ".m c",
        "import os\nimport re\n\nfrom . import a\nfrom .m import c\nfrom .z import b\n\nx = 1\n",
    ),
    "plain ones first": (
        "import os\nfrom re import X\n",
        "json -",
        "import json\nimport os\nfrom re import X\n",
    ),
    "by module alone": (
        "import os\nfrom re import X\nimport sys\n",
        "pathlib Path",
        "import os\nfrom pathlib import Path\nfrom re import X\nimport sys\n",
    ),
    "a group without order": (
        "import sys\nimport os\nimport re\n",
        "json -",
        "import sys\nimport os\nimport re\nimport json\n",
    ),
    "a group of its own": (
        "import os\n\nx = 1\n",
        ".m a",
        "import os\n\nfrom .m import a\n\nx = 1\n",
    ),
    "a group of its own, first": (
        "from .m import a\n",
        "os -",
        "import os\n\nfrom .m import a\n",
    ),
    "between two groups": (
        "import os\n\nfrom .m import a\n",
        "click -",
        "import os\n\nimport click\n\nfrom .m import a\n",
    ),
    "one group for all": (
        "import os\nfrom click import x\n",
        "shop.m a",
        "import os\nfrom click import x\nfrom shop.m import a\n",
    ),
    "the future stays first": (
        "from __future__ import annotations\n\nx = 1\n",
        "os -",
        "from __future__ import annotations\n\nimport os\n\nx = 1\n",
    ),
    "not among imports far below": (
        "import os\n\nx = 1\n\nimport re\n",
        "json -",
        "import json\nimport os\n\nx = 1\n\nimport re\n",
    ),
    "not into what only checkers read": (
        "import os\n\nif TYPE_CHECKING:\n    from .m import a\n",
        ".m b",
        "import os\n\nfrom .m import b\n\nif TYPE_CHECKING:\n    from .m import a\n",
    ),
    "carriage returns": (
        "import os\r\n\r\nx = 1\r\n",
        "re -",
        "import os\r\nimport re\r\n\r\nx = 1\r\n",
    ),
}
SCRIPT = {
    "no import yet": ("f(\"a\");\n", "./m a", "import { a } from \"./m\";\n\nf(\"a\");\n"),
    "single quotes": ("f('a')\n", "./m a", "import { a } from './m';\n\nf('a')\n"),
    "behind a comment": (
        "// x\n\nf('a')\n",
        "./m a",
        "// x\n\nimport { a } from './m';\n\nf('a')\n",
    ),
    "joined": ("import { a, c } from './m';\n", "./m b", "import { a, b, c } from './m';\n"),
    "joined to a default": (
        "import D, { a } from './m';\n",
        "./m b",
        "import D, { a, b } from './m';\n",
    ),
    "joined on lines": (
        "import {\n  a,\n  c\n} from './m';\n",
        "./m d",
        "import {\n  a,\n  c,\n  d\n} from './m';\n",
    ),
    "not to a default alone": (
        "import D from './m';\n",
        "./m b",
        "import D from './m';\nimport { b } from './m';\n",
    ),
    "not to types alone": (
        "import type { A } from './m';\n",
        "./m b",
        "import type { A } from './m';\nimport { b } from './m';\n",
    ),
    "sorted, without semicolons": (
        'import { x } from "react"\nimport { a } from "./a"\nimport { z } from "./z"\n',
        "./m b",
        'import { x } from "react"\nimport { a } from "./a"\n'
        'import { b } from "./m"\nimport { z } from "./z"\n',
    ),
    "packages before files": (
        "import { a } from './a';\n",
        "react useState",
        "import { useState } from 'react';\n\nimport { a } from './a';\n",
    ),
    "a default": (
        "import { a } from './a';\n",
        "./m default D",
        "import { a } from './a';\nimport D from './m';\n",
    ),
    "a whole module": (
        "import { a } from './a';\n",
        "./m - m",
        "import { a } from './a';\nimport * as m from './m';\n",
    ),
    "require": (
        "const a = require('./a');\n",
        "./m b",
        "const { b } = require('./m');\n\nconst a = require('./a');\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PYTHON)
def test_python(case: str) -> None:
    check("python", *PYTHON[case])


@pytest.mark.parametrize("case", SCRIPT)
def test_script(case: str) -> None:
    check("typescript", *SCRIPT[case])


def test_types_are_imported_as_the_file_does() -> None:
    way = Way("./m", "A", "A", here=True, typed=True)
    assert statement("typescript", "import type { B } from './b';\n", way) == (
        "import type { A } from './m';"
    )
    assert statement("typescript", "import { B } from './b';\n", way) == "import { A } from './m';"

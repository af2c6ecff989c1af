"""Prompts of every family, as ids of real tokenizers."""

# The bars in DeepSeek's markers and the quotes in some texts are meant.

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wicket.completion import families
from wicket.completion.cursor import Cursor, Snippet
from wicket.completion.families import Fim, NotForInfill
from wicket.completion.formats import FAMILIES, JOINED_SPM, PSM, SPM, order_of

from .gguf_files import Raw, Value, byte_level, sentencepiece, write
from .vocabularies import LlamaVocabulary, real

EMBEDDED = Path(families.__file__).parent / "models" / "wicket-base-q8_0.gguf"

END = "<|endoftext|>"
QWEN = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
QWEN_FILES = [END, *QWEN, "<|file_sep|>", "<|repo_name|>"]
BIGCODE = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>"]
SANTA = ["<fim-prefix>", "<fim-suffix>", "<fim-middle>"]
DEEPSEEK = ["<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"]
SEED = ["<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"]
FALCON = ["<|prefix|>", "<|suffix|>", "<|middle|>"]
LLAMA = ["▁<PRE>", "▁<SUF>", "▁<MID>"]
MISTRAL = ["[PREFIX]", "[SUFFIX]", "[MIDDLE]"]
PIECES = ["▁", "d", "e", "f", "▁d", "de", "def", "▁def", "▁▁", "▁▁▁▁", "x", "▁x"]

Made = dict[str, Value | Raw]

# Family -> a small vocabulary with its markers, byte-level or SentencePiece as the real
# one is, and which markers must be found for prefix, suffix, middle and separator.
SYNTHETIC: dict[str, tuple[Made, list[str]]] = {
    "wicket": (byte_level(QWEN_FILES, name="wicket-tiny"), QWEN_FILES[1:5]),
    "codegemma": (
        byte_level(
            ["<bos>", "<eos>", *QWEN, "<|file_separator|>"],
            name="CodeGemma 2b",
            add_bos_token=True,
            bos_token_id=0,
            eos_token_id=1,
        ),
        [*QWEN, "<|file_separator|>"],
    ),
    "qwen3-coder": (byte_level(QWEN_FILES, name="Qwen3 Coder 30B"), QWEN_FILES[1:5]),
    "granite-4": (byte_level(QWEN, name="Granite 4.0 Micro"), QWEN),
    "qwen2.5-coder": (
        byte_level(QWEN_FILES, name="Qwen2.5 Coder 1.5B"),
        QWEN_FILES[1:5],
    ),
    "mellum": (
        byte_level([*BIGCODE, "<filename>", "<reponame>"], name="Mellum 4b Base"),
        [*BIGCODE, "<filename>"],
    ),
    "starcoder2": (
        byte_level([*BIGCODE, "<file_sep>", "<repo_name>"], name="StarCoder2 3b"),
        [*BIGCODE, "<file_sep>"],
    ),
    "refact": (byte_level(BIGCODE, name="1.6B", architecture="refact"), BIGCODE),
    "stable-code": (byte_level(BIGCODE, name="Stable Code 3b"), BIGCODE),
    "granite-code": (
        byte_level([*BIGCODE, "<reponame>"], name="Granite 3b Code Base"),
        BIGCODE,
    ),
    "starcoder": (
        byte_level([*BIGCODE, "<filename>", "<reponame>"], name="tiny_starcoder_py"),
        [*BIGCODE, "<filename>"],
    ),
    "santacoder": (byte_level(SANTA, name="Santa"), SANTA),
    "deepseek-coder": (byte_level(["<｜end▁of▁sentence｜>", *DEEPSEEK]), DEEPSEEK),
    "codellama": (sentencepiece([*LLAMA, "▁<EOT>"], PIECES), LLAMA),
    "codestral": (sentencepiece(MISTRAL, PIECES), MISTRAL[:2]),
    "seed-coder": (byte_level(["<[end▁of▁sentence]>", *SEED]), SEED),
    "falcon-h1-tiny-coder": (byte_level([END, *FALCON]), FALCON),
}

# Family and order -> the prompt of `def f($0):\n` in a.py, alone and with other files.
PLAIN = "[pre]def f([suf]):\n[mid]"
TWO_FILES = "[sep]b.py\nx = 1\n[sep]c/d.py\ny"
PROMPTS = {
    "wicket spm": (
        "[sep]a.py\n[suf]):\n[pre]def f([mid]",
        TWO_FILES + "[sep]a.py\n[suf]):\n[pre]def f([mid]",
    ),
    "codegemma psm": (
        "[bos][pre]def f([suf]):\n[mid]",
        f"[bos]{TWO_FILES}\n[sep]a.py\n[pre]def f([suf]):\n[mid]",
    ),
    "qwen3-coder psm": (PLAIN, f"{TWO_FILES}\n[sep]a.py\n{PLAIN}"),
    "granite-4 psm": (PLAIN, PLAIN),
    "qwen2.5-coder psm": (PLAIN, f"{TWO_FILES}\n[sep]a.py\n{PLAIN}"),
    "mellum spm": (
        "[suf]):\n[pre]def f([mid]",
        TWO_FILES + "\n[sep]a.py\n[suf]):\n[pre]def f([mid]",
    ),
    "starcoder2 psm": (PLAIN, TWO_FILES + "[sep][pre]a.py\ndef f([suf]):\n[mid]"),
    "starcoder2 spm": (
        "[pre][suf]):\n[mid]def f(",
        TWO_FILES + "[sep][pre][suf]):\n[mid]a.py\ndef f(",
    ),
    "refact psm": (PLAIN, PLAIN),
    "stable-code psm": (PLAIN, PLAIN),
    "granite-code psm": (PLAIN, PLAIN),
    "granite-code spm": ("[pre][suf]):\n[mid]def f(",) * 2,
    "starcoder psm": (PLAIN, TWO_FILES + "[pre][sep]a.py\ndef f([suf]):\n[mid]"),
    "starcoder spm": (
        "[pre][suf]):\n[mid]def f(",
        TWO_FILES + "[pre][suf]):\n[mid][sep]a.py\ndef f(",
    ),
    "santacoder psm": (PLAIN, PLAIN),
    "santacoder spm": ("[pre][suf]):\n[mid]def f(",) * 2,
    "deepseek-coder psm": (
        PLAIN,
        "[pre]#b.py\nx = 1\n#c/d.py\ny\n#a.py\ndef f([suf]):\n[mid]",
    ),
    # SentencePiece models saw a space before the prefix, and none before the suffix.
    "codellama psm": ("[bos][pre] def f([suf]):\n[mid]",) * 2,
    "codellama spm": ("[bos][pre][suf]):\n[mid] def f(",) * 2,
    "codestral spm": (
        "[bos][suf]):\n[pre] def f(",
        "[bos][suf]):\n[pre] +++++ b.py\nx = 1\n\n\n+++++ c/d.py\ny\n\n+++++ a.py\ndef f(",
    ),
    "seed-coder spm": ("[suf]):\n[pre]def f([mid]",) * 2,
    "falcon-h1-tiny-coder psm": (PLAIN, PLAIN),
}
OTHERS = [Snippet("b.py", "x = 1\n"), Snippet("c/d.py", "y")]


Loaded = LlamaVocabulary


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Loaded]]:
    """Loads vocabularies, synthetic or real, once each."""
    folder = tmp_path_factory.mktemp("vocabularies")
    known: dict[tuple[str, bool], LlamaVocabulary] = {}

    def load(name: str, made: Made | None = None) -> LlamaVocabulary:
        key = name, made is None
        if key not in known:
            known[key] = LlamaVocabulary(
                write(folder / f"{len(known)}.gguf", made) if made else found(name)
            )
        return known[key]

    yield load
    for vocabulary in known.values():
        vocabulary.close()


def found(name: str) -> Path:
    return EMBEDDED if name == "embedded" else real(name)


def rendered(vocabulary: LlamaVocabulary, markers: list[str], ids: list[int]) -> str:
    """The text of `ids` with markers by role; `markers` says which texts are which."""
    roles = dict(zip(markers, ("[pre]", "[suf]", "[mid]", "[sep]"), strict=False))
    roles |= {"<s>": "[bos]", "<bos>": "[bos]"}
    return "".join(roles.get(vocabulary.texts[i]) or vocabulary.spelled([i]) for i in ids)


@pytest.mark.parametrize("case", PROMPTS)
def test_each_family_shows_a_hole_in_its_own_way(case: str, load: Callable[..., Loaded]) -> None:
    """Markers are found by their text; order, headers and separators are as trained."""
    name, order = case.split()
    made, markers = SYNTHETIC[name]
    vocabulary = load(name, made)
    fim = families.fim_for(vocabulary, "spm" if order == "spm" else "psm")
    assert (fim.family.name, fim.order) == (name, order)
    for context, want in zip(((), OTHERS), PROMPTS[case], strict=True):
        parts = families.parts(fim, "a.py", "def f(", "):\n", context)
        ids = families.token_ids(parts, vocabulary)
        assert rendered(vocabulary, markers, ids) == want
        assert set(ids) & fim.stops >= {fim.pre, fim.suf}


def test_every_family_and_layout_has_a_case() -> None:
    layouts = {f"{f.name} {order_of(layout)}" for f in FAMILIES for layout in f.layouts}
    assert layouts == set(PROMPTS)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_the_two_spm_layouts_are_not_the_same() -> None:
    assert [order_of(layout) for layout in (PSM, SPM, JOINED_SPM)] == [
        "psm",
        "spm",
        "spm",
    ]
    joined = [f.name for f in FAMILIES if any("mid PREFIX" in x for x in f.layouts)]
    native = [f.name for f in FAMILIES if any("pre PREFIX mid" in x for x in f.layouts)]
    assert native == ["wicket", "mellum", "seed-coder"]
    assert not set(native) & set(joined)


# Vocabulary, family, (pre, suf, mid, sep, bos), and the ids of a prompt in a.py.
# fmt: off
REAL = [
    ("embedded", "wicket", (1, 3, 2, 6, None), [
        6, 72, 2301, 205, 94, 280, 227, 23, 205, 6, 71, 2301, 205, 3, 205, 1,
        325, 296, 772, 327, 265, 365, 227, 2,
    ]),
    ("starcoder", "starcoder2", (1, 3, 2, 6, None), [
        6, 103, 51, 997, 222, 125, 299, 244, 54, 222, 6, 1, 102, 51, 997, 222,
        610, 315, 45, 125, 731, 303, 461, 244, 3, 222, 2,
    ]),
    ("refact", "refact", (1, 3, 2, None, None), [
        1, 589, 296, 26, 106, 711, 284, 442, 225, 3, 203, 2,
    ]),
    ("deepseek-coder", "deepseek-coder", (32016, 32015, 32017, None, 32013), [
        32013, 32016, 2, 65, 13, 4016, 185, 87, 1412, 16, 185, 2, 64, 13, 4016,
        185, 1551, 267, 7, 87, 1772, 185, 315, 967, 207, 32015, 185, 32017,
    ]),
]
# fmt: on


@pytest.mark.parametrize(("name", "family", "markers", "want"), REAL)
def test_real_vocabularies(
    name: str,
    family: str,
    markers: tuple[int | None, ...],
    want: list[int],
    load: Callable[..., Loaded],
) -> None:
    """Golden token ids, and markers agree with those that llama.cpp itself detects."""
    vocabulary = load(name)
    fim = families.fim_for(vocabulary)
    assert fim.family.name == family
    assert (fim.pre, fim.suf, fim.mid, fim.sep, fim.bos) == markers
    assert vocabulary.detected() == (fim.pre, fim.suf, fim.mid)
    parts = families.parts(fim, "a.py", "def f(x):\n    return ", "\n", OTHERS[:1])
    assert families.token_ids(parts, vocabulary) == want


def test_the_embedded_prompt_is_the_one_it_was_trained_with(
    load: Callable[..., Loaded],
) -> None:
    """6 path newline, 3 suffix, 1 prefix, 2; tabs are four spaces and CRLF is LF."""
    vocabulary = load("embedded")
    fim = families.fim_for(vocabulary)
    parts = families.parts(
        fim, "pkg/area.py", "def area(r):\r\n\treturn ", "\r\n\r\nprint(area(2))\r\n"
    )
    assert parts == [
        6,
        "pkg/area.py\n",
        3,
        "\n\nprint(area(2))\n",
        1,
        "def area(r):\n    return ",
        2,
    ]
    # fmt: off
    assert families.token_ids(parts, vocabulary) == [
        6, 7272, 21, 1741, 71, 2301, 205, 3, 299, 2477, 1130, 8155, 14, 24, 605,
        1, 325, 739, 71, 1473, 327, 265, 365, 227, 2,
    ]
    # fmt: on
    assert {0, 1, 2, 3, 4, 5, 6} == fim.stops


def test_nothing_before_and_after_the_cursor(load: Callable[..., Loaded]) -> None:
    """An empty text becomes no token, not even a leading space."""
    for name, want in (
        ("codellama", "[bos][pre][suf][mid]"),
        ("wicket", "[sep]a.py\n[suf][pre][mid]"),
    ):
        vocabulary = load(name, SYNTHETIC[name][0])
        ids = families.token_ids(
            families.parts(families.fim_for(vocabulary), "a.py", "", ""), vocabulary
        )
        assert rendered(vocabulary, SYNTHETIC[name][1], ids) == want


HOSTILE = (
    "".join([*QWEN_FILES, *BIGCODE, *DEEPSEEK, *SEED, *FALCON, *LLAMA, *MISTRAL])
    + "<PRE><SUF><MID><|file_separator|><file_sep><filename><s></s><bos>"
)


@pytest.mark.parametrize("name", [*SYNTHETIC, *(row[0] for row in REAL)])
def test_a_file_cannot_write_markers(name: str, load: Callable[..., Loaded]) -> None:
    """Text full of markers leaves as many markers in the prompt as text without."""
    vocabulary = load(name, SYNTHETIC[name][0] if name in SYNTHETIC else None)
    fim = families.fim_for(vocabulary)

    def markers(text: str) -> list[int]:
        parts = families.parts(fim, text, text, text, [Snippet(text, text)])
        special = fim.stops | {fim.bos}
        return [i for i in families.token_ids(parts, vocabulary) if i in special]

    assert markers(HOSTILE) == markers("x")


def test_markers_of_the_type_user_defined_cannot_be_written_either(
    load: Callable[..., Loaded],
) -> None:
    """llama.cpp finds such tokens in plain text; they are spelled in pieces instead."""
    made = byte_level(
        QWEN,
        name="CodeGemma",
        user_defined=["<|file_separator|>"],
    )
    vocabulary = load("user defined", made)
    fim = families.fim_for(vocabulary)
    text = "  a <|file_separator|> b  <|file_separator|>"
    assert vocabulary.tokenize(text).count(fim.sep) == 2
    parts = families.parts(fim, "a.py", text, "", OTHERS)
    ids = families.token_ids(parts, vocabulary)
    assert ids.count(fim.sep) == 3  # One for each file.
    assert vocabulary.spelled(ids).count(text) == 1


@pytest.mark.parametrize("name", ["codellama", "embedded", "deepseek-coder"])
def test_texts_survive_as_they_are(name: str, load: Callable[..., Loaded]) -> None:
    """Token ids spell the text again, without a space that nobody wrote."""
    vocabulary = load(name, SYNTHETIC[name][0] if name == "codellama" else None)

    @given(st.text() | st.text(alphabet="def x\n\t▁<|>☺"))
    @example(" leading")
    @example("☺")
    @example("\u2028 \r\n\t🙂")
    def spelled_again(text: str) -> None:
        ids = families.text_ids(text, vocabulary)
        # SentencePiece cannot tell its space sign from a space.
        want = text.replace("▁", " ") if name == "codellama" else text
        assert vocabulary.spelled(ids) == want

    spelled_again()


def test_ids_in_the_metadata_win(load: Callable[..., Loaded]) -> None:
    """The keys name other tokens than the texts would; legacy keys count too."""
    for keys in (
        {"fim_pre_token_id": 4, "fim_suf_token_id": 5, "fim_mid_token_id": 6},
        {"prefix_token_id": 4, "suffix_token_id": 5, "middle_token_id": 6},
    ):
        made = byte_level([END, *QWEN, "<A>", "<B>", "<C>"], **keys)
        fim = families.fim_for(load(str(keys), made))
        assert (fim.family.name, fim.pre, fim.suf, fim.mid) == (
            "qwen2.5-coder",
            4,
            5,
            6,
        )


def test_ids_beyond_the_vocabulary_are_ignored(load: Callable[..., Loaded]) -> None:
    fim = families.fim_for(load("far", byte_level([END, *QWEN], fim_pre_token_id=99999)))
    assert fim.pre == 1


def test_unknown_markers_named_in_the_metadata_are_used(
    load: Callable[..., Loaded],
) -> None:
    made = byte_level(
        ["<A>", "<B>", "<C>"],
        fim_pre_token_id=0,
        fim_suf_token_id=1,
        fim_mid_token_id=2,
        eos_token_id=2,
    )
    vocabulary = load("unnamed", made)
    fim = families.fim_for(vocabulary)
    assert families.parts(fim, "a.py", "x", "y", OTHERS) == [0, "x", 1, "y", 2]


def test_other_files_need_the_separator(load: Callable[..., Loaded]) -> None:
    """A vocabulary without its family's separator is shown the current file alone."""
    vocabulary = load("no separator", byte_level([END, *QWEN], name="Qwen2.5 Coder"))
    fim = families.fim_for(vocabulary)
    assert families.parts(fim, "a.py", "x", "y", OTHERS) == [1, "x", 2, "y", 3]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("gpt-2", None),
        ("plain", byte_level([END], name="chat\nmodel")),
        ("no middle", byte_level([END, *QWEN[:2]], name="half")),
        ("text only", byte_level([END], merges=["< |"])),
    ],
)
def test_a_vocabulary_without_markers_is_refused(
    name: str, made: Made | None, load: Callable[..., Loaded]
) -> None:
    with pytest.raises(NotForInfill, match="no fill-in-the-middle tokens") as error:
        families.fim_for(load(name, made))
    assert "\n" not in str(error.value)
    assert "wicket model list" in str(error.value)


def cursor(marked: str) -> Cursor:
    before, after = marked.split("$0")
    return Cursor("a.py", "python", before + after, len(before))


TABS = "def f():\n\ta\n\n\tif b:\n"
SPACES = "def f():\n    a\n\n    if b:\n"

# Document, what the model wrote, what is offered.
FROM_MODEL = [
    (TABS + "$0", "        return 1\n    else:\n", "\t\treturn 1\n\telse:\n"),
    (TABS + "\t\t$0", "return 1\n        b", "return 1\n\t\tb"),
    (TABS + "\t$0\n", "    return 1", "\treturn 1"),
    # Behind code the first line continues it; further lines are indented.
    (TABS + "\t\tx =$0", "    1\n        y = 2", "    1\n\t\ty = 2"),
    # Less than four spaces align, they do not indent; inside a line nothing changes.
    (TABS + "$0", "      x    = 1", "\t  x    = 1"),
    (TABS + "$0", "    \n        \n", "\t\n\t\t\n"),
    (SPACES + "$0", "        return 1\n    else:\n", "        return 1\n    else:\n"),
    ("$0", "    x", "    x"),
    # The majority near the cursor decides.
    (TABS + SPACES + "  c\n$0", "    x", "    x"),
    ("# \tcomment\n  x\n$0", "    x", "    x"),
]


@pytest.mark.parametrize(("marked", "text", "want"), FROM_MODEL)
def test_generated_text_is_indented_like_the_document(marked: str, text: str, want: str) -> None:
    assert families.from_model("wicket", text, cursor(marked)) == want


@pytest.mark.parametrize("family", ["qwen2.5-coder", "unnamed", "of next year"])
def test_other_families_write_tabs_themselves(family: str) -> None:
    assert families.from_model(family, "    x", cursor(TABS + "$0")) == "    x"


def test_only_wicket_reads_spaces_for_tabs(load: Callable[..., Loaded]) -> None:
    wicket = families.fim_for(load("wicket", SYNTHETIC["wicket"][0]))
    qwen = families.fim_for(load("qwen2.5-coder", SYNTHETIC["qwen2.5-coder"][0]))
    text = "\tx\t= 1\r\n\r\ty"
    assert families.to_model(wicket, text) == "    x    = 1\n\n    y"
    assert families.to_model(qwen, text) == text


LINES = st.text(alphabet="ab \t\r\n", max_size=60)


@given(LINES, LINES)
def test_halves_are_converted_like_the_whole(before: str, after: str) -> None:
    """The cursor may stand anywhere but inside a CRLF."""
    if not (before.endswith("\r") and after.startswith("\n")):
        whole = families.to_model(WICKET, before + after)
        assert families.to_model(WICKET, before) + families.to_model(WICKET, after) == whole
    once = families.to_model(WICKET, before)
    assert families.to_model(WICKET, once) == once


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "a", "b  c", "d    e"]))))
def test_indentation_by_tabs_comes_back(lines: list[tuple[int, str]]) -> None:
    text = "\n".join("\t" * depth + rest for depth, rest in lines)
    sent = families.to_model(WICKET, text)
    assert "\t" not in sent
    assert families.with_tabs(sent, fresh_line=True) == text


WICKET = Fim(
    family=FAMILIES[0],
    layout=FAMILIES[0].layouts[0],
    pre=1,
    suf=3,
    mid=2,
    sep=6,
    rep=5,
    stops=frozenset(),
    bos=None,
)

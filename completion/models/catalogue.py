"""Models worth having, one row each: what they are and where their files stand.

Sizes are those of the named file; the memory is an estimate for 8,192 tokens or the
model's whole context.  A checksum stands only where we made the file: for every other
file it is computed when the file is imported.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """`size` and `memory` are bytes, `context` tokens; no `languages` means any.

    `sha256` is empty for files that others made.  `page` is empty for what ships with
    the package.  `hardware` says for whom the model is.
    """

    name: str
    family: str
    parameters: str
    file: str
    size: int
    licence: str
    context: int
    memory: int
    hardware: str
    page: str
    languages: tuple[str, ...] = ()
    sha256: str = ""


MB, GB = 10**6, 10**9
HUB = "https://huggingface.co/"

MODELS = (
    Row(
        name="wicket-base",
        family="wicket",
        parameters="7M",
        file="wicket-base-q8_0.gguf",
        size=7_519_328,
        licence="Apache-2.0",
        context=1024,
        memory=100 * MB,
        hardware="any machine; ships with Wicket",
        page="",
        languages=("python",),
        sha256="b42f32b8321e340d668a627407164581f62d33a48c7dd9b212a418f0e0d981dc",
    ),
    Row(
        name="qwen2.5-coder-0.5b",
        family="qwen2.5-coder",
        parameters="0.5B",
        file="qwen2.5-coder-0.5b-q8_0.gguf",
        size=531 * MB,
        licence="Apache-2.0",
        context=32768,
        memory=1 * GB,
        hardware="weak CPU",
        page=HUB + "ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF",
    ),
    Row(
        name="qwen2.5-coder-1.5b",
        family="qwen2.5-coder",
        parameters="1.5B",
        file="Qwen2.5-Coder-1.5B.Q4_K_M.gguf",
        size=986 * MB,
        licence="Apache-2.0",
        context=32768,
        memory=2 * GB,
        hardware="laptop: the best small one with a free licence",
        page=HUB + "mradermacher/Qwen2.5-Coder-1.5B-GGUF",
    ),
    Row(
        name="qwen2.5-coder-3b",
        family="qwen2.5-coder",
        parameters="3B",
        file="Qwen2.5-Coder-3B.Q4_K_S.gguf",
        size=1_830 * MB,
        licence="non-commercial: Qwen Research licence",
        context=32768,
        memory=3 * GB,
        hardware="fast laptop, research only",
        page=HUB + "mradermacher/Qwen2.5-Coder-3B-GGUF",
    ),
    Row(
        name="qwen2.5-coder-7b",
        family="qwen2.5-coder",
        parameters="7B",
        file="Qwen2.5-Coder-7B.Q4_K_M.gguf",
        size=4_680 * MB,
        licence="Apache-2.0",
        context=131072,
        memory=6 * GB,
        hardware="GPU with 8 GB",
        page=HUB + "QuantFactory/Qwen2.5-Coder-7B-GGUF",
    ),
    Row(
        name="qwen2.5-coder-14b",
        family="qwen2.5-coder",
        parameters="14B",
        file="Qwen2.5-Coder-14B.Q4_K_M.gguf",
        size=8_990 * MB,
        licence="Apache-2.0",
        context=131072,
        memory=12 * GB,
        hardware="GPU with 16 GB",
        page=HUB + "mradermacher/Qwen2.5-Coder-14B-GGUF",
    ),
    Row(
        name="qwen3-coder-30b-a3b",
        family="qwen3-coder",
        parameters="30B, 3B active",
        file="qwen3-coder-30b-a3b-instruct-q4_k_m.gguf",
        size=18_600 * MB,
        licence="Apache-2.0",
        context=262144,
        memory=20 * GB,
        hardware="GPU with 24 GB, or a team's server",
        page=HUB + "prithivMLmods/Qwen3-Coder-30B-A3B-Instruct-GGUF",
    ),
    Row(
        name="starcoder2-3b",
        family="starcoder2",
        parameters="3B",
        file="starcoder2-3b-Q4_K_M.gguf",
        size=1_850 * MB,
        licence="BigCode OpenRAIL-M",
        context=16384,
        memory=3 * GB,
        hardware="fast laptop; its training data is published",
        page=HUB + "second-state/StarCoder2-3B-GGUF",
    ),
    Row(
        name="deepseek-coder-1.3b",
        family="deepseek-coder",
        parameters="1.3B",
        file="deepseek-coder-1.3b-base.Q4_K_M.gguf",
        size=874 * MB,
        licence="DeepSeek licence",
        context=16384,
        memory=3 * GB,
        hardware="laptop",
        page=HUB + "TheBloke/deepseek-coder-1.3b-base-GGUF",
    ),
)
# The model that needs nothing but the package.
SHIPPED = MODELS[0]


def row_for(name: str) -> Row | None:
    """The row with this name or this file name, whatever the case."""
    wanted = name.lower()
    return next((r for r in MODELS if wanted in (r.name, r.file.lower())), None)

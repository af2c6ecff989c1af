"""Models worth having, one row each: what they are and where their files stand.

Sizes are those of the named file; the memory is an estimate for 8,192 tokens or the
model's whole context.  A checksum stands only where we made the file: for every other
file it is the hub's own, kept from the first download on.
"""

from dataclasses import dataclass
from typing import Literal

# Whether anybody can have it; "named" is data that is listed and not handed out.
Openness = Literal["open", "named", "closed"]


@dataclass(frozen=True, slots=True)
class Row:
    """`size` and `memory` are bytes, `context` tokens; no `languages` means any.

    `sha256` is empty for files that others made.  `page` is empty for what ships with
    the package; below it on the hub lies `file`.  `hardware` says for whom the model is.
    `card` is the page of who trained it, `base` what it was trained from, `role` whether
    it was left as it was or made to follow instructions.  `weights`, `code` (of the
    training) and `data` say what is open.  It is worth recommending from so many physical
    `cores` on, or from so many bytes of `gpu` memory; 0 is never.
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
    card: str = ""
    base: str = ""
    role: Literal["base", "instruct"] = "base"
    weights: Openness = "open"
    code: Openness = "closed"
    data: Openness = "closed"
    cores: int = 0
    gpu: int = 0

    @property
    def repository(self) -> str:
        """Owner and name on the hub."""
        return self.page.removeprefix(HUB)


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
        card="completion/models/CARD.md",
        data="named",
        cores=1,
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
        card=HUB + "Qwen/Qwen2.5-Coder-0.5B",
        base="Qwen2.5-0.5B",
        cores=3,
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
        card=HUB + "Qwen/Qwen2.5-Coder-1.5B",
        base="Qwen2.5-1.5B",
        cores=6,
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
        card=HUB + "Qwen/Qwen2.5-Coder-3B",
        base="Qwen2.5-3B",
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
        card=HUB + "Qwen/Qwen2.5-Coder-7B",
        base="Qwen2.5-7B",
        gpu=7 * GB,
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
        card=HUB + "Qwen/Qwen2.5-Coder-14B",
        base="Qwen2.5-14B",
        gpu=14 * GB,
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
        card=HUB + "Qwen/Qwen3-Coder-30B-A3B-Instruct",
        base="Qwen3-30B-A3B",
        role="instruct",
        gpu=22 * GB,
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
        card=HUB + "bigcode/starcoder2-3b",
        code="open",
        data="open",
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
        card=HUB + "deepseek-ai/deepseek-coder-1.3b-base",
    ),
    Row(
        name="codestral-22b",
        family="codestral",
        parameters="22B",
        file="Codestral-22B-v0.1-Q4_K_M.gguf",
        size=13_340 * MB,
        licence="non-commercial: Mistral AI Non-Production Licence",
        context=32768,
        memory=16 * GB,
        hardware="GPU with 24 GB, not for work",
        page=HUB + "bartowski/Codestral-22B-v0.1-GGUF",
        card=HUB + "mistralai/Codestral-22B-v0.1",
        role="instruct",
    ),
)
# The model that needs nothing but the package.
SHIPPED = MODELS[0]


def row_for(name: str) -> Row | None:
    """The row with this name or this file name, whatever the case."""
    wanted = name.lower()
    return next((r for r in MODELS if wanted in (r.name, r.file.lower())), None)

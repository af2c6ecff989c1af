"""The prompt format of each fill-in-the-middle family, one row each.

Sources: the makers' model cards and papers.  A new family is a new row, never new code.
"""

from dataclasses import dataclass
from typing import Literal

Order = Literal["psm", "spm"]

# A layout names what stands in a prompt, in order: small words are marker tokens (`sep`
# begins a file), capitals are the text around the cursor, `context` is every other file
# (sep, path and text of each) and `path` the line that names the current one.
PSM = "pre PREFIX suf SUFFIX mid"
SPM = "suf SUFFIX pre PREFIX mid"
# The second SPM, of BigCode and CodeLlama: the answer continues PREFIX with no marker
# between.  A model trained on one SPM does not understand the other.
JOINED_SPM = "pre suf SUFFIX mid PREFIX"


@dataclass(frozen=True, slots=True)
class Family:
    """How the models of one family expect a hole to be shown.

    `middle` is None where the answer follows the prefix directly.  `layouts` are those
    the family was trained with, the documented one first.  `names` is a pattern on
    "general.name architecture", lower case, for families that share token texts.
    `separator` and `path_line`, which may use {path}, name a file; `header` says when
    the current one is named.  `gap` ends the text of every other file.  `lead` stands
    before the text that the answer continues.  With `spaces_for_tabs` the training text
    had four spaces for each tab and LF line ends.
    """

    name: str
    licence: str
    layouts: tuple[str, ...]
    prefix: str
    suffix: str
    middle: str | None
    names: str = ""
    header: Literal["never", "with context", "always"] = "never"
    separator: str | None = None
    repository: str | None = None
    path_line: str = "{path}\n"
    gap: str = ""
    stops: tuple[str, ...] = ("<|endoftext|>",)
    lead: str = ""
    spaces_for_tabs: bool = False

    @property
    def order(self) -> Order:
        return order_of(self.layouts[0])


def order_of(layout: str) -> Order:
    return "spm" if layout.index("SUFFIX") < layout.index("PREFIX") else "psm"


QWEN = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
BIGCODE = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")

# The first row whose tokens are in the vocabulary and whose names match is taken: among
# rows that share token texts, the one without names comes last.
FAMILIES = (
    Family(
        "wicket",
        "Apache-2.0",
        ("context sep path suf SUFFIX pre PREFIX mid",),
        *QWEN,
        names=r"\bwicket",
        header="always",
        separator="<|file_sep|>",
        repository="<|repo_name|>",
        spaces_for_tabs=True,
    ),
    Family(
        "codegemma",
        "Gemma terms of use",
        ("context sep path pre PREFIX suf SUFFIX mid",),
        *QWEN,
        names="codegemma",
        header="with context",
        separator="<|file_separator|>",
        gap="\n",
        stops=("<eos>", "<end_of_turn>"),
    ),
    Family(
        "qwen3-coder",
        "Apache-2.0",
        ("context sep path pre PREFIX suf SUFFIX mid",),
        *QWEN,
        names="qwen.?3",
        header="with context",
        separator="<|file_sep|>",
        repository="<|repo_name|>",
        gap="\n",
        stops=("<|endoftext|>", "<|im_end|>", "<|im_start|>"),
    ),
    Family("granite-4", "Apache-2.0", (PSM,), *QWEN, names="granite"),
    Family(
        "qwen2.5-coder",
        "Apache-2.0; the 3B model is for research only",
        ("context sep path pre PREFIX suf SUFFIX mid",),
        *QWEN,
        header="with context",
        separator="<|file_sep|>",
        repository="<|repo_name|>",
        gap="\n",
        stops=("<|endoftext|>", "<|im_end|>", "<|im_start|>"),
    ),
    Family(
        "mellum",
        "Apache-2.0",
        ("context sep path suf SUFFIX pre PREFIX mid",),
        *BIGCODE,
        names="mellum",
        header="with context",
        separator="<filename>",
        repository="<reponame>",
        gap="\n",
    ),
    Family(
        "starcoder2",
        "BigCode OpenRAIL-M",
        # The file's path is part of what the hole was cut from, so it follows `pre`.
        (
            "context sep pre path PREFIX suf SUFFIX mid",
            "context sep pre suf SUFFIX mid path PREFIX",
        ),
        *BIGCODE,
        names="starcoder.?2",
        header="with context",
        separator="<file_sep>",
        repository="<repo_name>",
    ),
    Family("refact", "BigScience OpenRAIL-M", (PSM,), *BIGCODE, names="refact"),
    Family(
        "stable-code",
        "Stability AI, non-commercial without membership",
        (PSM,),
        *BIGCODE,
        names="stable.?(code|lm)",
    ),
    Family(
        "granite-code",
        "Apache-2.0",
        (PSM, JOINED_SPM),
        *BIGCODE,
        names="granite",
        repository="<reponame>",
    ),
    Family(
        "starcoder",
        "BigCode OpenRAIL-M",
        (
            "context pre sep path PREFIX suf SUFFIX mid",
            "context pre suf SUFFIX mid sep path PREFIX",
        ),
        *BIGCODE,
        header="with context",
        separator="<filename>",
        repository="<reponame>",
    ),
    Family(
        "santacoder",
        "BigCode OpenRAIL-M",
        (PSM, JOINED_SPM),
        "<fim-prefix>",
        "<fim-suffix>",
        "<fim-middle>",
    ),
    Family(
        "deepseek-coder",
        "DeepSeek licence",
        ("pre context path PREFIX suf SUFFIX mid",),
        "<｜fim▁begin｜>",
        "<｜fim▁hole｜>",
        "<｜fim▁end｜>",
        header="with context",
        path_line="#{path}\n",
        gap="\n",
        stops=("<｜end▁of▁sentence｜>", "<|EOT|>"),
    ),
    Family(
        "codellama",
        "Llama 2 community licence",
        (PSM, JOINED_SPM),
        "<PRE>",
        "<SUF>",
        "<MID>",
        stops=("</s>", "<EOT>"),
        lead=" ",
    ),
    Family(
        "codestral",
        "MNPL, non-production",
        ("suf SUFFIX pre context path PREFIX",),
        "[PREFIX]",
        "[SUFFIX]",
        None,
        header="with context",
        path_line="+++++ {path}\n",
        gap="\n\n",
        stops=("</s>", "[MIDDLE]"),
        lead=" ",
    ),
    Family(
        "seed-coder",
        "MIT",
        (SPM,),
        "<[fim-prefix]>",
        "<[fim-suffix]>",
        "<[fim-middle]>",
        stops=("<[end▁of▁sentence]>",),
    ),
    Family(
        "falcon-h1-tiny-coder",
        "Falcon LLM licence",
        (PSM,),
        "<|prefix|>",
        "<|suffix|>",
        "<|middle|>",
        stops=("<|end_of_text|>", "<|endoftext|>"),
    ),
)
# For a file that names its markers in the metadata but belongs to no row above.
UNNAMED = Family("unnamed", "unknown", (PSM,), "", "", "")

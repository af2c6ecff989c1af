"""How a model's context is shared out between what stands before, behind, and what it writes."""

from collections.abc import Mapping

from . import prompt
from .wire import Complete

# Tokens of one line, and of each further line that a block may take.
LINE_TOKENS = 48
BLOCK_TOKENS = 16
# Share of the context given to the suffix, and the most it may take.
SUFFIX_SHARE = 0.16
SUFFIX_TOKENS = 512
# What the parts of a request may cost on this machine, in seconds at its measured rates:
# what is evaluated again at each key, and the text.
KEY_SECONDS, TEXT_SECONDS = 0.1, 0.8
# Less than this, in tokens, says too little to be worth the asking.
LEAST_PROMPT, LEAST_SUFFIX, LEAST_TEXT = 256, 32, 16
# Rates of a machine on which nothing was measured yet.
UNMEASURED = {"prefill": 0.0, "decode": 0.0}


def budget_for(
    request: Complete, context: int, rates: Mapping[str, float], order: str
) -> prompt.Budget:
    """How a context of so many tokens is shared out on a machine with these rates.

    `rates` are tokens per second, or UNMEASURED.  Who asks by hand gets
    the most that the model can do, however long it takes.
    """
    room = LINE_TOKENS + BLOCK_TOKENS * (max(request.lines, 1) - 1)
    decode = min(room, context // 4)
    whole = context - decode
    suffix = min(int(context * SUFFIX_SHARE), SUFFIX_TOKENS)
    if request.priority == "manual":
        return prompt.Budget(context=context, suffix=suffix, decode=decode)
    if prefill := rates["prefill"]:
        whole = min(whole, max(LEAST_PROMPT, int(prefill * prompt.COLD_SECONDS)))
        suffix = min(suffix, whole // 4)
        if order == "psm":
            # It stands behind the prefix, so each key has it evaluated again.
            suffix = min(suffix, max(LEAST_SUFFIX, int(prefill * KEY_SECONDS)))
    if speed := rates["decode"]:
        decode = min(decode, max(LEAST_TEXT, int(speed * TEXT_SECONDS)))
    return prompt.Budget(context=whole + decode, suffix=suffix, decode=decode)

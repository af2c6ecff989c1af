"""Answers of vLLM, TGI, TensorRT-LLM, Triton, Gemini and Mistral, in the forms that they publish.

vLLM: https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html,
https://docs.vllm.ai/en/stable/features/reasoning_outputs.html; errors in both forms:
https://github.com/vllm-project/vllm/issues/4667, https://github.com/harbor-framework/harbor/pull/996;
several calls with one index: https://github.com/InternLM/lmdeploy/issues/3412
TGI: https://github.com/huggingface/text-generation-inference, `router/src/chat.rs` and `lib.rs`;
no last word before 2.2: https://github.com/huggingface/text-generation-inference/pull/2221
TensorRT-LLM: https://github.com/NVIDIA/TensorRT-LLM, `tensorrt_llm/serve/openai_protocol.py`
Triton: https://github.com/triton-inference-server/server, `python/openai/openai_frontend`
Gemini: https://ai.google.dev/gemini-api/docs/openai; calls without an index:
https://github.com/openai/openai-python/pull/3246
Mistral: https://docs.mistral.ai/api
"""

import json
from typing import Any

from .wire import head

DONE = b"data: [DONE]\n\n"


def event(**members: Any) -> bytes:
    return f"data: {json.dumps(members)}\n\n".encode()


def chunk(delta: Any, finish: str | None = None, **members: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    made = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000}
    return event(**(made | {"model": "m-2026", "choices": [choice]} | members))


def counted(choices: Any = (), **members: Any) -> bytes:
    used = {"prompt_tokens": 11, "total_tokens": 18, "completion_tokens": 7} | members
    return event(object="chat.completion.chunk", model="m-2026", choices=choices, usage=used)


def piece(name: str | None, arguments: Any, **members: Any) -> Any:
    """A part of a call, as it stands in a delta."""
    call = {"type": "function", "function": {"name": name, "arguments": arguments}} | members
    return {"tool_calls": [call]}


def refused(status: str, body: Any) -> list[bytes | None]:
    said = json.dumps(body).encode()
    return [head(status, "application/json", f"Content-Length: {len(said)}") + said]


TOO_LONG = "This model's maximum context length is 1024 tokens. However, you requested 1280 tokens"
VLLM_ERROR = {"message": TOO_LONG, "type": "BadRequestError", "param": None, "code": 400}

# Each says "Hello world", and most count 11 and 7 tokens.
WHOLE: dict[str, list[bytes | None]] = {
    "vllm": [
        head() + chunk({"role": "assistant", "content": ""}, usage=None),
        chunk({"content": "Hello"}) + chunk({"content": " world"}),
        chunk({"content": ""}, "stop", stop_reason=None),
        counted([], prompt_tokens_details=None) + DONE,
    ],
    "vllm that thinks": [
        head() + chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "The user greets."}) + chunk({"reasoning": "So do I."}),
        chunk({"content": "Hello", "reasoning_content": None}),
        chunk({"content": " world"}, "stop") + counted(None) + DONE,
    ],
    "vllm that counts with each chunk": [
        head() + chunk({"role": "assistant", "content": "Hello"},
                       usage={"prompt_tokens": 11, "total_tokens": 12, "completion_tokens": 1}),
        chunk({"content": " world"}, "stop",
              usage={"prompt_tokens": 11, "total_tokens": 18, "completion_tokens": 7}) + DONE,
    ],
    "tgi": [
        head() + b":\n\n" + chunk({"role": "assistant", "content": "Hello"}, id=""),
        b": keep-alive\n\n" + chunk({"role": "assistant", "content": " world"}, id=""),
        chunk({"role": "assistant", "content": ""}, "stop", id="") + counted() + DONE,
    ],
    "tensorrt": [
        head() + chunk({"role": "assistant", "content": "", "reasoning_content": None,
                        "tool_calls": []}),
        chunk({"role": None, "content": "Hello", "tool_calls": []}),
        chunk({"role": None, "content": " world", "tool_calls": []}, "stop",
              disaggregated_params=None, avg_decoded_tokens_per_iter=1.0),
        counted([], prompt_tokens_details={"cached_tokens": 5}) + DONE,
    ],
    "triton": [
        head() + chunk({"role": "assistant", "content": None, "function_call": None}, usage=None),
        chunk({"content": "Hello", "tool_calls": None}) + chunk({"content": " world"}),
        chunk({"content": ""}, "stop", usage=None) + counted([]) + DONE,
    ],
    "gemini": [
        head() + chunk({"role": "assistant", "content": "Hello"}),
        chunk({"role": "assistant", "content": " world"}, "stop",
              usage={"prompt_tokens": 11, "total_tokens": 18, "completion_tokens": 7}) + DONE,
    ],
    "mistral": [
        head() + chunk({"role": "assistant", "content": ""}) + chunk({"content": "Hello"}),
        chunk({"content": " world"}, "stop",
              usage={"prompt_tokens": 11, "total_tokens": 18, "completion_tokens": 7}) + DONE,
    ],
}  # fmt: skip
# The same without numbers; of the older TGI without a last word, too.
UNCOUNTED: dict[str, list[bytes | None]] = {
    "tgi 2.1": [
        head() + chunk({"role": "assistant", "content": "Hello"}, id=""),
        chunk({"role": "assistant", "content": " world"}, "eos_token", id=""),
    ],
    "null usage": [
        head() + chunk({"content": "Hello"}, usage=None, error=None),
        chunk({"content": " world"}, "stop", usage=None) + DONE,
    ],
}
PATHS = ('{"path": ', '"src/b.py"}')
# Each asks for one reading of src/b.py.
ONE_CALL: dict[str, list[bytes | None]] = {
    "vllm in pieces": [
        head() + chunk(piece("read", None, index=0, id="chatcmpl-tool-1")),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": PATHS[0]}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": PATHS[1]}}]}),
        chunk({"content": ""}, "tool_calls", stop_reason=None) + counted() + DONE,
    ],
    "vllm in one piece": [
        head() + chunk(piece("read", "".join(PATHS), index=0, id="chatcmpl-tool-1")),
        chunk({"content": ""}, "tool_calls") + counted() + DONE,
    ],
    "vllm with an id for each piece": [
        head() + chunk(piece("read", PATHS[0], index=0, id="chatcmpl-tool-1")),
        chunk(piece(None, PATHS[1], index=0, id="chatcmpl-tool-2")),
        chunk({}, "tool_calls") + counted() + DONE,
    ],
    "tgi": [
        head() + chunk({"role": "assistant"} | piece("read", "", index=0, id="0")),
        chunk({"role": "assistant"} | piece(None, PATHS[0], index=0, id="0")),
        chunk({"role": "assistant"} | piece(None, PATHS[1], index=0, id="0")),
        chunk({"role": "assistant", "content": ""}, "stop") + counted() + DONE,
    ],
    "tgi 2, no list": [
        head() + chunk({"role": "assistant", "tool_calls": {
            "index": 0, "id": "", "type": "function",
            "function": {"name": "read", "arguments": PATHS[0]}}}),
        chunk({"role": "assistant", "tool_calls": {
            "index": 0, "id": "", "type": "function",
            "function": {"name": "", "arguments": PATHS[1]}}}, "eos_token"),
    ],
    "tensorrt": [
        head() + chunk({"role": None, "content": ""} | piece("read", PATHS[0], index=0, id="c1")),
        chunk(piece("read", PATHS[1], index=0, id="c1"), "tool_calls") + counted() + DONE,
    ],
    "arguments as an object": [
        head() + chunk(piece("read", {"path": "src/b.py"}, index=0, id="c1"), "tool_calls"),
        counted() + DONE,
    ],
    "gemini, no index": [
        head() + chunk(piece("read", "".join(PATHS), id="function-call-1"), "tool_calls"),
        counted() + DONE,
    ],
    "no index, in pieces": [
        head() + chunk(piece("read", PATHS[0], id="c1")) + chunk(piece(None, PATHS[1])),
        chunk({}, "tool_calls") + counted() + DONE,
    ],
    "no index, no id": [
        head() + chunk(piece("read", PATHS[0])) + chunk(piece("", PATHS[1])),
        chunk({}, "tool_calls") + counted() + DONE,
    ],
    "mistral": [
        head() + chunk({"content": "", "tool_calls": [
            {"id": "D681PevKs", "function": {"name": "read", "arguments": "".join(PATHS)},
             "index": 0}]}, "tool_calls", usage={"prompt_tokens": 11, "completion_tokens": 7}),
        DONE,
    ],
}  # fmt: skip
OTHER = '{"path": "src/c.py"}'
# Each asks for two readings, of src/b.py and src/c.py.
TWO_CALLS: dict[str, list[bytes | None]] = {
    "as documented": [
        head() + chunk(piece("read", "".join(PATHS), index=0, id="c1")),
        chunk(piece("read", OTHER, index=1, id="c2"), "tool_calls") + counted() + DONE,
    ],
    "one index for both": [
        head() + chunk(piece("read", "", index=0, id="chatcmpl-tool-1")),
        chunk(piece(None, "".join(PATHS), index=0, id="")),
        chunk(piece("read", "", index=0, id="chatcmpl-tool-2")),
        chunk(piece(None, OTHER, index=0, id="")) + chunk({}, "tool_calls") + counted() + DONE,
    ],
    "no index": [
        head() + chunk(piece("read", PATHS[0], id="c1")) + chunk(piece(None, PATHS[1], id="c1")),
        chunk(piece("read", OTHER, id="c2"), "tool_calls") + counted() + DONE,
    ],
    "no index, no id": [
        head() + chunk(piece("read", "".join(PATHS))) + chunk(piece("read", OTHER)),
        chunk({}, "tool_calls") + counted() + DONE,
    ],
}
# Refusals, their status and words; then errors in the middle of an answer.
REFUSALS: list[tuple[str, list[bytes | None], int | None, str]] = [
    ("vllm before 0.10", refused("400 Bad", {"object": "error"} | VLLM_ERROR), 400, TOO_LONG),
    ("vllm", refused("400 Bad", {"error": VLLM_ERROR}), 400, TOO_LONG),
    ("tgi", refused("422 No", {"error": "Input validation error: `inputs` tokens + "
     "`max_new_tokens` must be <= 1024. Given: 1280 `inputs` tokens", "error_type": "validation"}),
     422, "Input validation error"),
    ("tgi is full", refused("429 Full", {"error": "Model is overloaded",
     "error_type": "overloaded"}), 429, "Model is overloaded"),
    ("tensorrt", refused("400 Bad", {"object": "error", "message": "Prompt length (1280) exceeds "
     "maximum input length (1024)", "type": "BadRequestError", "param": None, "code": 400}),
     400, "Prompt length (1280) exceeds"),
    ("triton", refused("400 Bad", {"detail": "Unknown model: m"}), 400, "Unknown model: m"),
    ("fastapi", refused("422 No", {"detail": [{"loc": ["body", "messages"], "type": "missing",
     "msg": "Field required"}]}), 422, "Field required"),
    ("gemini", refused("400 Bad", [{"error": {"code": 400, "status": "INVALID_ARGUMENT",
     "message": "The input token count exceeds the maximum"}}]), 400, "The input token count"),
    ("mistral", refused("422 No", {"object": "error", "message": {"detail": [{"type":
     "extra_forbidden", "msg": "Extra inputs are not permitted", "loc": ["body", "x"]}]},
     "type": "invalid_request_error", "code": None}), 422, "Extra inputs are not permitted"),
    ("nothing said", refused("400 Bad", {}), 400, ""),
    ("an empty list", refused("400 Bad", {"detail": []}), 400, ""),
    ("a list of nothing", refused("400 Bad", {"detail": [3]}), 400, ""),
    ("vllm in the middle", [head() + chunk({"content": "Hel"}) + event(error=VLLM_ERROR) + DONE],
     None, TOO_LONG),
    ("older vllm in the middle", [head() + chunk({"content": "Hel"}) +
     event(object="error", **VLLM_ERROR) + DONE], None, TOO_LONG),
    ("tgi in the middle", [head() + chunk({"content": "Hel"}) + b'event: error\ndata: {"error": '
     b'"Request failed during generation", "error_type": "generation"}\n\n'],
     None, "Request failed during generation"),
]  # fmt: skip

ANSWERS = {
    **{f"{name}: whole": answer for name, answer in (WHOLE | UNCOUNTED).items()},
    **{f"{name}: a call": answer for name, answer in ONE_CALL.items()},
    **{f"{name}: two calls": answer for name, answer in TWO_CALLS.items()},
    **{f"{name}: refused": answer for name, answer, _status, _words in REFUSALS},
}

"""In what OpenAI-compatible services differ, a row each; all others are spoken to alike."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """`usage_asked`: tokens are counted only where the request asks for it.

    Where it is false the service counts by itself and refuses the question.
    """

    name: str
    host: str | None
    usage_asked: bool = True


# vLLM, TGI, TensorRT-LLM, Ollama, llama-server, and services not known by their host.
USUAL = Service("an OpenAI-compatible server", None)
SERVICES = (
    # https://ai.google.dev/gemini-api/docs/openai
    Service("Gemini", "generativelanguage.googleapis.com"),
    # https://docs.mistral.ai/api, "Chat": unknown members are an error of status 422.
    Service("Mistral", "api.mistral.ai", usage_asked=False),
)


def service(host: str) -> Service:
    return next((row for row in SERVICES if row.host == host), USUAL)

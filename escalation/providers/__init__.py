"""The wire formats of providers, one module each; a new one is a row in `KINDS`."""

from importlib import import_module

from .provider import Converse, Sign

KINDS = ("anthropic", "openai", "compatible", "azure", "bedrock", "vertex")
# Those that sign each request when it leaves.
SIGNING = ("bedrock", "vertex")


def wire(kind: str) -> Converse:
    """How providers of a kind are spoken to.

    Imported when it is first needed: an SDK takes a second, and reads the environment as
    it is imported, which by then says nothing.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of provider: {kind}")
    return import_module(f".{kind}", __name__).converse


def signer(kind: str) -> Sign | None:
    return import_module(f".{kind}", __name__).sign if kind in SIGNING else None

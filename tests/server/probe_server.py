"""A server that shows what the protocol does; run by test_protocol.py over real stdio.

Its log goes to stderr, all levels of all loggers, as the worst settings have it.
"""

import asyncio
import logging
import os
import sys
from typing import Any

from lsprotocol import types
from wicket.server.protocol import WicketServer, run

server = WicketServer("probe", "1")
# What handlers lived through, in order; asked for by probe/events.
events: list[str] = []


@server.feature("probe/ping")
async def ping(params: Any) -> Any:
    return params


@server.feature(types.INITIALIZED)
async def initialized(params: types.InitializedParams) -> None:
    events.append("initialized")


@server.feature("probe/events")
async def seen(params: Any) -> list[str]:
    return events


@server.feature(types.TEXT_DOCUMENT_HOVER)
async def hover(ls: WicketServer, params: types.HoverParams) -> list[str | int | None]:
    """Versions as of the arrival and of now, after everything that came with it."""
    await asyncio.sleep(0.05)
    uri = params.text_document.uri
    then, now = ls.document(uri), ls.documents.get(uri)
    return [then and then.version, then and then.text, now and now.version]


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
async def changed(ls: WicketServer, params: types.DidChangeTextDocumentParams) -> None:
    uri = params.text_document.uri
    document = ls.document(uri)
    events.append(f"{uri} changed to {document and document.version}")


@server.feature("probe/state")
async def state(ls: WicketServer, params: Any) -> dict[str, Any]:
    return {
        "folders": ls.documents.folders,
        "open": sorted(ls.documents.open_now),
        "path": ls.documents.relative_path(params["uri"]),
        "pygls documents": len(ls.workspace.text_documents),
        "tokens": len(ls.work_done_progress.tokens),
        "futures": len(ls.protocol._request_futures),
        "tasks": len(asyncio.all_tasks()),
    }


@server.feature("probe/sleep")
async def sleep(params: Any) -> str:
    events.append(f"{params} began")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        if "slow" in str(params):
            await asyncio.sleep(0.02)
        events.append(f"{params} cancelled")
        raise
    return "slept"


@server.feature("probe/fail")
async def fail(params: Any) -> None:
    raise ValueError(f"secret {params}")


@server.feature("probe/failNow")
def fail_now(params: Any) -> None:
    raise ValueError(f"secret {params}")


@server.feature("probe/loose")
async def loose(params: Any) -> None:
    """Fail where no handler is: in a callback of the event loop."""
    asyncio.get_running_loop().call_soon(int, params)


@server.feature("probe/unserialisable")
async def unserialisable(params: Any) -> Any:
    return {"a set": {1, 2}}


@server.feature("probe/print")
async def stray(params: Any) -> str:
    """Whatever writes to standard output: Python, a C library, a child process."""
    print("a stray line")
    os.write(1, b"stray bytes\n")
    child = await asyncio.create_subprocess_exec("echo", "child")
    await child.wait()
    return "printed"


@server.feature("probe/ask")
async def ask(ls: WicketServer, params: Any) -> Any:
    """Ask the client; what it answers or why that failed."""
    question = types.ShowMessageRequestParams(types.MessageType.Info, "well?")
    try:
        choice = await ls.window_show_message_request_async(question)
    except asyncio.CancelledError:
        events.append("stopped asking")
        raise
    except Exception as error:
        return str(error)
    return choice and choice.title


@server.feature("probe/progress")
async def progress(ls: WicketServer, params: Any) -> int:
    shown = ls.work_done_progress
    shown.begin("token", types.WorkDoneProgressBegin(title="work"))
    during = len(shown.tokens)
    shown.end("token", types.WorkDoneProgressEnd())
    return during


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION)
async def inline(params: types.InlineCompletionParams) -> types.InlineCompletionList:
    return types.InlineCompletionList(items=[])


@server.command("probe.sleep")
async def command_sleep(name: str) -> str:
    return await sleep(name)


@server.command("probe.note")
async def command_note(what: str) -> None:
    events.append(f"noted {what}")
    print(f"noted {what}", file=sys.stderr, flush=True)


@server.command("probe.count")
async def command_count(number: int) -> int:
    return number + 1


@server.feature(types.SHUTDOWN)
async def shutdown(params: Any) -> None:
    # Longer than `exit` takes to arrive.
    await asyncio.sleep(0.1)
    print("closed", file=sys.stderr, flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    # A stubborn rest: someone else's thread, which must not keep the process.
    if "--stubborn" in sys.argv:
        import threading

        threading.Thread(target=threading.Event().wait).start()
    pids = [int(word) for word in sys.argv[1:] if word.isdigit()]
    sys.exit(run(server, *pids))

"""`textDocument/inlineCompletion`: translate, ask, translate back.

Superseded requests are answered null, cancelled ones by the protocol, and where there is
nothing to offer the list is empty.  No other error ever reaches the editor.
"""

import logging

from lsprotocol import types

from ..completion.cursor import Cursor
from .documents import Document, Documents, file_path
from .session import Session

logger = logging.getLogger(__name__)

ACCEPTED = "wicket.accepted"
NOTHING = types.InlineCompletionList(items=[])


async def inline_completion(
    session: Session,
    documents: Documents,
    document: Document | None,
    params: types.InlineCompletionParams,
) -> types.InlineCompletionList | None:
    """The answer for `document` as it was when the request arrived."""
    if document is None:
        return NOTHING
    manual = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
    wanted = session.wanted(file_path(document.uri))
    if not manual and wanted.trigger == "manual":
        return NOTHING
    offset = document.offset_at(params.position, documents.encoding)
    path = documents.relative_path(document.uri)
    cursor = Cursor(path, document.language, document.text, offset)
    start, chosen = offset, ""
    if selected := params.context.selected_completion_info:
        first = offset - len(cursor.line_before)
        start = document.offset_at(selected.range.start, documents.encoding)
        start, chosen = min(max(start, first), offset), selected.text
        # While a popup is open, only what goes on from its selection is shown.
        text = f"{document.text[:start]}{chosen}{cursor.suffix}"
        cursor = Cursor(path, document.language, text, start + len(chosen))
    try:
        suggestion = await session.suggest(
            document.uri, cursor, wanted, "manual" if manual else "auto"
        )
    except Exception as error:
        # A failing suggestion must not become an error box under every key.
        logger.error("inline completion failed: %s", type(error).__name__)
        return NOTHING
    now = documents.get(document.uri)
    if suggestion is None or now is not document:
        return None
    items: list[types.InlineCompletionItem] = []
    # From the last to the first, so that the latest explanation is that of the first.
    for one in reversed((suggestion, *(suggestion.others if manual else ()))):
        number = session.remember(cursor, one)
        if not one.text:
            continue
        end = offset + one.replace
        # A plain text with LF: editors disagree about snippets that have a range.
        item = types.InlineCompletionItem(
            insert_text=chosen + one.text,
            range=types.Range(
                start=document.position_at(start, documents.encoding),
                end=document.position_at(end, documents.encoding),
            ),
            command=types.Command(title="accepted", command=ACCEPTED, arguments=[number]),
        )
        items.insert(0, item)
    return types.InlineCompletionList(items=items)

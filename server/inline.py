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
    cursor = Cursor(
        documents.relative_path(document.uri),
        document.language,
        document.text,
        document.offset_at(params.position, documents.encoding),
    )
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
    number = session.remember(cursor, suggestion)
    start, typed = cursor.offset, ""
    if selected := params.context.selected_completion_info:
        start = document.offset_at(selected.range.start, documents.encoding)
        typed = document.text[start : cursor.offset]
        if not (typed + suggestion.text).startswith(selected.text):
            # While a popup is open, only what goes on from its selection is shown.
            return NOTHING
    if not suggestion.text:
        return NOTHING
    end = cursor.offset + suggestion.replace
    found = types.InlineCompletionItem(
        # A plain text with LF: editors disagree about snippets that have a range.
        insert_text=typed + suggestion.text,
        range=types.Range(
            start=document.position_at(start, documents.encoding),
            end=document.position_at(end, documents.encoding),
        ),
        command=types.Command(title="accepted", command=ACCEPTED, arguments=[number]),
    )
    return types.InlineCompletionList(items=[found])

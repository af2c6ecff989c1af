// The import of an accepted suggestion, so that one undo takes both back.
"use strict";

const vscode = require("vscode");

const LABEL = "Wicket: add import";

// Answers a `workspace/applyEdit` request; `next` is what the language client does by itself,
// where an edit is a step of undo by itself, too.
exports.apply = async (client, params, next) => {
  const [change] = params.edit.documentChanges ?? [];
  if (params.label !== LABEL || !change) return next(params);
  const { uri, version } = change.textDocument;
  const edits = await client.protocol2CodeConverter.asTextEdits(change.edits);
  const name = client.protocol2CodeConverter.asUri(uri).toString();
  const shown = vscode.window.visibleTextEditors;
  const editor = shown.find(({ document }) => document.uri.toString() === name);
  if (editor?.document.version !== version) return next(params);
  const write = (builder) => edits.forEach((one) => builder.replace(one.range, one.newText));
  return { applied: await editor.edit(write, { undoStopBefore: false, undoStopAfter: false }) };
};

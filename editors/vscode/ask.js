// "Ask About the Selection": the question goes to the server, which asks before anything
// leaves; its answer grows in a document that nobody can edit.
"use strict";

const vscode = require("vscode");

const SCHEME = "wicket-answer";
const texts = new Map();
const changed = new vscode.EventEmitter();

// Tells the server that we show its documents.
exports.feature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...capabilities.experimental, wicketAnswers: true };
  },
  initialize: () => {},
  getState: () => ({ kind: "static" }),
  clear: () => {},
};

// `running` answers the language client, or nothing while there is none.
exports.register = (context, running) => {
  context.subscriptions.push(
    changed,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: changed.event,
      provideTextDocumentContent: (uri) => texts.get(uri.toString()) ?? "",
    }),
    vscode.commands.registerCommand("wicket.askSelection", () => ask(running())),
  );
};

// A `wicket/answer` notification: the whole text so far of one document.
exports.heard = async ({ uri: named, text }) => {
  const uri = vscode.Uri.parse(named);
  if (uri.scheme !== SCHEME) return;
  const known = texts.has(uri.toString());
  texts.set(uri.toString(), text);
  if (known) return changed.fire(uri);
  const document = await vscode.workspace.openTextDocument(uri);
  const place = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: false };
  await vscode.window.showTextDocument(document, place);
};

async function ask(client) {
  if (!client) return vscode.window.showWarningMessage("Wicket is not running.");
  const question = await vscode.window.showInputBox({ prompt: "What do you want to know?" });
  if (!question) return;
  const editor = vscode.window.activeTextEditor;
  const said = { question };
  if (editor?.document.uri.scheme === "file") {
    said.uri = client.code2ProtocolConverter.asUri(editor.document.uri);
    if (!editor.selection.isEmpty) {
      said.range = client.code2ProtocolConverter.asRange(editor.selection);
    }
  }
  const params = { command: "wicket.ask", arguments: [said] };
  const answer = await client.sendRequest("workspace/executeCommand", params).catch((error) => ({
    status: "failed",
    why: error.message,
  }));
  if (answer.why) vscode.window.showWarningMessage(`Wicket: ${answer.why}`);
}

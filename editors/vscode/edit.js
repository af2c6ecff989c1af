// "Edit the Selection": the words go to the server, which asks before anything leaves; what it
// proposes is shown as a diff beside a question, and is applied as one edit.
"use strict";

const vscode = require("vscode");
const { CANCELLED } = require("./ask");

const SCHEME = "wicket-proposal";
const APPLY = "Apply";
const texts = new Map();
// Words that came to nothing, to be said again without typing them again.
let unused = "";

// Tells the server that we show proposals, and ask for the words of one.
exports.feature = {
  fillClientCapabilities: (capabilities) => {
    const ours = { wicketEdits: true, wicketWords: true };
    capabilities.experimental = { ...capabilities.experimental, ...ours };
  },
  initialize: () => {},
  getState: () => ({ kind: "static" }),
  clear: () => {},
};

// `running` answers the language client, or nothing while there is none.
exports.register = (context, running) => {
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      provideTextDocumentContent: (uri) => texts.get(uri.toString()) ?? "",
    }),
    vscode.commands.registerCommand("wicket.editSelection", (where) => edit(running(), where)),
  );
};

// `where` is {uri, range} of a code action; from the palette it is the selection.
async function edit(client, where) {
  if (!client) {
    return vscode.window.showWarningMessage("Wicket is not running; Wicket: Show Status says why.");
  }
  const editor = vscode.window.activeTextEditor;
  if (!where?.range && !editor) return;
  const { uri, range } = where?.range
    ? where
    : {
        uri: client.code2ProtocolConverter.asUri(editor.document.uri),
        range: client.code2ProtocolConverter.asRange(editor.selection),
      };
  const instruction = await vscode.window.showInputBox({
    title: `Wicket: edit ${place(client, uri, range)}`,
    prompt: "What is to become of it? You see what would leave before it does.",
    value: unused,
    ignoreFocusOut: true,
  });
  if (!instruction) return;
  unused = instruction;
  const params = { command: "wicket.edit", arguments: [{ uri, range, kind: "edit", instruction }] };
  // What went wrong is said by the server itself, as long as it is there.
  const { status } = await client
    .sendRequest("workspace/executeCommand", params)
    .catch(({ code, message }) => {
      if (code !== CANCELLED) vscode.window.showWarningMessage(`Wicket: ${message}`);
      return {};
    });
  if (["applied", "rejected", "partly"].includes(status)) unused = "";
}

// Lines of a file as a person names them; without a selection the server looks around the cursor.
function place(client, uri, { start, end }) {
  const name = vscode.workspace.asRelativePath(client.protocol2CodeConverter.asUri(uri));
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  const isEmpty = start.line === end.line && start.character === end.character;
  return isEmpty ? `what is around ${name}:${start.line + 1}` : `${name}:${start.line + 1}-${last}`;
}

// Answers a `wicket/proposeEdit` request once the person has decided.
exports.propose = async (client, proposal) => {
  const uri = client.protocol2CodeConverter.asUri(proposal.uri);
  const document = await vscode.workspace.openTextDocument(uri);
  const edits = await client.protocol2CodeConverter.asTextEdits(proposal.edits);
  const shown = vscode.Uri.from({ scheme: SCHEME, path: uri.path, query: proposal.id });
  texts.set(shown.toString(), after(document, edits));
  const title = `${vscode.workspace.asRelativePath(uri)}: proposed edit`;
  await vscode.commands.executeCommand("vscode.diff", uri, shown, title, { preview: true });
  const question = [proposal.label, ...proposal.notes].join("; ");
  const closed = untilClosed(shown);
  const said = await Promise.race([
    vscode.window.showInformationMessage(question, APPLY, "Discard"),
    closed.promise,
  ]);
  closed.dispose();
  await vscode.window.tabGroups.close(tabsOf(shown));
  texts.delete(shown.toString());
  // As the server saw it, or not at all.
  if (said !== APPLY || document.version !== proposal.version) return { decision: "rejected" };
  const change = new vscode.WorkspaceEdit();
  change.set(uri, edits);
  const applied = await vscode.workspace.applyEdit(change);
  return { decision: applied ? "applied" : "rejected" };
};

// The text of a document with edits in it, which are in order and do not overlap.
function after(document, edits) {
  let text = document.getText();
  for (const { range, newText } of [...edits].reverse()) {
    const [start, end] = [document.offsetAt(range.start), document.offsetAt(range.end)];
    text = text.slice(0, start) + newText + text.slice(end);
  }
  return text;
}

function tabsOf(uri) {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.filter(({ input }) => input?.modified?.toString() === uri.toString());
}

// Resolves when the person closes the diff instead of answering.
function untilClosed(uri) {
  let listener;
  const promise = new Promise((resolve) => {
    listener = vscode.window.tabGroups.onDidChangeTabs(() => tabsOf(uri).length || resolve());
  });
  return { promise, dispose: () => listener.dispose() };
}

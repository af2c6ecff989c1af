// "Ask About the Selection": the question goes to the server, which asks before anything
// leaves; its answer grows in a document that nobody can edit.
"use strict";

const vscode = require("vscode");

const SCHEME = "wicket-answer";
// A language whose lines wrap, for what is not Markdown; see package.json.
const PAGE = "wicket-page";
const SUMMARY = vscode.Uri.from({ scheme: SCHEME, path: "/What would leave.txt" });
// A summary has six lines; the first three say to whom, what, and what was masked.
const LINES = 6;
const FIRST = 3;
const BELL = "The question is at the lower right. Where it was hidden, the bell there shows it again.";
// What a window that is opened again finds where an answer was.
const GONE = "This answer was not kept. `wicket audit tail` says what was sent.\n";
// The server's answer that asks for more to look at, so the question comes again.
const SHOW = "Show every byte";
// LSP's code of a request that was cancelled, and those of one whose server is gone.
const CANCELLED = -32800;
const STOPPED = [-32096, -32097];
const LINK = /\[([^\]]+)\]\((file:\/\/\S+)\)/g;

// By URI: {text, links, grown}.
const pages = new Map();
const changed = new vscode.EventEmitter();
// A question that came to nothing, to be asked again without typing it again.
let unanswered = "";

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
  const on = vscode.commands.registerCommand;
  context.subscriptions.push(
    changed,
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: changed.event,
      provideTextDocumentContent: (uri) => pages.get(uri.toString())?.text ?? GONE,
    }),
    vscode.languages.registerDocumentLinkProvider(
      { scheme: SCHEME },
      { provideDocumentLinks: ({ uri }) => pages.get(uri.toString())?.links ?? [] },
    ),
    on("wicket.askSelection", () => ask(running(), selection(running()))),
    on("wicket.askAgain", (uri) => ask(running(), earlier(uri))),
  );
};

// A `wicket/answer` notification: the whole text so far of one document.
exports.heard = async ({ uri: named, text }) => {
  const uri = vscode.Uri.parse(named);
  if (uri.scheme !== SCHEME) return;
  const before = pages.get(uri.toString());
  write(uri, text, before !== undefined);
  // Once more when it grows: it may lie behind what was looked at before the yes.
  if (!before?.grown) await show(uri);
};

// A question of the server's.  Messages of VS Code have no lines, so a summary is a document.
exports.choose = async ({ message, actions = [] }) => {
  const lines = message.split("\n").map((line) => line.replace(/\s+/g, " "));
  if (lines.length < LINES) {
    return vscode.window.showInformationMessage(lines.join("; "), ...actions);
  }
  // Beside the bytes that were asked for, it stays where it is.
  if (!tabOf(SUMMARY)) {
    write(SUMMARY, `${message}\n\n${BELL}\n`);
    await show(SUMMARY);
  }
  const asked = `Send it? ${lines.slice(0, FIRST).join("; ")}. The rest is beside the code.`;
  const said = await vscode.window.showInformationMessage(asked, ...actions);
  if (said?.title !== SHOW && tabOf(SUMMARY)) await vscode.window.tabGroups.close(tabOf(SUMMARY));
  return said;
};

function write(uri, text, grown = false) {
  const links = [];
  const lines = text.split("\n").map((line, row) => {
    let [made, end] = ["", 0];
    for (const { 0: whole, 1: label, 2: target, index } of line.matchAll(LINK)) {
      const place = ours(uri, target);
      if (!place) continue;
      made += line.slice(end, index);
      const range = new vscode.Range(row, made.length, row, made.length + label.length);
      links.push(new vscode.DocumentLink(range, place));
      [made, end] = [made + label, index + whole.length];
    }
    return made + line.slice(end);
  });
  pages.set(uri.toString(), { text: lines.join("\n"), links, grown });
  changed.fire(uri);
}

// Whatever a model writes, a link leads to an open folder or to what was sent for this answer,
// on this machine.
function ours(page, written) {
  let target;
  try {
    target = vscode.Uri.parse(written);
  } catch {
    return null; // file:////x, say: the answer is shown all the same.
  }
  const sent = `/answers${page.path.replace(/\.md$/, "-sent.txt")}`;
  const wasSent = !target.authority && target.path.endsWith(sent);
  return wasSent || vscode.workspace.getWorkspaceFolder(target) ? target : null;
}

async function show(uri) {
  const document = await vscode.workspace.openTextDocument(uri);
  if (document.languageId === "plaintext") {
    await vscode.languages.setTextDocumentLanguage(document, PAGE);
  }
  const isOurs = vscode.window.activeTextEditor?.document.uri.scheme === SCHEME;
  const column = isOurs ? vscode.ViewColumn.Active : vscode.ViewColumn.Beside;
  const viewColumn = tabOf(uri)?.group.viewColumn ?? column;
  await vscode.window.showTextDocument(document, {
    viewColumn,
    preserveFocus: true,
    preview: false,
  });
}

function tabOf(uri) {
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
  return tabs.find(({ input }) => input?.uri?.toString() === uri.toString());
}

// What a question is about: {said, about} of the selection, else the file, else the folder.
function selection(client) {
  const editor = vscode.window.activeTextEditor;
  if (!client || editor?.document.uri.scheme !== "file") return { said: {}, about: "the folder" };
  const said = { uri: client.code2ProtocolConverter.asUri(editor.document.uri) };
  const name = vscode.workspace.asRelativePath(editor.document.uri);
  if (editor.selection.isEmpty) return { said, about: name };
  said.range = client.code2ProtocolConverter.asRange(editor.selection);
  const { start, end } = editor.selection;
  const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
  return { said, about: `${name}:${start.line + 1}-${last}` };
}

// An answer that is gone on with: the one whose button was pressed, else the one in front.
function earlier(uri) {
  const page = uri ?? vscode.window.activeTextEditor?.document.uri;
  const again = page?.scheme === SCHEME && page.path.match(/^\/(answer-\w+)\.md$/)?.[1];
  return again && { said: { again }, about: "this answer" };
}

async function ask(client, what) {
  if (!client) {
    return vscode.window.showWarningMessage("Wicket is not running; Wicket: Show Status says why.");
  }
  if (!what) return vscode.window.showWarningMessage("Wicket: go to an answer to ask more about it.");
  const question = await vscode.window.showInputBox({
    title: `Wicket: ask about ${what.about}`,
    prompt: "What do you want to know? You see what would leave before it does.",
    value: unanswered,
    ignoreFocusOut: true,
  });
  if (!question) return;
  unanswered = question;
  const params = { command: "wicket.ask", arguments: [{ ...what.said, question }] };
  const answer = await client
    .sendRequest("workspace/executeCommand", params)
    .catch((error) => ({ why: failed(error) }));
  if (answer.status === "ok") unanswered = "";
  // A document that was opened says it itself.
  if (answer.why && !pages.has(answer.uri)) {
    vscode.window.showWarningMessage(`Wicket: ${answer.why}`);
  }
}

// What is to be said of a request that failed; nothing of one that the person cancelled.
const failed = ({ code, message }) => {
  if (code === CANCELLED) return "";
  return STOPPED.includes(code) ? "the server stopped before it was done; try again" : message;
};
exports.failed = failed;

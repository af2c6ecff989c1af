// The editor's side of Wicket: starts the server, shows how it is, and is quiet otherwise.
// Inline completion itself needs no code here; the language client registers it.
"use strict";

const os = require("node:os");
const readline = require("node:readline");
const vscode = require("vscode");
const lc = require("vscode-languageclient/node");
const asking = require("./ask");
const { serverCommand } = require("./command");
const editing = require("./edit");
const imports = require("./imports");

// Pauses before the first restarts; a third crash within the window ends them.
const RESTART_AFTER_MS = [500, 2000];
const CRASH_WINDOW_MS = 60_000;
const ICONS = { ready: "$(check)", loading: "$(loading~spin)", off: "$(circle-slash)" };
const EXPLANATION = "wicket-explanation";
// Settings that are the extension's own; the others are the server's.
const OWN = ["wicket.enabled", "wicket.command"];

let comfort, log, item, client, status, restart;
let turn = 0;
let crashes = [];
let lastWords = "";

exports.activate = (context) => {
  const settings = Object.keys(context.extension.packageJSON.contributes.configuration.properties);
  comfort = settings.filter((name) => !OWN.includes(name));
  log = vscode.window.createOutputChannel("Wicket", { log: true });
  item = vscode.window.createStatusBarItem("wicket.status", vscode.StatusBarAlignment.Right, 100);
  item.name = "Wicket";
  item.command = "wicket.details";
  const on = vscode.commands.registerCommand;
  context.subscriptions.push(
    log,
    item,
    on("wicket.why", why),
    on("wicket.restart", begin),
    on("wicket.toggle", toggle),
    on("wicket.details", details),
    vscode.workspace.registerTextDocumentContentProvider(EXPLANATION, {
      provideTextDocumentContent: (uri) => JSON.parse(uri.query).lines.join("\n") + "\n",
    }),
    vscode.languages.registerDocumentLinkProvider(
      { scheme: EXPLANATION },
      { provideDocumentLinks: links },
    ),
    vscode.workspace.onDidChangeConfiguration(configured),
    vscode.workspace.onDidGrantWorkspaceTrust(begin),
  );
  asking.register(context, () => client);
  editing.register(context, () => client);
  begin();
};

exports.deactivate = end;

// Start anew because the user acted; what went wrong before is forgotten.
async function begin() {
  const mine = ++turn;
  crashes = [];
  lastWords = "";
  await end();
  if (mine === turn) await start();
}

async function end() {
  clearTimeout(restart);
  const old = client;
  client = undefined;
  // A client that is still starting cannot be stopped, only its process can.
  if (old?.state === lc.State.Starting) old.serverProcess?.kill();
  else await old?.stop().catch((error) => log.warn(error.message));
}

async function start() {
  const settings = vscode.workspace.getConfiguration("wicket");
  if (!settings.get("enabled")) {
    return show({ state: "off", reason: "wicket.enabled is false", fix: "Wicket: Toggle" });
  }
  const { command, problem } = serverCommand(settings.get("command"));
  if (problem) return fail(problem, "install Wicket, or set wicket.command", "Show How");
  show({ state: "loading", reason: "the server is starting" });
  const mine = (client = new Client("wicket", "Wicket", server(command), options()));
  mine.registerFeature(asking.feature);
  mine.registerFeature(editing.feature);
  mine.onNotification("wicket/answer", asking.heard);
  mine.onRequest("window/showMessageRequest", asking.choose);
  mine.onRequest("wicket/proposeEdit", (proposal) => editing.propose(mine, proposal));
  mine.onNotification("wicket/status", (news) => mine === client && show(news));
  mine.onDidChangeState(({ newState }) => newState === lc.State.Stopped && crashed(mine));
  await mine.start().catch(() => crashed(mine));
}

function configured(event) {
  if (OWN.some((name) => event.affectsConfiguration(name))) {
    begin();
  } else if (event.affectsConfiguration("wicket") && client?.state === lc.State.Running) {
    client.sendNotification("workspace/didChangeConfiguration", { settings: choices() });
  }
}

// What was chosen here; a default is not said, so that it hides nothing of wicket.toml.
function choices() {
  const settings = vscode.workspace.getConfiguration();
  const isDefault = (name) =>
    JSON.stringify(settings.get(name)) === JSON.stringify(settings.inspect(name).defaultValue);
  const chosen = comfort
    .filter((name) => !isDefault(name))
    .map((name) => [name.slice("wicket.".length), settings.get(name)]);
  return { trusted: vscode.workspace.isTrusted, ...Object.fromEntries(chosen) };
}

// Errors are written to the log; the user is told by `fail`, once.
class Client extends lc.LanguageClient {
  error(message, data) {
    super.error(message, data, false);
  }
}

function server([command, ...args]) {
  // Python would obey PYTHONPATH and its like, which a repository may have set for the shell.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("PYTHON")),
  );
  return { command, args, transport: lc.TransportKind.stdio, options: { cwd: os.homedir(), env } };
}

function options() {
  return {
    documentSelector: [{ scheme: "file" }, { scheme: "untitled" }],
    initializationOptions: choices,
    outputChannel: log,
    revealOutputChannelOn: lc.RevealOutputChannelOn.Never,
    stdioOptions: { stderr: listen },
    middleware: {
      workspace: { handleApplyEdit: (edit, next) => imports.apply(client, edit, next) },
    },
    // `crashed` decides about restarts, also about those of a server that never came up.
    initializationFailedHandler: () => false,
    errorHandler: {
      error: () => ({ action: lc.ErrorAction.Continue, handled: true }),
      closed: () => ({ action: lc.CloseAction.DoNotRestart, handled: true }),
    },
  };
}

function listen(stream) {
  readline.createInterface({ input: stream }).on("line", (line) => {
    lastWords = line;
    log.info(line);
  });
}

function crashed(which) {
  if (which !== client) return;
  client = undefined;
  const now = Date.now();
  crashes = [...crashes.filter((time) => now - time < CRASH_WINDOW_MS), now];
  const reason = `the server stopped${lastWords && `: ${lastWords}`}`;
  if (crashes.length > RESTART_AFTER_MS.length) {
    return fail(
      `${reason} (${crashes.length} times in a minute)`,
      "read the log, then Wicket: Restart",
      "Show Log",
    );
  }
  show({ state: "off", reason, fix: "it is started again in a moment" });
  restart = setTimeout(start, RESTART_AFTER_MS[crashes.length - 1]);
}

async function fail(reason, fix, action) {
  show({ state: "off", reason, fix });
  log.error(`${reason}; ${fix}`);
  const message = `Wicket: ${reason}. To mend it: ${fix}.`;
  const chosen = await vscode.window.showErrorMessage(message, action);
  if (chosen === "Show Log") log.show();
  if (chosen === "Show How") {
    vscode.commands.executeCommand("workbench.action.openWalkthrough", "wicket.wicket#start");
  }
}

// `now` is {state, model, reason, fix, progress}, all but the state may be missing.
function show(now) {
  status = now;
  const percent = now.progress == null ? "" : ` ${Math.round(100 * now.progress)} %`;
  item.text = `${ICONS[now.state] ?? ICONS.off} wicket${percent}`;
  const mend = now.fix && `To mend it: ${now.fix}`;
  item.tooltip = ["Wicket: " + now.state, now.model, now.reason, mend].filter(Boolean).join("\n");
  item.show();
  vscode.commands.executeCommand("setContext", "wicket.running", client !== undefined);
}

async function details() {
  const { state, model, reason, fix } = status;
  const actions = [
    { label: "$(question) Why this suggestion", run: why },
    { label: "$(circle-slash) Turn on or off", run: toggle },
    { label: "$(refresh) Restart the server", run: begin },
    { label: "$(output) Show the log", run: () => log.show() },
  ];
  const chosen = await vscode.window.showQuickPick(client ? actions : actions.slice(1), {
    title: ["Wicket", state, model].filter(Boolean).join(" · "),
    placeHolder: [reason, fix].filter(Boolean).join("; ") || "Inline completion is ready",
  });
  await chosen?.run();
}

function toggle() {
  const settings = vscode.workspace.getConfiguration("wicket");
  return settings.update("enabled", !settings.get("enabled"), vscode.ConfigurationTarget.Global);
}

async function why() {
  const explanation = await client
    ?.sendRequest("wicket/explainSuggestion", {})
    .catch((error) => log.warn(error.message));
  if (!explanation) {
    return vscode.window.showInformationMessage("Wicket has suggested nothing yet.");
  }
  const query = JSON.stringify(explanation.page);
  const uri = vscode.Uri.from({ scheme: EXPLANATION, path: "/Why this suggestion", query });
  await vscode.window.showTextDocument(uri, {
    viewColumn: vscode.ViewColumn.Beside,
    preserveFocus: true,
  });
}

// Files that the page names, each at its line.
function links(document) {
  const { lines, links } = JSON.parse(document.uri.query);
  return links.map(({ text, path, line }) => {
    const row = lines.findIndex((one) => one.includes(text));
    const start = lines[row].indexOf(text);
    const range = new vscode.Range(row, start, row, start + text.length);
    const target = vscode.Uri.file(path).with({ fragment: `L${line}` });
    return new vscode.DocumentLink(range, target);
  });
}

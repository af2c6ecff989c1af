// A client made of Microsoft's protocol library, which is strict about the shape of answers.
// Talks to the server named in argv and prints what it saw as one JSON object.
"use strict";

const { spawn } = require("node:child_process");
const rpc = require("vscode-jsonrpc/node");
const lsp = require("vscode-languageserver-protocol/node");

const SOURCE = `import os


def double(number):
    retur`;
const PATIENCE_MS = 90_000;
// Each face is one character, two UTF-16 units and four UTF-8 bytes.
const FACES = SOURCE.replace(/ {4}retur$/, '    "😀😀"; retur');

async function main() {
  const seen = { messages: [], statuses: [], unknown: [] };
  const [program, ...args] = process.argv.slice(2);
  const server = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = new Promise((resolve) => server.on("exit", resolve));
  exited.then(
    (code) => "shutdown" in seen || fail(new Error(`the server left early, with ${code}`)),
  );
  const client = rpc.createMessageConnection(
    new rpc.StreamMessageReader(server.stdout),
    new rpc.StreamMessageWriter(server.stdin),
  );
  client.onNotification(lsp.ShowMessageNotification.type, (message) => seen.messages.push(message));
  const ready = new Promise((resolve) => {
    client.onNotification("wicket/status", (status) => {
      seen.statuses.push(status);
      if (status.state === "ready") resolve();
    });
  });
  client.onRequest(lsp.ConfigurationRequest.type, ({ items }) => items.map(() => null));
  setTimeout(
    () => fail(new Error(`no end after ${PATIENCE_MS} ms; seen: ${JSON.stringify(seen)}`)),
    PATIENCE_MS,
  ).unref();
  client.onNotification((method) => seen.unknown.push(method));
  client.listen();

  const initialized = await client.sendRequest(lsp.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    capabilities: {
      textDocument: { inlineCompletion: {} },
      general: { positionEncodings: ["utf-16"] },
    },
  });
  seen.capabilities = initialized.capabilities;
  seen.serverInfo = initialized.serverInfo;
  await client.sendNotification(lsp.InitializedNotification.type, {});
  await open("file:///shapes.py", SOURCE);
  // The engine wakes with the first request, wherever it is lazy.
  await complete("file:///shapes.py", SOURCE);
  await ready;

  seen.list = await complete("file:///shapes.py", SOURCE);
  seen.wellShaped = (seen.list?.items ?? []).map(
    (item) =>
      typeof item.insertText === "string" &&
      lsp.Range.is(item.range) &&
      lsp.Command.is(item.command),
  );
  seen.end = end(SOURCE);
  seen.explanation = await client.sendRequest("wicket/explainSuggestion", {});

  // Copilot's clients send this request as a notification.
  const accepted = {
    command: "wicket.accepted",
    arguments: seen.list?.items[0]?.command?.arguments,
  };
  await client.sendNotification(lsp.ExecuteCommandRequest.method, accepted);
  seen.acceptedByNotification = await client.sendRequest("wicket/explainSuggestion", {});
  seen.accepted = await client.sendRequest(lsp.ExecuteCommandRequest.type, accepted);

  // Long texts that were never completed: nothing answers them from memory.
  const long = (name) => `# ${name}\n${"x = [1, 2, 3]\n".repeat(200)}${SOURCE}`;
  await open("file:///burst.py", long("burst"));
  seen.burst = await Promise.all([1, 2, 3].map(() => complete("file:///burst.py", long("burst"))));

  await open("file:///cancel.py", long("cancel"));
  const source = new rpc.CancellationTokenSource();
  const cancelled = complete("file:///cancel.py", long("cancel"), source.token).then(
    (answer) => ({ answer }),
    (error) => ({ code: error.code }),
  );
  source.cancel();
  seen.cancelled = await cancelled;

  await faces(seen);

  seen.shutdown = await client.sendRequest(lsp.ShutdownRequest.type);
  seen.afterShutdown = await complete("file:///shapes.py", SOURCE).catch((error) => error.code);
  await client.sendNotification(lsp.ExitNotification.type);
  seen.exitCode = await exited;
  console.log(JSON.stringify(seen));

  function open(uri, text) {
    return client.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
      textDocument: { uri, languageId: "python", version: 1, text },
    });
  }

  function complete(uri, text, token) {
    return client.sendRequest(
      lsp.InlineCompletionRequest.type,
      {
        textDocument: { uri },
        position: end(text),
        context: { triggerKind: lsp.InlineCompletionTriggerKind.Invoked },
      },
      token,
    );
  }

  // The same text of the same file, once opened whole and once edited behind the faces.
  async function faces(into) {
    const uri = "file:///faces.py";
    await open(uri, FACES);
    into.whole = await explained(uri);
    await client.sendNotification(lsp.DidCloseTextDocumentNotification.type, {
      textDocument: { uri },
    });
    await open(uri, FACES.replace(/return $/, "WRONG "));
    const { line, character } = end(FACES.replace(/return $/, ""));
    await client.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version: 2 },
      contentChanges: [
        {
          range: {
            start: { line, character },
            end: { line, character: character + "WRONG".length },
          },
          text: "return",
        },
      ],
    });
    into.edited = await explained(uri);
  }

  async function explained(uri) {
    const position = end(FACES);
    const list = await complete(uri, FACES);
    const { text, range } = await client.sendRequest("wicket/explainSuggestion", {});
    return { position, ranges: list.items.map((item) => item.range), text, range };
  }
}

// The position after the last character; strings count in UTF-16 units, as LSP does.
function end(text) {
  const lines = text.split("\n");
  return { line: lines.length - 1, character: lines.at(-1).length };
}

function fail(error) {
  console.error(error.message);
  process.exit(1);
}

main().catch(fail);

// A person at an editor that reports changes, requests and the accept command, nothing else.
// Does to each suggestion what a person may do, and prints what was done and to which.
// argv: rounds, program, arguments.
"use strict";

const { spawn } = require("node:child_process");
const rpc = require("vscode-jsonrpc/node");
const lsp = require("vscode-languageserver-protocol/node");

const LOOK_MS = 400;
const KEY_MS = 60;
// Each ends in a line that was written before, so that model and copy are sure enough of it.
const SOURCES = [
  "\ndef double(number):\n    return number * 2\n\n\ndef treble(number):\n    retur",
  "\ndef load(path):\n    with open(path) as file:\n        return json.load(file)\n" +
    "\n\ndef load_again(path):\n    with open(path) as file:\n        retur",
  "\nclass Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y = y\n" +
    "\n\nclass Vector:\n    def __init__(self, x, y):\n        self.x = x\n        self.",
  "\ndef price(items):\n    result = 0\n    for item in items:\n        result += item.size\n" +
    "\n\ndef weight(items):\n    result = 0\n    for item in items:\n        result ",
];

// What is done to the text of a suggestion; each answers the events that are true of it.
const ACTS = {
  accept: async (desk, { text, command }) => {
    await desk.insert(text);
    await desk.run(command);
    return `accepted:${text.length}`;
  },
  "accept, no command": async (desk, { text }) => {
    await desk.insert(text);
    return `accepted:${text.length}`;
  },
  "the command comes first": async (desk, { text, command }) => {
    await desk.run(command);
    await desk.insert(text);
    return `accepted:${text.length}`;
  },
  "accept in a client that sends whole texts": async (desk, { text }) => {
    desk.whole = true;
    await desk.insert(text);
    return `accepted:${text.length}`;
  },
  "accept a word": async (desk, { text }) => {
    const word = text.match(/^\s*(\w+|[^\w\s]+)\s*/)[0];
    await desk.insert(word);
    if (word.length < text.length) await desk.type("#");
    if (word === text) return `accepted:${word.length}`;
    return `partial:${word.length}`;
  },
  "type through": async (desk, { text }) => {
    for (let rest = text; rest; rest = rest.slice(1)) {
      await desk.insert(rest[0]);
      const item = await desk.complete();
      // What is shown may have grown meanwhile.
      if (rest.length > 1 && item?.insertText.startsWith(rest.slice(1))) {
        rest = rest[0] + item.insertText;
      }
      await pause(KEY_MS);
    }
    return "typed";
  },
  "type into, then accept": async (desk, { text, command }) => {
    await desk.type(text.slice(0, 2));
    await desk.insert(text.slice(2));
    await desk.run(command);
    return `accepted:${text.length - 2}`;
  },
  "type something else": async (desk, { text }) => {
    await desk.type(text.startsWith("#") ? "~" : "#");
    return "rejected";
  },
  "type into, then something else": async (desk, { text }) => {
    await desk.type(text.slice(0, 2) + "#~");
    return "rejected";
  },
  "paste something else": async (desk) => {
    await desk.insert("self.pasted = from_elsewhere(1)");
    return "rejected";
  },
  erase: async (desk) => {
    await desk.change(desk.text.length - 1, desk.text.length, "");
    return "rejected";
  },
  "close the file": async (desk) => {
    await desk.close();
    return "ignored";
  },
  "a line is added above": async (desk) => {
    await desk.change(0, 0, "import sys\n");
    await desk.close();
    return "ignored";
  },
};

async function main() {
  const [rounds, program, ...args] = process.argv.slice(2);
  const server = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  const client = rpc.createMessageConnection(
    new rpc.StreamMessageReader(server.stdout),
    new rpc.StreamMessageWriter(server.stdin),
  );
  const ready = new Promise((resolve) => {
    client.onNotification("wicket/status", ({ state }) => state === "ready" && resolve());
  });
  client.listen();
  await client.sendRequest(lsp.InitializeRequest.type, {
    processId: process.pid,
    rootUri: null,
    capabilities: { textDocument: { inlineCompletion: {} } },
  });
  await client.sendNotification(lsp.InitializedNotification.type, {});
  await ready;
  const done = [];
  let files = 0;
  for (let round = 0; round < Number(rounds); round++) {
    for (const [what, act] of Object.entries(ACTS)) {
      let desk, item;
      while (!item || item.insertText.trim().length < 5) {
        const source = `# ${files}\n` + SOURCES[files++ % SOURCES.length];
        desk = new Desk(client, `file:///${files}.py`, source);
        await desk.open();
        item = await desk.complete();
        if (files > 200) throw new Error("the model suggests nothing");
      }
      await pause(LOOK_MS);
      const found = { text: item.insertText, command: item.command };
      const expected = await act(desk, found);
      done.push({ what, expected, number: item.command.arguments[0] });
    }
  }
  await client.sendRequest(lsp.ShutdownRequest.type);
  await client.sendNotification(lsp.ExitNotification.type);
  console.log(JSON.stringify(done));
}

// One document with the cursor at its end.
class Desk {
  constructor(client, uri, text) {
    Object.assign(this, { client, uri, text, version: 1, whole: false });
  }

  open() {
    return this.client.sendNotification(lsp.DidOpenTextDocumentNotification.type, {
      textDocument: { uri: this.uri, languageId: "python", version: 1, text: this.text },
    });
  }

  close() {
    const textDocument = { uri: this.uri };
    return this.client.sendNotification(lsp.DidCloseTextDocumentNotification.type, { textDocument });
  }

  async complete(triggerKind = lsp.InlineCompletionTriggerKind.Automatic) {
    const answer = await this.client.sendRequest(lsp.InlineCompletionRequest.type, {
      textDocument: { uri: this.uri },
      position: this.position(this.text.length),
      context: { triggerKind },
    });
    return answer?.items[0];
  }

  run(command) {
    return this.client.sendRequest(lsp.ExecuteCommandRequest.type, command);
  }

  insert(text) {
    return this.change(this.text.length, this.text.length, text);
  }

  // Key by key, each with a request, as editors do.
  async type(text) {
    for (const key of text) {
      await this.insert(key);
      await this.complete();
      await pause(KEY_MS);
    }
  }

  change(start, end, text) {
    const range = { start: this.position(start), end: this.position(end) };
    this.text = this.text.slice(0, start) + text + this.text.slice(end);
    this.version += 1;
    return this.client.sendNotification(lsp.DidChangeTextDocumentNotification.type, {
      textDocument: { uri: this.uri, version: this.version },
      contentChanges: [this.whole ? { text: this.text } : { range, text }],
    });
  }

  position(offset) {
    const lines = this.text.slice(0, offset).split("\n");
    return { line: lines.length - 1, character: lines.at(-1).length };
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

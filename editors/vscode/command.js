// Which program is the server.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

// `given` is the setting wicket.command.  Answers {command}, a list whose first word is an
// absolute path, or {problem}.  A relative program would be the one that a repository planted.
exports.serverCommand = (given) => {
  if (!Array.isArray(given) || given.some((word) => typeof word !== "string")) {
    return { problem: "wicket.command is not a list of strings" };
  }
  const [name, ...args] = given.length ? given : ["wicket", "lsp"];
  const isPath = name.includes("/");
  if (isPath && !path.isAbsolute(name)) return { problem: `${name} is not an absolute path` };
  const program = isPath ? [name].find(runs) : onPath(name);
  if (!program) return { problem: `there is no program ${name}${isPath ? "" : " on PATH"}` };
  return { command: given.length ? [program, ...args] : isolated(program) };
};

function onPath(name) {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(path.isAbsolute);
  return folders.map((folder) => path.join(folder, name)).find(runs);
}

// The Python of the script's own environment, isolated: the script would obey a PYTHONPATH
// that a repository has set for the shell.
function isolated(script) {
  const bin = path.dirname(fs.realpathSync(script));
  const python = path.join(bin, "python");
  if (!runs(python) || !fs.existsSync(path.join(bin, "..", "pyvenv.cfg"))) return [script, "lsp"];
  return [python, "-I", "-m", "wicket.server", "lsp"];
}

function runs(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// Drives VS Code in a headless Chromium, as hands and eyes would, and prints what was seen
// as one JSON object.  argv: one JSON object {url, scenario, chromium, ...}.
"use strict";

const fs = require("node:fs");
const { chromium } = require("playwright-core");
const {
  GHOST,
  TOAST,
  asked,
  type,
  ghosts,
  ghost,
  line,
  status,
  answered,
  why,
  command,
  settled,
} = require("./vscode_hands");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const scenarios = {
  ...require("./vscode_asking"),

  // Types, sees ghost text, types into it, takes it with Tab, saves.
  async complete(page) {
    const seen = { ready: await status(page, "ready") };
    await type(page, asked.typed);
    seen.ghost = await ghost(page);
    await page.screenshot({ path: asked.picture });
    await page.keyboard.type(seen.ghost[0]);
    seen.typedInto = await settled(page, async () => (await ghosts(page)) === seen.ghost.slice(1));
    seen.rest = await ghosts(page);
    await page.keyboard.press("Tab");
    seen.accepted = await settled(page, async () =>
      (await line(page)).includes(asked.typed + seen.ghost),
    );
    seen.line = await line(page);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+s");
    await page.waitForSelector(".tab.active:not(.dirty)");
    seen.explanation = await why(page);
    await command(page, "Wicket: Toggle");
    seen.off = await status(page, "off");
    await command(page, "Wicket: Toggle");
    seen.again = await status(page, "ready");
    return seen;
  },

  // Does to suggestions what a person may do; says what was done and what the log says of it.
  async events(page) {
    await status(page, "ready");
    await type(page, "");
    const done = [];
    for (const [what, act] of Object.entries(acts)) {
      await page.keyboard.press("Control+End");
      await page.keyboard.type(`\n# ${done.length}\nreturn json.`, { delay: 60 });
      const seen = await ghost(page, ".");
      await page.waitForTimeout(500);
      const number = events().findLast(({ event }) => event === "shown")?.number;
      const expected = await act(page, seen);
      const said = () => events().filter((e) => e.number === number && e.event !== "shown");
      await settled(page, () => said().length);
      done.push({ what, expected, inferred: said().map(({ event }) => event).join(" ") });
      await page.keyboard.press("Escape");
    }
    return { done };
  },

  // Takes a suggestion in parts, by keys; then asks why, and follows the link it finds.
  async parts(page) {
    await status(page, "ready");
    await type(page, asked.typed);
    const seen = { ghost: await ghost(page) };
    await page.waitForTimeout(asked.wait);
    seen.before = await line(page);
    seen.steps = [];
    for (const key of asked.keys) {
      await page.keyboard.press(key);
      const left = seen.steps.at(-1)?.left ?? seen.ghost;
      const rest = await settled(page, async () => {
        const now = await ghosts(page);
        return now !== left && now;
      });
      seen.steps.push({ left: rest || "", line: await line(page) });
    }
    seen.explanation = await why(page);
    return seen;
  },

  // Takes what is suggested by keys, waits for what comes with it, and undoes it once.
  async imports(page) {
    await status(page, "ready");
    await type(page, asked.typed);
    const saved = async (wanted) => {
      await page.keyboard.press("Control+s");
      return (
        (await settled(page, () => fs.readFileSync(asked.file, "utf8") === wanted)) ||
        fs.readFileSync(asked.file, "utf8")
      );
    };
    await page.keyboard.press("Alt+\\");
    const seen = { ghost: await ghost(page), steps: [] };
    for (const { keys, text } of asked.steps) {
      for (const key of keys) {
        await page.waitForTimeout(asked.wait);
        await page.keyboard.press(key);
      }
      await page.waitForTimeout(asked.wait);
      seen.steps.push(await saved(text));
    }
    await page.screenshot({ path: asked.picture });
    return seen;
  },

  // Asks by hand and goes through what there is to choose from; takes the last one seen.
  async alternatives(page) {
    await status(page, "ready");
    await type(page, asked.typed);
    const seen = { texts: [await ghost(page)], lines: [] };
    for (const key of ["Alt+]", "Alt+]", "Alt+["]) {
      await page.keyboard.press(key);
      const shown = seen.texts.at(-1);
      const other = await settled(page, async () => {
        const now = await ghosts(page);
        return now && now !== shown && now;
      });
      seen.texts.push(other || "");
      seen.lines.push(await line(page));
    }
    await page.screenshot({ path: asked.picture });
    await page.keyboard.press("Tab");
    await settled(page, async () => (await ghosts(page)) !== seen.texts.at(-1));
    await page.keyboard.press("Escape");
    seen.line = await line(page);
    return seen;
  },

  // Asks why, and goes to the file that it was copied from.
  async copied(page) {
    await type(page, asked.typed);
    const seen = { ghost: await ghost(page) };
    seen.explanation = await why(page);
    const link = page.locator(".detected-link", { hasText: asked.link }).first();
    await link.waitFor();
    await link.click({ modifiers: ["Control"] });
    await page.waitForSelector(`.tab.active[data-resource-name='${asked.link.split(":")[0]}']`);
    seen.place = await settled(page, async () => {
      const text = await page.locator(".statusbar-item [aria-label^='Ln ']").first().textContent();
      return text.startsWith(`Ln ${asked.link.split(":")[1]},`) && text;
    });
    return seen;
  },

  // Types at a hand's pace; says of each key when ghost text that fits it was drawn.
  async keys(page) {
    await status(page, "ready");
    await type(page, "");
    await page.waitForTimeout(asked.wait);
    await page.evaluate(watchKeys, GHOST);
    for (const [number, key] of [...asked.typed].entries()) {
      await page.keyboard.press(key === "\n" ? "Enter" : key === " " ? "Space" : key);
      await page.waitForTimeout(asked.gaps[number % asked.gaps.length]);
    }
    return { keys: await page.evaluate(() => window.keys) };
  },

  // Types where the settings allow nothing, and asks why.
  async refused(page) {
    const seen = { ready: await status(page, "ready") };
    await type(page, asked.typed);
    await page.waitForTimeout(asked.wait);
    seen.ghost = await ghosts(page);
    seen.explanation = await why(page);
    return seen;
  },

  // Types where there is no server, and waits for all messages there might be.
  async broken(page) {
    const seen = { off: await status(page, asked.reason) };
    await page.waitForSelector(TOAST);
    await type(page, asked.typed);
    await page.waitForTimeout(asked.wait);
    seen.message = await page.locator(TOAST).first().textContent();
    if (asked.picture) await page.screenshot({ path: asked.picture });
    seen.messages = await page.locator(TOAST).count();
    if (asked.shows) {
      await answered(page, "Show How");
      await page.locator(".gettingStartedContainer", { hasText: asked.shows }).waitFor();
      await page.waitForTimeout(asked.wait);
    }
    return seen;
  },
};

// Each takes the ghost text it finds and answers which events are true of it.
const acts = {
  async accept(page, seen) {
    await page.keyboard.press("Tab");
    return `accepted:${seen.length}`;
  },
  async "accept a word"(page, seen) {
    await page.keyboard.press("Control+ArrowRight");
    const left = await settled(page, async () => {
      const now = await ghosts(page);
      return now !== seen && now;
    });
    await page.keyboard.type("#");
    return `partial:${seen.length - left.length}`;
  },
  async "accept a line"(page, seen) {
    await page.keyboard.press("Control+ArrowDown");
    await settled(page, async () => (await ghosts(page)) !== seen);
    const left = await ghosts(page);
    if (!left) return `accepted:${seen.length}`;
    await page.keyboard.type("#");
    return `partial:${seen.length - left.length}`;
  },
  async "type something else"(page) {
    await page.keyboard.type("#");
    return "rejected";
  },
  async "type into, then something else"(page, seen) {
    await page.keyboard.type(seen.slice(0, 3) + "#", { delay: 80 });
    return "rejected";
  },
  async "type through"(page, seen) {
    await page.keyboard.type(seen, { delay: 120 });
    return "typed";
  },
  async "erase the line"(page) {
    await page.keyboard.press("Control+Shift+K");
    return "rejected";
  },
};

// Runs in the page.  A key's text is drawn once the cursor has moved, and ghost text that was
// there before counts for it only as far as it goes on.
function watchKeys(ghostSelector) {
  const ghost = () =>
    [...document.querySelectorAll(ghostSelector)]
      .map((one) => one.textContent)
      .join("")
      .replaceAll("\u00a0", " ");
  const place = () => {
    const { top, left } = document.querySelector(".monaco-editor.focused .cursor").style;
    return `${top} ${left}`;
  };
  window.keys = [];
  document.addEventListener(
    "keydown",
    ({ key }) => {
      if (key === "Shift") return;
      const before = ghost();
      const continued = before.length > 1 && before[0] === key;
      const at = performance.now();
      window.keys.push({ continued, before, at, from: place(), shown: null, blank: 0 });
    },
    true,
  );
  const frame = () => {
    const key = window.keys.at(-1);
    if (key && key.shown === null && place() !== key.from) {
      const now = ghost();
      if (now && now !== key.before) key.shown = performance.now() - key.at;
      else if (key.continued && !now) key.blank += 1;
    }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

// What the server's log says of suggestions so far.
function events() {
  const lines = fs.existsSync(asked.log) ? fs.readFileSync(asked.log, "utf8").split("\n") : [];
  const found = lines.map((one) => one.match(/suggestion (\d+): (\w+) (\d+) 0$/)).filter(Boolean);
  return found.map(([, number, kind, size]) => ({
    number,
    event: ["accepted", "partial"].includes(kind) ? `${kind}:${size}` : kind,
  }));
}

async function main() {
  const browser = await chromium.launch({
    executablePath: asked.chromium,
    headless: true,
    args: FLAGS,
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1000, height: 560 } });
    page.setDefaultTimeout(asked.timeout);
    try {
      const payload = JSON.stringify([
        ["openFile", `vscode-remote://${new URL(asked.url).host}${asked.file}`],
      ]);
      await page.goto(`${asked.url}?folder=${asked.folder}&payload=${encodeURIComponent(payload)}`);
      await page.waitForSelector(".monaco-editor .view-line");
      const seen = await scenarios[asked.scenario](page);
      console.log(JSON.stringify({ ...seen, toasts: await page.locator(TOAST).count() }));
    } catch (error) {
      await page.screenshot({ path: asked.failure });
      throw error;
    }
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error.message.split("\n")[0]);
  process.exit(1);
});

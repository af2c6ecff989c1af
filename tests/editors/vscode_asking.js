// Scenarios in which something would leave: questions about code, and edits of it.
"use strict";

const fs = require("node:fs");
const { TOAST, asked, answered, command, settled, status, type } = require("./vscode_hands");

const ANSWER = "[data-resource-name^='answer-'][data-resource-name$='.md']";
const SUMMARY = "[data-resource-name='What would leave.txt']";
const BYTES = "[data-resource-name$='-request.txt']";

module.exports = {
  // Asks about lines, goes on typing, looks at every byte, sends, follows a link, asks more.
  async ask(page) {
    await status(page, asked.state);
    await select(page);
    const seen = { about: await say(page, "Wicket: Ask About the Selection", asked.words) };
    seen.summary = await shown(page, SUMMARY, "kept");
    await page.locator(TOAST).first().waitFor();
    await type(page, asked.typed);
    seen.messages = await page.locator(TOAST).count();
    await page.screenshot({ path: asked.picture });
    seen.question = await answered(page, "Show every byte");
    seen.bytes = await shown(page, BYTES, "POST");
    await answered(page, "Send");
    seen.answer = await shown(page, ANSWER, "on record");
    await page.keyboard.press("Control+s");
    seen.written = await settled(page, () => fs.readFileSync(asked.file, "utf8") === asked.after);
    const link = page.locator(".detected-link", { hasText: asked.link }).last();
    await link.click({ modifiers: ["Control"] });
    await page.locator(".statusbar-item [aria-label^='Ln 1,']").first().waitFor();
    seen.place = await page.locator(".tab.active.selected").last().getAttribute("data-resource-name");
    await page.locator(`.tab${ANSWER}`).first().click();
    await page.locator(".editor-actions [aria-label^='Ask More']").first().click();
    seen.more = await say(page, null, asked.more);
    await answered(page, "Send");
    await page.locator(`.tab${ANSWER}`).nth(1).waitFor();
    seen.second = await shown(page, ANSWER, "on record");
    return seen;
  },

  // Asks what gets no answer; says what is read then, and what is left of the question.
  async askInVain(page) {
    await status(page, asked.state);
    await select(page);
    await say(page, "Wicket: Ask About the Selection", asked.words);
    if (asked.answer) await answered(page, asked.answer);
    const seen = {};
    if (asked.cancelled) {
      seen.growing = await shown(page, ANSWER, asked.cancelled);
      await page.locator(".statusbar-item", { hasText: "Wicket: asking" }).first().click();
      await page.locator(".notifications-center .monaco-button", { hasText: "Cancel" }).click();
    }
    seen.answer = await shown(page, ANSWER, asked.says);
    await type(page, asked.typed);
    await page.waitForTimeout(asked.wait);
    seen.dirty = await page.locator(".tab.dirty").count();
    await page.screenshot({ path: asked.picture });
    await command(page, "Wicket: Ask About the Selection");
    seen.kept = await (await input(page)).locator(".quick-input-box input").inputValue();
    return seen;
  },

  // Selects lines, says what is to become of them, sends it, and applies what is previewed.
  async edit(page) {
    await status(page, asked.state);
    await select(page);
    const about = await say(page, "Wicket: Edit the Selection", asked.words);
    const seen = { about, question: await answered(page, "Send") };
    await page.locator(".monaco-diff-editor").first().waitFor();
    seen.diff = await settled(page, async () => {
      const rows = await page.locator(".monaco-diff-editor .view-line").allTextContents();
      const text = rows.join("\n").replaceAll("\u00a0", " ");
      return text.includes(asked.proposed) && text;
    });
    seen.unchanged = fs.readFileSync(asked.file, "utf8");
    await page.screenshot({ path: asked.picture });
    seen.offer = await answered(page, asked.answer);
    await page.locator(".monaco-diff-editor").waitFor({ state: "detached" });
    // VS Code may have saved it by itself.
    await page.keyboard.press("Control+s");
    seen.saved = await settled(page, () => fs.readFileSync(asked.file, "utf8") === asked.after);
    return seen;
  },
};

// Selects the first lines of the file.
async function select(page) {
  await type(page, "");
  await page.keyboard.press("Control+Home");
  for (let line = 0; line < asked.lines; line += 1) await page.keyboard.press("Shift+ArrowDown");
}

// Types words into the input that a command opens; what that says it is about.
async function say(page, title, words) {
  if (title) await command(page, title);
  const about = await (await input(page)).locator(".quick-input-title").textContent();
  await page.keyboard.type(words);
  await page.keyboard.press("Enter");
  return about;
}

async function input(page) {
  const found = page.locator(".quick-input-widget", { hasText: "Press 'Enter' to confirm" });
  await found.waitFor();
  return found;
}

// The text in front under a tab, without its breaks, once it has `words`.
async function shown(page, tab, words) {
  const has = page.locator(`.tab.active${tab}`);
  const group = page.locator(".editor-group-container", { has }).last();
  await group.waitFor();
  const end = Date.now() + asked.timeout;
  let text = "";
  while (Date.now() < end) {
    const rows = await group.locator(".view-line").evaluateAll((all) =>
      all
        .map((one) => [parseFloat(one.style.top), one.textContent])
        .sort(([one], [other]) => one - other)
        .map(([, text]) => text),
    );
    text = rows.join(" ").replace(/[\s\u00a0]+/g, " ");
    if (text.includes(words)) return text.trim();
    await page.waitForTimeout(100);
  }
  throw new Error(`there is no ${JSON.stringify(words)} in ${JSON.stringify(text)}`);
}

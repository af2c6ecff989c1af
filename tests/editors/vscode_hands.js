// What hands and eyes do in VS Code, for the scenarios.  argv: one JSON object {url, scenario, ...}.
"use strict";

const GHOST = "[class*=ghost-text]";
const STATUS = "[id*='wicket.status']";
const TOAST = ".notification-toast";

const asked = JSON.parse(process.argv[2]);

async function type(page, keys) {
  // At the top, because messages cover the bottom.
  const lines = page.locator(".monaco-editor .view-lines").first();
  await lines.click({ position: { x: 40, y: 8 } });
  await page.keyboard.press("Control+End");
  await page.keyboard.type(keys, { delay: 60 });
}

// The ghost text on screen; the editor draws spaces as no-break spaces.
async function ghosts(page) {
  const parts = await page.locator(GHOST).allTextContents();
  return parts.join("").replaceAll("\u00a0", " ");
}

// On a busy machine an answer may come too late for a key; then the last key is typed again.
async function ghost(page, last = asked.typed.at(-1)) {
  for (let tries = 0; tries < 10; tries += 1) {
    const seen = await settled(page, () => ghosts(page));
    if (seen) return seen;
    await page.keyboard.press("Backspace");
    await page.keyboard.type(last);
  }
  throw new Error(`no ghost text after ${JSON.stringify(last)}`);
}

// The line of the cursor, ghost text included.
async function line(page) {
  const top = await page
    .locator(".monaco-editor.focused .cursor")
    .first()
    .evaluate((cursor) => cursor.style.top);
  const lines = page.locator(".monaco-editor.focused .view-line");
  const found = await lines.evaluateAll(
    (all, at) => all.find((one) => one.style.top === at)?.textContent,
    top,
  );
  return (found ?? "").replaceAll("\u00a0", " ");
}

// The status item's label once it holds `word`: the text for the eye, the tooltip for the ear.
async function status(page, word) {
  await page.waitForFunction(
    ([where, what]) =>
      document.querySelector(where)?.querySelector("[aria-label]")?.ariaLabel.includes(what),
    [STATUS, word],
  );
  return page.locator(`${STATUS} [aria-label]`).first().getAttribute("aria-label");
}

// Presses a button of the server's question; its text.
async function answered(page, action) {
  const toast = page.locator(TOAST, { has: page.locator(".monaco-button", { hasText: action }) });
  await toast.first().waitFor();
  const said = await toast.first().textContent();
  await toast.first().locator(".monaco-button", { hasText: action }).first().click();
  return said;
}

// The page that explains the latest answer, as drawn, or false.
async function why(page) {
  await command(page, "Wicket: Why This Suggestion");
  await page.waitForSelector(".tab[data-resource-name='Why this suggestion']");
  const view = page.locator(".editor-group-container:last-child .view-lines").last();
  return settled(page, async () => {
    const rows = await view.locator(".view-line").allTextContents();
    const text = rows.join("\n").replaceAll("\u00a0", " ");
    return text.includes("model") && text;
  });
}

async function command(page, title) {
  await page.keyboard.press("F1");
  await page.keyboard.type(title);
  await page.locator(".quick-input-list .monaco-list-row.focused", { hasText: title }).waitFor();
  await page.keyboard.press("Enter");
}

// What `look` answers once that is true, or false when it does not become true.
async function settled(page, look) {
  for (let tries = 0; tries < 50; tries += 1) {
    const seen = await look();
    if (seen) return seen;
    await page.waitForTimeout(100);
  }
  return false;
}

module.exports = {
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
};

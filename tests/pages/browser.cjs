"use strict";
// Opens pages in Chromium and prints, as JSON, what test_pages.py asks of them.
//   node browser.cjs CHROMIUM FOLDER NAME=PAGE...    leaves NAME.html, as the scripts made it, and NAME.pdf in FOLDER
const fs = require("fs");
const path = require("path");
const { pathToFileURL } = require("url");
const axe = require.resolve("axe-core");
const { chromium } = require("playwright-core");

const RULES = { // beside those that run unasked
  "label-content-name-mismatch": { enabled: true },
  "target-size": { enabled: true },
};
const NARROW = 320; // pixels: 1,280 at 400 %
const STOPS = 120; // of the Tab key, at most

async function open(browser, page, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const tab = await context.newPage();
  tab.errors = [];
  tab.on("pageerror", (error) => tab.errors.push(String(error)));
  tab.on("console", (message) => tab.errors.push(message.text()));
  tab.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) tab.errors.push(`asks for ${request.url()}`);
  });
  await tab.goto(pathToFileURL(page).href);
  await tab.waitForTimeout(200); // thumbnails of what is in sight
  return tab;
}

async function judge(tab) { // what axe finds, of what is folded too
  await tab.addScriptTag({ path: axe });
  const results = await tab.evaluate(async (rules) => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
    return axe.run({ rules });
  }, RULES);
  const lines = (found) => found.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)}`));
  return { violations: lines(results.violations), unsure: lines(results.incomplete) };
}

async function walk(tab) { // by the Tab key from the first to the last that takes the focus
  const stops = [];
  for (let i = 0; i < STOPS; i++) {
    await tab.keyboard.press("Tab");
    const stop = await tab.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return null;
      const box = at.getBoundingClientRect(), style = getComputedStyle(at), sheet = at.closest(".sheet");
      const within = sheet && sheet !== at ? sheet.getBoundingClientRect() : { top: 0, bottom: innerHeight };
      if (at.walked) return null;
      at.walked = true;
      return {
        tile: at.matches(".tile") ? Number(at.dataset.order) : null,
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        inSight: box.bottom > within.top && box.top < within.bottom,
      };
    });
    if (stop === null) break;
    stops.push(stop);
  }
  return stops;
}

async function scrolled(tab) { // the focus after the sheet was scrolled away from it, and the page made narrow
  const about = () => tab.evaluate(() => document.activeElement.title || document.activeElement.tagName);
  const scroll = (place) => tab.evaluate((top) => {
    document.querySelector(".sheet").scrollTop = top;
  }, place).then(() => tab.waitForTimeout(150));
  await tab.evaluate(() => document.querySelector("a.tile").focus());
  const before = await about();
  const after = [];
  await scroll(1e6);
  after.push(await about());
  const shown = await tab.evaluate(() => document.querySelectorAll(".tile").length);
  await scroll(0);
  after.push(await about());
  await tab.setViewportSize({ width: 700, height: 900 });
  await tab.waitForTimeout(150);
  after.push(await about());
  return { before, after, shown };
}

async function printByButton(browser, page, file) { // of a page that does not hold its pictures itself
  const tab = await open(browser, page);
  const asked = tab.evaluate(() => new Promise((resolve) => { window.print = resolve; }));
  await tab.click("button[name=print]");
  await asked;
  await tab.pdf({ path: file, format: "A4" });
  await tab.context().close();
}

async function look(browser, page, stem) {
  const found = {};
  for (const colorScheme of ["light", "dark"]) {
    const tab = await open(browser, page, { colorScheme });
    found[colorScheme] = { ...await judge(tab), errors: tab.errors };
    await tab.context().close();
  }
  const tab = await open(browser, page);
  fs.writeFileSync(`${stem}.html`, await tab.content());
  await tab.pdf({ path: `${stem}.pdf`, format: "A4" });
  found.stops = await walk(tab);
  if (await tab.$("a.tile")) found.focus = await scrolled(tab);
  await tab.setViewportSize({ width: NARROW, height: 800 });
  found.beyondNarrow = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await tab.context().close();
  if (found.focus) await printByButton(browser, page, `${stem}-button.pdf`);
  return found;
}

(async () => {
  const [executablePath, folder, ...pages] = process.argv.slice(2);
  const browser = await chromium.launch({ executablePath });
  const found = {}, left = [...pages];
  await Promise.all([1, 2].map(async () => { // two at a time
    while (left.length) {
      const [name, page] = left.pop().split("=");
      found[name] = await look(browser, page, path.join(folder, name));
    }
  }));
  await browser.close();
  process.stdout.write(JSON.stringify(found));
})();

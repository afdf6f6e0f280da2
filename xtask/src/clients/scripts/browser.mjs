// Chromium without a window, through its DevTools protocol.

import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Process, options, until, within } from "./support.mjs";

export class Browser {
  static async start() {
    const browser = new Browser(), dir = mkdtempSync(join(options.scratch, "chromium-"));
    browser.process = new Process("chromium", [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--log-level=3",
      "--remote-debugging-port=0", `--user-data-dir=${dir}`, "about:blank",
    ], "ignore");
    const file = join(dir, "DevToolsActivePort");
    // Written in two steps.
    const [port, path] = await until("Chromium listens", () => {
      const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
      return lines.length === 2 && lines;
    });
    browser.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    await within("Chromium answers", new Promise(done => browser.socket.onopen = done));
    browser.last = 0;
    browser.calls = new Map();
    browser.socket.onmessage = ({ data }) => {
      const { id, result, error } = JSON.parse(data);
      browser.calls.get(id)?.(error ? { exceptionDetails: error } : result);
      browser.calls.delete(id);
    };
    return browser;
  }

  call(method, params = {}, sessionId = undefined) {
    const id = ++this.last;
    this.socket.send(JSON.stringify({ id, method, params, sessionId }));
    return within(method, new Promise(done => this.calls.set(id, done)));
  }

  /** A tab of its own, with a storage of its own. */
  async open(url) {
    const { browserContextId } = await this.call("Target.createBrowserContext");
    const { targetId } = await this.call("Target.createTarget", { url, browserContextId });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    return new Tab(this, targetId, sessionId);
  }

  async end() {
    this.process.child.kill("SIGTERM");
    await within("Chromium ends", this.process.ended);
  }
}

class Tab {
  constructor(browser, target, session) {
    Object.assign(this, { browser, target, session });
  }

  /** What an expression is worth in the page; `undefined` while that cannot be said. */
  async value(expression) {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { exceptionDetails, result } = await this.browser.call("Runtime.evaluate", params, this.session);
    return exceptionDetails ? undefined : result.value;
  }

  async until(expression) {
    try {
      return await until(expression, () => this.value(expression));
    } catch (error) {
      throw new Error(`${error.message}; the page shows:\n${await this.value("document.body.innerText")}`);
    }
  }

  /** Types into a field, as keys do, and sends its form. */
  async submit(field, words) {
    await this.value(`document.querySelector(${JSON.stringify(field)}).focus()`);
    await this.browser.call("Input.insertText", { text: words }, this.session);
    await this.value(`document.querySelector(${JSON.stringify(field)}).form.requestSubmit()`);
  }

  shows(words) {
    return this.until(`document.querySelector("#log").innerText.includes(${JSON.stringify(words)})`);
  }

  close() {
    return this.browser.call("Target.closeTarget", { targetId: this.target });
  }
}

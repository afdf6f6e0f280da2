// What all scripts need: waiting with a deadline, trials that are told as cargo tells tests, the cluster's command line.

import { execFile, spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

/** --key value … */
export const options = Object.fromEntries(
  process.argv.slice(2).flatMap((word, at, words) => word.startsWith("--") ? [[word.slice(2), words[at + 1]]] : []));

/** Packages of npm are below the directory that --modules names. */
export const load = createRequire(join(options.modules, "package.json"));

/** How long anything may take that takes milliseconds on a machine with nothing else to do. */
export const DEADLINE = 20_000;

export const pause = ms => new Promise(done => setTimeout(done, ms));

/** Looks until `look` gives something true, and gives that. */
export async function until(what, look, ms = DEADLINE) {
  for (const end = Date.now() + ms; ;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(20);
  }
}

export function within(what, promise, ms = DEADLINE) {
  let timer;
  const late = new Promise((_, fail) => timer = setTimeout(fail, ms, new Error(`not within ${ms} ms: ${what}`)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function same(what, found, wanted) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

/** Runs trials one after the other; whether all passed. */
export async function run(trials) {
  let passed = 0;
  const failures = [];
  for (const [name, trial] of trials) {
    const began = Date.now();
    try {
      await within("the whole trial", trial(), 120_000);
      passed++;
      console.log(`test ${name} ... ok (${Date.now() - began} ms)`);
    } catch (error) {
      failures.push(`---- ${name} ----\n${error.stack ?? error}`);
      console.log(`test ${name} ... FAILED`);
    }
  }
  if (failures.length) console.log(`\nfailures:\n\n${failures.join("\n\n")}\n`);
  console.log(`test result: ${failures.length ? "FAILED" : "ok"}. ${passed} passed; ${failures.length} failed; 0 ignored`);
  return failures.length === 0;
}

/** A process whose lines are kept. */
export class Process {
  constructor(program, args, stderr = "inherit") {
    this.lines = [];
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", stderr] });
    this.ended = new Promise(done => this.child.on("exit", code => done(code)));
    this.child.stdin.on("error", () => {});
    let rest = "";
    this.child.stdout.setEncoding("utf8").on("data", text => {
      const lines = (rest + text).split("\n");
      rest = lines.pop();
      this.lines.push(...lines);
    });
  }

  type(line) {
    this.child.stdin.write(`${line}\n`);
  }

  /** Waits for a line that has `text`; from the line `from` on. */
  async says(text, from = 0) {
    let seen;
    const look = () => this.lines.slice(from).find(line => line.includes(text));
    try {
      return await until(`a line with ${JSON.stringify(text)}`, look);
    } catch (error) {
      seen = this.lines.slice(-20).join("\n  ");
      throw new Error(`${error.message}; the last lines were\n  ${seen}`);
    }
  }
}

/** The demo in a directory of its own. */
export const cluster = {
  gate: Number(options.gate),
  dir: options.dir,
  masters: [],

  chat(...args) {
    return new Process(options.program, args);
  },

  /** Starts a master and waits until it says `line`. */
  async start(line) {
    const master = this.chat("start", "--dir", options.dir);
    this.masters.push(master);
    await master.says(line);
    return master;
  },

  /** Nothing while the lead changes: there may be nobody to ask. Clients in this process send heartbeats meanwhile. */
  look() {
    const listed = promisify(execFile)(options.program, ["list", "--json", "--dir", options.dir]);
    return listed.then(({ stdout }) => JSON.parse(stdout), () => undefined);
  },

  list() {
    return until("a list", () => this.look());
  },

  /** Kills what has this id with SIGKILL, as `kill -9`. */
  async kill(id) {
    const { servers, masters } = await this.list();
    const { pid } = [...servers, ...masters].find(one => one.id === id);
    process.kill(pid, "SIGKILL");
  },

  async isUp(id, incarnation) {
    await until(`${id} is up in its life ${incarnation}`, async () =>
      (await this.look())?.servers.some(one => one.id === id && one.state === "up" && one.incarnation >= incarnation));
  },

  async stop() {
    const { status, stderr } = spawnSync(options.program, ["stop", "--dir", options.dir], { encoding: "utf8" });
    same(`stop (${stderr})`, status, 0);
    await within("the masters end", Promise.all(this.masters.map(master => master.ended)));
  },
};

// People chat while servers are killed: everybody is back by themselves, and nothing that was said is lost.

import { Guest } from "./npm.mjs";
import { cluster, pause, same, until } from "./support.mjs";

/**
 * A page, a terminal, and a guest who only listens and whose connector is another one than theirs. Page and terminal say
 * numbered words all the time.
 */
class Crowd {
  static async gather(browser, room) {
    const crowd = new Crowd();
    crowd.room = room;
    crowd.said = { page: 0, tom: 0 };
    crowd.terminal = cluster.chat("client", "--name", "tom", "--room", room, "--gate", `127.0.0.1:${cluster.gate}`);
    const line = await crowd.terminal.says("you are in");
    crowd.port = Number(line.match(/port (\d+)/)[1]);
    crowd.page = await browser.open(`http://127.0.0.1:${cluster.gate}/#name=page&room=${room}`);
    await crowd.page.shows(`You are in ${room}`);
    crowd.pagePort = await crowd.page.value("visit.port");
    crowd.listener = await elsewhere([crowd.port, crowd.pagePort], room);
    crowd.talking = crowd.talk();
    return crowd;
  }

  async talk() {
    while (!this.quiet) {
      this.terminal.type(`tom ${++this.said.tom}`);
      await this.page.submit("#words", `page ${++this.said.page}`);
      await pause(100);
    }
  }

  /** The connector with this port. */
  async connector(port) {
    return (await cluster.list()).servers.find(one => one.clientPort === port);
  }

  /** Whether a page or a terminal has been heard again from now on. */
  async heardAgain(who) {
    const before = this.said[who];
    await until(`${who} is heard again`, () => this.heard(who).some(number => number > before + 3));
  }

  heard(who) {
    return this.listener.told("onChat").filter(({ from }) => from === who).map(({ msg }) => Number(msg.split(" ")[1]));
  }

  /** All that was said was heard, in order; what was said twice has one id. */
  async wasHeard() {
    this.quiet = true;
    await this.talking;
    for (const who of ["page", "tom"]) {
      const all = Array.from({ length: this.said[who] }, (_, at) => at + 1);
      const ids = new Map();
      await until(`all of ${who} is heard`, () => this.heard(who).includes(this.said[who]));
      for (const { from, msg, id } of this.listener.told("onChat")) if (from === who) ids.set(id, msg);
      same(`what ${who} has said`, [...ids.values()].map(msg => Number(msg.split(" ")[1])), all);
    }
    same("the listener's connection", this.listener.events, []);
    await this.page.until(`document.querySelectorAll(".waiting, .unsent").length === 0`);
    // What others say is on each screen once.
    const lines = this.terminal.lines.filter(line => /^page: page \d+$/.test(line));
    same("on the terminal's screen", new Set(lines).size, lines.length);
    this.listener.leave();
    this.terminal.child.stdin.end();
    await this.terminal.ended;
    await this.page.close();
  }
}

/** Somebody in a room at another connector than those of `ports`. */
async function elsewhere(ports, room) {
  // The gate spreads names over the connectors.
  for (let number = 1; number < 100; number++) {
    const guest = new Guest();
    await guest.enter(`guest${number}`, room);
    if (!ports.includes(guest.port)) return guest;
    guest.leave();
  }
  throw new Error("the gate knows one connector only");
}

export const faults = browser => [
  ["whoever_is_not_reached_is_named", async () => {
    const page = await browser().open(`http://127.0.0.1:${cluster.gate}/#name=page&room=freeze`);
    await page.shows("You are in freeze");
    const guest = await elsewhere([await page.value("visit.port")], "freeze");
    await page.shows(`${guest.name} is here`);
    const { pid } = (await cluster.list()).servers.find(one => one.clientPort === guest.port);
    process.kill(pid, "SIGSTOP");
    try {
      await page.submit("#words", "can you hear me");
      await page.shows(`not to ${guest.name}`);
      await page.until(`people.get(${JSON.stringify(guest.name)}) === "not reached"`);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    guest.leave();
    await page.until("people.size === 1");
    await page.close();
  }],
  ["a_room_survives_the_kill_of_a_connector", async () => {
    const crowd = await Crowd.gather(browser(), "connectors");
    for (const who of ["tom", "page"]) {
      const port = who === "tom" ? Number(crowd.terminal.lines.findLast(line => line.includes("(port ")).match(/port (\d+)/)[1])
        : await crowd.page.value("visit.port");
      const { id, incarnation } = await crowd.connector(port);
      if (port === crowd.listener.port) throw new Error("the listener sits there");
      await cluster.kill(id);
      await crowd.heardAgain(who);
      await until("the listener has seen it go", () => crowd.listener.told("onLeave").some(({ user, lost }) => user === who && lost));
      await cluster.isUp(id, incarnation + 1);
    }
    await crowd.page.until("people.size === 3");
    await crowd.wasHeard();
  }],
  ["a_room_survives_the_kill_of_chat_servers", async () => {
    const crowd = await Crowd.gather(browser(), "chats");
    for (const { id, incarnation } of (await cluster.list()).servers.filter(one => one.serverType === "chat")) {
      await cluster.kill(id);
      await crowd.heardAgain("tom");
      await crowd.heardAgain("page");
      await cluster.isUp(id, incarnation + 1);
    }
    await crowd.wasHeard();
  }],
  ["nobody_notices_a_failover_of_the_master", async () => {
    const crowd = await Crowd.gather(browser(), "masters");
    const standby = await cluster.start("standby: ");
    const leader = (await cluster.list()).masters.find(one => one.role === "leader");
    const lines = crowd.terminal.lines.length;
    process.kill(leader.pid, "SIGKILL");
    await crowd.heardAgain("tom");
    await standby.says("servers are up");
    await crowd.heardAgain("page");
    same("the terminal's troubles", crowd.terminal.lines.slice(lines).filter(line => line.startsWith("!")), []);
    same("the page's state", await crowd.page.value("$('state').className"), "good");
    await crowd.wasHeard();
  }],
  ["a_restart_of_all_connectors_one_by_one_keeps_the_room", async () => {
    const crowd = await Crowd.gather(browser(), "rolling");
    crowd.listener.leave();
    const restart = cluster.chat("restart", "-t", "connector", "--rolling", "--dir", cluster.dir);
    same("the restart", await restart.ended, 0);
    crowd.listener = new Guest();
    await until("the listener is in", async () => !!(await crowd.listener.enter("again", "rolling")).answer?.users);
    await crowd.heardAgain("tom");
    await crowd.heardAgain("page");
    crowd.quiet = true;
    await crowd.talking;
    await crowd.page.until("people.size === 3");
    crowd.terminal.child.stdin.end();
    await crowd.terminal.ended;
    crowd.listener.leave();
    await crowd.page.close();
  }],
];

// The demo with real clients: what `cargo xtask clients` runs. Each trial has a room of its own.

import { Browser } from "./browser.mjs";
import { faults } from "./faults.mjs";
import { Guest, ofBrowser, ofNode } from "./npm.mjs";
import { cluster, options, pause, run, same, until } from "./support.mjs";

/** Two people with a client from npm, from login to kick. */
const npm = (make, room) => async () => {
  const [ann, bob] = [new Guest(make), new Guest(make)];
  same("ann is alone", (await ann.enter("ann", room)).answer, { code: 200, users: ["ann"] });
  same("both are there", (await bob.enter("bob", room)).answer, { code: 200, users: ["ann", "bob"] });
  await until("ann is told of bob", () => ann.told("onAdd")[0]);
  same("who came", ann.told("onAdd"), [{ route: "onAdd", user: "bob" }]);

  // Of all lengths that a header knows, and beyond what one segment of TCP holds.
  const words = ["hello", "grüß dich, 你好", "x".repeat(300), "y".repeat(2000)];
  // Pomelo's protobuf does not read them.
  if (!options.protos) words.push("\u{1F34A}");
  for (const said of words) {
    same("the answer", await ann.say(said), { code: 200, route: "chat.chatHandler.send", missed: [] });
  }
  for (const one of [ann, bob]) {
    await until("all is heard", () => one.told("onChat").length === words.length);
    same("what was heard", one.told("onChat"),
      words.map(msg => ({ route: "onChat", msg, from: "ann", target: "*" })));
  }
  await bob.say("for you", "ann");
  await until("ann has it", () => ann.told("onChat").some(({ msg, target }) => msg === "for you" && target === "ann"));
  same("bob has not", bob.told("onChat").length, words.length);

  same("no such person", (await ann.say("?", "nobody")).code, 404);
  same("no such route", (await ann.request("chat.chatHandler.nothing", {})).code, 404);
  same("no such server", (await ann.request("area.areaHandler.move", {})).code, 503);
  const second = new Guest(make);
  const { answer } = await second.enter("ann", room);
  same("a name that is taken", [answer.code, answer.error], [500, true]);
  second.leave();

  // Beyond both heartbeat timeouts, which are 2 s here.
  await pause(5000);
  same("nobody was disconnected", [ann.events, bob.events], [[], []]);
  await ann.say("still here");
  await until("it is heard", () => bob.told("onChat").some(({ msg }) => msg === "still here"));

  same("the kick", await ann.request("chat.chatHandler.kick", { target: "bob" }), { code: 200 });
  await until("bob is told and disconnected", () => bob.has("onKick") && bob.has("disconnect"));
  // The client from npm for Node does not hand the reason on.
  if (make === ofBrowser) same("why", bob.events.find(([event]) => event === "onKick")[1], "kicked by ann");
  await until("ann sees it", () => ann.told("onLeave")[0]);
  same("who has left", ann.told("onLeave"), [{ route: "onLeave", user: "bob" }]);
  ann.leave();
};

/** Pomelo's client in browsers encodes halves of characters; Pomelo's server loses them. */
async function emoji() {
  const [ann, bob] = [new Guest(ofBrowser), new Guest()];
  await ann.enter("ann", "emoji");
  await bob.enter("bob", "emoji");
  await ann.say("\u{1F34A}\u{1F600}");
  await until("bob has it", () => bob.told("onChat")[0]);
  same("what bob has", bob.told("onChat")[0].msg, "\u{1F34A}\u{1F600}");
  ann.leave();
  bob.leave();
}

/** Without a heartbeat of the client's the server hangs up, and says to the room that it has. */
async function silent() {
  const [ann, bob] = [new Guest(), new Guest()];
  await ann.enter("ann", "silence");
  await bob.enter("bob", "silence");
  await until("bob has come", () => ann.told("onAdd")[0]);
  // As a computer that sleeps: it neither reads nor writes, nor closes.
  bob.client.socket._socket.pause();
  clearTimeout(bob.client.heartbeatId);
  bob.client.heartbeatId = -1;
  await until("bob has gone", () => ann.told("onLeave")[0]);
  bob.client.socket._socket.resume();
  await until("bob is disconnected", () => bob.has("disconnect"));
  ann.leave();
}

let browser;

/** Two tabs, a reload, a kick, and words that would be harmful as HTML. */
async function page() {
  const url = `http://127.0.0.1:${cluster.gate}/`;
  const ann = await browser.open(url);
  await ann.until(`document.readyState === "complete"`);
  await ann.submit("#name", "ann");
  await ann.shows("You are in lobby, as ann");
  const bob = await browser.open(`${url}#name=bob&room=lobby`);
  await bob.shows("You are in lobby, as bob");
  await ann.shows("bob is here");
  await ann.submit("#words", `<img src=x onerror="document.title='owned'"> & "quotes"`);
  await bob.shows(`<img src=x onerror="document.title='owned'"> & "quotes"`);
  await bob.submit("#words", "hello ann");
  await ann.shows("hello ann");
  same("nothing was run", await bob.value("document.querySelectorAll('#log img').length + document.title"), "0#lobby");
  await ann.until(`document.querySelectorAll(".waiting").length === 0`);

  const third = await browser.open(`${url}#name=ann&room=lobby`);
  await third.until(`document.querySelector("#refusal").textContent.includes("already")`);
  await third.close();

  await bob.value("location.reload()");
  await ann.shows("bob has left");
  await bob.shows("You are in lobby, as bob");
  await ann.until("people.size === 2");
  await pause(5000);
  same("after heartbeats", [await ann.value("$('state').className"), await bob.value("$('state').className")], ["good", "good"]);

  await ann.value(`document.querySelector('[data-name="bob"] .kick').click()`);
  await bob.until(`document.querySelector("#banner").textContent.includes("kicked by ann")`);
  await ann.until("people.size === 1");
  await bob.value(`document.querySelector("#banner button").click()`);
  await ann.until("people.size === 2");
  await Promise.all([ann.close(), bob.close()]);
}

/** Pomelo's client from npm, the terminal and a browser meet. */
async function together() {
  const [guest, terminal] = [new Guest(), client("tom", "meeting")];
  await terminal.says("you are in meeting as tom, with nobody else");
  await guest.enter("gus", "meeting");
  const tab = await browser.open(`http://127.0.0.1:${cluster.gate}/#name=pat&room=meeting`);
  await tab.shows("You are in meeting, as pat");
  await terminal.says("gus is here");
  await terminal.says("pat is here");
  terminal.type("from the terminal");
  await guest.say("from npm");
  await tab.submit("#words", "from the page");
  for (const words of ["from the terminal", "from npm", "from the page"]) {
    await terminal.says(words);
    await tab.shows(words);
    await until(words, () => guest.told("onChat").some(({ msg }) => msg === words));
  }
  terminal.type("/to gus for gus only");
  await until("gus has it", () => guest.told("onChat").some(({ msg }) => msg === "for gus only"));
  terminal.type("/who");
  await terminal.says("in meeting: gus, pat, tom");
  terminal.type("/room elsewhere");
  await terminal.says("you are in elsewhere as tom");
  await until("tom has left", () => guest.told("onLeave").some(({ user }) => user === "tom"));
  const other = client("tim", "elsewhere");
  await other.says("with tom");
  other.type("/kick tom");
  await terminal.says("kicked by tim");
  same("its exit code", await terminal.ended, 1);
  other.child.stdin.end("last words\n");
  same("after the end of its input", await other.ended, 0);
  await other.says("tim: last words");
  guest.leave();
  await tab.close();
}

/** What `bots` makes of itself is a load that is all heard. */
async function bots() {
  const bots = cluster.chat("bots", "--count", "12", "--every", "1", "--room", "bots", "--gate", `127.0.0.1:${cluster.gate}`);
  await bots.says("12 of 12 bots are in");
  await until("they have said something", () => /said [1-9]\d+, heard [1-9]\d\d+, missed 0, lost 0/.test(bots.lines.at(-1)));
  bots.child.kill("SIGTERM");
  await bots.ended;
}

function client(name, room) {
  return cluster.chat("client", "--name", name, "--room", room, "--gate", `127.0.0.1:${cluster.gate}`);
}

const withProtobuf = [
  ["pomelo_client_websocket_with_protobuf", npm(ofNode, "node")],
];
const withJson = () => [
  ["pomelo_client_websocket", npm(ofNode, "node")],
  ["pomelo_jsclient_websocket", npm(ofBrowser, "browser")],
  ["emoji_of_pomelo_jsclient_websocket_arrive", emoji],
  ["who_is_silent_is_disconnected", silent],
  ["the_page_in_two_tabs", page],
  ["terminal_page_and_npm_meet", together],
  ["bots_chat", bots],
  ...faults(() => browser),
];

await cluster.start(" servers are up after ");
let passed;
try {
  if (!options.protos) browser = await Browser.start();
  passed = await run(options.protos ? withProtobuf : withJson());
} finally {
  await browser?.end();
  await cluster.stop();
}
process.exit(passed ? 0 : 1);

// Clients of Pomelo as they come from npm, behind one face.

import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import vm from "node:vm";
import { cluster, load, within } from "./support.mjs";

const Pomelo = load("pomelo-client-websocket");
const WebSocket = globalThis.WebSocket;

/** What is sent through a closed socket is dropped in a page, where this package throws. */
class PageSocket extends WebSocket {
  send(data) {
    if (this.readyState === WebSocket.OPEN) super.send(data);
  }
}

/** pomelo-client-websocket. */
export function ofNode() {
  return new Pomelo();
}

/**
 * pomelo-jsclient-websocket, with what a page gives it: pomelo-protocol, and events. Without pomelo-protobuf, since no
 * version of that has the `decodeStr` which this client calls.
 */
export function ofBrowser() {
  const kept = new Map();
  const localStorage = { getItem: key => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const quiet = { log() {}, error() {} };
  const page = vm.createContext({
    EventEmitter, WebSocket: PageSocket, localStorage, setTimeout, clearTimeout, Uint8Array, ArrayBuffer, console: quiet,
  });
  page.window = page;
  const run = file => {
    page.module = { exports: {} };
    vm.runInContext(readFileSync(load.resolve(file), "utf8"), page, { filename: file });
  };
  run("pomelo-protocol/lib/protocol.js");
  run("pomelo-jsclient-websocket/lib/pomelo-client.js");
  return page.pomelo;
}

/** Somebody who uses such a client. */
export class Guest {
  constructor(make = ofNode) {
    this.make = make;
    this.pushes = [];
    this.events = [];
  }

  /** Connects to a frontend: the handshake is over when this returns. */
  async connect(host, port) {
    const client = this.client = this.make();
    for (const route of ["onAdd", "onLeave", "onChat"]) {
      client.on(route, message => client === this.client && this.pushes.push({ route, ...message }));
    }
    for (const event of ["onKick", "disconnect", "heartbeat timeout", "io-error", "error"]) {
      // The gate's connection closes while the next one is open.
      client.on(event, what => client === this.client && this.events.push([event, what?.reason]));
    }
    await within("a handshake", new Promise(done => client.init({ host, port, user: {} }, done)));
  }

  request(route, message) {
    return within(`an answer to ${route}`, new Promise(done => this.client.request(route, message, done)));
  }

  /** The way into a room: what the gate and the connector have answered. */
  async enter(username, rid) {
    await this.connect("127.0.0.1", cluster.gate);
    const entry = await this.request("gate.gateHandler.queryEntry", { uid: username });
    this.client.disconnect();
    if (!entry.port) return { entry };
    [this.name, this.port] = [username, entry.port];
    await this.connect(entry.host, entry.port);
    return { entry, answer: await this.request("connector.entryHandler.enter", { username, rid }) };
  }

  say(content, target = "*") {
    return this.request("chat.chatHandler.send", { content, target, from: this.name });
  }

  /** What it was told by `route`. */
  told(route) {
    return this.pushes.filter(push => push.route === route);
  }

  has(event) {
    return this.events.some(([name]) => name === event);
  }

  leave() {
    this.client?.disconnect();
  }
}

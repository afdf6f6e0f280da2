// Makes vectors.json out of what Pomelo itself does:
//
//   npm pack pomelo@2.2.7 pomelo-protocol@0.1.6 pomelo-protobuf@0.4.0     and unpack each into node_modules/<name>
//   NODE_PATH=node_modules node vectors.js > vectors.json
//
// Of Pomelo only the files are run that make the dictionary, the version of the protobuf definitions
// and the handshake; what they ask of the rest of it is stood in for here.
'use strict';
const fs = require('fs');
const Module = require('module');
const os = require('os');
const path = require('path');

const pomelo = { app: { components: {} } };
const quiet = { info() {}, warn() {}, error() {} };
const standIns = {
  '../../pomelo': pomelo,
  '../../util/constants': {},
  '../util/constants': { RESERVED: { ENV: 'env', SERVER: 'server', CLIENT: 'client' },
    FILEPATH: { SERVER_PROTOS: '/config/serverProtos.json', CLIENT_PROTOS: '/config/clientProtos.json', CONFIG_DIR: '/config' } },
  '../util/pathUtil': { getHandlerPath: (base, type) => type },
  '../util/utils': { invokeCallback: (cb) => cb() },
  'pomelo-loader': { load: (type, app) => app.handlers[type] },
  'pomelo-logger': { getLogger: () => quiet },
};
const load = Module._load;
Module._load = (name, ...rest) => standIns[name] || load(name, ...rest);
console.warn = console.log = () => {};
const { Package, Message } = require('pomelo-protocol');
const protobuf = require('pomelo-protobuf');
const browser = require('pomelo-protobuf/lib/client/protobuf');
const dictionaryOf = require('pomelo/lib/components/dictionary');
const protobufOf = require('pomelo/lib/components/protobuf');
const Handshake = require('pomelo/lib/connectors/commands/handshake');

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'vectors-'));
fs.mkdirSync(path.join(dir, 'config'));
const file = (name, json) => {
  const at = path.join(dir, name);
  fs.writeFileSync(at, JSON.stringify(json));
  return at;
};

// Packages and messages.
const packages = [[1, '{"sys":{}}'], [2, ''], [3, ''], [4, 'x'.repeat(300)], [5, '{"reason":"kick"}'], [4, 'y'.repeat(70000)]]
  .map(([type, body]) => ({ type, body, hex: hex(Package.encode(type, body ? Buffer.from(body) : null)) }));
const messages = [
  [1, 0, 0, 'chat.chatHandler.send', '{"a":1}', 0], [127, 0, 0, 'r', '', 0], [128, 0, 1, 1, '{}', 0],
  [16383, 0, 1, 258, '{}', 0], [16384, 0, 0, '', '{}', 0], [2097151, 0, 0, 'r', '{}', 0], [268435455, 0, 0, 'r', '{}', 1],
  [0, 1, 0, 'äöü.größe', '{"t":"ß😀"}', 0], [0, 1, 1, 65535, '', 0], [0, 1, 0, 'r'.repeat(255), '{}', 1],
  [1, 2, 0, null, '{"code":200}', 0], [300, 2, 0, null, '', 0], [2147483647, 2, 0, null, '{}', 0],
  [0, 3, 0, 'onChat', '{"msg":"hi"}', 0], [0, 3, 1, 7, '{}', 0],
].map(([id, type, compressRoute, route, body, gzip]) => {
  const bytes = Message.encode(id, type, compressRoute, route, Buffer.from(body), gzip);
  const back = Message.decode(bytes);
  // Pomelo shifts 32 bits: what it does not read back itself proves nothing.
  const whole = back.id === id && back.type === type && back.body.toString() === body;
  return { id, type, route, body, gzip: !!gzip, hex: hex(bytes), whole };
});
if (messages.some((message) => !message.whole)) throw new Error('Pomelo does not read this back');
messages.forEach((message) => delete message.whole);

// Dictionaries.
const dictionary = (handlers, more) => {
  const servers = {};
  const functions = {};
  for (const route of handlers) {
    const [type, name, method] = route.split('.');
    servers[type] = [];
    ((functions[type] = functions[type] || {})[name] = functions[type][name] || {})[method] = () => {};
  }
  const app = { get: () => servers, getBase: () => dir, handlers: functions };
  const component = dictionaryOf(app, { dict: file('config/dictionary.json', more) });
  delete require.cache[component.userDicPath];
  component.start(() => {});
  return component;
};
const dictionaries = [
  [[], []],
  [['connector.entryHandler.enter', 'chat.chatHandler.send', 'chat.chatHandler.kick', 'Area.b.c'], ['onChat', 'onLeave', 'on"Quote\n']],
  [['gate.gateHandler.queryEntry'], ['onChat', 'gate.gateHandler.queryEntry', 'öffne']],
].map(([handlers, more]) => {
  const component = dictionary(handlers, more);
  return { handlers, more, dict: JSON.stringify(component.getDict()), abbrs: JSON.stringify(component.getAbbrs()), version: component.getVersion() };
});

// Protobuf.
const server = {
  'message Path': { 'required double x': 1, 'required double y': 2 },
  'message Node': { 'optional Node next': 1, 'required uInt32 value': 2 },
  'onNumbers': { 'optional uInt32 u': 1, 'optional sInt32 s': 2, 'optional int32 i': 3, 'optional float f': 4, 'optional double d': 5 },
  'onTexts': { 'required string text': 1, 'optional string more': 2, 'repeated string all': 300 },
  'onMove': { 'required uInt32 entityId': 1, 'repeated Path path': 2, 'required float speed': 3 },
  'onLists': { 'repeated uInt32 u': 1, 'repeated sInt32 s': 2, 'repeated int32 i': 3, 'repeated float f': 4, 'repeated double d': 5 },
  'onTree': { 'required Node root': 1 },
  'area.playerHandler.enterScene': {
    'message Player': {
      'message Bag': { 'message Item': { 'required uInt32 id': 1, 'optional string type': 2 }, 'repeated Item items': 1 },
      'required uInt32 entityId': 1, 'required Bag bag': 3, 'repeated Path trail': 4,
    },
    'optional Player curPlayer': 2,
  },
};
const client = { 'chat.chatHandler.send': { 'required string msg': 1, 'optional uInt32 to': 2 } };
const bodies = [
  ['onNumbers', { u: 0, s: 0, i: 0, f: 0, d: 0 }], ['onNumbers', { u: 127, s: 63, i: -64, f: 1.5, d: -0.1 }],
  ['onNumbers', { u: 128, s: 64, i: -65, f: -1e30, d: 1e300 }], ['onNumbers', { u: 4294967295, s: 2147483647, i: -2147483648 }],
  ['onNumbers', { u: 1732900000123, s: -1732900000123 }], ['onNumbers', { d: 5e-324, u: 9007199254740991 }],
  ['onNumbers', { i: -4503599627370496, u: 3.99, s: -3.99 }], ['onNumbers', { f: 0.1, unknown: { x: [1] } }],
  ['onTexts', { text: '' }], ['onTexts', { text: 'häßlich 漢字 😀' }], ['onTexts', { all: ['a', '', 'ß'], more: 'm', text: 't' }],
  ['onTexts', { text: 'x'.repeat(200), all: [] }],
  ['onMove', { entityId: 14, path: [{ x: 128, y: 796 }, { y: 895, x: 677 }], speed: 160 }],
  ['onMove', { speed: 0.25, entityId: 300, path: [] }],
  ['onLists', { u: [1, 128, 16384], s: [-1, 1, -300], i: [5], f: [0.5, -2], d: [1e10] }], ['onLists', { d: [] , u: [0] }],
  ['onTree', { root: { value: 1, next: { next: { value: 3 }, value: 2 } } }],
  ['area.playerHandler.enterScene', { curPlayer: { entityId: 1, bag: { items: [{ id: 1, type: 'sword' }, { id: 2 }] }, trail: [{ x: 1, y: 2 }] } }],
  ['area.playerHandler.enterScene', { curPlayer: { entityId: 1, bag: {} } }],
];
const parsed = protobuf.parse(server);
protobuf.init({ encoderProtos: parsed, decoderProtos: parsed });
browser.init({ encoderProtos: parsed, decoderProtos: parsed });
const vectors = bodies.map(([route, body]) => {
  const bytes = protobuf.encode(route, body);
  return { route, body, hex: hex(bytes), decoded: protobuf.decode(route, bytes), browser: hex(browser.encode(route, body)) };
});
const refused = [['onNumbers', '08'], ['onNumbers', '3000'], ['onNumbers', '2500'], ['onMove', '1202'], ['onTexts', '0a80'], ['onLists', '0a0201']]
  .filter(([route, bytes]) => {
    try {
      protobuf.decode(route, Buffer.from(bytes, 'hex'));
      throw new SyntaxError(`Pomelo takes ${bytes}`);
    } catch (error) {
      if (error instanceof SyntaxError) throw error;
      return true;
    }
  }).map(([route, bytes]) => ({ route, hex: bytes }));
const component = (servers, clients) => {
  for (const [name, json] of [['serverProtos', servers], ['clientProtos', clients]]) {
    const at = path.join(dir, 'config', `${name}.json`);
    delete require.cache[at];
    fs.rmSync(at, { force: true });
    if (json) file(`config/${name}.json`, json);
  }
  const made = protobufOf({ get: () => 'development', getBase: () => dir });
  made.stop(false, () => {});
  return made;
};
const protos = [[server, client], [server, null], [null, client]].map(([servers, clients]) => {
  const made = component(servers, clients).getProtos();
  return { server: servers, client: clients, json: JSON.stringify(made), version: made.version };
});

// Handshakes.
const handshakes = [];
const shake = (opts, handlers, more, request, user) => {
  pomelo.app.components = { __dictionary__: dictionary(handlers, more), __protobuf__: component(server, client) };
  const handshake = user === undefined ? undefined : (msg, cb) => cb(user === null ? 'no' : null, user);
  return new Promise((done) => {
    const took = (bytes) => done({ opts, handlers, more, request, user, hex: hex(bytes) });
    const socket = { handshakeResponse: took, sendForce: took, disconnect() {} };
    new Handshake({ ...opts, handshake }).handle(socket, request);
  });
};
(async () => {
  const routes = [['connector.entryHandler.enter', 'chat.chatHandler.send'], ['onChat']];
  const had = { dictVersion: dictionary(...routes).getVersion(), protoVersion: component(server, client).getVersion() };
  for (const [opts, request, user] of [
    [{}, { sys: {} }], [{ heartbeat: 3 }, { sys: { type: 'js-websocket', version: '0.0.1' } }],
    [{ heartbeat: 3, useDict: true }, { sys: {} }], [{ heartbeat: 3, useDict: true, useProtobuf: true }, { sys: { dictVersion: 'old' } }],
    [{ heartbeat: 0.5, useDict: true, useProtobuf: true }, { sys: had }], [{ heartbeat: 30, useProtobuf: true }, { sys: { protoVersion: 0, ...{ dictVersion: had.dictVersion } }, user: {} }],
    [{ heartbeat: 3 }, { sys: {} }, { room: 'a"b', n: [1, 2.5, null] }], [{ heartbeat: 3 }, { user: {} }], [{ heartbeat: 3 }, { sys: {} }, null],
  ]) handshakes.push(await shake(opts, ...routes, request, user));
  const out = { packages, messages, dictionaries, protobuf: { protos: server, parsed, bodies: vectors, refused }, protos, handshakes };
  fs.rmSync(dir, { recursive: true });
  process.stdout.write(`${JSON.stringify(out, (key, value) => value, 1)}\n`);
})();

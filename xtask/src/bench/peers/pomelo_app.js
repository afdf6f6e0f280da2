'use strict';
// A master, two connectors and a chat server on Pomelo, whose clients are in a global channel.
// node app.js env=production; in the environment the port of Redis, and a file for what has started.
const fs = require('fs');
const pomelo = require('pomelo');
const app = pomelo.createApp();
app.set('name', 'bench-clients');

app.configure('production', 'connector', () => {
  app.set('connectorConfig', { connector: pomelo.connectors.hybridconnector, heartbeat: 30, setNoDelay: true });
});
app.configure('production', 'connector|chat', () => {
  const globalChannel = { host: '127.0.0.1', port: Number(process.env.TANGELO_BENCH_REDIS), db: '0' };
  app.use(require('pomelo-globalchannel-plugin'), { globalChannel });
});

// The master tells every server when it has seen all of them start.
app.event.on(pomelo.events.START_ALL || 'start_all', () => {
  fs.appendFileSync(process.env.TANGELO_BENCH_STARTED, `${app.getServerId()} ${process.pid}\n`);
});
// As Pomelo's template has it: a client that goes away must not end a server.
process.on('uncaughtException', error => console.error(error.stack));
app.start();

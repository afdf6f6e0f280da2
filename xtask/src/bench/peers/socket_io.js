'use strict';
// One of the servers on socket.io whose rooms are joined by Redis.
// node socket_io.js <redis's port>; prints its own.
const { createServer } = require('http');
const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');
const { createClient } = require('redis');

const pad = 'x'.repeat(32);
const digits = (value, width) => String(value).padStart(width, '0');

async function main() {
  const publisher = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const http = createServer();
  const io = new Server(http, {
    adapter: createAdapter(publisher, subscriber), transports: ['websocket'], perMessageDeflate: false,
  });
  io.on('connection', socket => {
    socket.on('enter', async ({ channel }, answer) => {
      await socket.join(channel);
      answer({ code: 200 });
    });
    // Nobody tells it whom a message has reached.
    socket.on('push', ({ channel, n }, answer) => {
      io.to(channel).emit('onChat', { t: digits(process.hrtime.bigint(), 20), n: digits(n, 8), pad });
      answer({ code: 200 });
    });
  });
  http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log(http.address().port));
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});

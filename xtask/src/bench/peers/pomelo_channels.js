'use strict';
// The channel manager of pomelo-globalchannel-plugin: members enter one by one, so many at once, and leave.
// node pomelo_channels.js <redis's port> <members> <channels> <outstanding>; prints what it did as JSON.
const Manager = require('pomelo-globalchannel-plugin/lib/manager/redisGlobalChannelManager.js');
const [port, members, channels, outstanding] = process.argv.slice(2).map(Number);
const app = { getServers: () => ({ 'connector-1': { id: 'connector-1', frontend: true } }), isFrontend: s => s.frontend };
const manager = new Manager(app, { host: '127.0.0.1', port, db: '0', prefix: 'POMELO:CHANNEL' });

function each(operation) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    let begun = 0, ended = 0;
    const next = () => {
      if (begun === members) return;
      const n = begun++;
      manager[operation]('room-' + n % channels, 'user-' + n, 'connector-1', error => {
        if (error) return reject(error);
        if (++ended === members) return resolve(Number(process.hrtime.bigint() - begin) / 1e9);
        next();
      });
    };
    for (let n = 0; n < outstanding; n++) next();
  });
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

manager.start(async error => {
  if (error) fail(error);
  try {
    const add = await each('add');
    const leave = await each('leave');
    console.log(JSON.stringify({ add: { members, seconds: add }, leave: { members, seconds: leave } }));
    process.exit(0);
  } catch (error) {
    fail(error);
  }
});

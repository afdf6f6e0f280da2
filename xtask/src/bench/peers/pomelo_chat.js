'use strict';
// chat.chatHandler of the Pomelo app.
const pad = 'x'.repeat(32);
const digits = (value, width) => String(value).padStart(width, '0');

module.exports = app => ({
  // The caller gets a name, and enters a channel.
  enter(message, session, next) {
    session.bind(message.uid, error => {
      if (error) return next(null, { code: 500, message: String(error) });
      app.get('globalChannelService').add(message.channel, message.uid, session.frontendId, error => {
        next(null, error ? { code: 500, message: String(error) } : { code: 200 });
      });
    });
  },

  // A message for everybody in the channel; answered once all connectors have said whom it did not reach.
  push(message, session, next) {
    const body = { t: digits(process.hrtime.bigint(), 20), n: digits(message.n, 8), pad };
    app.get('globalChannelService').pushMessage('connector', 'onChat', body, message.channel, null, (error, failed) => {
      const good = !error && (!failed || failed.length === 0);
      next(null, good ? { code: 200 } : { code: 500, message: String(error || failed) });
    });
  },

  echo(message, session, next) {
    next(null, { code: 200, pad: message.pad });
  },
});

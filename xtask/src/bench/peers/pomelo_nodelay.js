'use strict';
// Loaded before anything else (node --require): TCP_NODELAY on every socket. Pomelo's servers write a message to
// each other in pieces and leave Nagle's algorithm on, so that each one waits some 45 ms for an acknowledgement.
const net = require('net');
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  this.once('connect', () => this.setNoDelay(true));
  return connect.apply(this, args);
};
const { emit } = net.Server.prototype;
net.Server.prototype.emit = function (event, ...args) {
  if (event === 'connection' && args[0] instanceof net.Socket) args[0].setNoDelay(true);
  return emit.call(this, event, ...args);
};

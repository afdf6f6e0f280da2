//! The client protocol beside Pomelo's own: its bytes are those of `vectors.json`, which Pomelo 2.2.7,
//! pomelo-protocol 0.1.6 and pomelo-protobuf 0.4.0 have made (`vectors.js` says how).

mod corpus;
mod properties;
mod vectors;

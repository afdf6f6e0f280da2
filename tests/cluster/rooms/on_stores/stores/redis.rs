//! Redis, which is asked for its keys.

use super::super::outages::Server;
use super::Store;
use crate::support::DEADLINE;
use serde_json::{Value, json};
use tangelo_services::redis::{Options, Redis};

/// One server, which writes every change to its disk before it answers.
pub(crate) fn redis() -> Redis {
    Redis::start(&Options::durable()).expect("a Redis")
}

impl Store for Redis {
    fn config(&self) -> Value {
        json!({"host": "127.0.0.1", "port": self.port(), "timeout": 1000})
    }

    fn members(&self, channel: &str) -> Vec<String> {
        let prefix = format!("POMELO:CHANNEL:{channel}:");
        let mut members = Vec::new();
        for key in self.keys().expect("Redis answers") {
            let Some(sid) = key.strip_prefix(&prefix) else { continue };
            let users = self.ask(&["SMEMBERS", &key]).and_then(|reply| reply.texts()).expect("Redis answers");
            members.extend(users.into_iter().map(|uid| format!("{sid} {uid}")));
        }
        members.sort();
        members
    }
}

impl Server for Redis {
    fn kill(&self) {
        Self::kill(self).expect("Redis can be killed");
    }

    fn start_again(&self) {
        Self::start_again(self).expect("Redis can be started");
        self.await_ready(DEADLINE).expect("Redis comes up again");
    }
}

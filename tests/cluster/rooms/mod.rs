//! Global channels.

pub(crate) mod app;
mod mistakes;
#[cfg(feature = "channel-redis")]
mod on_stores;

use crate::support::Cluster;
use libtest_mimic::Trial;
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    let modules = [
        mistakes::trials(),
        #[cfg(feature = "channel-redis")]
        on_stores::trials(),
    ];
    modules.into_iter().flatten().collect()
}

/// Two connectors and a chat server, with this globalChannel.json; not started.
fn prepared(config: &Value) -> Cluster {
    let cluster = Cluster::new(json!({
        "connector": [
            {"id": "c-1", "frontend": true, "puppet": true, "auto-restart": true},
            {"id": "c-2", "frontend": true, "puppet": true},
        ],
        "chat": [{"id": "chat-1", "puppet": true}],
    }));
    cluster.write("config/globalChannel.json", &json!({"development": config}).to_string());
    cluster
}

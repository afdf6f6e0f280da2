//! What is wrong with the configuration is said clearly.

use super::prepared;
use crate::support::Cluster;
use libtest_mimic::Trial;
use serde_json::json;

pub(super) fn trials() -> Vec<Trial> {
    let tests: &[(&str, fn())] = &[
        ("what_is_not_configured_says_how_to", what_is_not_configured_says_how_to),
        (
            "a_store_that_is_not_in_this_build_is_an_error_at_start",
            a_store_that_is_not_in_this_build_is_an_error_at_start,
        ),
        #[cfg(feature = "channel-redis")]
        ("a_wrong_password_is_an_error_at_start", a_wrong_password_is_an_error_at_start),
    ];
    let trial = |&(name, test): &(&str, fn())| {
        Trial::test(format!("rooms::mistakes::{name}"), move || {
            test();
            Ok(())
        })
    };
    tests.iter().map(trial).collect()
}

fn what_is_not_configured_says_how_to() {
    let cluster = Cluster::new(json!({"chat": [{"id": "chat-1", "puppet": true}]}));
    cluster.start();
    let answer = cluster.order("chat-1", "join lobby chat-1 ann");
    let how = "Unsupported: global channels are not configured: make config/globalChannel.json";
    assert!(answer.starts_with(how), "{answer}");
    cluster.end();
}

/// The stores with a feature, and whether this build has it.
const FEATURES: [(&str, bool); 4] = [
    ("redis", cfg!(feature = "channel-redis")),
    ("postgres", cfg!(feature = "channel-postgres")),
    ("mysql", cfg!(feature = "channel-mysql")),
    ("sqlite", cfg!(feature = "channel-sqlite")),
];

fn a_store_that_is_not_in_this_build_is_an_error_at_start() {
    for (store, is_here) in FEATURES {
        let cluster = prepared(&json!({"channelManager": store}));
        if is_here {
            continue;
        }
        for command in ["start", "master"] {
            let failed = cluster.cli(&[command]);
            let error = failed.error();
            assert!(error.contains(&format!("add \"channel-{store}\" to tangelo's features")), "{error}");
        }
        cluster.assert_gone();
    }
}

#[cfg(feature = "channel-redis")]
fn a_wrong_password_is_an_error_at_start() {
    use crate::support::Look as _;
    use tangelo::core::wire::ServerState;
    use tangelo_services::redis::{Options, Redis};

    let redis = Redis::start(&Options { password: Some("open-sesame".into()), ..Options::default() });
    let port = redis.as_ref().expect("a Redis").port();
    for (password, complaint) in [(None, "password"), (Some("hush-hush"), "wrong")] {
        let mut config = json!({"port": port});
        config["password"] = password.into();
        config.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let cluster = prepared(&config);
        let started = cluster.cli(&["start", "-D"]);
        assert!(started.error().contains("chat-1"), "{started:?}");
        let row = cluster.list().server("chat-1").clone();
        assert_eq!(row.state, ServerState::Failed, "{row:?}");
        let log = cluster.log("chat-1");
        assert!(log.contains(complaint) && log.contains(&format!(":{port}")), "{log}");
        assert!(!log.contains("hush-hush"), "{log}");
        cluster.end();
    }
}

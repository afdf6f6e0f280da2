//! Getting a session: at leisure, and in a hurry.

use crate::config::Settings;
use crate::error::Fault;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use tangelo_core::{BoxFuture, Result};
use zookeeper_client::Client;

type Attempt<'a> = BoxFuture<'a, Result<Client, Fault>>;

/// One host after the other.
pub(super) async fn in_turn(settings: &Settings) -> Result<Client> {
    // The client's own patience with a silent connection (zero asks for it), at less than half the cost of ours in
    // timers: when it matters, a guard does not wait for its session to find out.
    let connector = settings.connector().with_connection_timeout(Duration::ZERO);
    let connected = connector.connect(settings.server()).await;
    connected.map_err(|fault| settings.unreachable(fault))
}

/// All hosts at once, since one that stands still takes connections and says nothing. The sessions that come too late
/// are left to expire: nothing hangs on them.
pub(super) async fn at_once(settings: &Settings) -> Result<Client> {
    let servers = apart(settings.server());
    let attempt = |server| Box::pin(settings.connector().connect(server)) as Attempt<'_>;
    let connected = first(servers.iter().map(|server| attempt(server)).collect()).await;
    connected.map_err(|fault| settings.unreachable(fault))
}

/// A connect string for each host: `a:1,b:2/game` is `a:1/game` and `b:2/game`.
fn apart(server: &str) -> Vec<String> {
    let (hosts, chroot) = server.find('/').map_or((server, ""), |slash| server.split_at(slash));
    hosts.split(',').map(|host| format!("{host}{chroot}")).collect()
}

/// The first that succeeds; if none does, the last error.
async fn first(mut attempts: Vec<Attempt<'_>>) -> Result<Client, Fault> {
    let mut last = Fault::NoHosts;
    poll_fn(|cx| {
        let mut won = None;
        attempts.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(client)) => {
                won = Some(client);
                false
            }
            Poll::Ready(Err(fault)) => {
                last = fault;
                false
            }
        });
        match won {
            Some(client) => Poll::Ready(Ok(client)),
            None if attempts.is_empty() => Poll::Ready(Err(last.clone())),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_the_chroot() {
        assert_eq!(apart("a:1"), ["a:1"]);
        assert_eq!(apart("a:1,b:2/game/x"), ["a:1/game/x", "b:2/game/x"]);
    }
}

//! What the services need of the cluster around them.

use crate::app::App;
use async_trait::async_trait;
use core::fmt::Debug;
use core::time::Duration;
use tangelo_core::Result;
use tangelo_core::channel::Frontend;

/// The other servers, and this one's place among them.
#[async_trait]
pub(super) trait Cluster: Debug + Send + Sync {
    /// This server, in this life.
    fn own(&self) -> Frontend;

    /// Whether users are at this server.
    fn is_frontend(&self) -> bool;

    /// The ids of the servers of a type that are up.
    fn of_type(&self, server_type: &str) -> Vec<String>;

    /// The ids of the frontends that are up and take calls.
    fn frontends(&self) -> Vec<String>;

    /// As [`App::call`].
    async fn call(&self, sid: &str, route: &str, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>>;
}

#[async_trait]
impl Cluster for App {
    fn own(&self) -> Frontend {
        Frontend { sid: self.id().into(), incarnation: self.incarnation() }
    }

    fn is_frontend(&self) -> bool {
        self.server().frontend
    }

    fn of_type(&self, server_type: &str) -> Vec<String> {
        let servers = self.servers().into_iter().filter(|server| server.def.server_type == server_type);
        servers.map(|server| server.def.id).collect()
    }

    fn frontends(&self) -> Vec<String> {
        let servers = self.servers().into_iter().filter(|server| server.def.frontend);
        servers.filter(|server| server.def.port.is_some()).map(|server| server.def.id).collect()
    }

    async fn call(&self, sid: &str, route: &str, body: Vec<u8>, timeout: Duration) -> Result<Vec<u8>> {
        Self::call(self, sid, route, body, timeout).await
    }
}

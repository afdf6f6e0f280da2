//! Somebody with ZooKeeper's own shell, who may do anything.

use super::{World, within};
use core::time::Duration;
use serde_json::Value;
use zookeeper_client::{Acl, Acls, Client, CreateMode};

/// Reads and writes behind the masters' backs.
pub(crate) struct Operator {
    pub(crate) client: Client,
    path: String,
}

impl Operator {
    /// `login` is `user:password`.
    pub(crate) async fn connect(world: &World, login: Option<&str>) -> Self {
        // It outlives whatever befalls ZooKeeper in a test.
        let mut connector = Client::connector().with_session_timeout(Duration::from_secs(40));
        if let Some(login) = login {
            connector = connector.with_auth("digest", login.as_bytes());
        }
        let server = world.ensemble.connect_string();
        let client = within(&world.runtime, "ZooKeeper", connector.connect(&server)).await.unwrap();
        Self { client, path: world.path.clone() }
    }

    /// What stands in `<path>`.
    pub(crate) async fn published(&self) -> Value {
        let (data, _) = self.client.get_data(&self.path).await.unwrap();
        serde_json::from_slice(&data).unwrap_or(Value::Null)
    }

    /// Writes into `<path>`.
    pub(crate) async fn publish(&self, data: &[u8]) {
        self.client.set_data(&self.path, data, None).await.unwrap();
    }

    /// Makes `<path>` with its parents, and `<path>/lock`.
    pub(crate) async fn make(&self) {
        let options = CreateMode::Persistent.with_acls(Acls::anyone_all());
        self.client.mkdir(&format!("{}/lock", self.path), &options).await.unwrap();
    }

    /// The full path of `name` below `<path>`.
    pub(crate) fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// The children of `lock` by name, sorted.
    pub(crate) async fn locks(&self) -> Vec<String> {
        let mut names = self.client.list_children(&self.below("lock")).await.unwrap_or_default();
        names.sort();
        names
    }

    /// Deletes the lock node of whoever leads.
    pub(crate) async fn depose(&self) {
        let published = self.published().await;
        let lock = published["lock"].as_str().expect("nobody leads");
        self.client.delete(&self.below(&format!("lock/{lock}")), None).await.unwrap();
    }

    /// Deletes `<path>` with all that is in it, at once: nobody is elected half-way, as a node after the other
    /// would allow. Who stands there may make and delete nodes meanwhile.
    pub(crate) async fn delete_all(&self) {
        for _ in 0..50 {
            let mut doomed: Vec<_> =
                self.locks().await.iter().map(|name| self.below(&format!("lock/{name}"))).collect();
            let children = self.client.list_children(&self.path).await.unwrap();
            doomed.extend(children.iter().map(|name| self.below(name)));
            doomed.push(self.path.clone());
            let mut writer = self.client.new_multi_writer();
            for path in &doomed {
                writer.add_delete(path, None).unwrap();
            }
            if writer.commit().await.is_ok() {
                return;
            }
        }
        panic!("{} cannot be deleted", self.path);
    }

    pub(crate) async fn acl(&self, name: &str) -> Vec<Acl> {
        let path = if name.is_empty() { self.path.clone() } else { self.below(name) };
        self.client.get_acl(&path).await.unwrap().0
    }
}

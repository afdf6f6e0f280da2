//! The clients of this frontend.

use super::client::Client;
use crate::sync::Mutex;
use alloc::collections::BTreeMap;

#[derive(Debug, Default)]
pub(crate) struct Clients(Mutex<BTreeMap<u64, Client>>);

impl Clients {
    pub(crate) fn insert(&self, client: Client) {
        self.0.lock().insert(client.id(), client);
    }

    pub(crate) fn get(&self, id: u64) -> Option<Client> {
        self.0.lock().get(&id).filter(|client| !client.is_closed()).cloned()
    }

    pub(crate) fn of_uid(&self, uid: &str) -> Vec<Client> {
        self.0.lock().values().filter(|client| client.uid().as_deref() == Some(uid)).cloned().collect()
    }
}

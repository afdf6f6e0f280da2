//! The servers that are up, as this one has been told.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use std::collections::HashMap;
use tangelo_core::wire::ServerInfo;

/// The servers that are up, this one among them.
#[derive(Debug, Default)]
pub(super) struct Servers {
    by_id: BTreeMap<String, ServerInfo>,
    /// Made when it is first asked for after a change: few servers route, and fleets are large.
    by_type: Option<Arc<ByType>>,
}

/// The servers that are up at a moment, by type; each in the order of their ids.
pub(crate) type ByType = HashMap<String, Vec<ServerInfo>>;

impl Servers {
    pub(super) fn change(&mut self, added: &[ServerInfo], removed: &[ServerInfo]) {
        self.by_type = None;
        for server in removed {
            self.by_id.remove(&server.def.id);
        }
        for server in added {
            self.by_id.insert(server.def.id.clone(), server.clone());
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&ServerInfo> {
        self.by_id.get(id)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &ServerInfo> {
        self.by_id.values()
    }

    pub(super) fn by_type(&mut self) -> Arc<ByType> {
        let by_id = &self.by_id;
        let made = self.by_type.get_or_insert_with(|| {
            let mut by_type = ByType::new();
            for server in by_id.values() {
                by_type.entry(server.def.server_type.clone()).or_default().push(server.clone());
            }
            Arc::new(by_type)
        });
        Arc::clone(made)
    }
}

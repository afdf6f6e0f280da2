//! Short words for what `list --json` shows.

use tangelo::core::wire::{Listing, MasterRole, MasterRow, ServerRow, ServerState};

pub(crate) trait Look {
    /// The server; a test that asks for another has a slip in it.
    fn server(&self, id: &str) -> &ServerRow;
    fn is(&self, id: &str, state: ServerState) -> bool {
        self.server(id).state == state
    }
    #[track_caller]
    fn pid(&self, id: &str) -> u32 {
        self.server(id).pid.unwrap_or_else(|| panic!("{id} has no process"))
    }
    fn incarnation(&self, id: &str) -> u64 {
        self.server(id).incarnation.0
    }
    fn all_up(&self) -> bool;
    /// Each server's process and incarnation: the same as long as no server was restarted.
    fn lives(&self) -> Vec<(String, Option<u32>, u64)>;
    fn leader(&self) -> &MasterRow;
    fn standbys(&self) -> Vec<&MasterRow>;
}

impl Look for Listing {
    #[track_caller]
    fn server(&self, id: &str) -> &ServerRow {
        self.servers
            .iter()
            .find(|server| server.id == id)
            .unwrap_or_else(|| panic!("{id} is not in the list"))
    }

    fn all_up(&self) -> bool {
        self.servers.iter().all(|server| server.state == ServerState::Up)
    }

    fn lives(&self) -> Vec<(String, Option<u32>, u64)> {
        self.servers.iter().map(|server| (server.id.clone(), server.pid, server.incarnation.0)).collect()
    }

    #[track_caller]
    fn leader(&self) -> &MasterRow {
        let leaders: Vec<_> = self.masters.iter().filter(|m| m.role == MasterRole::Leader).collect();
        assert_eq!(leaders.len(), 1, "one master leads: {:?}", self.masters);
        leaders[0]
    }

    fn standbys(&self) -> Vec<&MasterRow> {
        self.masters.iter().filter(|m| m.role == MasterRole::Standby).collect()
    }
}

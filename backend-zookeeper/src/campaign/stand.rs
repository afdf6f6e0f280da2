//! Being a candidate: the lock node, one and no more.

use super::Campaign;
use crate::error::{Fault, is_refusal};
use crate::look;
use crate::session::Session;
use crate::standing::{self, Entry, Node};
use crate::succession::View;
use alloc::string::String;
use alloc::vec::Vec;
use tangelo_core::Result;
use zookeeper_client::CreateMode;

impl Campaign {
    /// Makes the lock node, unless it has been made.
    pub(super) async fn stand(&mut self, session: &Session) -> Result<String> {
        let owner = session.id();
        if self.doubtful {
            self.find(session).await?;
        }
        if let Some((name, _)) = self.node.as_ref().filter(|(_, of)| of.id() == owner) {
            return Ok(name.clone());
        }
        self.former.extend(self.node.take().map(|(name, _)| name));
        let settings = &self.context.settings;
        let prefix = standing::prefix(&self.entry.candidate.id);
        let options = CreateMode::EphemeralSequential.with_acls(settings.acls());
        let path = settings.lock_node(&prefix);
        self.doubtful = true;
        let data = self.entry.encode();
        let made = session.bounded(session.client().create(&path, &data, &options)).await;
        let sequence = match made {
            Ok((_, sequence)) => sequence,
            Err(fault) => {
                self.doubtful = !is_refusal(&fault);
                return Err(self.failed("make a lock node in", settings.lock(), fault));
            }
        };
        self.doubtful = false;
        let name = format!("{prefix}{sequence}");
        self.guard.hold(&settings.lock_node(&name), owner);
        self.node = Some((name.clone(), session.clone()));
        Ok(name)
    }

    /// Finds the lock node whose making was not answered. Requests of a session are carried out in their
    /// order, and not after it has moved to another server: what is not there now never will be.
    pub(super) async fn find(&mut self, session: &Session) -> Result<()> {
        let view = look::once(session, &self.context.settings)
            .await
            .map_err(|(path, fault)| self.failed("read", &path, fault))?;
        let is_mine = |node: &&_| is_mine(&self.entry, node);
        let mine = view.nodes.iter().filter(is_mine).find(|node| node.owner == session.id());
        if let Some(node) = mine {
            self.guard.hold(&self.context.settings.lock_node(&node.name), node.owner);
            self.node = Some((node.name.clone(), session.clone()));
        }
        self.doubtful = false;
        Ok(())
    }

    /// Deletes other lock nodes of this candidacy: of a session that is over, or made twice.
    pub(super) async fn delete_former(&mut self, session: &Session, view: &View, name: &str) -> Result<()> {
        let settings = &self.context.settings;
        let others: Vec<_> =
            view.nodes.iter().filter(|node| is_mine(&self.entry, node) && node.name != name).collect();
        for node in &others {
            let path = settings.lock_node(&node.name);
            match session.bounded(session.client().delete(&path, None)).await {
                Ok(()) | Err(Fault::NoNode) => {}
                Err(fault) => return Err(self.failed("delete the old lock node", &path, fault)),
            }
        }
        for former in self.former.drain(..) {
            self.guard.release(&settings.lock_node(&former));
        }
        Ok(())
    }
}

fn is_mine(entry: &Entry, node: &Node) -> bool {
    node.entry.nonce == entry.nonce
}

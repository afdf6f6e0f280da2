//! Under which user a server runs that refuses to run as root.

use anyhow::{Context as _, Result};
use std::path::Path;

/// A user of the system, and his group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The user `name`, if we are root and can become him; otherwise we stay who we are.
    pub(crate) fn instead_of_root(name: &str) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").context("/etc/passwd")?;
        let account =
            find(&users, name).with_context(|| format!("there is no user {name} on this machine"))?;
        Ok(Some(account))
    }

    /// What setpriv is to be told.
    pub(crate) fn words(self) -> [String; 3] {
        [format!("--reuid={}", self.uid), format!("--regid={}", self.gid), "--clear-groups".to_owned()]
    }

    /// Gives a file or directory to him.
    pub(crate) fn give(self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to another user", path.display()))
    }
}

fn find(users: &str, name: &str) -> Option<Account> {
    let mut fields =
        users.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?;
    Some(Account { uid: fields.nth(2)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\nmysql:x:105:107:MySQL,,,:/nonexistent:/bin/false\n";
        assert_eq!(find(users, "mysql"), Some(Account { uid: 105, gid: 107 }));
        assert_eq!(find(users, "mysq"), None);
    }
}

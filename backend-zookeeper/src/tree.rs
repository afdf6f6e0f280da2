//! The znodes that outlive everybody: made where they are missing, closed to others where that is asked for.

use crate::config::Settings;
use crate::error::Fault;
use crate::session::Session;
use alloc::string::String;
use tangelo_core::config::Login;
use tangelo_core::{Error, ErrorKind, Result};
use zookeeper_client::{Acl, CreateMode, CreateOptions, Permission};

/// Sees to it that `<path>` and `<path>/lock` are there, and that nobody else may touch them if `setACL` says so.
///
/// # Errors
/// [`NotFound`](ErrorKind::NotFound) if `<path>` is missing and not to be made.
pub(crate) async fn prepare(session: &Session, settings: &Settings) -> Result<()> {
    let client = session.client();
    let path = settings.path();
    let failed = |fault| settings.error("find", path, fault);
    let mut found = session.bounded(client.check_stat(path)).await.map_err(failed)?;
    if found.is_none() {
        // It may have been made a moment ago, and this server lag behind.
        session.sync(path).await.map_err(failed)?;
        found = session.bounded(client.check_stat(path)).await.map_err(failed)?;
    }
    if found.is_none() {
        if !settings.config().create {
            return Err(missing(settings));
        }
        make(session, settings).await?;
    }
    let options = persistent(settings);
    match session.bounded(client.create(settings.lock(), b"", &options)).await {
        Ok(_) | Err(Fault::NodeExists) => {}
        Err(fault) => return Err(settings.passing("make", settings.lock(), fault)),
    }
    if let Some(login) = settings.config().login.as_ref().filter(|_| settings.config().set_acl) {
        for path in [path, settings.lock(), settings.state()] {
            close(session, settings, login, path).await?;
        }
    }
    Ok(())
}

/// How everything that stays is made.
pub(crate) const fn persistent(settings: &Settings) -> CreateOptions<'static> {
    CreateMode::Persistent.with_acls(settings.acls())
}

/// Makes `<path>`, its parents too, those of the connect string's root among them.
async fn make(session: &Session, settings: &Settings) -> Result<()> {
    let path = format!("{}{}", settings.chroot(), settings.path());
    let failed = |fault| settings.error("make", settings.path(), fault);
    let root = session.client().clone().chroot("/").map_err(|_| failed(Fault::BadArguments(&"root")))?;
    session.bounded(root.mkdir(&path, &persistent(settings))).await.map_err(failed)?;
    tracing::info!(%path, "made in ZooKeeper");
    Ok(())
}

/// Closes `path` to everybody but `login`, if it is there and open.
async fn close(session: &Session, settings: &Settings, login: &Login, path: &str) -> Result<()> {
    let client = session.client();
    let (acl, stat) = match session.bounded(client.get_acl(path)).await {
        Ok(found) => found,
        Err(Fault::NoNode) => return Ok(()),
        Err(fault) => return Err(settings.error("read the ACL of", path, fault)),
    };
    if is_closed(&acl, &login.username) {
        return Ok(());
    }
    let closing = client.set_acl(path, &settings.acls(), Some(stat.aversion));
    match session.bounded(closing).await {
        // Another master does the same.
        Ok(_) | Err(Fault::BadVersion | Fault::NoNode) => Ok(()),
        Err(fault) => Err(settings.error("set the ACL of", path, fault)),
    }
}

/// Whether `username` may do everything, and the world nothing.
fn is_closed(acl: &[Acl], username: &str) -> bool {
    let is_ours = |acl: &Acl| {
        acl.scheme() == "digest" && acl.id().split_once(':').is_some_and(|(user, _)| user == username)
    };
    acl.iter().any(|acl| is_ours(acl) && acl.permission() == Permission::ALL)
        && acl.iter().all(|acl| acl.scheme() != "world")
}

/// `<path>` is not there, and what to do.
pub(crate) fn missing(settings: &Settings) -> Error {
    let (chroot, path) = (settings.chroot(), settings.path());
    let full = format!("{chroot}{path}");
    let ends = full.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(end, _)| end).chain([full.len()]);
    let creates: Vec<String> = ends.map(|end| format!("create {}", &full[..end])).collect();
    let hosts = settings.server().strip_suffix(chroot).unwrap_or_default();
    Error::new(
        ErrorKind::NotFound,
        format!(
            "{} does not exist: make it with zkCli.sh -server {hosts} ({}), or set \"create\": true in zookeeper.json",
            settings.place(path),
            creates.join("; ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tangelo_core::config::ZooKeeperConfig;
    use zookeeper_client::AuthId;

    #[test]
    fn a_missing_path_says_how_to_make_it() {
        let config = ZooKeeperConfig { server: "a:1,b:2/game".into(), ..ZooKeeperConfig::default() };
        let text = missing(&Settings::new(config).unwrap()).to_string();
        for part in [
            "znode /pomelo/master of ZooKeeper at a:1,b:2/game does not exist",
            "-server a:1,b:2 (create /game; create /game/pomelo; create /game/pomelo/master)",
            "\"create\": true",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn closed_is_what_only_the_user_may_touch() {
        let digest = |user: &str, permission| Acl::new(permission, AuthId::new("digest", user));
        let world = Acl::new(Permission::READ, AuthId::anyone());
        assert!(is_closed(&[digest("u:hash", Permission::ALL)], "u"));
        assert!(!is_closed(&[digest("u:hash", Permission::ALL), world.clone()], "u"));
        assert!(!is_closed(&[digest("u:hash", Permission::READ)], "u"));
        assert!(!is_closed(&[digest("v:hash", Permission::ALL)], "u"));
        assert!(!is_closed(&[world], "u"));
    }
}

//! Seeing what there is: once, or kept up to date by watches.

use crate::config::Settings;
use crate::context::{Context, backoff};
use crate::error::{Fault, is_refusal};
use crate::published::Published;
use crate::session::Session;
use crate::standing::Node;
use crate::succession::View;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use tangelo_core::{BoxFuture, Instant, Result};
use zookeeper_client::{Stat, WatchedEvent};

/// Fires once, when what was read has changed, or the session is over.
type Watch = BoxFuture<'static, WatchedEvent>;

/// What one child of `lock` is.
#[derive(Debug, Clone)]
enum Child {
    Candidate(Node),
    /// Not made by a candidate.
    Foreign,
    /// This user may not read it.
    Sealed,
}

/// The election as one session sees it. Only watches that fire once are used: the client does not
/// renew the persistent ones when it connects anew.
pub(crate) struct Look<'a> {
    session: &'a Session,
    settings: &'a Settings,
    /// `<path>` and its version, as long as the watch on it has not fired.
    path: Option<(Published, i32)>,
    path_watch: Option<Watch>,
    children_watch: Option<Watch>,
    /// The children by name, and what makes `lock` itself another than one of the same name.
    children: BTreeMap<String, Child>,
    parent: i64,
    /// Whether what stands in each of them was read after `path`.
    fresh: bool,
}

impl<'a> Look<'a> {
    pub(crate) const fn new(session: &'a Session, settings: &'a Settings) -> Self {
        Self {
            session,
            settings,
            path: None,
            path_watch: None,
            children_watch: None,
            children: BTreeMap::new(),
            parent: 0,
            fresh: false,
        }
    }

    /// Reads what has changed, and watches it. `<path>` is read before the children, so that a leader
    /// that is not among these was gone at a later time than that of `version`.
    ///
    /// # Errors
    /// With the path that it is about.
    pub(crate) async fn refresh(&mut self) -> Result<View, (String, Fault)> {
        let (session, settings) = (self.session, self.settings);
        let client = session.client();
        let at = |path: &str| {
            let path = String::from(path);
            move |fault| (path, fault)
        };
        if self.path_watch.is_none() {
            self.path = None;
        }
        self.fresh = self.children.is_empty();
        // Both are on their way before either is awaited, in this order: one round trip.
        let get = self.path.is_none().then(|| client.get_and_watch_data(settings.path()));
        let list = client.get_and_watch_children(settings.lock());
        let (published, version) = match (get, self.path.take()) {
            (Some(get), _) => {
                let (data, stat, watcher) = session.bounded(get).await.map_err(at(settings.path()))?;
                self.path_watch = Some(Box::pin(watcher.changed()));
                (Published::parse(&data), stat.version)
            }
            (None, Some(known)) => known,
            (None, None) => return Err(at(settings.path())(Fault::ConnectionLoss)),
        };
        let (names, parent, watcher) = session.bounded(list).await.map_err(at(settings.lock()))?;
        // The new watch first: were the old one given up before, the server might give up both.
        self.children_watch = Some(Box::pin(watcher.changed()));
        self.learn(names, &parent).await?;
        self.path = Some((published.clone(), version));
        Ok(view(&self.children, published, version))
    }

    /// Reads the children that are new. What stands in one changes only when its candidate wins.
    async fn learn(&mut self, names: Vec<String>, parent: &Stat) -> Result<(), (String, Fault)> {
        if self.parent != parent.czxid {
            // Another `lock` gives the same names to others.
            self.children.clear();
            self.parent = parent.czxid;
        }
        self.children.retain(|name, _| names.contains(name));
        let unknown = names.into_iter().filter(|name| !self.children.contains_key(name)).collect();
        self.children.append(&mut read(self.session, self.settings, unknown).await?);
        Ok(())
    }

    /// Whether no lock node is known from before this look at `<path>`.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// All lock nodes are to be read again.
    pub(crate) fn doubt_children(&mut self) {
        self.children.clear();
    }

    /// `<path>` is to be read again, whether or not the watch has fired.
    pub(crate) fn doubt_path(&mut self) {
        self.path = None;
        self.path_watch = None;
    }

    /// Waits until something has changed.
    pub(crate) async fn changed(&mut self) {
        poll_fn(|cx| {
            let mut fired = false;
            for watch in [&mut self.path_watch, &mut self.children_watch] {
                fired |= match watch {
                    Some(future) => future.as_mut().poll(cx).is_ready().then(|| *watch = None).is_some(),
                    None => true,
                };
            }
            if fired { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// What there is now, without watches.
///
/// # Errors
/// With the path that it is about.
pub(crate) async fn once(session: &Session, settings: &Settings) -> Result<View, (String, Fault)> {
    let client = session.client();
    // In one go and in this order.
    let sync = client.sync(settings.path());
    let get = client.get_data(settings.path());
    let list = client.list_children(settings.lock());
    let at = |path: &str, fault| (String::from(path), fault);
    session.bounded(sync).await.map_err(|fault| at(settings.path(), fault))?;
    let (data, stat) = session.bounded(get).await.map_err(|fault| at(settings.path(), fault))?;
    let names = match session.bounded(list).await {
        Ok(names) => names,
        // No master has ever stood here.
        Err(Fault::NoNode) => Vec::new(),
        Err(fault) => return Err(at(settings.lock(), fault)),
    };
    let children = read(session, settings, names).await?;
    Ok(view(&children, Published::parse(&data), stat.version))
}

/// The same, once more if the connection was lost meanwhile: the client has another one in a moment.
///
/// # Errors
/// With the path that it is about.
pub(crate) async fn again(context: &Context, session: &Session) -> Result<View, (String, Fault)> {
    let deadline = Instant::now() + session.timeout();
    let mut backoff = backoff();
    loop {
        match once(session, &context.settings).await {
            Err((_, fault)) if !is_refusal(&fault) && !session.is_over() && Instant::now() < deadline => {
                context.sleep(backoff.pause()).await;
            }
            outcome => return outcome,
        }
    }
}

/// Reads the children `names`, all at the same time. Those that have gone meanwhile are left out.
async fn read(
    session: &Session,
    settings: &Settings,
    names: Vec<String>,
) -> Result<BTreeMap<String, Child>, (String, Fault)> {
    let requests: Vec<_> = names
        .into_iter()
        .map(|name| {
            let path = settings.lock_node(&name);
            let request = session.client().get_data(&path);
            (name, path, request)
        })
        .collect();
    let mut children = BTreeMap::new();
    for (name, path, request) in requests {
        let child = match session.bounded(request).await {
            Ok((data, stat)) => {
                Node::parse(&name, &data, stat.ephemeral_owner).map_or(Child::Foreign, Child::Candidate)
            }
            Err(Fault::NoNode) => continue,
            Err(Fault::NoAuth) => Child::Sealed,
            Err(fault) => return Err((path, fault)),
        };
        children.insert(name, child);
    }
    Ok(children)
}

fn view(children: &BTreeMap<String, Child>, published: Published, version: i32) -> View {
    let (mut nodes, mut sealed) = (Vec::new(), Vec::new());
    for (name, child) in children {
        match child {
            Child::Candidate(node) => nodes.push(node.clone()),
            Child::Sealed => sealed.push(name.clone()),
            Child::Foreign => {}
        }
    }
    View { published, version, nodes, sealed }
}

//! What a server answers to others.

use crate::app::{App, INTERNAL};
use alloc::sync::Arc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tangelo_core::{Error, ErrorKind, Result};

/// The longest name of a method, in bytes.
const MAX_NAME: usize = 255;

/// Who calls a method.
#[derive(Debug, Clone)]
pub struct Caller {
    id: Arc<str>,
    app: App,
}

impl Caller {
    /// The calling server's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The application in this process.
    #[must_use]
    pub const fn app(&self) -> &App {
        &self.app
    }
}

impl App {
    /// Answers calls of other servers, made with [`rpc`](Self::rpc), to `name`, such as
    /// `chat.chatRemote.count`. Clients reach handlers only, and never a method. A later method or
    /// [`remote`](Self::remote) of the same name replaces it; a name of other than 1 to 255 bytes, or
    /// that begins with `tangelo.`, keeps the server from starting.
    ///
    /// The calls of one caller are begun in the order in which it made them, like those of
    /// [`remote`](Self::remote).
    ///
    /// ```
    /// # fn configure(app: &tangelo::App) {
    /// app.method("chat.chatRemote.count", async |_caller, channel: String| {
    ///     Ok(channel.len()) // really: how many are in it
    /// });
    /// # }
    /// ```
    pub fn method<A, R, F, Fut>(&self, name: &str, method: F) -> &Self
    where
        A: DeserializeOwned + Send,
        R: Serialize,
        F: Fn(Caller, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R>> + Send + 'static,
    {
        if let Err(error) = check(name) {
            self.shared().mistakes.lock().push(error.to_string());
            return self;
        }
        let (app, method, called) = (self.clone(), Arc::new(method), Arc::<str>::from(name));
        self.shared().remotes.insert(name, move |from, args: Vec<u8>| {
            let caller = Caller { id: Arc::clone(from), app: app.clone() };
            let (method, called) = (Arc::clone(&method), Arc::clone(&called));
            async move {
                let args = serde_json::from_slice(&args).map_err(|e| {
                    let message = format!("these are no arguments of {called}");
                    Error::new(ErrorKind::Invalid, message).with_source(e)
                })?;
                let answer = method(caller, args).await?;
                serde_json::to_vec(&answer).map_err(|e| {
                    Error::new(ErrorKind::Io, format!("the answer of {called} cannot be JSON")).with_source(e)
                })
            }
        });
        self
    }
}

/// Whether a method may be called that.
pub(super) fn check(name: &str) -> Result<()> {
    if (1..=MAX_NAME).contains(&name.len()) && !name.starts_with(INTERNAL) {
        return Ok(());
    }
    let message =
        format!("method {name:.300?}: a name has 1 to {MAX_NAME} bytes, and does not begin with {INTERNAL}");
    Err(Error::new(ErrorKind::Invalid, message))
}

//! What a server is made of.

use super::App;
use async_trait::async_trait;

/// Any error of the user's code.
pub type BoxError = Box<dyn core::error::Error + Send + Sync + 'static>;

/// A part of a server with a life of its own: a listener, a store, a game loop.
///
/// All components are started, in the order in which they were added; then
/// [`after_start`](Self::after_start) is called on each. On the way down
/// [`stop`](Self::stop) is called on those that had started, in the reverse order.
#[async_trait]
pub trait Component: Send + Sync + 'static {
    /// What logs call it.
    fn name(&self) -> &str;

    /// Brings it up.
    ///
    /// # Errors
    /// An error keeps the server from starting; the master counts that as a crash.
    ///
    /// # Cancel safety
    /// It is run to its end.
    async fn start(&self, app: &App) -> Result<(), BoxError> {
        let _ = app;
        Ok(())
    }

    /// Called when every component has started, before the server counts as up.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    ///
    /// # Cancel safety
    /// It is run to its end.
    async fn after_start(&self, app: &App) -> Result<(), BoxError> {
        let _ = app;
        Ok(())
    }

    /// Takes it down. All components together have 5 s, less what clients took to go before.
    ///
    /// # Errors
    /// They are reported in the log, and stopping goes on.
    ///
    /// # Cancel safety
    /// It is dropped, wherever it is, when the time is over.
    async fn stop(&self, app: &App) -> Result<(), BoxError> {
        let _ = app;
        Ok(())
    }
}

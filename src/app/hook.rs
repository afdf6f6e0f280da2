//! The user's code at the turns of a server's life.

use super::{App, BoxError};
use alloc::sync::Arc;
use core::fmt;
use tangelo_core::BoxFuture;

/// What a hook may return: nothing, or a result.
pub trait Outcome {
    /// The result in the form that the engine takes.
    ///
    /// # Errors
    /// The hook's own.
    fn into_result(self) -> Result<(), BoxError>;
}

impl Outcome for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> Outcome for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

type Run<A> = dyn Fn(A) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync;

/// A hook as the engine keeps it; it is given an `A`.
pub(crate) struct Hook<A = App>(Box<Run<A>>);

impl<A: Send + 'static> Hook<A> {
    pub(crate) fn new<F, Fut>(hook: F) -> Self
    where
        F: Fn(A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Outcome> + Send + 'static,
    {
        let hook = Arc::new(hook);
        Self(Box::new(move |given| {
            let hook = Arc::clone(&hook);
            // What the closure does before its first await is part of the future: it may panic as well.
            Box::pin(async move {
                let future = hook(given);
                future.await.into_result()
            })
        }))
    }

    pub(crate) fn run(&self, given: A) -> BoxFuture<'static, Result<(), BoxError>> {
        (self.0)(given)
    }
}

impl<A> fmt::Debug for Hook<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

//! What the application does about clients' messages.

pub(crate) mod dispatch;

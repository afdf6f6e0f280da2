//! Pushes that are for no channel.

use super::cluster::Cluster;
use super::sender::Sender;
use crate::app::App;
use alloc::sync::Arc;
use tangelo_core::channel::{PushOptions, PushReport, PushRequest, PushTarget};
use tangelo_core::{BoxFuture, Error, ErrorKind, Result};

/// To users, frontend by frontend.
pub(crate) async fn push_to(
    app: &App,
    users: Vec<(String, Vec<String>)>,
    route: &str,
    message: Vec<u8>,
    options: &PushOptions,
) -> Result<PushReport> {
    sender(app).push_to(users, route, message, options).await
}

/// To everybody at the frontends of a type.
pub(crate) async fn broadcast(
    app: &App,
    server_type: &str,
    route: &str,
    message: Vec<u8>,
    options: &PushOptions,
) -> Result<PushReport> {
    let request = PushRequest { route: route.into(), target: PushTarget::Everyone, message };
    let unknown = |sid: &str| -> BoxFuture<'static, Result<Vec<String>>> {
        let message = format!("only {sid} knows who is there");
        Box::pin(core::future::ready(Err(Error::new(ErrorKind::Unsupported, message))))
    };
    sender(app).push(app.of_type(server_type), &[], request, options, unknown).await
}

fn sender(app: &App) -> Sender {
    let here = app.shared().channels.here(app).clone();
    Sender { runtime: Arc::clone(app.runtime()), cluster: Arc::new(app.clone()), here }
}

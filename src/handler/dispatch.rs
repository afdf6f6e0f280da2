//! A client's message, at its frontend. The connector calls what is here.

use crate::app::App;
use crate::connector::Client;
use tangelo_core::BoxFuture;

#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) id: Option<u64>,
    pub(crate) route: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn handle(_: &App, client: Client, incoming: Incoming) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if let Some(id) = incoming.id {
            client.respond(id, &incoming.route, &incoming.body);
        }
    })
}

pub(crate) fn routes(_: &App) -> Vec<String> {
    Vec::new()
}

pub(crate) fn bound(_: &App, _: &Client) {}

pub(crate) fn closed(_: &App, _: &Client, _: &str) {}

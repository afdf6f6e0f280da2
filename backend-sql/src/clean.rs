//! The end of everything under a prefix, in small steps.

use crate::session::Arg;
use crate::statements::{Query, STEP};
use crate::store::{Execute, Store};
use alloc::sync::Arc;
use tangelo_core::Result;

const DOING: &str = "clean up";

/// Removes all rows that are there now.
///
/// The frontends go first: from then on nothing is seen of their members, and whoever adds one begins a frontend of a
/// new number. So all members up to the last number that was in use go, and nobody else's, also after a clean that
/// was interrupted.
pub(crate) async fn clean(store: &Store) -> Result<()> {
    let last = last(store, &store.sql.last_frontend).await?.max(last(store, &store.sql.last_member).await?);
    remove(store, &store.sql.forget_frontends, last).await?;
    remove(store, &store.sql.forget_members, last).await
}

async fn last(store: &Store, query: &Query) -> Result<i64> {
    let rows = store.read(DOING, query, &[]).await?;
    Ok(rows.first().and_then(|row| row.first()).map_or(0, |number| number.int()))
}

async fn remove(store: &Store, sql: &Arc<str>, last: i64) -> Result<()> {
    let args = [Arg::Int(last)];
    while store.call(DOING, &Execute { sql, args: &args }).await? >= STEP {}
    Ok(())
}

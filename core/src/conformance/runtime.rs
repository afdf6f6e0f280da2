//! The suite for a [`Runtime`].
//!
//! Run it inside the runtime: `runtime.block_on(Box::pin(test_all(runtime.clone())))`.

mod descriptors;
mod tasks;
mod tcp;

use super::tools::case;
use crate::runtime::Runtime;
use alloc::sync::Arc;

pub use descriptors::{
    a_descriptor_is_waited_for_by_level, a_dropped_descriptor_is_closed, signals_come_as_a_stream,
};
pub use tasks::{
    a_blocking_closure_blocks_no_task, a_panic_ends_its_task_alone, block_on_lends_to_its_future,
    sleep_is_never_short_and_seldom_long, tasks_run,
};
pub use tcp::{
    a_crowd_waits_to_be_accepted, a_dropped_accept_loses_no_connection, a_port_can_be_bound_again_at_once,
    a_taken_port_is_an_error, many_connections_at_once, names_are_resolved, nobody_there_is_an_error,
    small_writes_are_sent_at_once, streams_carry_bytes_both_ways,
};

/// Runs every case. It needs loopback, and leaves SIGTERM and SIGINT without effect on the process.
///
/// # Panics
/// If a case fails.
pub async fn test_all(runtime: Arc<dyn Runtime>) {
    let r = &runtime;
    case(&**r, "tasks_run", tasks_run(r)).await;
    case(&**r, "a_panic_ends_its_task_alone", a_panic_ends_its_task_alone(r)).await;
    case(&**r, "a_blocking_closure_blocks_no_task", a_blocking_closure_blocks_no_task(r)).await;
    case(&**r, "sleep_is_never_short_and_seldom_long", sleep_is_never_short_and_seldom_long(r)).await;
    case(&**r, "block_on_lends_to_its_future", block_on_lends_to_its_future(r)).await;

    case(&**r, "streams_carry_bytes_both_ways", streams_carry_bytes_both_ways(r)).await;
    case(&**r, "many_connections_at_once", many_connections_at_once(r)).await;
    case(&**r, "a_crowd_waits_to_be_accepted", a_crowd_waits_to_be_accepted(r)).await;
    case(&**r, "small_writes_are_sent_at_once", small_writes_are_sent_at_once(r)).await;
    case(&**r, "a_dropped_accept_loses_no_connection", a_dropped_accept_loses_no_connection(r)).await;
    case(&**r, "a_taken_port_is_an_error", a_taken_port_is_an_error(r)).await;
    case(&**r, "a_port_can_be_bound_again_at_once", a_port_can_be_bound_again_at_once(r)).await;
    case(&**r, "nobody_there_is_an_error", nobody_there_is_an_error(r)).await;
    case(&**r, "names_are_resolved", names_are_resolved(r)).await;

    case(&**r, "a_descriptor_is_waited_for_by_level", a_descriptor_is_waited_for_by_level(r)).await;
    case(&**r, "a_dropped_descriptor_is_closed", a_dropped_descriptor_is_closed(r)).await;
    case(&**r, "signals_come_as_a_stream", signals_come_as_a_stream(r)).await;
}

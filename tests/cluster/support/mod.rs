//! What the tests are made with.

mod client;
mod cluster;
mod listing;
mod ports;
mod process;
mod running;
mod wait;
#[cfg(feature = "coordinator-zookeeper")]
pub(crate) mod zookeeper;

pub(crate) use client::Client;
pub(crate) use cluster::Cluster;
pub(crate) use listing::Look;
pub(crate) use process::{is_alive, signal, variable};
pub(crate) use running::Running;

pub(crate) use rustix::process::Signal;
pub(crate) use wait::{DEADLINE, PROMPT, wait_until, within};

/// The trials of a module: its functions, under their own names.
macro_rules! trials {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
            let module = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$(libtest_mimic::Trial::test(
                format!("{module}::{}", stringify!($name)),
                || {
                    $name();
                    Ok(())
                },
            )),*]
        }
    };
}
pub(crate) use trials;

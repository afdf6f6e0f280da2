//! Tangelo's core at work where there is no std: its machines run a small cluster from the election to
//! the end. Whatever pulls std in, core itself or a crate that it depends on, keeps this from building,
//! since std brings a panic handler of its own.

#![no_std]
#![no_main]

extern crate alloc;

mod client;
mod cluster;
mod life;
mod platform;
mod push;

use alloc::format;

/// Where C begins the program.
// SAFETY: there is no other `main`.
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let life = life::lived();
    let push = push::pushed();
    let client = client::served();
    let memory = platform::used_kib();
    let said = platform::say(&format!("without std: {life}; {push}; {client}; {memory} KiB of memory"));
    i32::from(!said)
}

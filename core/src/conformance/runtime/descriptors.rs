//! Descriptors and signals.

use super::super::tools::{eventually, within};
use crate::runtime::{Interrupt, Runtime};
use alloc::sync::Arc;
use core::time::Duration;
use futures_lite::StreamExt;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::process::{Signal, getpid, kill_process};
use std::io::{Read as _, Write as _};

const SOON: Duration = Duration::from_secs(10);
const A_WHILE: Duration = Duration::from_millis(30);

/// Readiness is a level: as long as there is something to read every wait answers at once, and
/// when there is nothing none does, whoever has read it.
pub async fn a_descriptor_is_waited_for_by_level(runtime: &Arc<dyn Runtime>) {
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    let watched = runtime.watch(reader.try_clone().expect("a second descriptor").into()).expect("watch");
    let flags = fcntl_getfl(&reader).expect("the flags of the descriptor");
    assert!(flags.contains(OFlags::NONBLOCK), "a watched descriptor does not block");

    let mut buf = [0; 16];
    for round in 0..3 {
        let early = within(&**runtime, A_WHILE, watched.readable()).await;
        assert!(early.is_none(), "round {round}: readable although the pipe is empty");
        writer.write_all(b"12345").expect("write to the pipe");
        for _ in 0..3 {
            let ready = within(&**runtime, SOON, watched.readable()).await;
            ready.expect("readable while there is something to read").expect("readable");
            assert_eq!(reader.read(&mut buf[..1]).expect("read from the pipe"), 1);
        }
        // The rest is read behind its back.
        assert_eq!(reader.read(&mut buf).expect("read from the pipe"), 2);
    }

    // A wait that begins before there is anything.
    let (waited, _) = futures_lite::future::zip(within(&**runtime, SOON, watched.readable()), async {
        runtime.sleep(A_WHILE).await;
        writer.write_all(b"6").expect("write to the pipe");
    })
    .await;
    waited.expect("woken by the write").expect("readable");
    assert_eq!(reader.read(&mut buf).expect("read from the pipe"), 1);

    drop(writer);
    for _ in 0..2 {
        within(&**runtime, SOON, watched.readable()).await.expect("the end is readable").expect("readable");
    }
}

/// Dropping what waits for a descriptor closes it.
pub async fn a_dropped_descriptor_is_closed(runtime: &Arc<dyn Runtime>) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let watched = runtime.watch(reader.into()).expect("watch");
    assert!(within(&**runtime, A_WHILE, watched.readable()).await.is_none(), "the pipe is empty");
    drop(watched);
    // A child that some other test is just starting has a copy of every descriptor until its exec.
    let broken = || writer.write_all(b"x").err();
    let error = eventually(&**runtime, "that nobody is left to read", broken).await;
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe, "{error}");
}

/// SIGTERM and SIGINT come out of every stream, in their turn, and do not end the process.
pub async fn signals_come_as_a_stream(runtime: &Arc<dyn Runtime>) {
    let mut one = runtime.signals().expect("signals");
    let mut other = runtime.signals().expect("signals");
    for (signal, expected) in [
        (Signal::TERM, Interrupt::Terminate),
        (Signal::INT, Interrupt::Interrupt),
        (Signal::TERM, Interrupt::Terminate),
    ] {
        kill_process(getpid(), signal).expect("a signal to this process");
        for stream in [&mut one, &mut other] {
            let got = within(&**runtime, SOON, stream.next()).await.expect("the signal comes out");
            assert_eq!(got, Some(expected));
        }
    }
}

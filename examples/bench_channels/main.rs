//! An app whose servers put members into global channels, push, and count, as they are told through the Unix
//! socket `<id>.sock` in the directory `TANGELO_BENCH_SOCKETS`: what `cargo xtask bench channels` measures.

#![allow(clippy::std_instead_of_alloc, reason = "an application has std")]

mod control;
mod sink;

use core::time::Duration;
use sink::{Counters, CountingSink};
use std::process::ExitCode;
use tangelo::core::Instant;
use tangelo::{App, BoxError, Error, ErrorKind, GlobalChannelService, PushOptions};

fn main() -> ExitCode {
    tangelo::run(|app| {
        let counters = Counters::default();
        app.push_sink(CountingSink(counters.clone()));
        app.component(control::Control(counters));
    })
}

/// Does what a line says; gives the line to answer.
async fn obey(app: &App, counters: &Counters, line: &str) -> Result<String, BoxError> {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        // Members of this server, named after it, so many of them in each channel.
        ["fill", channel, channels, members] => {
            fill(app, channel, channels.parse()?, members.parse()?).await?;
            Ok("filled".to_owned())
        }
        ["push", channel, pushes, abreast, pause] => {
            let pause = Duration::from_micros(pause.parse()?);
            push(app, channel, pushes.parse()?, abreast.parse()?, pause).await
        }
        ["counters"] => Ok(counters.shown()),
        _ => Err(format!("this is no order: {line}").into()),
    }
}

async fn fill(app: &App, channel: &str, channels: usize, members: usize) -> Result<(), BoxError> {
    let service = app.global_channels()?;
    for number in 0..channels {
        let name = if channels == 1 { channel.to_owned() } else { format!("{channel}-{number}") };
        let first = number * members;
        let users: Vec<_> = (first..first + members).map(|n| format!("{}-{n}", app.id())).collect();
        for some in users.chunks(1000) {
            service.add_many(&name, some, app.id()).await?;
        }
    }
    Ok(())
}

/// Pushes to the channel at all connectors, so many at once and each of those again after a pause; tells the seconds
/// that it took, and how many members were reached.
async fn push(
    app: &App,
    channel: &str,
    pushes: u64,
    abreast: u64,
    pause: Duration,
) -> Result<String, BoxError> {
    let service = app.global_channels()?;
    let (tell, told) = async_channel::unbounded();
    let begin = Instant::now();
    for first in 0..abreast {
        let (service, tell, channel, app2) = (service.clone(), tell.clone(), channel.to_owned(), app.clone());
        app.spawn(async move {
            let mut delivered = Ok(0);
            for number in (first..pushes).step_by(usize::try_from(abreast).unwrap_or(1)) {
                delivered = match (delivered, one(&service, &channel, number).await) {
                    (Ok(before), Ok(more)) => Ok(before + more),
                    (Err(error), _) | (_, Err(error)) => Err(error),
                };
                if !pause.is_zero() {
                    app2.sleep(pause).await;
                }
            }
            let _ = tell.try_send(delivered);
        });
    }
    drop(tell);
    let mut delivered = 0;
    while let Ok(of_a_task) = told.recv().await {
        delivered += of_a_task?;
    }
    let seconds = Instant::now().saturating_since(begin).as_secs_f64();
    Ok(format!("{seconds} {delivered}"))
}

async fn one(service: &GlobalChannelService, channel: &str, number: u64) -> Result<u64, Error> {
    let mut message = number.to_le_bytes().to_vec();
    message.resize(32, b'.');
    let report = service.push("connector", "onChat", message, channel, &PushOptions::new()).await?;
    if report.is_complete() {
        return Ok(report.delivered);
    }
    Err(Error::new(ErrorKind::Unavailable, report.to_string()))
}

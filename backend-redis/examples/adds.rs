//! How fast single adds go through the manager, beside redis-benchmark on the same Redis:
//! `cargo run --release -p tangelo-redis --example adds --features smol -- [tasks] [adds] [rounds]`.

#![allow(clippy::cast_precision_loss, reason = "rates are for people")]

extern crate alloc;

use alloc::sync::Arc;
use std::process::Command;
use tangelo_core::channel::{ChannelManager as _, Frontend};
use tangelo_core::config::Incarnation;
use tangelo_core::runtime::Runtime;
use tangelo_core::{BoxFuture, Instant};
use tangelo_redis::{RedisChannelManager, RedisConfig};
use tangelo_runtime_smol::SmolRuntime;
use tangelo_runtime_tokio::TokioRuntime;
use tangelo_services::redis::{Options, Redis};

const CHANNELS: usize = 1000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut number = |default| arguments.next().transpose().map(|number| number.unwrap_or(default));
    let (tasks, adds, rounds) = (number(64)?, number(200_000)?, number(3)?);
    let redis = Redis::start(&Options::default())?;
    for round in 1..=rounds {
        println!("round {round}");
        for (name, pipeline, key) in [
            ("redis-benchmark -P 64 -c 1, random keys", "64", "POMELO:CHANNEL:room-__rand_int__:connector-1"),
            ("redis-benchmark -P 64 -c 1, one key", "64", "POMELO:CHANNEL:room:connector-1"),
        ] {
            redis.ask(&["FLUSHALL"])?;
            let meter = Meter::new(&redis)?;
            redis_benchmark(&redis, pipeline, key, adds)?;
            meter.print(name, adds)?;
        }
        let runtimes: [(&str, Arc<dyn Runtime>); 4] = [
            ("tokio", Arc::new(TokioRuntime::new()?)),
            ("tokio, one thread", Arc::new(TokioRuntime::with_threads(1)?)),
            ("smol", Arc::new(SmolRuntime::new()?)),
            ("smol, one thread", Arc::new(SmolRuntime::with_threads(1)?)),
        ];
        for (name, runtime) in runtimes {
            redis.ask(&["FLUSHALL"])?;
            let mut outcome = Ok(());
            let measured: BoxFuture<'_, ()> = Box::pin(async {
                outcome = measure(&redis, name, &runtime, tasks, adds).await;
            });
            runtime.block_on(measured);
            outcome?;
        }
    }
    Ok(())
}

async fn measure(
    redis: &Redis,
    name: &str,
    runtime: &Arc<dyn Runtime>,
    tasks: usize,
    adds: usize,
) -> anyhow::Result<()> {
    let config = RedisConfig::new("127.0.0.1", redis.port());
    let manager = Arc::new(RedisChannelManager::new(config, Arc::clone(runtime))?);
    manager.start().await?;
    let front = Frontend { sid: "connector-1".to_owned(), incarnation: Incarnation(1) };
    let meter = Meter::new(redis)?;
    let mut ends = Vec::new();
    for task in 0..tasks {
        let (tell, told) = futures_channel::oneshot::channel();
        let (manager, front) = (Arc::clone(&manager), front.clone());
        runtime.spawn(Box::pin(async move {
            for n in (task..adds).step_by(tasks) {
                let (channel, user) = (format!("room-{}", n % CHANNELS), format!("user-{n}"));
                manager.add(&channel, &front, &user).await.expect("add");
            }
            let _ = tell.send(());
        }));
        ends.push(told);
    }
    for end in ends {
        end.await?;
    }
    meter.print(&format!("{tasks} tasks on {name}: add"), adds)?;
    let batches: Vec<Vec<String>> =
        (0..200).map(|batch| (0..1000).map(|n| format!("other-{batch}-{n}")).collect()).collect();
    let meter = Meter::new(redis)?;
    for batch in &batches {
        manager.add_many("hall", &front, batch).await?;
    }
    meter.print(&format!("one task on {name}: add_many of 1000"), 200_000)?;
    Ok(manager.stop().await?)
}

fn redis_benchmark(redis: &Redis, pipeline: &str, key: &str, adds: usize) -> anyhow::Result<()> {
    let (port, adds, channels) = (redis.port().to_string(), adds.to_string(), CHANNELS.to_string());
    let mut program = Command::new("redis-benchmark");
    program.args(["-p", &port, "-c", "1", "-P", pipeline, "-n", &adds, "-r", &channels, "-q"]);
    let output = program.args(["SADD", key, "user-__rand_int__"]).output()?;
    anyhow::ensure!(output.status.success(), "redis-benchmark: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What something takes.
struct Meter<'a> {
    redis: &'a Redis,
    own: f64,
    its: f64,
    begin: Instant,
}

impl<'a> Meter<'a> {
    fn new(redis: &'a Redis) -> anyhow::Result<Self> {
        Ok(Self { redis, own: own_cpu()?, its: redis_cpu(redis)?, begin: Instant::now() })
    }

    fn print(&self, what: &str, count: usize) -> anyhow::Result<()> {
        let seconds = Instant::now().saturating_since(self.begin).as_secs_f64();
        let each = 1e6 / count as f64;
        let (own, its) = ((own_cpu()? - self.own) * each, (redis_cpu(self.redis)? - self.its) * each);
        let rate = count as f64 / seconds;
        println!("  {what}: {rate:.0} members/s; CPU for each: {own:.2} µs, of Redis {its:.2} µs");
        Ok(())
    }
}

/// Seconds of CPU of this process and those it has waited for, in hundredths as the kernel counts them.
fn own_cpu() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = fields[11..15].iter().map(|ticks| Ok(ticks.parse::<f64>()?)).sum::<anyhow::Result<f64>>()?;
    Ok(ticks / 100.0)
}

/// Seconds of CPU of Redis.
fn redis_cpu(redis: &Redis) -> anyhow::Result<f64> {
    let info = redis.ask(&["INFO", "cpu"])?.text()?;
    let wanted = ["used_cpu_user:", "used_cpu_sys:"];
    let seconds = info.lines().filter_map(|line| wanted.iter().find_map(|name| line.strip_prefix(name)));
    seconds.map(|seconds| Ok(seconds.trim().parse::<f64>()?)).sum()
}

//! Making one connection, to whatever the store is made of.

use crate::config::{Address, RedisConfig, Topology};
use crate::error::Failure;
use crate::script::Request;
use core::fmt;
use core::time::Duration;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, Pipeline,
    RedisConnectionInfo, RedisError, RedisResult, Value,
};
use tangelo_core::ErrorKind;
use tangelo_core::patience::within;
use tangelo_core::runtime::Runtime;
use tracing::{debug, warn};

/// A server's answers to a reconnect are waited for by each who waits anyway; the replicas' only for so long.
const REPLICAS_LIMIT: Duration = Duration::from_millis(500);

/// A connection that many use at once.
#[derive(Clone)]
pub(crate) enum Connection {
    /// To one server; who we are to it, if it says so.
    Single(MultiplexedConnection, Option<Identity>),
    /// To the nodes of a Cluster.
    Cluster(ClusterConnection),
}

/// Who we are to one run of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    run: String,
    client: i64,
}

/// Connects, once. What an earlier connection to the same server may still have on the way is cancelled first, so
/// that no old change comes after a new one.
pub(crate) async fn open(
    config: &RedisConfig,
    runtime: &dyn Runtime,
    earlier: Option<&Identity>,
) -> Result<Connection, Failure> {
    #[cfg(feature = "tls")]
    if config.tls.is_some() {
        crate::tls::provide_cryptography();
    }
    let opened = async {
        match &config.topology {
            Topology::Single(address) => single(config, tcp(config, address), earlier).await,
            Topology::Unix(path) => single(config, ConnectionAddr::Unix(path.clone()), earlier).await,
            Topology::Sentinel { nodes, group } => {
                let address = master(config, runtime, nodes, group).await?;
                single(config, tcp(config, &address), earlier).await
            }
            Topology::Cluster { nodes } => cluster(config, nodes).await,
        }
    };
    // Asking several Sentinels takes its time, and so does finding out which nodes of a Cluster are there.
    let limit = match &config.topology {
        Topology::Cluster { .. } => config.connect_timeout * 3 + config.response_timeout,
        Topology::Sentinel { nodes, .. } => {
            config.connect_timeout * u32::try_from(nodes.len() + 1).unwrap_or(8)
        }
        _ => config.connect_timeout,
    };
    within(runtime, limit, opened).await.unwrap_or_else(|| {
        let doubt = if config.tls.is_some() { ": does it speak TLS?" } else { "" };
        let message = format!("Redis at {config}: no connection within {limit:?}{doubt}");
        Err(Failure::new(ErrorKind::Unavailable, message))
    })
}

fn tcp(config: &RedisConfig, (host, port): &Address) -> ConnectionAddr {
    if config.tls.is_some() {
        ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.clone(), *port)
    }
}

/// With an empty password there is none.
fn login(username: Option<&str>, password: Option<&str>, db: u32) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_db(db.into());
    if let Some(username) = username.filter(|name| !name.is_empty()) {
        login = login.set_username(username);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        login = login.set_password(password);
    }
    login.set_skip_set_lib_name()
}

fn info(address: ConnectionAddr, login: RedisConnectionInfo) -> RedisResult<ConnectionInfo> {
    // A router forgets connections that are idle for minutes, and tells nobody.
    let keepalive =
        TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    Ok(address.into_connection_info()?.set_tcp_settings(tcp).set_redis_settings(login))
}

async fn multiplexed(
    config: &RedisConfig,
    address: ConnectionAddr,
    login: RedisConnectionInfo,
) -> RedisResult<MultiplexedConnection> {
    let info = info(address, login)?;
    #[cfg(feature = "tls")]
    let client = match &config.tls {
        Some(tls) => Client::build_with_tls(info, tls.certificates())?,
        None => Client::open(info)?,
    };
    #[cfg(not(feature = "tls"))]
    let client = {
        let _ = config;
        Client::open(info)?
    };
    // Time is kept by ourselves.
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_write_backpressure_boundary(64 * 1024);
    client.get_multiplexed_async_connection_with_config(&settings).await
}

async fn single(
    config: &RedisConfig,
    address: ConnectionAddr,
    earlier: Option<&Identity>,
) -> Result<Connection, Failure> {
    let place = address.to_string();
    let failure = |error: RedisError| Failure::of(&place, &error);
    let login = login(config.username.as_deref(), config.password.as_deref(), config.db);
    let mut connection = multiplexed(config, address, login).await.map_err(failure)?;
    // The first question shows whether we are let in.
    let mut hello = Pipeline::new();
    hello.cmd("PING").cmd("INFO").cmd("CLIENT").arg("ID");
    let answers = connection.req_packed_commands(&hello, 0, 3).await.map_err(|error| {
        let hung_up = error.is_io_error();
        let mut failure = failure(error);
        if hung_up {
            failure.message.push_str(match config.tls {
                None => " when it was greeted: does it expect TLS (rediss://)?",
                Some(_) => " when it was greeted: does it ask for a certificate of ours?",
            });
        }
        failure
    })?;
    let mut answers = answers.into_iter();
    answers.next().unwrap_or(Value::Nil).extract_error().map_err(failure)?;
    // A user may not be allowed to ask the rest.
    let about =
        answers.next().and_then(|info| redis::from_redis_value::<String>(info).ok()).unwrap_or_default();
    let client = answers.next().and_then(|id| redis::from_redis_value::<i64>(id).ok());
    inspect(&place, &about)?;
    let identity =
        line(&about, "run_id").zip(client).map(|(run, client)| Identity { run: run.to_owned(), client });
    if let (Some(identity), Some(earlier)) = (&identity, earlier)
        && identity.run == earlier.run
    {
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(earlier.client);
        match connection.req_packed_command(&kill).await.and_then(Value::extract_error) {
            Ok(_) => {}
            Err(error) if error.kind() == redis::ErrorKind::Io => return Err(failure(error)),
            Err(error) => debug!("an earlier connection to Redis at {place} is not ended: {error}"),
        }
    }
    Ok(Connection::Single(connection, identity))
}

/// What speaks against a server, from what it says of itself.
fn inspect(place: &str, about: &str) -> Result<(), Failure> {
    if line(about, "role") == Some("slave") {
        let message = format!("Redis at {place} is a replica: give the master's address, or its Sentinels'");
        return Err(Failure::new(ErrorKind::Unavailable, message));
    }
    if let Some(version) = line(about, "redis_version") {
        let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
        let number = (numbers.next(), numbers.next());
        if number < (Some(6), Some(2)) {
            let message = format!("Redis at {place} has version {version}: 6.2 or later is needed");
            return Err(Failure::new(ErrorKind::Unsupported, message));
        }
    }
    let evicts = line(about, "maxmemory_policy").is_some_and(|policy| policy.starts_with("allkeys"));
    if evicts && line(about, "maxmemory") != Some("0") {
        warn!(
            "Redis at {place} throws members away when its memory is full (maxmemory-policy allkeys-…): \
             set it to noeviction"
        );
    }
    Ok(())
}

fn line<'a>(about: &'a str, key: &str) -> Option<&'a str> {
    about.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// Asks one Sentinel after the other who the master is.
async fn master(
    config: &RedisConfig,
    runtime: &dyn Runtime,
    nodes: &[Address],
    group: &str,
) -> Result<Address, Failure> {
    let mut reasons = Vec::new();
    for node in nodes {
        let place = format!("{}:{}", node.0, node.1);
        let asked = async {
            let login = login(config.sentinel_username.as_deref(), config.sentinel_password.as_deref(), 0);
            let mut connection = multiplexed(config, tcp(config, node), login).await?;
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("GET-MASTER-ADDR-BY-NAME").arg(group);
            let answer = connection.req_packed_command(&ask).await.and_then(Value::extract_error)?;
            redis::from_redis_value::<Option<Address>>(answer).map_err(RedisError::from)
        };
        match within(runtime, config.connect_timeout, asked).await {
            Some(Ok(Some(address))) => return Ok(address),
            Some(Ok(None)) => {
                let message = format!("it knows no master named {group}");
                reasons
                    .push(Failure::new(ErrorKind::NotFound, format!("the Sentinel at {place}: {message}")));
            }
            Some(Err(error)) => reasons.push(Failure::of(format_args!("{place} (a Sentinel)"), &error)),
            None => {
                let message = format!("the Sentinel at {place} does not answer");
                reasons.push(Failure::new(ErrorKind::Unavailable, message));
            }
        }
    }
    // One that may pass outweighs one that stays.
    let temporary = reasons.iter().find(|reason| reason.kind.is_temporary()).or_else(|| reasons.first());
    let kind = temporary.map_or(ErrorKind::Invalid, |reason| reason.kind);
    let reasons: Vec<_> = reasons.into_iter().map(|reason| reason.message).collect();
    Err(Failure::new(kind, reasons.join("; ")))
}

async fn cluster(config: &RedisConfig, nodes: &[Address]) -> Result<Connection, Failure> {
    let failure = |error: RedisError| Failure::of(config, &error);
    let login = login(config.username.as_deref(), config.password.as_deref(), 0);
    let nodes = nodes.iter().map(|node| info(tcp(config, node), login.clone()));
    let nodes = nodes.collect::<RedisResult<Vec<_>>>().map_err(failure)?;
    let tcp = nodes.first().map(|node| node.tcp_settings().clone()).unwrap_or_default();
    // Moved slots are found out by retries; everything else is retried by ourselves.
    let client = ClusterClientBuilder::new(nodes)
        .tcp_settings(tcp)
        .retries(3)
        .min_retry_wait(20)
        .max_retry_wait(200)
        .connection_timeout(config.connect_timeout)
        .response_timeout(config.response_timeout);
    #[cfg(feature = "tls")]
    let client = match &config.tls {
        Some(tls) => client.certs(tls.certificates()),
        None => client,
    };
    let client = client.build().map_err(failure)?;
    let mut connection = client.get_async_connection().await.map_err(failure)?;
    // Seeds of which none was reached are found out here.
    connection
        .req_packed_command(&redis::cmd("PING"))
        .await
        .and_then(Value::extract_error)
        .map_err(failure)?;
    Ok(Connection::Cluster(connection))
}

impl Connection {
    /// Who we are to the server, if there is one and it says so.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Single(_, identity) => identity.as_ref(),
            Self::Cluster(_) => None,
        }
    }

    /// One request. With `replicas`, a write is answered only when so many of them have it.
    pub(crate) async fn send(mut self, request: &Request, full: bool, replicas: u32) -> RedisResult<Value> {
        let in_full;
        let line = if full {
            in_full = request.in_full();
            &in_full
        } else {
            request.line()
        };
        if replicas > 0 && request.writes {
            return self.replicated(line, request.key(), replicas).await;
        }
        let answer = match &mut self {
            Self::Single(connection, _) => connection.req_packed_command(line).await,
            Self::Cluster(connection) => match request.slot() {
                Some(slot) => {
                    let route = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
                    connection.route_command(line.clone(), RoutingInfo::SingleNode(route)).await
                }
                None => connection.req_packed_command(line).await,
            },
        };
        answer.and_then(Value::extract_error)
    }

    async fn replicated(&mut self, line: &Cmd, key: &str, replicas: u32) -> RedisResult<Value> {
        let mut both = Pipeline::new();
        both.add_command(line.clone());
        both.cmd("WAIT").arg(replicas).arg(u64::try_from(REPLICAS_LIMIT.as_millis()).unwrap_or(u64::MAX));
        let answers = match self {
            Self::Single(connection, _) => connection.req_packed_commands(&both, 0, 2).await?,
            Self::Cluster(connection) => {
                let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                connection.route_pipeline(both, 0, 2, route).await?
            }
        };
        let mut answers = answers.into_iter();
        let answer = answers.next().unwrap_or(Value::Nil).extract_error()?;
        let have: u32 = redis::from_redis_value(answers.next().unwrap_or(Value::Nil).extract_error()?)?;
        if have >= replicas {
            return Ok(answer);
        }
        let detail = format!("only {have} of {replicas} replicas have the change so far");
        Err(redis::make_extension_error("NOREPLICAS".to_owned(), Some(detail)))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single(..) => "Connection to one server",
            Self::Cluster(_) => "Connection to a Cluster",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_and_old_servers_are_refused() {
        let about = |lines: &str| inspect("h:1", lines).map_err(|failure| failure.kind);
        assert_eq!(about("redis_version:7.0.15\r\nrole:master\r\n"), Ok(()));
        assert_eq!(about("redis_version:6.2.0\r\n"), Ok(()));
        assert_eq!(about("redis_version:10.0\r\n"), Ok(()));
        assert_eq!(about("redis_version:6.0.16\r\n"), Err(ErrorKind::Unsupported));
        assert_eq!(about("role:slave\r\n"), Err(ErrorKind::Unavailable));
        assert_eq!(about(""), Ok(()), "a user may not be allowed to ask");
    }
}

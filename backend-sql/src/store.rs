//! Work on the database: begun, judged, and tried again.

use crate::config::SqlConfig;
use crate::dialect::Dialect;
use crate::error::{Failure, Finding, Remedy};
use crate::pool::{Lease, Pool};
use crate::session::{Arg, Row, Session};
use crate::statements::{Query, Statements};
use alloc::sync::Arc;
use async_trait::async_trait;
use tangelo_core::patience::Backoff;
use tangelo_core::patience::{left, within};
use tangelo_core::runtime::Runtime;
use tangelo_core::{Error, ErrorKind, Instant};

/// How work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As it is, on a connection for reading.
    Read,
    /// In a transaction, on a connection for changes.
    Change,
    /// As it is, on a connection for changes.
    Bare,
}

/// Something to be done on a connection. It may be done again, if nobody knows whether it was.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    const MODE: Mode;
    type Output: Send;

    async fn run(&self, session: &mut dyn Session, sql: &Statements) -> Result<Self::Output, sqlx::Error>;
}

/// What came of one attempt.
pub(crate) enum Attempt<T> {
    Done(T),
    /// It may be tried again, after a pause; the failure is for those who can wait no longer.
    Again(Failure),
    Failed(Failure),
}

/// The database of a manager.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) config: Arc<SqlConfig>,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) sql: Statements,
    pub(crate) runtime: Arc<dyn Runtime>,
    reads: Arc<Pool>,
    changes: Arc<Pool>,
}

impl Store {
    pub(crate) fn new(config: SqlConfig, dialect: &'static dyn Dialect, runtime: Arc<dyn Runtime>) -> Self {
        let config = Arc::new(config);
        let pool =
            |size: usize| Arc::new(Pool::new(Arc::clone(&config), dialect, Arc::clone(&runtime), size));
        let reads = pool(usize::try_from(config.connections).unwrap_or(usize::MAX));
        let changes = if dialect.one_writer() { pool(1) } else { Arc::clone(&reads) };
        let sql = Statements::new(dialect, &config.prefix);
        Self { config, dialect, sql, runtime, reads, changes }
    }

    /// When a call that begins now must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.config.timeout
    }

    /// A connection for work of this mode.
    pub(crate) async fn lease(&self, mode: Mode, deadline: Instant) -> Result<Lease, Failure> {
        match mode {
            Mode::Read => self.reads.get(deadline).await,
            Mode::Change | Mode::Bare => self.changes.get(deadline).await,
        }
    }

    /// Does it once, and judges what came of it.
    pub(crate) async fn attempt<W: Work>(
        &self,
        mut lease: Lease,
        work: &W,
        deadline: Instant,
    ) -> Attempt<W::Output> {
        let mut begun = false;
        let outcome = within(&*self.runtime, left(deadline), async {
            let session = lease.session();
            if W::MODE == Mode::Change {
                session.run(&self.sql.begin).await?;
                begun = true;
            }
            let output = work.run(session, &self.sql).await?;
            if W::MODE == Mode::Change {
                session.run(&self.sql.commit).await?;
            }
            Ok::<_, sqlx::Error>(output)
        })
        .await;
        let error = match outcome {
            Some(Ok(output)) => {
                lease.give_back();
                return Attempt::Done(output);
            }
            Some(Err(error)) => error,
            // The connection goes with it: nobody knows what is under way there.
            None => {
                let message = format!("{} has not answered in time", self.config);
                return Attempt::Again(Failure::new(ErrorKind::Timeout, message));
            }
        };
        let finding = Finding::of(self.dialect, &error);
        let failure = Failure::of(&self.config, finding, &error);
        match finding.remedy {
            Remedy::Reconnect => lease.lost(),
            Remedy::Again | Remedy::None => self.undo(lease, W::MODE, begun).await,
        }
        match finding.remedy {
            Remedy::Reconnect | Remedy::Again => Attempt::Again(failure),
            Remedy::None => Attempt::Failed(failure),
        }
    }

    /// Ends a transaction that has failed, so that its connection can be used again.
    async fn undo(&self, mut lease: Lease, mode: Mode, begun: bool) {
        if begun {
            let undone = lease.session().run(&self.sql.rollback);
            if !matches!(within(&*self.runtime, self.config.connect_timeout, undone).await, Some(Ok(()))) {
                return;
            }
        }
        // What bare work has left behind only itself knows.
        if mode != Mode::Bare {
            lease.give_back();
        }
    }

    /// Does it, again and again until `deadline`.
    pub(crate) async fn perform<W: Work>(&self, work: &W, deadline: Instant) -> Result<W::Output, Failure> {
        let (mut backoff, mut last) = (Backoff::default(), None);
        loop {
            let lease = self.lease(W::MODE, deadline).await?;
            match self.attempt(lease, work, deadline).await {
                Attempt::Done(output) => return Ok(output),
                Attempt::Failed(failure) => return Err(failure),
                Attempt::Again(failure) => {
                    let pause = backoff.pause();
                    if left(deadline) <= pause {
                        // Why it was tried again tells more than that time was up then.
                        return Err(last.filter(|_| failure.kind == ErrorKind::Timeout).unwrap_or(failure));
                    }
                    last = Some(failure);
                    self.runtime.sleep(pause).await;
                }
            }
        }
    }

    /// [`perform`](Self::perform) for a call that begins now.
    pub(crate) async fn call<W: Work>(&self, doing: &str, work: &W) -> Result<W::Output, Error> {
        self.perform(work, self.deadline()).await.map_err(|failure| failure.error(doing))
    }

    /// Reads rows.
    pub(crate) async fn read(&self, doing: &str, query: &Query, args: &[Arg<'_>]) -> Result<Vec<Row>, Error> {
        self.rows(query, args).await.map_err(|failure| failure.error(doing))
    }

    /// The same, for one who says himself what it was for.
    pub(crate) async fn rows(&self, query: &Query, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure> {
        self.perform(&Read { query, args }, self.deadline()).await
    }

    /// From now on there are no connections.
    pub(crate) async fn close(&self) {
        self.changes.close().await;
        self.reads.close().await;
    }

    /// After a [`close`](Self::close) it may be used again.
    pub(crate) fn reopen(&self) {
        self.changes.reopen();
        self.reads.reopen();
    }
}

/// A statement that reads.
struct Read<'a> {
    query: &'a Query,
    args: &'a [Arg<'a>],
}

#[async_trait]
impl Work for Read<'_> {
    const MODE: Mode = Mode::Read;
    type Output = Vec<Row>;

    async fn run(&self, session: &mut dyn Session, _: &Statements) -> Result<Vec<Row>, sqlx::Error> {
        session.fetch(&self.query.sql, self.args, self.query.columns).await
    }
}

/// A statement that changes something; gives the number of rows.
pub(crate) struct Execute<'a> {
    pub(crate) sql: &'a Arc<str>,
    pub(crate) args: &'a [Arg<'a>],
}

#[async_trait]
impl Work for Execute<'_> {
    const MODE: Mode = Mode::Change;
    type Output = u64;

    async fn run(&self, session: &mut dyn Session, _: &Statements) -> Result<u64, sqlx::Error> {
        session.execute(self.sql, self.args).await
    }
}

//! One connection, whatever the database: statements go in, plain values come out.

use alloc::sync::Arc;
use core::fmt::Debug;
use tangelo_core::BoxFuture;

/// A value of a statement.
#[derive(Debug, Clone)]
pub(crate) enum Arg<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    /// A column of a table that the statement takes as a whole; for databases that have arrays.
    Many(Vec<&'a [u8]>),
}

/// What stands in a column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// NULL counts as 0.
    Int,
    Bytes,
}

/// A field of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Int(i64),
    Bytes(Vec<u8>),
}

impl Value {
    /// A number; 0 if it is none.
    pub(crate) const fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            Self::Bytes(_) => 0,
        }
    }

    /// A name. All of them were UTF-8 when they went in; what somebody else has written is shown as far as it goes.
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        }
    }
}

pub(crate) type Row = Vec<Value>;

/// A connection. A call that was dropped leaves it in a state of which nothing is known: it is to be dropped too.
pub(crate) trait Session: Debug + Send {
    /// One or several statements without values.
    fn run<'a>(&'a mut self, sql: &Arc<str>) -> BoxFuture<'a, Result<(), sqlx::Error>>;

    /// A statement that changes something; gives the number of rows.
    fn execute<'a>(
        &'a mut self,
        sql: &Arc<str>,
        args: &'a [Arg<'a>],
    ) -> BoxFuture<'a, Result<u64, sqlx::Error>>;

    /// A statement that reads; of each row the first columns.
    fn fetch<'a>(
        &'a mut self,
        sql: &Arc<str>,
        args: &'a [Arg<'a>],
        columns: &'a [Kind],
    ) -> BoxFuture<'a, Result<Vec<Row>, sqlx::Error>>;

    /// Asks whether the other end is still there.
    fn ping(&mut self) -> BoxFuture<'_, Result<(), sqlx::Error>>;

    /// Takes leave.
    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), sqlx::Error>>;
}

/// Implements [`Session`] for a connection of sqlx. `$many` binds an array.
macro_rules! session {
    ($database:ty, $connection:ty, $many:expr) => {
        impl $crate::session::Session for $connection {
            fn run<'a>(
                &'a mut self,
                sql: &alloc::sync::Arc<str>,
            ) -> tangelo_core::BoxFuture<'a, Result<(), sqlx::Error>> {
                let sql = sqlx::AssertSqlSafe(alloc::sync::Arc::clone(sql));
                Box::pin(async move { sqlx::raw_sql(sql).execute(self).await.map(drop) })
            }

            fn execute<'a>(
                &'a mut self,
                sql: &alloc::sync::Arc<str>,
                args: &'a [$crate::session::Arg<'a>],
            ) -> tangelo_core::BoxFuture<'a, Result<u64, sqlx::Error>> {
                let sql = sqlx::AssertSqlSafe(alloc::sync::Arc::clone(sql));
                Box::pin(async move {
                    let query = bound(sqlx::query::<$database>(sql), args)?;
                    Ok(query.execute(self).await?.rows_affected())
                })
            }

            fn fetch<'a>(
                &'a mut self,
                sql: &alloc::sync::Arc<str>,
                args: &'a [$crate::session::Arg<'a>],
                columns: &'a [$crate::session::Kind],
            ) -> tangelo_core::BoxFuture<'a, Result<Vec<$crate::session::Row>, sqlx::Error>> {
                use $crate::session::{Kind, Value};
                let sql = sqlx::AssertSqlSafe(alloc::sync::Arc::clone(sql));
                Box::pin(async move {
                    let rows = bound(sqlx::query::<$database>(sql), args)?.fetch_all(self).await?;
                    let read = |row: &<$database as sqlx::Database>::Row| {
                        let field = |(position, kind): (usize, &Kind)| match kind {
                            Kind::Int => {
                                let number = sqlx::Row::try_get::<Option<i64>, _>(row, position)?;
                                Ok(Value::Int(number.unwrap_or_default()))
                            }
                            Kind::Bytes => sqlx::Row::try_get::<Vec<u8>, _>(row, position).map(Value::Bytes),
                        };
                        columns.iter().enumerate().map(field).collect::<Result<Vec<_>, sqlx::Error>>()
                    };
                    rows.iter().map(read).collect()
                })
            }

            fn ping(&mut self) -> tangelo_core::BoxFuture<'_, Result<(), sqlx::Error>> {
                Box::pin(sqlx::Connection::ping(self))
            }

            fn close(self: Box<Self>) -> tangelo_core::BoxFuture<'static, Result<(), sqlx::Error>> {
                Box::pin(sqlx::Connection::close(*self))
            }
        }

        type Query<'q> = sqlx::query::Query<'q, $database, <$database as sqlx::Database>::Arguments>;

        fn bound<'q>(
            mut query: Query<'q>,
            args: &[$crate::session::Arg<'_>],
        ) -> Result<Query<'q>, sqlx::Error> {
            let many: fn(Query<'q>, &[&[u8]]) -> Result<Query<'q>, sqlx::Error> = $many;
            for arg in args {
                query = match arg {
                    $crate::session::Arg::Int(number) => query.bind(*number),
                    $crate::session::Arg::Bytes(bytes) => query.bind(*bytes),
                    $crate::session::Arg::Many(all) => many(query, all)?,
                };
            }
            Ok(query)
        }
    };
}
pub(crate) use session;

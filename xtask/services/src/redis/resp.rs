//! A plain client for what tests ask and arrange: RESP2 over a Unix socket, one command at a time.

use anyhow::{Context as _, Result, bail};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A frozen server accepts and never answers, so asking must end by itself.
const LIMIT: Duration = Duration::from_secs(5);

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A string; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A number.
    Number(i64),
    /// Nothing.
    Nil,
    /// Several.
    List(Vec<Self>),
}

impl Reply {
    /// The text, or a number as text.
    ///
    /// # Errors
    /// If it is neither.
    pub fn text(self) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(number) => Ok(number.to_string()),
            other => bail!("expected a text, got {other:?}"),
        }
    }

    /// The number.
    ///
    /// # Errors
    /// If it is none.
    pub fn number(self) -> Result<i64> {
        match self {
            Self::Number(number) => Ok(number),
            other => bail!("expected a number, got {other:?}"),
        }
    }

    /// The texts of a list, sorted.
    ///
    /// # Errors
    /// If it is no list of texts.
    pub fn texts(self) -> Result<Vec<String>> {
        let Self::List(list) = self else { bail!("expected a list, got {self:?}") };
        let mut texts = list.into_iter().map(Self::text).collect::<Result<Vec<_>>>()?;
        texts.sort();
        Ok(texts)
    }
}

/// A connection to a server's Unix socket.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn open(socket: &Path) -> Result<Self> {
        let stream =
            UnixStream::connect(socket).with_context(|| format!("nobody listens on {}", socket.display()))?;
        stream.set_read_timeout(Some(LIMIT)).context("socket")?;
        stream.set_write_timeout(Some(LIMIT)).context("socket")?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// What the server answers to a command.
    ///
    /// # Errors
    /// Its error, or that it does not answer within 5 s.
    pub fn ask(&mut self, command: &[&str]) -> Result<Reply> {
        let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
        for word in command {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        self.stream.get_mut().write_all(&bytes).context("Redis hears nothing")?;
        self.reply().with_context(|| format!("Redis, asked {}", command[0]))
    }

    fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("no answer")?;
        let Some((kind, rest)) = line.trim_end().split_at_checked(1) else { bail!("it hung up") };
        // -1 for nothing at all.
        let size = || rest.parse::<i64>().map(|size| usize::try_from(size).ok()).context("a size");
        match kind {
            "+" => Ok(Reply::Text(rest.to_owned())),
            ":" => Ok(Reply::Number(rest.parse().context("a number")?)),
            "-" => bail!("{rest}"),
            "$" => {
                let Some(size) = size()? else { return Ok(Reply::Nil) };
                let mut bytes = vec![0; size + 2];
                self.stream.read_exact(&mut bytes).context("half an answer")?;
                bytes.truncate(size);
                Ok(Reply::Text(String::from_utf8_lossy(&bytes).into_owned()))
            }
            "*" => {
                let Some(size) = size()? else { return Ok(Reply::Nil) };
                (0..size).map(|_| self.reply()).collect::<Result<_>>().map(Reply::List)
            }
            _ => bail!("no answer of Redis: {line:?}"),
        }
    }
}

//! What a master and its agent on another host say to each other: JSON, one object a line.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tangelo_core::process::{Exit, LaunchSpec, ProcessRef, Signal};
use tangelo_core::{CpuSet, Error, ErrorKind, Instant, Result};

/// Raised with every change that an older end would not understand.
pub(super) const VERSION: u32 = 1;

/// The longest line, in bytes: a launch order with a large servers.json entry is a few KiB.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A moment on the clock of the agent's host: nanoseconds of its `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct AgentTime(pub(super) u64);

impl AgentTime {
    /// For the agent: the present moment.
    pub(super) fn now() -> Self {
        Self::of(Instant::now())
    }

    /// For the agent: a moment of its own clock.
    pub(super) fn of(instant: Instant) -> Self {
        Self(u64::try_from(instant.since_boot().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// From the master.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Comes back in the answer.
    pub(super) id: u64,
    /// After this moment the order is not obeyed: whoever gave it may have been deposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_after: Option<AgentTime>,
    pub(super) order: Order,
}

/// What the agent is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Answered by [`Answer::Process`].
    Launch(LaunchSpec),
    /// Looks for the process of a launch whose answer was lost, until nothing can launch it any
    /// more. Answered by [`Answer::Found`].
    Find {
        host: String,
        /// A variable of its environment that no other launch has.
        variable: (String, String),
        /// The launch's own limit.
        until: AgentTime,
    },
    /// Answered by [`Answer::Done`].
    Adopt(ProcessRef),
    /// Answered by [`Answer::Done`].
    Signal(ProcessRef, Signal),
    /// Answered by [`Answer::Exit`], whenever that comes.
    Wait(ProcessRef),
    /// The CPUs that processes there may use. Answered by [`Answer::Cpus`].
    Cpus,
    /// Shows that both ends live. Answered by [`Answer::Done`].
    Beat,
}

impl Order {
    /// Whether it changes anything: such an order needs a limit.
    pub(super) const fn acts(&self) -> bool {
        matches!(self, Self::Launch(_) | Self::Signal(..))
    }
}

/// From the agent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Said {
    /// When, by its own clock.
    pub(super) clock: AgentTime,
    pub(super) word: Word,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    /// Its first: it takes orders now.
    Hello {
        tangelo_agent: u32,
    },
    Answer {
        id: u64,
        result: Result<Answer, Refusal>,
    },
}

/// What comes of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Process(ProcessRef),
    Found(Option<ProcessRef>),
    Exit(Exit),
    Cpus(CpuSet),
    Done,
}

/// An error on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) message: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind, refusal.message)
    }
}

/// A line, with its end.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) if it would be too long.
pub(super) fn encode(message: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message).map_err(|e| {
        Error::new(ErrorKind::Invalid, "cannot encode an order to another host").with_source(e)
    })?;
    if line.len() >= MAX_LINE {
        let message = format!(
            "an order or answer of {} bytes to or from another host; at most {MAX_LINE}: is an entry of servers.json that large?",
            line.len()
        );
        return Err(Error::new(ErrorKind::Invalid, message));
    }
    line.push(b'\n');
    Ok(line)
}

/// Reads a line.
///
/// # Errors
/// [`Protocol`](ErrorKind::Protocol) if it is none of this protocol.
pub(super) fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T> {
    serde_json::from_slice(line).map_err(|e| {
        Error::new(ErrorKind::Protocol, "what master and agent say to each other cannot be read")
            .with_source(e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        let process = ProcessRef { host: "far".into(), pid: 7, start_time: 9 };
        let request = Request {
            id: 3,
            not_after: Some(AgentTime(5)),
            order: Order::Signal(process.clone(), Signal::Kill),
        };
        let line = encode(&request).unwrap();
        let text = core::str::from_utf8(&line).unwrap();
        assert_eq!(
            text,
            "{\"id\":3,\"not_after\":5,\"order\":{\"signal\":[{\"host\":\"far\",\"pid\":7,\"start_time\":9},\"Kill\"]}}\n"
        );
        let heard: Request = decode(&line).unwrap();
        assert!(heard.order.acts() && heard.id == 3 && heard.not_after == Some(AgentTime(5)));

        let refused = Error::new(ErrorKind::Fenced, "too late");
        let said = Said { clock: AgentTime(1), word: Word::Answer { id: 3, result: Err(refused.into()) } };
        let heard: Said = decode(&encode(&said).unwrap()).unwrap();
        let Word::Answer { id: 3, result: Err(refusal) } = heard.word else { panic!("{:?}", heard.word) };
        assert_eq!(Error::from(refusal).kind(), ErrorKind::Fenced);
        let answers =
            [Answer::Process(process), Answer::Found(None), Answer::Exit(Exit::Signal(9)), Answer::Done];
        for answer in answers {
            let word = Word::Answer { id: 1, result: Ok(answer.clone()) };
            let heard: Said = decode(&encode(&Said { clock: AgentTime(1), word }).unwrap()).unwrap();
            let Word::Answer { result: Ok(heard), .. } = heard.word else { panic!("{:?}", heard.word) };
            assert_eq!(heard, answer);
        }
    }

    #[test]
    fn what_is_too_long_is_not_sent_and_nonsense_is_an_error() {
        assert_eq!(encode(&"x".repeat(MAX_LINE)).unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(decode::<Said>(b"Welcome to Debian\n").unwrap_err().kind(), ErrorKind::Protocol);
    }
}

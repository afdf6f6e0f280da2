//! Large channels, page by page.

use crate::keys::Server;
use crate::manager::RedisChannelManager;
use crate::script::Request;
use alloc::collections::VecDeque;
use tangelo_core::Result;
use tangelo_core::channel::{ChannelMember, MAX_PAGE, check_name};

/// So many members are asked for at once, of each of so many servers.
const COUNT: usize = 1000;
const SERVERS: usize = 16;

/// How far a reader has come. Nothing is held in Redis for it, so it may take its time.
pub(crate) struct Pages {
    channel: String,
    state: State,
}

enum State {
    Begin,
    /// What is still to be read, and what was read already.
    Reading {
        sets: VecDeque<Set>,
        ready: VecDeque<Vec<ChannelMember>>,
    },
    End,
}

/// The members at one server, from a cursor of SSCAN on.
struct Set {
    server: Server,
    cursor: u64,
}

impl Pages {
    pub(crate) fn new(channel: &str) -> Self {
        Self { channel: channel.to_owned(), state: State::Begin }
    }

    /// The next page; none after the last, or after an error.
    pub(crate) async fn next(&mut self, manager: &RedisChannelManager) -> Option<Result<Vec<ChannelMember>>> {
        match self.advance(manager).await {
            Ok(page) => page.map(Ok),
            Err(error) => {
                self.state = State::End;
                Some(Err(error))
            }
        }
    }

    async fn advance(&mut self, manager: &RedisChannelManager) -> Result<Option<Vec<ChannelMember>>> {
        loop {
            match &mut self.state {
                State::End => return Ok(None),
                State::Begin => {
                    check_name("channel", &self.channel)?;
                    let sizes = manager.sizes(&self.channel).await?;
                    let sets = sizes.into_iter().map(|(server, _)| Set { server, cursor: 0 }).collect();
                    self.state = State::Reading { sets, ready: VecDeque::new() };
                }
                State::Reading { sets, ready } => {
                    if let Some(page) = ready.pop_front() {
                        return Ok(Some(page));
                    }
                    if sets.is_empty() {
                        self.state = State::End;
                        continue;
                    }
                    let some: Vec<_> = sets.drain(..sets.len().min(SERVERS)).collect();
                    let (members, unfinished) = scan(manager, &self.channel, some).await?;
                    ready.extend(pages(members));
                    for set in unfinished {
                        sets.push_front(set);
                    }
                }
            }
        }
    }
}

/// Reads on at several servers; gives the sets of which there is more, too.
async fn scan(
    manager: &RedisChannelManager,
    channel: &str,
    sets: Vec<Set>,
) -> Result<(Vec<ChannelMember>, Vec<Set>)> {
    let escaped = manager.keys.channel(channel);
    let requests = sets.iter().map(|set| {
        let key = manager.keys.members(&escaped, &set.server);
        let mut request = Request::command("read the members of a channel", "SSCAN", &key);
        request.arg(set.cursor).arg("COUNT").arg(COUNT);
        request
    });
    let answers: Vec<(u64, Vec<String>)> = manager.ask_all(requests.collect()).await?;
    let (mut members, mut unfinished) = (Vec::new(), Vec::new());
    for (set, (cursor, uids)) in sets.into_iter().zip(answers) {
        let Some(sid) = manager.keys.server_name(set.server.as_str()) else { continue };
        members.extend(uids.into_iter().map(|uid| ChannelMember { uid, sid: sid.clone() }));
        if cursor != 0 {
            unfinished.push(Set { cursor, ..set });
        }
    }
    Ok((members, unfinished))
}

fn pages(mut members: Vec<ChannelMember>) -> Vec<Vec<ChannelMember>> {
    let mut pages = Vec::new();
    while members.len() > MAX_PAGE {
        let rest = members.split_off(MAX_PAGE);
        pages.push(core::mem::replace(&mut members, rest));
    }
    if !members.is_empty() {
        pages.push(members);
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded_and_never_empty() {
        let member = ChannelMember { uid: "a".to_owned(), sid: "b".to_owned() };
        for (members, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (MAX_PAGE, vec![MAX_PAGE]),
            (2 * MAX_PAGE + 1, vec![MAX_PAGE, MAX_PAGE, 1]),
        ] {
            let lens: Vec<_> = pages(vec![member.clone(); members]).iter().map(Vec::len).collect();
            assert_eq!(lens, expected);
        }
    }
}

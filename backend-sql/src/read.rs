//! Large channels, page by page.

use crate::session::{Arg, Value};
use crate::store::Store;
use alloc::collections::VecDeque;
use tangelo_core::Result;
use tangelo_core::channel::{ChannelMember, MAX_PAGE, check_name};

const DOING: &str = "read the members of a channel";

/// How far a reader has come. Nothing is held in the database for it, so it may take its time.
pub(crate) struct Pages {
    channel: String,
    state: State,
}

enum State {
    Begin,
    Reading { parts: VecDeque<Part> },
    End,
}

/// A frontend that has members in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    id: i64,
    sid: String,
    size: usize,
}

/// What is read in one go.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// Several frontends, which have few members.
    Several(Vec<Place>),
    /// One that has many, behind the last user that was read.
    One(Place, String),
}

impl Pages {
    pub(crate) fn new(channel: &str) -> Self {
        Self { channel: channel.to_owned(), state: State::Begin }
    }

    /// The next page; none after the last, or after an error.
    pub(crate) async fn next(&mut self, store: &Store) -> Option<Result<Vec<ChannelMember>>> {
        match self.advance(store).await {
            Ok(page) => page.map(Ok),
            Err(error) => {
                self.state = State::End;
                Some(Err(error))
            }
        }
    }

    async fn advance(&mut self, store: &Store) -> Result<Option<Vec<ChannelMember>>> {
        loop {
            let channel = self.channel.as_str();
            match &mut self.state {
                State::End => return Ok(None),
                State::Begin => {
                    check_name("channel", channel)?;
                    self.state = State::Reading { parts: parts(places(store, channel).await?) };
                }
                State::Reading { parts } => {
                    // It stays until it is read, in case this is dropped half way.
                    let Some(part) = parts.front() else {
                        self.state = State::End;
                        continue;
                    };
                    let (page, rest) = match part {
                        Part::Several(places) => several(store, channel, places).await?,
                        Part::One(place, last) => one(store, channel, place, last).await?,
                    };
                    parts.pop_front();
                    for part in rest.into_iter().rev() {
                        parts.push_front(part);
                    }
                    if !page.is_empty() {
                        return Ok(Some(page));
                    }
                }
            }
        }
    }
}

async fn places(store: &Store, channel: &str) -> Result<Vec<Place>> {
    let rows = store.read(DOING, &store.sql.sizes, &[Arg::Bytes(channel.as_bytes())]).await?;
    let place = |row: Vec<Value>| {
        let [id, sid, size]: [Value; 3] = row.try_into().ok()?;
        let size = usize::try_from(size.int()).unwrap_or(usize::MAX);
        Some(Place { id: id.int(), sid: sid.into_text(), size })
    };
    Ok(rows.into_iter().filter_map(place).collect())
}

/// Frontends together, as long as they fit on a page.
fn parts(places: Vec<Place>) -> VecDeque<Part> {
    let mut parts = VecDeque::new();
    let (mut several, mut sum) = (Vec::new(), 0);
    for place in places {
        let large = place.size > MAX_PAGE / 2;
        if !several.is_empty() && (large || sum + place.size > MAX_PAGE) {
            parts.push_back(Part::Several(core::mem::take(&mut several)));
            sum = 0;
        }
        if large {
            parts.push_back(Part::One(place, String::new()));
        } else {
            sum += place.size;
            several.push(place);
        }
    }
    if !several.is_empty() {
        parts.push_back(Part::Several(several));
    }
    parts
}

async fn one(
    store: &Store,
    channel: &str,
    place: &Place,
    last: &str,
) -> Result<(Vec<ChannelMember>, Vec<Part>)> {
    let args = [Arg::Int(place.id), Arg::Bytes(channel.as_bytes()), Arg::Bytes(last.as_bytes())];
    let rows = store.read(DOING, &store.sql.page, &args).await?;
    let uids = crate::change::texts(rows);
    let rest = match uids.last() {
        Some(last) if uids.len() >= MAX_PAGE => vec![Part::One(place.clone(), last.clone())],
        _ => Vec::new(),
    };
    let member = |uid| ChannelMember { uid, sid: place.sid.clone() };
    Ok((uids.into_iter().map(member).collect(), rest))
}

/// Frontends between the first and the last of them that have come since are left out.
async fn several(store: &Store, channel: &str, places: &[Place]) -> Result<(Vec<ChannelMember>, Vec<Part>)> {
    let (Some(first), Some(end)) = (places.first(), places.last()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let args = [Arg::Int(first.id), Arg::Int(end.id), Arg::Bytes(channel.as_bytes())];
    let rows = store.read(DOING, &store.sql.pages, &args).await?;
    let full = rows.len() >= MAX_PAGE;
    let (mut members, mut reached) = (Vec::with_capacity(rows.len()), None);
    for row in rows {
        let Ok([id, uid]) = <[Value; 2]>::try_from(row) else { continue };
        let (id, uid) = (id.int(), uid.into_text());
        reached = Some((id, uid.clone()));
        if let Ok(position) = places.binary_search_by_key(&id, |place| place.id) {
            members.push(ChannelMember { uid, sid: places[position].sid.clone() });
        }
    }
    // Many have come meanwhile: on from where it was cut off.
    let mut rest = Vec::new();
    if let (true, Some((id, uid))) = (full, reached) {
        let next = places.partition_point(|place| place.id < id);
        let (cut, later) = match places.get(next) {
            Some(place) if place.id == id => (Some(place), next + 1),
            _ => (None, next),
        };
        rest.extend(cut.map(|place| Part::One(place.clone(), uid)));
        if !places[later..].is_empty() {
            rest.push(Part::Several(places[later..].to_vec()));
        }
    }
    Ok((members, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frontends_share_a_page_and_large_ones_do_not() {
        let place = |id, size| Place { id, sid: format!("s{id}"), size };
        let ids = |part: &Part| match part {
            Part::Several(places) => places.iter().map(|place| place.id).collect(),
            Part::One(place, _) => vec![-place.id],
        };
        let all = vec![place(1, 2000), place(2, 100_000), place(3, 2000), place(4, 2000), place(5, 97)];
        assert_eq!(parts(all).iter().map(ids).collect::<Vec<_>>(), [vec![1], vec![-2], vec![3, 4], vec![5]]);
        assert!(parts(Vec::new()).is_empty());
    }
}

//! What must hold after every fault.

use super::fault::{Fault, Leadership, Span};
use super::field::Whole;
use super::history::Record;
use super::place::SESSION;
use super::strike::Struck;
use core::time::Duration;

/// What the machine's other work may add to a time.
const SLACK: Duration = Duration::from_millis(1500);

/// How long the cluster was without a leader: from the fault until the next reign was published, if one was.
pub(super) fn next_reign(before: &Whole, struck: &Struck, records: &[Record]) -> Option<Duration> {
    let next =
        records.iter().find(|record| record.said.is_leader() && record.said.epoch > before.said.epoch)?;
    Some(next.at.saturating_sub(struck.began))
}

/// What was against the laws, comparing the cluster before and after a fault.
pub(super) fn violations(
    fault: Fault,
    leadership: Leadership,
    struck: &Struck,
    before: &Whole,
    after: &Whole,
    next_reign: Option<Duration>,
) -> Vec<String> {
    let mut found = Vec::new();
    let stayed = before.said == after.said;
    match leadership {
        Leadership::Stays if !stayed => {
            found.push(format!("a healthy leader was replaced: {:?}, then {:?}", before.said, after.said));
        }
        Leadership::Changes if after.said.epoch <= before.said.epoch => {
            found.push(format!("no new reign has begun: {:?}", after.said));
        }
        _ => {}
    }
    if let (Some(limit), Some(time)) = (reign_limit(fault), next_reign)
        && time > limit
    {
        found.push(format!("the next leader came after {time:.2?}, not within {limit:.2?}"));
    }
    for (place, (old, new)) in before.masters.iter().zip(&after.masters).enumerate() {
        if (old != new) != struck.masters.contains(&place) {
            found.push(format!("the master of place {place} was {old} and is {new}"));
        }
    }
    for (id, old) in &before.servers {
        let Some(new) = after.servers.get(id) else { continue };
        let hit = struck.server.as_ref() == Some(id);
        if (old.pid != new.pid) != hit {
            found.push(format!("{id} was {old:?} and is {new:?}"));
        }
        if hit && new.incarnation <= old.incarnation {
            found.push(format!("the incarnation of {id} did not grow: {old:?}, then {new:?}"));
        }
    }
    found
}

/// How soon another must lead.
fn reign_limit(fault: Fault) -> Option<Duration> {
    match fault {
        // The guard tells of it. Without it that would take a session.
        Fault::KillLeader | Fault::KillLeaderAndServer | Fault::HandOver => Some(SLACK),
        // The session tells, by the tick after its end.
        Fault::KillLeaderAndGuard
        | Fault::FreezeLeader(Span::Long)
        | Fault::CutLeaderFromZooKeeper(Span::Long) => Some(SESSION + SESSION / 10 + SLACK),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::Said;
    use super::super::look::Server;
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};

    fn whole(epoch: u64, servers: &[(&str, u32, u64)]) -> Whole {
        let server = |&(id, pid, incarnation): &(&str, u32, u64)| {
            let server = Server { id: id.to_owned(), pid, start: Duration::ZERO, incarnation, epoch: 1 };
            (id.to_owned(), server)
        };
        Whole {
            leader: 0,
            said: Said { epoch, lock: format!("m-{epoch}"), ..Said::default() },
            masters: vec![1, 2],
            guards: vec![3, 4],
            servers: servers.iter().map(server).collect::<BTreeMap<_, _>>(),
        }
    }

    fn struck(masters: &[usize], server: Option<&str>) -> Struck {
        Struck {
            what: String::new(),
            began: Duration::ZERO,
            ended: Duration::ZERO,
            masters: masters.iter().copied().collect::<BTreeSet<_>>(),
            server: server.map(str::to_owned),
            violations: Vec::new(),
        }
    }

    #[test]
    fn what_is_hit_must_change_and_nothing_else() {
        let before = whole(1, &[("a", 10, 1), ("b", 11, 1)]);
        let restarted = whole(1, &[("a", 12, 2), ("b", 11, 1)]);
        let found = |struck: &Struck, after: &Whole| {
            violations(Fault::KillServer, Leadership::Stays, struck, &before, after, None).len()
        };
        assert_eq!(found(&struck(&[], Some("a")), &restarted), 0);
        assert_eq!(found(&struck(&[], None), &restarted), 1);
        assert_eq!(found(&struck(&[], Some("a")), &before), 2);
        assert_eq!(found(&struck(&[], Some("a")), &whole(1, &[("a", 12, 1), ("b", 11, 1)])), 1);
        assert_eq!(found(&struck(&[1], None), &before), 1);
        assert_eq!(found(&struck(&[], None), &Whole { masters: vec![1, 5], ..before.clone() }), 1);
    }

    #[test]
    fn a_leader_is_replaced_when_it_must_be_and_never_else() {
        let (before, after) = (whole(1, &[]), whole(2, &[]));
        let found = |fault, after: &Whole, time| {
            violations(fault, fault.leadership(), &struck(&[], None), &before, after, time).len()
        };
        assert_eq!(found(Fault::HandOver, &after, Some(Duration::from_millis(20))), 0);
        assert_eq!(found(Fault::HandOver, &after, Some(Duration::from_secs(3))), 1);
        assert_eq!(found(Fault::HandOver, &before, None), 1);
        assert_eq!(found(Fault::KillGuard, &before, None), 0);
        assert_eq!(found(Fault::KillGuard, &after, None), 1);
        assert_eq!(found(Fault::RestartZooKeeper, &before, None), 0);
        assert_eq!(found(Fault::RestartZooKeeper, &after, None), 0);
    }
}

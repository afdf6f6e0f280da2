//! Who leads next. Nothing here asks or waits.
//!
//! The order decides only who lets whom go first: that one leads at a time is the business of the
//! version of `<path>`, which two cannot win.

use crate::published::{Publication, Published};
use crate::standing::Node;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;
use tangelo_core::coordinator::Epoch;

/// What a candidate does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Somebody leads.
    Follow,
    /// It has won already, in this reign, and has not heard of it.
    Won(Epoch),
    /// Nobody leads. So many others go first.
    Next(usize),
    /// Its own lock node is gone.
    Gone,
    /// `<path>` belongs to somebody else.
    Foreign,
}

/// What there is in ZooKeeper, as far as an election goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) published: Published,
    /// The version of `<path>` that it was read from.
    pub(crate) version: i32,
    /// The candidates' lock nodes, the leader's among them.
    pub(crate) nodes: Vec<Node>,
    /// The names of lock nodes that this user may not read.
    pub(crate) sealed: Vec<String>,
}

/// What the candidate whose lock node is `name` does.
///
/// A leader is known by its address in `<path>`, as long as the lock node named there lives. Should somebody else
/// write over it, it is known by its lock node, which says so itself; before anybody leads for
/// lack of an address, the lock nodes have to be read anew.
pub(crate) fn decide(view: &View, name: &str) -> Decision {
    let View { published, nodes, sealed, .. } = view;
    let Some(me) = nodes.iter().find(|node| node.name == name) else { return Decision::Gone };
    if let Some(epoch) = me.entry.epoch {
        return Decision::Won(epoch);
    }
    let successor = match published {
        Published::Leader(leader) if me.is_of(leader) => return Decision::Won(leader.epoch),
        Published::Leader(leader) if lives(leader, nodes) || sealed.contains(&leader.lock) => {
            return Decision::Follow;
        }
        // Somebody else has written over the address of a leader that lives, which will write it again.
        _ if nodes.iter().any(|node| node.entry.epoch.is_some()) => return Decision::Follow,
        Published::Garbage(_) => return Decision::Foreign,
        Published::Leader(_) => None,
        Published::Nobody { successor, .. } => successor.as_deref(),
    };
    let rank = order(nodes, successor).iter().position(|node| node.name == name);
    Decision::Next(rank.unwrap_or_default())
}

/// Whether one of `nodes` is the leader's own. With another word in it, it is the node of somebody
/// else that was given the same name.
fn lives(leader: &Publication, nodes: &[Node]) -> bool {
    nodes.iter().any(|node| node.is_of(leader))
}

impl View {
    /// Who stands for election, the leader not among them, in the order in which they would lead.
    pub(crate) fn candidates(&self) -> Vec<&Node> {
        let (leader, successor) = match &self.published {
            Published::Leader(leader) => (Some(leader), None),
            Published::Nobody { successor, .. } => (None, successor.as_deref()),
            Published::Garbage(_) => (None, None),
        };
        let mut order = order(&self.nodes, successor);
        let leads =
            |node: &Node| node.entry.epoch.is_some() || leader.is_some_and(|leader| node.is_of(leader));
        order.retain(|node| !leads(node));
        order
    }
}

/// The order in which they lead: the chosen successor, then the higher priority, then who came first.
fn order<'a>(nodes: &'a [Node], successor: Option<&str>) -> Vec<&'a Node> {
    let mut order: Vec<_> = nodes.iter().collect();
    order.sort_by_key(|node| {
        (Some(&*node.name) != successor, Reverse(node.entry.candidate.priority), node.sequence)
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::Publication;
    use crate::standing::Entry;
    use tangelo_core::coordinator::Candidate;

    fn node(id: &str, sequence: u64, priority: i32) -> Node {
        let candidate = Candidate { id: id.into(), host: "h".into(), port: 1, priority };
        let entry = Entry { candidate, nonce: format!("nonce{sequence}"), epoch: None };
        Node { name: format!("{id}-{sequence:010}"), sequence, entry, owner: 1 }
    }

    fn led_by(node: &Node) -> Published {
        let Entry { candidate, nonce, .. } = &node.entry;
        Published::Leader(Publication::new(candidate, Epoch(3), &node.name, nonce))
    }

    fn nobody(successor: Option<&str>) -> Published {
        Published::Nobody { epoch: Some(Epoch(3)), successor: successor.map(Into::into) }
    }

    fn view(published: Published, nodes: &[Node]) -> View {
        View { published, version: 0, nodes: nodes.to_vec(), sealed: Vec::new() }
    }

    fn decided(published: Published, nodes: &[Node], name: &str) -> Decision {
        decide(&view(published, nodes), name)
    }

    #[test]
    fn pomelo_lock_sequence_9_to_10_keeps_the_leader() {
        let nodes = [node("m", 10, 0), node("m", 9, 0), node("z", 11, 99)];
        for me in [0, 2] {
            assert_eq!(decided(led_by(&nodes[1]), &nodes, &nodes[me].name), Decision::Follow);
        }
        // Not even one that stands in front takes the lead from a healthy one.
        assert_eq!(decided(led_by(&nodes[0]), &nodes, &nodes[1].name), Decision::Follow);
    }

    #[test]
    fn the_order_of_succession() {
        let nodes =
            [node("b", 10, 0), node("a", 9, 0), node("c", 100, 5), node("d", 99, 5), node("e", 7, -1)];
        let names = |successor: Option<&str>| -> Vec<String> {
            let view = view(nobody(successor), &nodes);
            view.candidates().iter().map(|node| node.entry.candidate.id.clone()).collect()
        };
        assert_eq!(names(None), ["d", "c", "a", "b", "e"]);
        assert_eq!(names(Some("e-0000000007")), ["e", "d", "c", "a", "b"]);
        assert_eq!(names(Some("gone-0000000001")), ["d", "c", "a", "b", "e"]);
        assert_eq!(decided(nobody(Some("e-0000000007")), &nodes, "c-0000000100"), Decision::Next(2));
        assert_eq!(decided(nobody(None), &nodes, "d-0000000099"), Decision::Next(0));
        assert_eq!(view(led_by(&nodes[3]), &nodes).candidates().len(), 4);
    }

    #[test]
    fn a_leader_without_its_lock_node_is_none() {
        let nodes = [node("a", 1, 0), node("b", 2, 0)];
        assert_eq!(decided(led_by(&node("gone", 0, 0)), &nodes, "b-0000000002"), Decision::Next(1));
        assert_eq!(decided(led_by(&nodes[0]), &nodes[1..], "a-0000000001"), Decision::Gone);
    }

    #[test]
    fn a_lock_node_that_may_not_be_read_lives() {
        let (secret, me) = (node("secret", 1, 0), node("me", 2, 0));
        let mut view = view(led_by(&secret), core::slice::from_ref(&me));
        view.sealed.push(secret.name);
        assert_eq!(decide(&view, &me.name), Decision::Follow);
    }

    #[test]
    fn a_name_given_a_second_time_is_another_node() {
        let before = node("a", 0, 0);
        let mut again = before.clone();
        again.entry.nonce = "another".into();
        // Its own …
        let alone = core::slice::from_ref(&again);
        assert_eq!(decided(led_by(&before), alone, &again.name), Decision::Next(0));
        // … and that of another candidate.
        let nodes = [again, node("b", 1, 0)];
        assert_eq!(decided(led_by(&before), &nodes, "b-0000000001"), Decision::Next(1));
    }

    #[test]
    fn a_win_whose_answer_was_lost_is_recognised() {
        let nodes = [node("a", 4, 0), node("b", 5, 0)];
        assert_eq!(decided(led_by(&nodes[1]), &nodes, "b-0000000005"), Decision::Won(Epoch(3)));
    }

    #[test]
    fn a_leader_whose_address_was_overwritten_still_leads() {
        let mut nodes = [node("a", 4, 0), node("b", 5, 9)];
        nodes[0].entry.epoch = Some(Epoch(3));
        for published in [
            nobody(None),
            nobody(Some("b-0000000005")),
            Published::Nobody { epoch: None, successor: None },
            Published::Garbage("x".into()),
            led_by(&node("gone", 0, 0)),
        ] {
            assert_eq!(decided(published.clone(), &nodes, "b-0000000005"), Decision::Follow, "{published:?}");
            let view = view(published.clone(), &nodes);
            assert_eq!(view.candidates().len(), 1);
            // It itself, if the answer to its win was lost.
            assert_eq!(decided(published, &nodes, "a-0000000004"), Decision::Won(Epoch(3)));
        }
    }

    #[test]
    fn another_applications_node_is_left_alone() {
        let nodes = [node("a", 4, 0)];
        assert_eq!(decided(Published::Garbage("x".into()), &nodes, "a-0000000004"), Decision::Foreign);
    }
}

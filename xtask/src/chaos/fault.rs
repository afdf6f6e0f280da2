//! What can go wrong, and what may come of it.

use anyhow::{Result, ensure};
use core::fmt;
use fastrand::Rng;

/// How long something lasts, beside the time after which others take it for dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// So short that nobody may conclude anything.
    Short,
    /// About as long: whoever acts then is in a race.
    About,
    /// So long that others must act.
    Long,
}

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    KillLeader,
    /// Only the session can tell of it.
    KillLeaderAndGuard,
    FreezeLeader(Span),
    KillStandby,
    FreezeStandby,
    KillGuard,
    FreezeGuard,
    CutLeaderFromZooKeeper(Span),
    /// Its connections are closed, and new ones refused.
    SeverLeaderFromZooKeeper,
    CutStandbyFromZooKeeper,
    /// For less than the servers' grace.
    CutLeaderFromServers,
    KillZooKeeperFollower,
    KillZooKeeperLeader,
    FreezeZooKeeperFollower,
    FreezeZooKeeperLeader,
    RestartZooKeeper,
    KillServer,
    FreezeServer(Span),
    /// One fault while another is not over.
    KillLeaderWithoutZooKeeperLeader,
    KillLeaderAndServer,
    KillLeaderAndStandby,
    /// Nobody watches over the servers for a while.
    KillAllMasters,
    /// When the leader wakes, another has started the server again, and it must not.
    KillServerUnderFrozenLeader,
    /// As before, but the leader sees the server's end, and may be in doubt whether it may act.
    KillServerUnderCutLeader,
    /// Nobody may start the server again until ZooKeeper is back.
    KillServerWithoutZooKeeper,
    /// The old leader is frozen and wakes under the next one.
    KillLeaderUnderFrozenLeader,
    /// Handed over to somebody who dies in that moment.
    KillSuccessor,
    HandOver,
}

use Fault::*;

/// All of them.
pub(super) const ALL: [Fault; 33] = [
    KillLeader,
    KillLeaderAndGuard,
    FreezeLeader(Span::Short),
    FreezeLeader(Span::About),
    FreezeLeader(Span::Long),
    KillStandby,
    FreezeStandby,
    KillGuard,
    FreezeGuard,
    CutLeaderFromZooKeeper(Span::Short),
    CutLeaderFromZooKeeper(Span::About),
    CutLeaderFromZooKeeper(Span::Long),
    SeverLeaderFromZooKeeper,
    CutStandbyFromZooKeeper,
    CutLeaderFromServers,
    KillZooKeeperFollower,
    KillZooKeeperLeader,
    FreezeZooKeeperFollower,
    FreezeZooKeeperLeader,
    RestartZooKeeper,
    KillServer,
    FreezeServer(Span::Short),
    FreezeServer(Span::Long),
    KillLeaderWithoutZooKeeperLeader,
    KillLeaderAndServer,
    KillLeaderAndStandby,
    KillAllMasters,
    KillServerUnderFrozenLeader,
    KillServerUnderCutLeader,
    KillServerWithoutZooKeeper,
    KillLeaderUnderFrozenLeader,
    KillSuccessor,
    HandOver,
];

/// What must become of the leadership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leadership {
    /// The same master leads in the same epoch.
    Stays,
    /// Another reign begins.
    Changes,
    /// Either.
    Open,
}

impl Fault {
    pub(super) const fn leadership(self) -> Leadership {
        match self {
            KillLeader
            | KillLeaderAndGuard
            | FreezeLeader(Span::Long)
            | CutLeaderFromZooKeeper(Span::Long)
            | KillLeaderWithoutZooKeeperLeader
            | KillLeaderAndServer
            | KillLeaderAndStandby
            | KillAllMasters
            | KillServerUnderFrozenLeader
            | KillLeaderUnderFrozenLeader
            | KillSuccessor
            | HandOver => Leadership::Changes,
            FreezeLeader(Span::Short)
            | KillStandby
            | FreezeStandby
            | KillGuard
            | FreezeGuard
            | CutLeaderFromZooKeeper(Span::Short)
            | CutStandbyFromZooKeeper
            | CutLeaderFromServers
            | KillServer
            | FreezeServer(_) => Leadership::Stays,
            FreezeLeader(Span::About)
            | CutLeaderFromZooKeeper(Span::About)
            | SeverLeaderFromZooKeeper
            | KillZooKeeperFollower
            | KillZooKeeperLeader
            | FreezeZooKeeperFollower
            | FreezeZooKeeperLeader
            | RestartZooKeeper
            | KillServerUnderCutLeader
            | KillServerWithoutZooKeeper => Leadership::Open,
        }
    }

    /// How many masters it takes.
    pub(super) const fn masters(self) -> usize {
        if matches!(self, KillLeaderUnderFrozenLeader | KillLeaderAndStandby) { 3 } else { 2 }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "for a moment",
            Self::About => "for about as long as is allowed",
            Self::Long => "for too long",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KillLeader => f.write_str("leader killed"),
            KillLeaderAndGuard => f.write_str("leader and its guard killed"),
            FreezeLeader(span) => write!(f, "leader frozen {span}"),
            KillStandby => f.write_str("standby killed"),
            FreezeStandby => f.write_str("standby frozen"),
            KillGuard => f.write_str("a guard killed"),
            FreezeGuard => f.write_str("a guard frozen"),
            CutLeaderFromZooKeeper(span) => write!(f, "leader cut from ZooKeeper {span}"),
            SeverLeaderFromZooKeeper => f.write_str("leader refused by ZooKeeper"),
            CutStandbyFromZooKeeper => f.write_str("standby cut from ZooKeeper"),
            CutLeaderFromServers => f.write_str("leader cut from all others but ZooKeeper"),
            KillZooKeeperFollower => f.write_str("ZooKeeper follower killed"),
            KillZooKeeperLeader => f.write_str("ZooKeeper leader killed"),
            FreezeZooKeeperFollower => f.write_str("ZooKeeper follower frozen"),
            FreezeZooKeeperLeader => f.write_str("ZooKeeper leader frozen"),
            RestartZooKeeper => f.write_str("all of ZooKeeper killed"),
            KillServer => f.write_str("server killed"),
            FreezeServer(span) => write!(f, "server frozen {span}"),
            KillLeaderWithoutZooKeeperLeader => f.write_str("leader killed while ZooKeeper's is dead"),
            KillLeaderAndServer => f.write_str("leader and a server killed at once"),
            KillLeaderAndStandby => f.write_str("leader and a standby killed at once"),
            KillAllMasters => f.write_str("all masters killed"),
            KillServerUnderFrozenLeader => f.write_str("leader frozen, a server killed"),
            KillServerUnderCutLeader => f.write_str("leader cut from ZooKeeper, a server killed"),
            KillServerWithoutZooKeeper => f.write_str("all of ZooKeeper killed, then a server"),
            KillSuccessor => f.write_str("handover, the successor killed"),
            KillLeaderUnderFrozenLeader => f.write_str("leader frozen, its successor killed"),
            HandOver => f.write_str("handover"),
        }
    }
}

/// Deals the faults in a random order, each once before any comes again.
#[derive(Debug)]
pub(super) struct Deck {
    all: Vec<Fault>,
    left: Vec<Fault>,
}

impl Deck {
    /// A deck of those that are `wanted`.
    pub(super) fn new(wanted: impl Fn(Fault) -> bool) -> Result<Self> {
        let all: Vec<_> = ALL.into_iter().filter(|&fault| wanted(fault)).collect();
        ensure!(
            !all.is_empty(),
            "no such fault; there are: {}",
            ALL.map(|fault| fault.to_string()).join(", ")
        );
        Ok(Self { all, left: Vec::new() })
    }

    pub(super) fn deal(&mut self, random: &mut Rng) -> Fault {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
            random.shuffle(&mut self.left);
        }
        // There are some at any time.
        self.left.pop().unwrap_or(KillLeader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_fault_is_dealt_once_in_the_order_of_the_seed() {
        let dealt = |seed| {
            let (mut deck, mut random) = (Deck::new(|_| true).expect("faults"), Rng::with_seed(seed));
            ALL.map(|_| deck.deal(&mut random).to_string())
        };
        let first = dealt(1);
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), ALL.len(), "names are unique");
        assert_eq!(first, dealt(1));
        assert_ne!(first, dealt(2));
    }

    #[test]
    fn only_what_is_wanted_is_dealt() {
        let (mut deck, mut random) = (Deck::new(|fault| fault == HandOver).expect("one"), Rng::with_seed(1));
        assert!((0..10).all(|_| deck.deal(&mut random) == HandOver));
        assert!(Deck::new(|_| false).is_err());
    }
}

//! How a master stands for election, as the backend for ZooKeeper does: a node of its own, the
//! incumbent left in peace, a win by compare-and-set that publishes in the same step, and answers
//! that get lost.

use crate::masters::MasterNews;
use crate::reign::Reign;
use crate::world::{Event, Owner, SECOND, World};
use crate::zk::{Answer, ClientNews, Request, Sid, Tree, Write, Written};
use tangelo_core::Instant;
use tangelo_core::coordinator::{Epoch, LeaderInfo};

/// How long a candidate gives each one that goes first: one of them may be frozen.
const COURTESY: u64 = SECOND;

/// Where a master stands in the election.
#[derive(Default)]
pub(crate) struct Standing {
    /// Whether it wants to lead.
    pub(crate) campaigns: bool,
    /// It knows its own node by that.
    nonce: u64,
    pub(crate) lock: Option<u64>,
    asked: Asked,
    /// Its node may be there although it has heard no answer.
    unsure: bool,
    highest: Epoch,
    /// Since when it has seen nobody lead.
    vacant: Option<Instant>,
    /// Nodes of its own that nobody needs.
    discarded: Vec<(u64, Sid)>,
    pub(crate) reign: Option<Reign>,
}

/// The one step of an election that is under way.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
enum Asked {
    #[default]
    Nothing,
    Stand,
    Look,
    Win,
    /// It has won without having heard of it: does it still lead?
    Prove(Epoch),
}

impl World {
    pub(crate) fn standing(&mut self, master: usize) -> &mut Standing {
        &mut self.masters[master].standing
    }

    /// The engine wants to lead.
    pub(crate) fn campaign(&mut self, master: usize) {
        let nonce = self.serial();
        let standing = self.standing(master);
        (standing.campaigns, standing.nonce, standing.asked, standing.unsure) =
            (true, nonce, Asked::Nothing, false);
        standing.vacant = None;
        self.proceed(master);
    }

    /// The engine wants no longer: its node goes, as soon as it can.
    pub(crate) fn withdraw(&mut self, master: usize) {
        let sid = self.masters[master].client.sid;
        let standing = self.standing(master);
        standing.campaigns = false;
        standing.asked = Asked::Nothing;
        standing.reign = None;
        let Some(lock) = standing.lock.take() else { return };
        if let Some(sid) = sid {
            standing.discarded.push((lock, sid));
        }
        let owner = Owner::Master(master);
        if self.masters[master].client.attached {
            self.client_writes(owner, Write::Resign { lock });
        }
    }

    fn discard_all(&mut self, master: usize) {
        for (lock, owner) in self.standing(master).discarded.clone() {
            self.client_writes(Owner::Master(master), Write::Delete { lock, owner });
        }
    }

    /// The next step of an election, if there is one to take.
    fn proceed(&mut self, master: usize) {
        let (attached, priority) = (self.masters[master].client.attached, self.masters[master].priority);
        let standing = self.standing(master);
        if !standing.campaigns || !attached || standing.reign.is_some() || standing.asked != Asked::Nothing {
            return;
        }
        let owner = Owner::Master(master);
        if standing.lock.is_none() && !standing.unsure {
            standing.asked = Asked::Stand;
            let nonce = standing.nonce;
            self.client_writes(owner, Write::Stand { master, priority, nonce });
        } else {
            standing.asked = Asked::Look;
            self.client_asks(owner, Request::Look);
        }
    }

    pub(crate) fn master_client_hears(&mut self, master: usize, news: ClientNews) {
        match news {
            ClientNews::Attached { new } => {
                let standing = self.standing(master);
                standing.asked = Asked::Nothing;
                if new {
                    standing.lock = None;
                    standing.unsure = false;
                }
                self.discard_all(master);
                self.reign_attached(master, new);
                self.proceed(master);
            }
            ClientNews::Broken => {
                let standing = self.standing(master);
                standing.unsure |= standing.asked == Asked::Stand;
                standing.asked = Asked::Nothing;
                self.reign_broken(master);
            }
            ClientNews::Expired => {
                let standing = self.standing(master);
                standing.lock = None;
                standing.asked = Asked::Nothing;
                standing.discarded.clear();
                self.reign_over(master, "its session has expired");
            }
            ClientNews::Answer(answer) => self.master_answered(master, answer),
        }
        self.look_at_leadership(master);
    }

    fn master_answered(&mut self, master: usize, answer: Answer) {
        match answer {
            Answer::Tree { tree, loaded: true } => self.loaded(master, &tree),
            Answer::Tree { tree, loaded: false } => self.looked(master, &tree),
            Answer::Changed => {
                let asked = &mut self.standing(master).asked;
                if *asked == Asked::Look {
                    *asked = Asked::Nothing;
                }
                self.proceed(master);
                self.reign_looks(master);
            }
            Answer::Synced { written, sent } => self.proven(master, written, sent),
            Answer::Written { write, sent, written } => self.wrote(master, write, sent, written),
            Answer::Attached { .. }
            | Answer::Pong
            | Answer::Pulsed { .. }
            | Answer::Expired
            | Answer::Closed => {}
        }
    }

    fn wrote(&mut self, master: usize, write: Write, sent: Instant, written: Written) {
        match (write, written) {
            (Write::Stand { nonce, .. }, Written::Made(lock)) => {
                let standing = self.standing(master);
                if standing.asked == Asked::Stand && standing.nonce == nonce {
                    standing.asked = Asked::Nothing;
                    self.stands(master, lock);
                    self.proceed(master);
                } else if let Some(sid) = self.masters[master].client.sid {
                    // The campaign for which it was made is over.
                    self.standing(master).discarded.push((lock, sid));
                    self.discard_all(master);
                }
            }
            (Write::Win { lock, epoch, .. }, written) => self.won(master, lock, epoch, sent, written),
            (Write::Delete { lock, .. }, _) => {
                self.standing(master).discarded.retain(|(other, _)| *other != lock);
            }
            (Write::Resign { .. }, _) => self.discard_all(master),
            (write, written) => self.reign_wrote(master, write, sent, written),
        }
    }

    /// It has a node: the guard shall know which.
    fn stands(&mut self, master: usize, lock: u64) {
        self.standing(master).lock = Some(lock);
        self.guard_holds(master);
    }

    fn won(&mut self, master: usize, lock: u64, epoch: Epoch, sent: Instant, written: Written) {
        let standing = self.standing(master);
        if standing.asked != Asked::Win || standing.lock != Some(lock) {
            return;
        }
        standing.asked = Asked::Nothing;
        match written {
            Written::Done => self.begin_reign(master, lock, epoch, sent),
            Written::NoLock => {
                self.standing(master).lock = None;
                self.proceed(master);
            }
            _ => self.proceed(master),
        }
    }

    /// What the tree says to a candidate; to a leader, whether it is one.
    fn looked(&mut self, master: usize, tree: &Tree) {
        let state_epoch = tree.state.as_ref().map_or(Epoch(0), |(epoch, _)| *epoch);
        let sid = self.masters[master].client.sid;
        let now = self.clock_of(Owner::Master(master));
        let standing = self.standing(master);
        standing.highest = standing.highest.max(tree.epoch).max(Epoch(tree.version)).max(state_epoch);
        if standing.reign.is_some() {
            return;
        }
        if standing.asked != Asked::Look {
            return;
        }
        standing.asked = Asked::Nothing;
        if standing.lock.is_none() && core::mem::take(&mut standing.unsure) {
            let nonce = standing.nonce;
            let ours = tree.locks.iter().find(|(_, lock)| lock.nonce == nonce && Some(lock.owner) == sid);
            if let Some((lock, _)) = ours {
                self.stands(master, *lock);
            }
            self.proceed(master);
            return;
        }
        let Some(lock) = standing.lock else { return self.proceed(master) };
        let nonce = standing.nonce;
        let old = tree.locks.iter().filter(|(_, lock)| Some(lock.owner) == sid && lock.nonce != nonce);
        for (lock, owner) in old.map(|(sequence, lock)| (*sequence, lock.owner)).collect::<Vec<_>>() {
            self.client_writes(Owner::Master(master), Write::Delete { lock, owner });
        }
        let preempts = self.knobs.preempts;
        let standing = self.standing(master);
        if !tree.locks.contains_key(&lock) {
            standing.lock = None;
            self.proceed(master);
            return;
        }
        if let Some((named, _)) = tree.leader().filter(|_| !preempts) {
            let standing = self.standing(master);
            standing.vacant = None;
            if named.lock == lock {
                let epoch = named.info.epoch;
                standing.asked = Asked::Prove(epoch);
                self.prove(master, lock, epoch);
            }
            return;
        }
        let rank = tree.rank(lock);
        let vacant = *standing.vacant.get_or_insert(now);
        let turn = vacant + core::time::Duration::from_micros(COURTESY * rank);
        let sure = self.masters[master].client.known_alive(now);
        if !self.knobs.is_worth_it(sure, now, self.zk.timeout) {
            // It could not act: after a silence it first has to be heard of for a while.
            let life = self.masters[master].life;
            self.after(SECOND / 4, Event::Master { master, life, news: MasterNews::LookAgain });
        } else if turn <= now || preempts && rank == 0 {
            let standing = self.standing(master);
            let epoch = Epoch(standing.highest.0 + 1);
            standing.asked = Asked::Win;
            let info = info_of(master, epoch);
            self.client_writes(
                Owner::Master(master),
                Write::Win { lock, version: tree.version, epoch, info },
            );
        } else {
            let (host, life) = (self.masters[master].host, self.masters[master].life);
            let delay = self.until(host, turn);
            self.after(delay, Event::Master { master, life, news: MasterNews::LookAgain });
        }
    }

    pub(crate) fn look_again(&mut self, master: usize) {
        self.proceed(master);
    }

    /// Asks for proof that its lock leads.
    pub(crate) fn prove(&mut self, master: usize, lock: u64, epoch: Epoch) {
        let owner = Owner::Master(master);
        if self.knobs.proof_by_sync {
            let sent = self.clock_of(owner);
            self.client_asks(owner, Request::Sync { lock, epoch, sent });
        } else {
            self.client_writes(owner, Write::Prove { lock, epoch });
        }
    }

    pub(crate) fn proven(&mut self, master: usize, written: Written, sent: Instant) {
        let standing = self.standing(master);
        if let Asked::Prove(epoch) = standing.asked {
            standing.asked = Asked::Nothing;
            let lock = standing.lock;
            match (written, lock) {
                (Written::Done, Some(lock)) => self.begin_reign(master, lock, epoch, sent),
                _ => self.proceed(master),
            }
        } else {
            self.reign_proven(master, written, sent);
        }
    }
}

/// What a leader publishes.
pub(crate) fn info_of(master: usize, epoch: Epoch) -> LeaderInfo {
    let port = u16::try_from(master).unwrap();
    LeaderInfo { id: format!("m{master}"), host: "h".into(), port, epoch }
}

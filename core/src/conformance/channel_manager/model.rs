//! Random histories, held against the simplest thing that could be right.

use super::Suite;
use super::stores::{Manager, all, at, channels, kind, life};
use crate::ErrorKind;
use crate::channel::Frontend;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use fastrand::Rng;

/// What a store holds.
#[derive(Default)]
struct Model {
    /// (channel, sid) → users.
    members: BTreeMap<(String, String), BTreeSet<String>>,
    /// The oldest life of each frontend that may change something.
    oldest: BTreeMap<String, u64>,
}

impl Model {
    /// A life changes something; `Err`: it is over.
    fn enter(&mut self, frontend: &Frontend) -> Result<(), ()> {
        let (life, oldest) = (frontend.incarnation.0, self.oldest.get(&frontend.sid).copied());
        match oldest {
            Some(oldest) if life < oldest => return Err(()),
            Some(oldest) if life > oldest => self.members.retain(|(_, sid), _| *sid != frontend.sid),
            _ => (),
        }
        self.oldest.insert(frontend.sid.clone(), life);
        Ok(())
    }

    fn purge(&mut self, frontend: &Frontend) {
        let oldest = self.oldest.entry(frontend.sid.clone()).or_default();
        if *oldest <= frontend.incarnation.0 {
            *oldest = frontend.incarnation.0 + 1;
            self.members.retain(|(_, sid), _| *sid != frontend.sid);
        }
    }
}

impl Suite<'_> {
    /// Whatever the order of changes, by whichever manager, every read agrees with a model.
    pub async fn random_operations_follow_the_model(&self) {
        for seed in 0..self.seeds {
            let s = self.open().await;
            let mut rng = Rng::with_seed(seed);
            let rooms: Vec<String> = (0..4).map(|_| self.name("room")).collect();
            let fronts: Vec<Frontend> = (0..3).map(|_| self.frontend()).collect();
            let (mut model, mut history) = (Model::default(), Vec::new());
            for _ in 0..250 {
                let manager = if rng.bool() { &s.a } else { &s.b };
                let did = step(manager, &mut model, &mut rng, &rooms, &fronts).await;
                history.push(did);
                if rng.u8(0..8) == 0 {
                    let manager = if rng.bool() { &s.a } else { &s.b };
                    compare(manager, &model, &rooms, &fronts, || {
                        let last = history.len().saturating_sub(30);
                        format!(
                            "seed {seed}, after {} steps, the last of them {:#?}",
                            history.len(),
                            &history[last..]
                        )
                    })
                    .await;
                }
            }
            compare(&s.b, &model, &rooms, &fronts, || format!("at the end of seed {seed}")).await;
            s.close().await;
        }
    }
}

async fn step(
    manager: &Manager,
    model: &mut Model,
    rng: &mut Rng,
    rooms: &[String],
    fronts: &[Frontend],
) -> String {
    let (room, front) = (&rooms[rng.usize(0..rooms.len())], &fronts[rng.usize(0..fronts.len())]);
    // Mostly the present life, at times one that is over or has not begun.
    let present = model.oldest.get(&front.sid).copied().unwrap_or(1);
    let front = life(
        front,
        (present + [0, 0, 0, 0, 0, 0, 1, 2][rng.usize(0..8)]).saturating_sub(rng.u64(0..12) / 10),
    );
    let users: Vec<String> = (0..rng.usize(1..6)).map(|_| format!("user-{}", rng.u8(0..9))).collect();
    let key = (room.clone(), front.sid.clone());
    let operation = rng.u8(0..20);
    let (did, result, expected) = match operation {
        0..=9 => {
            let expected = model.enter(&front);
            if expected.is_ok() {
                model.members.entry(key).or_default().extend(users.iter().cloned());
            }
            ("add", manager.add_many(room, &front, &users).await, expected)
        }
        10..=15 => {
            let expected = model.enter(&front);
            if expected.is_ok()
                && let Some(members) = model.members.get_mut(&key)
            {
                members.retain(|uid| !users.contains(uid));
            }
            ("leave", manager.leave_many(room, &front, &users).await, expected)
        }
        16 | 17 => {
            model.members.retain(|(channel, _), _| channel != room);
            ("destroy", manager.destroy(room).await, Ok(()))
        }
        _ => {
            model.purge(&front);
            ("purge", manager.purge_server(&front).await, Ok(()))
        }
    };
    model.members.retain(|_, members| !members.is_empty());
    let did = format!("{did} {room} {}/{} {users:?}", front.sid, front.incarnation);
    let expected = expected.err().map(|()| ErrorKind::StaleIncarnation);
    assert_eq!(kind(result), expected, "{did}");
    did
}

async fn compare(
    manager: &Manager,
    model: &Model,
    rooms: &[String],
    fronts: &[Frontend],
    story: impl Fn() -> String,
) {
    for room in rooms {
        let mut everybody = BTreeSet::new();
        for front in fronts {
            let key = (room.clone(), front.sid.clone());
            let expected = model.members.get(&key).cloned().unwrap_or_default();
            assert_eq!(at(manager, room, &front.sid).await, expected, "{room} at {}: {}", front.sid, story());
            everybody.extend(expected.into_iter().map(|uid| (front.sid.clone(), uid)));
        }
        assert_eq!(all(manager, room).await, everybody, "{room}: {}", story());
        assert_eq!(manager.count(room).await.unwrap(), everybody.len() as u64, "{room}: {}", story());
    }
    for front in fronts {
        let expected: BTreeSet<String> =
            model.members.keys().filter(|(_, sid)| *sid == front.sid).map(|(room, _)| room.clone()).collect();
        assert_eq!(channels(manager, &front.sid).await, expected, "{}: {}", front.sid, story());
    }
}

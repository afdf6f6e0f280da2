//! What goes over the pipes, with a peer that says whatever a test wants.

use super::super::connection::{Connection, ENDED, Failed};
use super::super::lines::Lines;
use super::super::wire::{AgentTime, Answer, Order, Refusal, Request, Said, VERSION, Word, decode, encode};
use super::run;
use alloc::boxed::Box;
use alloc::sync::Arc;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use tangelo_core::process::{ProcessRef, Signal};
use tangelo_core::{ErrorKind, Instant};

/// The other end of a connection.
struct Peer {
    lines: Lines<UnixStream>,
    out: UnixStream,
}

impl Peer {
    fn prints(&mut self, text: &str) {
        self.out.write_all(text.as_bytes()).unwrap();
    }

    fn says(&mut self, clock: u64, word: Word) {
        let line = encode(&Said { clock: AgentTime(clock), word }).unwrap();
        self.out.write_all(&line).unwrap();
    }

    fn greets(&mut self) {
        self.says(1, Word::Hello { tangelo_agent: VERSION });
    }

    fn hears(&mut self) -> Request {
        decode(&self.lines.next().unwrap().expect("an order")).unwrap()
    }
}

fn connected() -> (Arc<Connection>, Peer) {
    let (here, there) = UnixStream::pair().unwrap();
    let connection = Connection::open(here.try_clone().unwrap(), here).unwrap();
    (Arc::new(connection), Peer { lines: Lines::new(there.try_clone().unwrap()), out: there })
}

fn process() -> ProcessRef {
    ProcessRef { host: "far".into(), pid: 7, start_time: 9 }
}

#[test]
fn what_a_login_shell_prints_does_not_disturb() {
    run(|_| {
        Box::pin(async {
            let (connection, mut peer) = connected();
            peer.prints("Welcome!\n{\"id\": 1}\n\n  You have mail.  \nno end");
            // An agent begins with the end of whatever line there is.
            peer.prints("\n");
            peer.greets();
            assert!(connection.greeted().await);
            assert_eq!(connection.stray(), "no end");
            // Once the agent speaks, nobody else may.
            peer.prints("what?\n");
            assert!(connection.over().await.contains("cannot be read"));
        })
    });
}

#[test]
fn a_shell_that_only_chatters_is_no_agent() {
    run(|_| {
        Box::pin(async {
            let (connection, mut peer) = connected();
            let chatter = std::thread::spawn(move || {
                for n in 0..2000 {
                    if peer.out.write_all(format!("{n}\n").as_bytes()).is_err() {
                        return;
                    }
                }
            });
            assert!(!connection.greeted().await);
            assert!(connection.over().await.contains("no agent has spoken"));
            drop(connection);
            chatter.join().unwrap();
        })
    });
}

#[test]
fn an_agent_of_another_version_is_refused() {
    run(|_| {
        Box::pin(async {
            let (connection, mut peer) = connected();
            peer.says(1, Word::Hello { tangelo_agent: VERSION + 1 });
            assert!(!connection.greeted().await);
            assert!(connection.over().await.contains("install the same build"));
        })
    });
}

#[test]
fn answers_find_their_orders_whatever_their_order() {
    run(|runtime| {
        Box::pin(async move {
            let (connection, mut peer) = connected();
            peer.greets();
            assert!(connection.greeted().await);
            let (done, outcomes) = async_channel::bounded(2);
            for order in [Order::Adopt(process()), Order::Wait(process())] {
                let (connection, done) = (Arc::clone(&connection), done.clone());
                runtime.spawn(Box::pin(async move {
                    let wait = matches!(order, Order::Wait(_));
                    done.send((wait, connection.ask(order, None).await)).await.unwrap();
                }));
            }
            let mut heard = [peer.hears(), peer.hears()];
            heard.sort_by_key(|request| matches!(request.order, Order::Wait(_)));
            let gone = Refusal { kind: ErrorKind::NotFound, message: "gone".into() };
            peer.says(2, Word::Answer { id: heard[1].id, result: Ok(Answer::Done) });
            // Nobody has asked this, or nobody waits for it any more.
            peer.says(3, Word::Answer { id: 999, result: Ok(Answer::Done) });
            let (wait, outcome) = outcomes.recv().await.unwrap();
            assert!(wait && matches!(outcome, Ok(Answer::Done)), "{outcome:?}");
            peer.says(4, Word::Answer { id: heard[0].id, result: Err(gone) });
            let (_, outcome) = outcomes.recv().await.unwrap();
            assert!(
                matches!(&outcome, Err(Failed::Refused(e)) if e.kind() == ErrorKind::NotFound),
                "{outcome:?}"
            );
        })
    });
}

#[test]
fn the_end_is_told_to_whoever_waits_and_to_whoever_comes_later() {
    run(|runtime| {
        Box::pin(async move {
            let (connection, mut peer) = connected();
            peer.greets();
            assert!(connection.greeted().await);
            let (done, outcome) = async_channel::bounded(1);
            let asking = Arc::clone(&connection);
            runtime.spawn(Box::pin(async move {
                done.send(asking.ask(Order::Wait(process()), None).await).await.unwrap();
            }));
            assert!(matches!(peer.hears().order, Order::Wait(_)));
            drop(peer);
            assert!(matches!(outcome.recv().await.unwrap(), Err(Failed::NotAnswered)));
            assert_eq!(connection.over().await, ENDED);
            let late = connection.ask(Order::Cpus, None).await;
            assert!(matches!(late, Err(Failed::NotAsked)), "{late:?}");
        })
    });
}

#[test]
fn an_order_carries_the_agent_s_time_of_the_deadline() {
    run(|runtime| {
        Box::pin(async move {
            let (connection, mut peer) = connected();
            assert_eq!(connection.agent_time(Instant::now()), None, "nothing is known of its clock yet");
            let before = Instant::now();
            let hour = 3_600_000_000_000;
            peer.says(hour, Word::Hello { tangelo_agent: VERSION });
            assert!(connection.greeted().await);
            let deadline = Instant::now() + core::time::Duration::from_secs(5);
            let limit = connection.agent_time(deadline).unwrap();
            let most = deadline.saturating_since(before).as_nanos();
            assert!(limit > AgentTime(hour) && u128::from(limit.0 - hour) <= most, "{limit:?}");
            assert_eq!(connection.agent_time(before), None, "it had passed when the agent spoke");
            let asking = Arc::clone(&connection);
            runtime.spawn(Box::pin(async move {
                drop(asking.ask(Order::Signal(process(), Signal::Kill), Some(limit)).await);
            }));
            assert_eq!(peer.hears().not_after, Some(limit));
        })
    });
}

//! The order in which one client's messages are begun.

use super::*;
use crate::sync::Mutex;
use crate::{HandlerError, Request};
use futures_lite::future::yield_now;

/// Notes the order in which its handlers are begun; every third waits then.
fn noting(noted: &Arc<Mutex<Vec<u64>>>) -> impl Fn(&App) + use<> {
    let noted = Arc::clone(noted);
    move |app| {
        let noted = Arc::clone(&noted);
        app.handler("chat.chatHandler.note", move |request: Request, _| {
            let n: Result<u64, HandlerError> = request.json();
            n.iter().for_each(|n| noted.lock().push(*n));
            async move {
                let n = n?;
                for _ in 0..n % 3 {
                    yield_now().await;
                }
                Ok(n)
            }
        });
    }
}

/// Sends so many, one after the other, and waits until all have ended.
async fn send_all(client: &Tester, count: u64, size: usize) {
    let mut handled = Vec::new();
    for n in 0..count {
        let mut body = n.to_string();
        body.extend(core::iter::repeat_n(' ', size));
        // Pomelo has no request 0.
        let incoming = Incoming { id: Some(n + 1), route: "chat.chatHandler.note".into(), body: body.into() };
        handled.push(client.handle(incoming));
    }
    for ended in handled {
        ended.await;
    }
}

#[test]
fn messages_are_begun_in_the_order_in_which_they_were_sent_also_before_the_link_is_open() {
    run(|mut fleet| async move {
        let noted = Arc::default();
        let (front, _back) = fleet.pair(|_| (), noting(&noted)).await;
        let client = Tester::new(&front, 1);
        for _ in 0..3 {
            send_all(&client, 1000, 10).await;
            assert!(core::mem::take(&mut *noted.lock()).into_iter().eq(0..1000));
        }
        let mut answers: Vec<u64> =
            client.heard(3000).await.iter().map(|(_, n)| n.as_u64().unwrap()).collect();
        answers.sort_unstable();
        assert!(answers.into_iter().eq((0..1000).flat_map(|n| [n; 3])), "each one is answered");
    });
}

#[test]
fn a_link_that_is_full_does_not_mix_them() {
    run(|mut fleet| async move {
        let noted = Arc::default();
        let (front, (_back, wire)) = fleet.pair(|_| (), noting(&noted)).await;
        let client = Tester::new(&front, 1);
        send_all(&client, 1, 10).await;
        noted.lock().clear();
        wire.freeze();
        let thawing = front.clone();
        front.spawn(async move {
            thawing.sleep(Duration::from_millis(300)).await;
            wire.thaw();
        });
        // Some 40 MB: more than the link and the sockets take.
        send_all(&client, 4000, 10_000).await;
        assert!(core::mem::take(&mut *noted.lock()).into_iter().eq(0..4000));
    });
}

#[test]
fn messages_that_the_frontend_answers_are_begun_in_their_order_too() {
    run(|mut fleet| async move {
        let noted = Arc::default();
        let (app, _) = fleet.start("chat-1", noting(&noted)).await;
        send_all(&Tester::new(&app, 1), 1000, 10).await;
        assert!(noted.lock().iter().copied().eq(0..1000));
    });
}

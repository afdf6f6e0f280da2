//! What lies between two servers.

use crate::sync::Mutex;
use alloc::sync::Arc;
use async_channel::{Receiver, Sender};
use core::convert::Infallible;
use core::sync::atomic::{AtomicBool, Ordering};
use event_listener::Event;
use futures_lite::io::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_lite::{FutureExt as _, io};
use tangelo_core::runtime::Runtime;

/// A port that stands for another one.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    frozen: AtomicBool,
    thawed: Event,
    /// Dropped: connections are cut, and new ones closed.
    alive: Mutex<Option<Sender<Infallible>>>,
}

impl Wire {
    pub(super) async fn new(runtime: &Arc<dyn Runtime>, to: u16) -> Self {
        let listener = runtime.listen("127.0.0.1", 0).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (alive, cut) = async_channel::bounded(1);
        let state = Arc::new(State { alive: Mutex::new(Some(alive)), ..State::default() });
        let (spawner, shared) = (Arc::clone(runtime), Arc::clone(&state));
        runtime.spawn(Box::pin(async move {
            while let Ok((near, _)) = listener.accept().await {
                if let Ok(far) = spawner.connect("127.0.0.1", to).await {
                    let ((from_near, to_near), (from_far, to_far)) = (io::split(near), io::split(far));
                    for (from, to) in [(from_near, to_far), (from_far, to_near)] {
                        let (state, cut) = (Arc::clone(&shared), cut.clone());
                        spawner.spawn(Box::pin(async move { pump(from, to, &state).or(end(&cut)).await }));
                    }
                }
            }
        }));
        Self { port, state }
    }

    /// Nothing passes, and nobody is told.
    pub(super) fn freeze(&self) {
        self.state.frozen.store(true, Ordering::SeqCst);
    }

    pub(super) fn thaw(&self) {
        self.state.frozen.store(false, Ordering::SeqCst);
        self.state.thawed.notify(usize::MAX);
    }

    /// Breaks for ever, as when the process at its end has died. What is sent from now on does not arrive any more.
    pub(super) fn cut(&self) {
        self.freeze();
        self.state.alive.lock().take();
    }
}

async fn end(cut: &Receiver<Infallible>) {
    let _ = cut.recv().await;
}

async fn pump(mut from: impl io::AsyncRead + Unpin, mut to: impl io::AsyncWrite + Unpin, state: &State) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        loop {
            let thawed = state.thawed.listen();
            if !state.frozen.load(Ordering::SeqCst) {
                break;
            }
            thawed.await;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

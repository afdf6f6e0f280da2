//! Orders by lines through a Unix socket, each answered by a line.

use crate::obey;
use crate::sink::Counters;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use tangelo::{App, BoxError, Component, async_trait};

pub(crate) struct Control(pub(crate) Counters);

#[async_trait]
impl Component for Control {
    fn name(&self) -> &str {
        "control"
    }

    async fn start(&self, app: &App) -> Result<(), BoxError> {
        let dir = std::env::var_os("TANGELO_BENCH_SOCKETS").ok_or("TANGELO_BENCH_SOCKETS is not set")?;
        let path = PathBuf::from(dir).join(format!("{}.sock", app.id()));
        // Of an earlier life.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let (app, counters) = (app.clone(), self.0.clone());
        std::thread::Builder::new().name("control".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Err(error) = serve(&app, &counters, &stream) {
                    eprintln!("error: {error}");
                }
            }
        })?;
        Ok(())
    }
}

fn serve(app: &App, counters: &Counters, stream: &UnixStream) -> Result<(), BoxError> {
    for line in BufReader::new(stream).lines() {
        let (line, app2, counters) = (line?, app.clone(), counters.clone());
        let (tell, told) = sync_channel(1);
        app.spawn(async move {
            let answer = obey(&app2, &counters, &line).await;
            let _ = tell.send(answer.unwrap_or_else(|error| format!("error: {error}")));
        });
        writeln!(&mut &*stream, "{}", told.recv()?)?;
    }
    Ok(())
}

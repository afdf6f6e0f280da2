//! The file: every change is a line, and a line counts once it has its end.

use async_channel::{Receiver, Sender};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use tangelo::core::channel::Frontend;
use tangelo::core::config::Incarnation;
use tangelo::{Error, ErrorKind, Result};

/// A line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    Add(String, Frontend, Vec<String>),
    Leave(String, Frontend, Vec<String>),
    Destroy(String),
    Purge(Frontend),
    Clean,
}

/// Does something with the log if there is one, and then, knowing whether all was written, tells its caller.
pub(crate) struct Job(Box<Work>);
type Work = dyn FnOnce(Option<&mut Log>) -> Tell + Send;
type Tell = Box<dyn FnOnce(&Result<()>)>;

impl Job {
    pub(crate) fn new<T: Send + 'static>(
        job: impl FnOnce(&mut Log) -> Result<T> + Send + 'static,
        answer: Sender<Result<T>>,
    ) -> Self {
        Self(Box::new(move |log| {
            // Behind the back of a caller who has given up, nothing is done.
            let done = log.filter(|_| !answer.is_closed()).map(job);
            Box::new(move |written| {
                let failed = |e: &Error| Err(Error::new(e.kind(), e.to_string()));
                let outcome = written.as_ref().err().map(failed).or(done);
                outcome.into_iter().for_each(|outcome| _ = answer.try_send(outcome));
            })
        }))
    }
}

/// The file, and what has been read of it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    path: PathBuf,
    /// Open from its first use on, so that no other file can be taken for it.
    file: Option<File>,
    started: bool,
    read: u64,
    /// Lines to be written at the end of the batch.
    lines: Vec<u8>,
    /// (channel, frontend, user).
    pub(crate) members: BTreeSet<(String, String, String)>,
    /// The oldest life of a frontend that may change something.
    oldest: BTreeMap<String, u64>,
}

impl Log {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, ..Self::default() }
    }

    /// Works off jobs, until there can be no more. All that wait are one batch: one lock, one write, one sync.
    pub(crate) fn work(mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv_blocking() {
            let more = std::iter::from_fn(|| queue.try_recv().ok());
            let batch: Vec<Job> = std::iter::once(first).chain(more).take(1024).collect();
            let (told, written): (Vec<Tell>, _) = match self.lock() {
                Ok(()) => (batch.into_iter().map(|Job(job)| job(Some(&mut self))).collect(), self.append()),
                Err(error) => (batch.into_iter().map(|Job(job)| job(None)).collect(), Err(error)),
            };
            let written = written.map_err(|error| {
                // The memory may be ahead of the file now: read all of it again.
                self.forget();
                let kind = if error.kind() == io::ErrorKind::InvalidData {
                    ErrorKind::Invalid
                } else {
                    ErrorKind::Unavailable
                };
                Error::new(kind, format!("cannot use {}", self.path.display())).with_source(error)
            });
            told.into_iter().for_each(|tell| tell(&written));
        }
    }

    fn forget(&mut self) {
        let path = std::mem::take(&mut self.path);
        *self = Self { path, started: self.started, ..Self::default() };
    }

    /// Has the file for itself, and catches up with what the other processes have appended.
    fn lock(&mut self) -> io::Result<()> {
        let first = !self.started;
        if let (true, Some(dir)) = (first, self.path.parent()) {
            fs::create_dir_all(dir)?;
        }
        let file = loop {
            let open = || File::options().read(true).append(true).create(first).open(&self.path);
            let file = self.file.take().map_or_else(open, Ok)?;
            file.lock()?;
            if file.metadata()?.ino() == fs::metadata(&self.path)?.ino() {
                break file;
            }
            // Somebody has written it anew.
            self.forget();
        };
        self.started = true;
        (&file).seek(SeekFrom::Start(self.read))?;
        let (mut lines, mut line) = (BufReader::new(&file), Vec::new());
        while lines.read_until(b'\n', &mut line)? > 0 {
            if line.last() != Some(&b'\n') {
                // Its writer died in the middle, and nobody was told that it is done.
                file.set_len(self.read)?;
                break;
            }
            let what = format!("damaged at byte {}: remove it while no server runs", self.read);
            let damaged = |_| io::Error::new(io::ErrorKind::InvalidData, what);
            // What was refused then is refused again.
            let _ = self.apply(&serde_json::from_slice(&line).map_err(damaged)?);
            self.read += line.len() as u64;
            line.clear();
        }
        self.file = Some(file);
        if first { self.shorten() } else { Ok(()) }
    }

    /// Writes the file anew with what still counts, at every start: or else it would only grow.
    fn shorten(&mut self) -> io::Result<()> {
        let at = |sid: &String, life: u64| Frontend { sid: sid.clone(), incarnation: Incarnation(life) };
        let over = self.oldest.iter().filter(|(_, life)| **life > 0);
        let mut changes: Vec<_> = over.map(|(sid, life)| Change::Purge(at(sid, life - 1))).collect();
        let members: Vec<_> = self.members.iter().collect();
        for group in members.chunk_by(|(room, at, _), (other, there, _)| (room, at) == (other, there)) {
            let (channel, sid, _) = group[0];
            let users = group.iter().map(|(.., uid)| uid.clone()).collect();
            changes.push(Change::Add(channel.clone(), at(sid, self.oldest[sid]), users));
        }
        let new = self.path.with_extension("new");
        let file = File::options().read(true).append(true).create(true).open(&new)?;
        file.lock()?;
        file.set_len(0)?;
        let old = self.file.replace(file);
        (self.read, self.members, self.oldest) = Default::default();
        changes.into_iter().try_for_each(|change| self.change(change)).map_err(io::Error::other)?;
        self.write()?;
        fs::rename(&new, &self.path)?;
        drop(old);
        Ok(())
    }

    /// Writes the lines of a batch, and lets the others have the file.
    fn append(&mut self) -> io::Result<()> {
        self.write()?;
        self.file.as_ref().map_or(Ok(()), File::unlock)
    }

    /// When this returns, all is on disk.
    fn write(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        if let (Some(mut file), false) = (self.file.as_ref(), lines.is_empty()) {
            file.write_all(&lines)?;
            file.sync_data()?;
            self.read += lines.len() as u64;
        }
        Ok(())
    }

    pub(crate) fn change(&mut self, change: Change) -> Result<()> {
        self.apply(&change)?;
        self.lines.extend(serde_json::to_vec(&change).expect("texts and numbers"));
        self.lines.push(b'\n');
        Ok(())
    }

    fn apply(&mut self, change: &Change) -> Result<()> {
        let key =
            |channel: &String, at: &Frontend, uid: &String| (channel.clone(), at.sid.clone(), uid.clone());
        match change {
            Change::Add(_, _, uids) | Change::Leave(_, _, uids) if uids.is_empty() => (),
            Change::Add(channel, at, uids) => {
                self.enter(at)?;
                self.members.extend(uids.iter().map(|uid| key(channel, at, uid)));
            }
            Change::Leave(channel, at, uids) => {
                self.enter(at)?;
                uids.iter().for_each(|uid| _ = self.members.remove(&key(channel, at, uid)));
            }
            Change::Destroy(channel) => self.members.retain(|(other, ..)| other != channel),
            Change::Purge(at) => self.begin(&at.sid, at.incarnation.next().0),
            Change::Clean => (self.members, self.oldest) = Default::default(),
        }
        Ok(())
    }

    /// A life changes something: those before it are over, and it must not be over itself.
    fn enter(&mut self, at: &Frontend) -> Result<()> {
        if self.oldest.get(&at.sid).is_some_and(|oldest| at.incarnation.0 < *oldest) {
            let message = format!("life {} of {} is over", at.incarnation, at.sid);
            return Err(Error::new(ErrorKind::StaleIncarnation, message));
        }
        self.begin(&at.sid, at.incarnation.0);
        Ok(())
    }

    /// Ends all lives before `first`.
    fn begin(&mut self, sid: &str, first: u64) {
        if self.oldest.get(sid).is_none_or(|oldest| *oldest < first) {
            self.oldest.insert(sid.into(), first);
            self.members.retain(|(_, at, _)| at != sid);
        }
    }
}

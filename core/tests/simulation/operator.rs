//! Somebody at the command line.

use crate::hosts::host_name;
use crate::masters::MasterNews;
use crate::world::{Event, MS, SECOND, World};
use tangelo_core::config::ServerDef;
use tangelo_core::master::{Input, Ticket};
use tangelo_core::wire::{Request, Selection};

/// What was asked for, as far as it changes what is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Run,
    Stop,
    End,
    Nothing,
}

type Wish = (Vec<String>, Asked, Request);

impl World {
    pub(crate) fn operate(&mut self) {
        let next = if self.calm { 500 * MS } else { self.between(300 * MS, 4 * SECOND) * self.tendency.pace };
        self.after(next, Event::Operate);
        // Some ask a master that leads no longer and does not know it.
        let leading: Vec<usize> = (0..self.masters.len())
            .filter(|&m| self.masters[m].alive && self.masters[m].machine.is_some())
            .collect();
        let Some(master) = self.choose(&leading) else { return };
        if let Some((ids, asked, request)) = self.wish() {
            self.ask(master, ids, asked, request);
        }
    }

    fn wish(&mut self) -> Option<Wish> {
        let select = |id: &String| Selection { ids: vec![id.clone()], server_type: None };
        if self.calm && self.checker.ends {
            let free = self.checker.is_free("");
            return free.then(|| (vec![String::new()], Asked::End, Request::Stop(Selection::default())));
        }
        if self.calm {
            let id = self.checker.unsure()?;
            return Some((vec![id.clone()], Asked::Run, Request::Start(select(&id))));
        }
        let free: Vec<usize> =
            (0..self.defs.len()).filter(|&i| self.checker.is_free(&self.defs[i].id)).collect();
        let id = self.choose(&free).map(|index| self.defs[index].id.clone())?;
        let one = vec![id.clone()];
        Some(match self.random.u32(0..14) {
            0..2 => (one, Asked::Stop, Request::Stop(select(&id))),
            2 => (one, Asked::Stop, Request::Kill(select(&id))),
            3..6 => (one, Asked::Run, Request::Start(select(&id))),
            6 | 7 => (one, Asked::Run, Request::Restart { selection: select(&id), rolling: false }),
            8 => return self.wish_rolling(),
            9 => (Vec::new(), Asked::Nothing, Request::AwaitStart),
            10 if self.defs.len() < 7 => self.wish_more(),
            11 if self.checker.ends && self.once_in(3) => {
                (vec![String::new()], Asked::End, Request::Stop(Selection::default()))
            }
            12 | 13 => {
                let named = self.random.bool().then(|| self.random.usize(0..self.masters.len()));
                let to = named.map(|master| format!("m{master}"));
                (Vec::new(), Asked::Nothing, Request::HandOver { to })
            }
            _ => (Vec::new(), Asked::Nothing, Request::List),
        })
    }

    fn wish_rolling(&self) -> Option<Wish> {
        let chats = self.defs.iter().filter(|def| def.server_type == "chat");
        let ids: Vec<String> = chats.map(|def| def.id.clone()).collect();
        if !ids.iter().all(|id| self.checker.is_free(id)) {
            return None;
        }
        let selection = Selection { ids: Vec::new(), server_type: Some("chat".into()) };
        Some((ids, Asked::Run, Request::Restart { selection, rolling: true }))
    }

    fn wish_more(&mut self) -> Wish {
        let id = format!("more-{}", self.defs.len());
        let host = host_name(self.random.usize(0..self.hosts.len()));
        let mut def = ServerDef::new(&*id, "more", host);
        (def.auto_restart, def.restart) = (true, self.defs[0].restart);
        self.defs.push(def.clone());
        self.checker.knows(&id, true);
        (vec![id], Asked::Run, Request::Add(vec![def]))
    }

    fn ask(&mut self, master: usize, ids: Vec<String>, asked: Asked, request: Request) {
        let Some(machine) = &self.masters[master].machine else { return };
        let epoch = machine.epoch();
        let ticket = Ticket(self.serial());
        self.note(|| format!("master {master} is asked {ticket:?} {request:?}"));
        self.checker.asked(ticket, epoch, ids, asked);
        let life = self.masters[master].life;
        let input = Input::Request { ticket, request };
        self.after(0, Event::Master { master, life, news: MasterNews::Input { epoch, input } });
    }
}

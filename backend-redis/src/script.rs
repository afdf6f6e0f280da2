//! The scripts: each is one atomic step, on one node.

use redis::{Cmd, Script, ToRedisArgs};
use std::sync::LazyLock;

macro_rules! script {
    ($(#[$doc:meta])* $name:ident: $($file:literal)+) => {
        $(#[$doc])*
        pub(crate) static $name: LazyLock<Code> = LazyLock::new(|| Code::new(concat!($(include_str!($file)),+)));
    };
}

script! {
    /// Adds and leaves at one server.
    CHANGE: "lua/clear.lua" "lua/change.lua"
}
script! {
    /// Ends a life of a server.
    PURGE: "lua/clear.lua" "lua/purge.lua"
}
script! {
    /// Ends a channel.
    DESTROY: "lua/destroy.lua"
}
script! {
    /// Where a channel has members.
    SIZES: "lua/sizes.lua"
}
script! {
    /// The channels of a server.
    CHANNELS: "lua/channels.lua"
}
script! {
    /// Some of what is known of a server goes.
    FORGET: "lua/forget.lua"
}

/// A script and its hash.
pub(crate) struct Code {
    text: &'static str,
    hash: String,
}

impl Code {
    fn new(text: &'static str) -> Self {
        Self { text, hash: Script::new(text).get_hash().to_owned() }
    }
}

/// A call of a script, or a plain command.
pub(crate) struct Request {
    /// With the script's hash.
    line: Cmd,
    code: Option<&'static Code>,
    /// Decides which node of a Cluster is asked.
    key: String,
    /// Decides it where there is no key.
    slot: Option<u16>,
    /// What it does, for errors.
    pub(crate) doing: &'static str,
    /// It changes something that must not be lost.
    pub(crate) writes: bool,
}

impl Request {
    /// A call of a script; its arguments are added with [`arg`](Self::arg).
    pub(crate) fn script(doing: &'static str, code: &'static Code, keys: &[&str]) -> Self {
        let mut line = redis::cmd("EVALSHA");
        line.arg(&code.hash).arg(keys.len()).arg(keys);
        let key = keys.first().copied().unwrap_or_default().to_owned();
        Self { line, code: Some(code), key, slot: None, doing, writes: false }
    }

    /// A command that concerns `key`, which is its first argument.
    pub(crate) fn command(doing: &'static str, command: &str, key: &str) -> Self {
        let mut line = redis::cmd(command);
        line.arg(key);
        Self { line, code: None, key: key.to_owned(), slot: None, doing, writes: false }
    }

    /// A command for the node of a Cluster that has `slot`; on a single server any will do.
    pub(crate) fn to_slot(doing: &'static str, line: Cmd, slot: u16) -> Self {
        Self { line, code: None, key: String::new(), slot: Some(slot), doing, writes: false }
    }

    /// It changes something that must not be lost.
    pub(crate) fn writing(mut self) -> Self {
        self.writes = true;
        self
    }

    /// Adds an argument, or several.
    pub(crate) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.line.arg(argument);
        self
    }

    /// Which node of a Cluster is asked.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Which node of a Cluster is asked, if there is no key.
    pub(crate) const fn slot(&self) -> Option<u16> {
        self.slot
    }

    /// What goes over the wire.
    pub(crate) const fn line(&self) -> &Cmd {
        &self.line
    }

    /// The same with the script's text, for a server that does not know it yet.
    pub(crate) fn in_full(&self) -> Cmd {
        let Some(code) = self.code else { return self.line.clone() };
        let mut full = redis::cmd("EVAL");
        full.arg(code.text);
        for argument in self.line.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = argument {
                full.arg(bytes);
            }
        }
        full
    }
}

//! How other hosts are reached: the ssh command line, and where the application lies there.

use super::quote;
use crate::config::secret;
use std::path::{Path, PathBuf};
use std::process::Command;
use tangelo_core::config::SshConfig;

/// The command that [`crate::remote::agent`] is, of every program.
pub(crate) const AGENT: &str = "agent";

/// What `ssh` in master.json says, with what it leaves out.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    ssh: SshConfig,
    /// The application's directory here.
    own_dir: PathBuf,
    env: String,
    /// The application's directory on the other hosts.
    pub(crate) dir: PathBuf,
    /// The application's program on the other hosts.
    pub(crate) program: String,
}

impl Reach {
    /// `dir` and `program` are this host's.
    pub(crate) fn new(ssh: &SshConfig, dir: &Path, env: &str, program: &str) -> Self {
        Self {
            ssh: ssh.clone(),
            own_dir: dir.into(),
            env: env.into(),
            dir: ssh.dir.as_ref().map_or_else(|| dir.into(), PathBuf::from),
            program: ssh.program.clone().unwrap_or_else(|| program.into()),
        }
    }

    /// The command that connects with an agent on `host`.
    pub(super) fn command(&self, host: &str) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.words(host)).arg(self.agent());
        // ssh sends variables along where its configuration says so.
        command.env_remove(secret::VARIABLE);
        command
    }

    /// What a person types to see what is wrong with the way to `host`.
    pub(super) fn shown(&self, host: &str) -> String {
        let words = ["ssh".to_owned(), "-o".into(), "BatchMode=yes".into()].into_iter();
        let words = words.chain(self.user_args()).chain(["--".into(), host.to_owned(), "true".into()]);
        quote::line(words.collect::<Vec<_>>().iter().map(String::as_str))
    }

    /// ssh's own arguments. It takes the first of several values for an option, so what the user says
    /// comes before our defaults, and after what must be.
    fn words(&self, host: &str) -> Vec<String> {
        // A question would wait for ever for somebody to type.
        let mut words: Vec<String> = ["-T", "-a", "-x", "-o", "BatchMode=yes"].map(String::from).into();
        words.extend(self.user_args());
        for option in [
            "ConnectTimeout=10",
            // Ends what is left of a connection when the network between the hosts is gone, and the master too.
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            // A connection that is shared with others would not end with this process.
            "ControlMaster=no",
            "ControlPath=none",
        ] {
            words.extend(["-o".into(), option.into()]);
        }
        words.extend(["--".into(), host.into()]);
        words
    }

    fn user_args(&self) -> Vec<String> {
        let SshConfig { user, port, identity, args, .. } = &self.ssh;
        let identity = identity.as_ref().map(|path| {
            // ssh knows `~` itself.
            if path.starts_with('~') {
                path.clone()
            } else {
                self.own_dir.join(path).to_string_lossy().into_owned()
            }
        });
        let mut words = Vec::new();
        for (flag, value) in
            [("-p", port.map(|port| port.to_string())), ("-l", user.clone()), ("-i", identity)]
        {
            words.extend(value.into_iter().flat_map(|value| [flag.into(), value]));
        }
        words.extend(args.iter().cloned());
        words
    }

    /// For the login shell there, of which nothing is to stay behind.
    fn agent(&self) -> String {
        let dir = self.dir.to_string_lossy();
        format!("exec {}", quote::line([&*self.program, AGENT, "--dir", &*dir, "--env", &*self.env]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(ssh: SshConfig) -> Vec<String> {
        let reach = Reach::new(&ssh, Path::new("/srv/my game"), "development", "/srv/my game/bin");
        let command = reach.command("10.0.0.2");
        command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn by_default_everything_is_as_here() {
        let args = command(SshConfig::default());
        let end: Vec<_> = args.iter().rev().take(3).rev().map(String::as_str).collect();
        assert_eq!(
            end,
            ["--", "10.0.0.2", "exec '/srv/my game/bin' agent --dir '/srv/my game' --env development"]
        );
        assert!(!args.iter().any(|arg| ["-l", "-p", "-i"].contains(&&**arg)), "{args:?}");
        assert!(args.iter().any(|arg| arg == "BatchMode=yes"), "{args:?}");
        let command = Reach::new(&SshConfig::default(), Path::new("/srv"), "development", "/srv/bin")
            .command("10.0.0.2");
        assert!(command.get_envs().any(|(name, value)| name == "TANGELO_SECRET" && value.is_none()));
    }

    #[test]
    fn what_the_user_says_comes_before_the_defaults_and_after_what_must_be() {
        let ssh = SshConfig {
            user: Some("game".into()),
            port: Some(2222),
            identity: Some("keys/id".into()),
            args: ["-o", "ConnectTimeout=3", "-o", "BatchMode=no"].map(String::from).into(),
            dir: Some("/opt/game".into()),
            program: Some("/opt/game/it's".into()),
        };
        let args = command(ssh.clone()).join(" ");
        let expected = "-o BatchMode=yes -p 2222 -l game -i /srv/my game/keys/id -o ConnectTimeout=3 -o BatchMode=no \
                        -o ConnectTimeout=10";
        assert!(args.contains(expected), "{args}");
        assert!(
            args.ends_with(r"-- 10.0.0.2 exec '/opt/game/it'\''s' agent --dir /opt/game --env development"),
            "{args}"
        );
        let shown =
            Reach::new(&ssh, Path::new("/srv/my game"), "development", "/srv/my game/bin").shown("10.0.0.2");
        assert!(
            shown.starts_with("ssh -o BatchMode=yes -p 2222 -l game -i '/srv/my game/keys/id' "),
            "{shown}"
        );
        assert!(shown.ends_with(" -- 10.0.0.2 true"), "{shown}");
    }
}

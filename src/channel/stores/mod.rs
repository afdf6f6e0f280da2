//! The managers that come with this build, made of what globalChannel.json says.

#[cfg(feature = "channel-redis")]
pub(super) mod redis;
#[cfg(any(feature = "channel-postgres", feature = "channel-mysql", feature = "channel-sqlite"))]
pub(super) mod sql;

#[cfg(test)]
mod tests {
    use tangelo_core::config::{ConfigFile, GlobalChannelConfig, Layout};

    /// What is in the file.
    #[allow(dead_code, reason = "a build may have no store, or only some of those in SQL")]
    pub(super) fn parsed(text: &str) -> GlobalChannelConfig {
        let text = format!("{{\"development\": {text}}}");
        let file = ConfigFile { name: "globalChannel.json", text: &text, layout: Layout::ByEnv };
        GlobalChannelConfig::parse("development", file).unwrap_or_else(|error| panic!("{error}"))
    }
}

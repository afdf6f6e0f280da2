//! The managers that come with this build, made of what globalChannel.json says.

#[cfg(feature = "channel-redis")]
pub(super) mod redis;

#[cfg(all(test, feature = "channel-redis"))]
mod tests {
    use tangelo_core::config::{ConfigFile, GlobalChannelConfig, Layout};

    /// What is in the file.
    pub(super) fn parsed(text: &str) -> GlobalChannelConfig {
        let text = format!("{{\"development\": {text}}}");
        let file = ConfigFile { name: "globalChannel.json", text: &text, layout: Layout::ByEnv };
        GlobalChannelConfig::parse("development", file).unwrap_or_else(|error| panic!("{error}"))
    }
}

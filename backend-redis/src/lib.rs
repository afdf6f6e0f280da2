//! The home of the `ChannelManager` on Redis. Nothing is implemented here yet: the facade has no feature for it.

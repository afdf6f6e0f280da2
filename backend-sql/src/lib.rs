//! The home of the `ChannelManager` on SQL. Nothing is implemented here yet: the facade has no feature for it.

//! The home of the `Coordinator` on ZooKeeper. Nothing is implemented here yet: the facade has no feature for it.

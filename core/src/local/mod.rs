//! Processes on this host.

//! Drives the master machine.

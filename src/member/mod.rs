//! Drives the member machine.

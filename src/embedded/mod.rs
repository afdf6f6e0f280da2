//! The embedded coordinator: a file lock, for masters on one machine.

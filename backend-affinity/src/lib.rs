//! CPU binding on Linux.

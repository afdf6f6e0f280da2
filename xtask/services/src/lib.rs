//! Real servers for tests, chaos runs and benchmarks: each on a port of its own on loopback, with
//! temporary data, ended by its pid when it is dropped.

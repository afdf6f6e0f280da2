//! The application: what a user configures, and what runs in each process.

//! The state machine of the agent inside every server process.

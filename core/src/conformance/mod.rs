//! Public conformance suites: whoever writes a part of their own runs the tests that ours pass.

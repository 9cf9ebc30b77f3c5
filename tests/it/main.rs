//! Integration tests against real throw-away clusters.

fn main() {}

//! One binary for all integration tests; each module says what belongs in it.

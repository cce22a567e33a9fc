//! Which backup snapshots can be restored, and which encryption keys may be deleted.
//!
//! The data flows one way, and the modules are listed in its order:
//!
//! ```text
//! args -> config -> ingest (files, bundles -> readings, sightings) -> store (SQLite, append)
//!      -> probe (key -> observation) -> store -> assess (evidence, policy, as_of) -> report -> exit code
//! ```

pub mod model;

pub mod assess;
pub mod cli;
pub mod collect;
pub mod config;
pub mod error;
pub mod http;
pub mod ingest;
pub mod probe;
pub mod report;
pub mod run;
pub mod store;
pub mod terraform;

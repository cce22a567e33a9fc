//! Stories over an asker that answers from a table: no network, no clock but the table's.

mod bundles;
mod lists;
mod pace;
mod plan;
mod resume;
mod world;

//! The door between reading and keeping: `ingest` and `probe` hand over what they learned, the
//! store keeps it.

use super::evidence::{KeyColumn, Observation, SnapshotShape, SnapshotStatus};
use super::reading::{ProjectRef, Reading};
use super::time::Timestamp;

/// One row of a snapshot list, as one answer showed it. Borrowed: a million of these stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    pub project: &'a ProjectRef,
    pub cluster: &'a str,
    pub id: &'a str,
    /// When the page that shows it was answered.
    pub at: Timestamp,
    pub shape: SnapshotShape,
    pub status: SnapshotStatus,
    pub created_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub keep: bool,
    /// Lower case.
    pub frequency: Option<&'a str>,
    pub copied: bool,
    /// The MongoDB version that it was taken with, verbatim.
    pub version: Option<&'a str>,
    pub keys: KeyColumn,
}

/// Takes what one import learned, all of it or (on an error) none.
pub trait Intake {
    type Error;

    /// A row of a snapshot list.
    fn snapshot(&mut self, shown: &Shown<'_>) -> Result<(), Self::Error>;
    /// A list, settings, a schedule, events.
    fn reading(&mut self, reading: &Reading) -> Result<(), Self::Error>;
    /// A provider's answer about a key.
    fn observation(&mut self, observation: &Observation) -> Result<(), Self::Error>;
}

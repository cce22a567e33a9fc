//! What a store can tell of its snapshots without reading one, and the door to those that a
//! question is about. Grows with clusters and keys.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::evidence::{Snapshot, SnapshotShape};
use super::reading::ProjectRef;
use super::time::Timestamp;

/// Snapshots that can be looked up. What is handed on is always whole, with everything that any
/// reading said of it.
pub trait Shelves {
    type Error;

    fn outline(&self) -> &Outline;

    /// The snapshots of a cluster, by what Encryption Key ID columns say.
    fn piles(&self, cluster: &ClusterOutline) -> Result<Vec<Pile>, Self::Error>;

    /// Clusters (as places in the outline) with a pile that names a spelling (as one there).
    fn clusters_under(&self, spelling: usize) -> Result<Vec<usize>, Self::Error>;

    /// Clusters with a pile of snapshots without a key id.
    fn clusters_without_key(&self) -> Result<Vec<usize>, Self::Error>;

    /// Hands on, each once, the snapshots of a cluster that are in one of these piles, and those
    /// of these ids.
    fn pick(
        &self,
        cluster: &ClusterOutline,
        piles: &[&Pile],
        ids: &[&str],
        take: &mut dyn FnMut(&Snapshot),
    ) -> Result<(), Self::Error>;

    /// Hands on the snapshots of a pile that were made in a span, in order, until told to stop.
    /// Before them, and whatever it is told, those of the pile that do not say when they were
    /// made, and those of the cluster whose readings do not agree on that: where these belong in
    /// the order is not for the store to say. Some come twice.
    fn walk(
        &self,
        cluster: &ClusterOutline,
        pile: &Pile,
        span: Span,
        first: End,
        take: &mut dyn FnMut(&Snapshot) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}

/// All clusters that ever showed a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// By project and name.
    pub clusters: Vec<ClusterOutline>,
    /// Every spelling that a snapshot's key column has.
    pub spellings: Vec<String>,
}

/// One cluster.
#[derive(Clone, Debug)]
pub struct ClusterOutline {
    /// The store's own number for it.
    pub no: i64,
    pub project: Arc<ProjectRef>,
    pub name: String,
    /// The latest time at which any of its snapshots was shown or made.
    pub latest: Timestamp,
    /// Some snapshot came from a list of sharded ones.
    pub sharded: bool,
    /// The readings of some snapshot do not agree on when it was made.
    pub redated: bool,
}

/// The snapshots of a cluster of which some reading gave one key column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pile {
    /// The store's own number for the column.
    pub no: i64,
    pub column: Column,
    /// From when to when they were made, as far as they say.
    pub made: Option<Span>,
    /// Some do not say.
    pub undated: bool,
    pub shapes: Shapes,
}

/// What a key column says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    Absent,
    NotEncrypted,
    /// Places in [`Outline::spellings`].
    Named(Vec<usize>),
}

/// A set of shapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    replica_set: bool,
    sharded: bool,
    shared: bool,
    own: bool,
}

impl Shapes {
    pub const fn add(&mut self, shape: SnapshotShape) {
        match shape {
            SnapshotShape::ReplicaSet => self.replica_set = true,
            SnapshotShape::Sharded => self.sharded = true,
            SnapshotShape::Shared => self.shared = true,
            SnapshotShape::Own => self.own = true,
        }
    }

    pub const fn has(self, shape: SnapshotShape) -> bool {
        match shape {
            SnapshotShape::ReplicaSet => self.replica_set,
            SnapshotShape::Sharded => self.sharded,
            SnapshotShape::Shared => self.shared,
            SnapshotShape::Own => self.own,
        }
    }
}

/// Times from the first to the last, both in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    pub const ALL: Self = Self {
        from: Timestamp::EPOCH,
        to: Timestamp::MAX,
    };

    /// From the beginning of the earlier to the end of the later.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            to: self.to.max(other.to),
        }
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// Which end of a span to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Oldest,
    Newest,
}

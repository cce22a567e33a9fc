//! Reading the store as it stood at an instant, inside the transaction that
//! [`super::Store::view`] opened. Selects, orders and joins; judges nothing.

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::outline::Shelved;
use super::{observations, readings, snapshots};
use crate::model::{Evidence, Observation, Snapshot, Timestamp};

/// One unchanging sight of the store.
pub struct View<'c> {
    pub(super) conn: &'c Connection,
}

impl<'c> View<'c> {
    pub(super) const fn new(conn: &'c Connection) -> Self {
        Self { conn }
    }

    /// Everything dated at or before `as_of`, except the snapshots. The same evidence gives an
    /// equal answer in whatever order it was imported.
    pub fn evidence(&self, as_of: Timestamp) -> Result<Evidence, StoreError> {
        Ok(Evidence {
            observations: self.observations(as_of, &|_key| true)?,
            ..self.inventory(as_of)?
        })
    }

    /// The same without what key services said.
    pub fn inventory(&self, as_of: Timestamp) -> Result<Evidence, StoreError> {
        let later_exists = self.later_exists(as_of)?;
        let readings::Read {
            roots,
            mut projects,
        } = readings::load(self.conn, as_of, later_exists)?;
        if later_exists {
            for project in snapshots::projects_with_snapshots(self.conn, as_of)? {
                projects.entry(project).or_default();
            }
        }
        Ok(Evidence {
            roots,
            projects,
            observations: Vec::new(),
            forgotten: observations::forgotten(self.conn, as_of)?,
            holds_seen: observations::holds_seen(self.conn, as_of)?,
            later_exists,
        })
    }

    /// What key services said at or before `as_of` about these keys, told by their canonical text.
    pub fn observations(
        &self,
        as_of: Timestamp,
        about: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Observation>, StoreError> {
        observations::load(self.conn, as_of, about)
    }

    /// Hands on every snapshot that a list showed at or before `as_of`, by project id, base URL,
    /// cluster name and snapshot id. What was seen of it later is cut off: a content last shown
    /// after `as_of` counts as shown by the newest whole snapshot list of its cluster (or
    /// inventory of its project) until then, or when it was first shown. Stops at the first error.
    pub fn for_each_snapshot<E: From<StoreError>>(
        &self,
        as_of: Timestamp,
        each: &mut dyn FnMut(&Snapshot) -> Result<(), E>,
    ) -> Result<(), E> {
        snapshots::for_each(self.conn, as_of, each)
    }

    /// Every MongoDB version that lists at or before `as_of` told of a snapshot, verbatim.
    pub fn versions(
        &self,
        as_of: Timestamp,
        snapshot: &Snapshot,
    ) -> Result<Vec<String>, StoreError> {
        snapshots::versions(self.conn, as_of, snapshot)
    }

    /// The snapshots, to be looked up instead of streamed; `None` if anything was learned after
    /// `as_of`, which the look-ups could not cut off.
    pub fn shelved(&self, as_of: Timestamp) -> Result<Option<Shelved<'c>>, StoreError> {
        if self.later_exists(as_of)? {
            return Ok(None);
        }
        Shelved::read(self.conn).map(Some)
    }

    fn later_exists(&self, as_of: Timestamp) -> Result<bool, StoreError> {
        let mut later = self
            .conn
            .prepare_cached("SELECT 1 FROM import WHERE newest > ?1")?;
        Ok(later.exists(params![as_of.unix()])?)
    }
}

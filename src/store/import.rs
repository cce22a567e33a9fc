//! One import: takes what was learned and keeps what is new, inside the transaction that
//! [`super::Store::import`] opened. Decides nothing about evidence.

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::rows::Rows;
use super::sightings::{Seen, Sightings};
use super::{observations, readings};
use crate::model::intake::{Intake, Shown};
use crate::model::policy::Hold;
use crate::model::{Forgotten, Observation, Reading, Timestamp};

/// An import under way: kept as a whole when it ends well, else not at all.
pub struct Import<'c> {
    conn: &'c Connection,
    at: Timestamp,
    /// Prepared with the first snapshot: most imports of a probe bring none.
    sightings: Option<Sightings<'c>>,
    added: Option<Added>,
}

/// The row of an import that added something.
#[derive(Clone, Copy)]
struct Added {
    no: i64,
    newest: Timestamp,
}

impl<'c> Import<'c> {
    pub(super) const fn begin(conn: &'c Connection, at: Timestamp) -> Self {
        Self {
            conn,
            at,
            sightings: None,
            added: None,
        }
    }

    /// Keeps that a person said that a download is gone.
    pub fn forget_download(&mut self, forgotten: &Forgotten) -> Result<(), StoreError> {
        if observations::forget(self.conn, forgotten)? {
            self.added(forgotten.at)?;
        }
        Ok(())
    }

    /// Keeps that these holds stand now. They are no evidence, only a memory of the
    /// configuration: they make nothing historical.
    pub fn note_holds(&mut self, holds: &[Hold]) -> Result<(), StoreError> {
        for hold in holds {
            observations::note_hold(self.conn, hold, self.at)?;
        }
        Ok(())
    }

    /// Keeps what rows of snapshot lists say.
    pub fn rows(&mut self, rows: Rows) -> Result<(), StoreError> {
        rows.read(|seen| self.seen(seen))
    }

    fn seen(&mut self, seen: &[Seen<'_>]) -> Result<(), StoreError> {
        let sightings = match &mut self.sightings {
            Some(sightings) => sightings,
            none => none.insert(Sightings::new(self.conn)?),
        };
        if let Some(newest) = sightings.keep(seen)? {
            self.added(newest)?;
        }
        Ok(())
    }

    /// Whether anything so far was not in the store already.
    pub const fn has_added(&self) -> bool {
        self.added.is_some()
    }

    /// Settles how far the evidence of this import reaches.
    pub(super) fn finish(self) -> Result<(), StoreError> {
        if let Some(Added { no, newest }) = self.added {
            if let Some(sightings) = &self.sightings {
                sightings.finish()?;
            }
            self.conn
                .prepare_cached("UPDATE import SET newest = ?2 WHERE no = ?1")?
                .execute(params![no, newest.unix()])?;
        }
        Ok(())
    }

    /// Notes that evidence of this date was added; the first makes the import's row.
    fn added(&mut self, at: Timestamp) -> Result<i64, StoreError> {
        added(self.conn, &mut self.added, self.at, at)
    }
}

fn added(
    conn: &Connection,
    so_far: &mut Option<Added>,
    import_at: Timestamp,
    at: Timestamp,
) -> Result<i64, StoreError> {
    let added = match *so_far {
        Some(Added { no, newest }) => Added {
            no,
            newest: newest.max(at),
        },
        None => Added {
            no: conn
                .prepare_cached("INSERT INTO import (at, newest) VALUES (?1, ?2)")?
                .insert(params![import_at.unix(), at.unix()])?,
            newest: at,
        },
    };
    *so_far = Some(added);
    Ok(added.no)
}

impl Intake for Import<'_> {
    type Error = StoreError;

    fn snapshot(&mut self, shown: &Shown<'_>) -> Result<(), StoreError> {
        self.seen(&[Seen::from(shown)])
    }

    fn reading(&mut self, reading: &Reading) -> Result<(), StoreError> {
        let (conn, import_at, so_far) = (self.conn, self.at, &mut self.added);
        readings::keep(conn, reading, || added(conn, so_far, import_at, reading.at))?;
        Ok(())
    }

    fn observation(&mut self, observation: &Observation) -> Result<(), StoreError> {
        let (conn, import_at, so_far) = (self.conn, self.at, &mut self.added);
        observations::keep(conn, observation, || {
            added(conn, so_far, import_at, observation.at)
        })?;
        Ok(())
    }
}

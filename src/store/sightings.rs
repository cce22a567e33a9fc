//! Snapshots on their way in. A million rows stream through here, so nothing in this file may
//! grow with their number: what it caches grows with clusters and keys.
//!
//! What one list after the other says of a snapshot without a change is one row with the first
//! and the last time. Nothing is lost by that: when the lists in between were read is a reading
//! of its own.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ToSql, params};

use super::error::StoreError;
use super::lowered::{Fingerprint, find, find_or_add, position, text};
use super::readings::project_no;
use super::totals::{self, Totals};
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::intake::Shown;
use crate::model::{ProjectRef, Timestamp};

/// What lists said of a snapshot, all the same from a first time to a last.
pub(super) struct Seen<'a> {
    pub(super) project: &'a ProjectRef,
    pub(super) cluster: &'a str,
    pub(super) id: &'a str,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) shape: SnapshotShape,
    pub(super) status: &'a SnapshotStatus,
    pub(super) created_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) keep: bool,
    pub(super) frequency: Option<&'a str>,
    pub(super) copied: bool,
    pub(super) version: Option<&'a str>,
    pub(super) keys: &'a KeyColumn,
}

impl<'a> From<&'a Shown<'a>> for Seen<'a> {
    fn from(shown: &'a Shown<'a>) -> Self {
        Self {
            project: shown.project,
            cluster: shown.cluster,
            id: shown.id,
            first_at: shown.at,
            last_at: shown.at,
            shape: shown.shape,
            status: &shown.status,
            created_at: shown.created_at,
            expires_at: shown.expires_at,
            keep: shown.keep,
            frequency: shown.frequency,
            copied: shown.copied,
            version: shown.version,
            keys: &shown.keys,
        }
    }
}

/// Takes the rows of snapshot lists, for the length of one import.
pub(super) struct Sightings<'c> {
    conn: &'c Connection,
    /// Adds the first row of a snapshot, or widens it if it says the same.
    add: CachedStatement<'c>,
    /// The same for [`TOGETHER`] rows.
    add_together: CachedStatement<'c>,
    /// Finds the row of a snapshot that says the same.
    same: CachedStatement<'c>,
    widen: CachedStatement<'c>,
    /// Adds a further row of a snapshot.
    another: CachedStatement<'c>,
    clusters: HashMap<ProjectRef, HashMap<String, i64>>,
    key_columns: HashMap<KeyColumn, i64>,
    totals: Totals,
    versions: HashMap<String, i64>,
    /// Those of the row before: mostly the next one has the same.
    last: Option<Last>,
}

struct Last {
    project: ProjectRef,
    cluster: String,
    cluster_no: i64,
    keys: KeyColumn,
    key_column: i64,
}

impl<'c> Sightings<'c> {
    pub(super) fn new(conn: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            conn,
            add: conn.prepare_cached(&add(1))?,
            add_together: conn.prepare_cached(&add(TOGETHER))?,
            same: conn.prepare_cached(
                "SELECT ordinal, first_at, last_at FROM snapshot
                 WHERE cluster = ?1 AND id = ?2 AND shape = ?3 AND status = ?4
                     AND status_text IS ?5 AND created_at IS ?6 AND expires_at IS ?7
                     AND keep = ?8 AND frequency IS ?9 AND copied = ?10 AND key_column = ?11
                     AND version IS ?12",
            )?,
            widen: conn.prepare_cached(
                "UPDATE snapshot SET first_at = min(first_at, ?4), last_at = max(last_at, ?5)
                 WHERE cluster = ?1 AND id = ?2 AND ordinal = ?3",
            )?,
            another: conn.prepare_cached(
                "INSERT INTO snapshot (cluster, id, ordinal, shape, status, status_text,
                 created_at, expires_at, keep, frequency, copied, key_column, version, first_at,
                 last_at)
                 VALUES (?1, ?2,
                     (SELECT max(ordinal) + 1 FROM snapshot WHERE cluster = ?1 AND id = ?2),
                     ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?,
            clusters: HashMap::new(),
            key_columns: HashMap::new(),
            totals: Totals::default(),
            versions: HashMap::new(),
            last: None,
        })
    }

    /// Keeps rows. Gives a date than which nothing of it that is new is newer, and of which the
    /// store now knows something; `None` when nothing is new.
    pub(super) fn keep(&mut self, all: &[Seen<'_>]) -> Result<Option<Timestamp>, StoreError> {
        let mut newest = None;
        for seen in all.chunks(TOGETHER) {
            let added = if seen.len() == TOGETHER {
                self.add_together(seen)?
            } else {
                0
            };
            let mut any = added > 0;
            if added < seen.len() {
                // SQLite does not say which. Those that it took are found again, and left alone.
                for seen in seen {
                    any |= self.keep_one(seen)?;
                }
            }
            if any {
                newest = newest.max(seen.iter().map(|seen| seen.last_at).max());
            }
        }
        Ok(newest)
    }

    /// Adds rows of snapshots, or widens those that say the same: how many of them.
    fn add_together(&mut self, all: &[Seen<'_>]) -> Result<usize, StoreError> {
        let mut parameters = 1..;
        for seen in all {
            let line = self.line(seen)?;
            for (value, parameter) in line.values().into_iter().zip(parameters.by_ref()) {
                self.add_together.raw_bind_parameter(parameter, value)?;
            }
        }
        Ok(self.add_together.raw_execute()?)
    }

    /// Keeps a row; false when it says nothing new.
    fn keep_one(&mut self, seen: &Seen<'_>) -> Result<bool, StoreError> {
        let line = self.line(seen)?;
        let values = line.values();
        if self.add.execute(&values[..])? > 0 {
            return Ok(true);
        }
        let mut same = self.same.query(&values[..SAID])?;
        if let Some(row) = same.next()? {
            let (ordinal, first_at, last_at): (i64, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if first_at <= line.first_at && line.last_at <= last_at {
                return Ok(false);
            }
            drop(same);
            self.widen.execute(params![
                line.cluster,
                line.id,
                ordinal,
                line.first_at,
                line.last_at
            ])?;
            return Ok(true);
        }
        drop(same);
        self.another.execute(&values[..])?;
        totals::note_redated(self.conn, line.cluster, line.id)?;
        Ok(true)
    }

    fn line<'s>(&mut self, seen: &Seen<'s>) -> Result<Line<'s>, StoreError> {
        let (cluster, key_column) = self.place(seen)?;
        self.totals.note(self.conn, (cluster, key_column), seen)?;
        let version = self.version(seen.version)?;
        let (status, status_text) = lower_status(seen.status);
        Ok(Line {
            cluster,
            id: seen.id,
            shape: seen.shape.word(),
            status,
            status_text,
            created_at: seen.created_at.map(Timestamp::unix),
            expires_at: seen.expires_at.map(Timestamp::unix),
            keep: seen.keep,
            frequency: seen.frequency,
            copied: seen.copied,
            key_column,
            version,
            first_at: seen.first_at.unix(),
            last_at: seen.last_at.unix(),
        })
    }

    /// The numbers of a row's cluster and of its key column.
    fn place(&mut self, seen: &Seen<'_>) -> Result<(i64, i64), StoreError> {
        if let Some(last) = &self.last
            && last.cluster == seen.cluster
            && last.project == *seen.project
            && last.keys == *seen.keys
        {
            return Ok((last.cluster_no, last.key_column));
        }
        let cluster_no = self.cluster(seen.project, seen.cluster)?;
        let key_column = self.key_column(seen.keys)?;
        self.last = Some(Last {
            project: seen.project.clone(),
            cluster: seen.cluster.to_owned(),
            cluster_no,
            keys: seen.keys.clone(),
            key_column,
        });
        Ok((cluster_no, key_column))
    }

    fn cluster(&mut self, project: &ProjectRef, name: &str) -> Result<i64, StoreError> {
        if let Some(&no) = self.clusters.get(project).and_then(|of| of.get(name)) {
            return Ok(no);
        }
        let project_no = project_no(self.conn, &project.id, &project.base_url)?;
        let no = find(
            self.conn,
            "SELECT no FROM cluster WHERE project = ?1 AND name = ?2",
            params![project_no, name],
        )?;
        let no = match no {
            Some(no) => no,
            None => self
                .conn
                .prepare_cached("INSERT INTO cluster (project, name) VALUES (?1, ?2)")?
                .insert(params![project_no, name])?,
        };
        self.clusters
            .entry(project.clone())
            .or_default()
            .insert(name.to_owned(), no);
        Ok(no)
    }

    fn version(&mut self, text: Option<&str>) -> Result<Option<i64>, StoreError> {
        let Some(text) = text else { return Ok(None) };
        if let Some(&no) = self.versions.get(text) {
            return Ok(Some(no));
        }
        let no = find_or_add(
            self.conn,
            "SELECT no FROM mongod_version WHERE text = ?1",
            "INSERT INTO mongod_version (text) VALUES (?1)",
            &[text],
        )?;
        self.versions.insert(text.to_owned(), no);
        Ok(Some(no))
    }

    fn key_column(&mut self, keys: &KeyColumn) -> Result<i64, StoreError> {
        if let Some(&no) = self.key_columns.get(keys) {
            return Ok(no);
        }
        let no = keep_key_column(self.conn, keys)?;
        self.key_columns.insert(keys.clone(), no);
        Ok(no)
    }

    /// All rows of the import are in.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        self.totals.keep(self.conn)
    }
}

/// Rows that one statement adds: beginning and ending a statement for each costs a quarter more.
const TOGETHER: usize = 16;

/// Adds the first rows of snapshots, or widens those that say the same.
fn add(rows: usize) -> String {
    let row = "(?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    format!(
        "INSERT INTO snapshot (cluster, id, ordinal, shape, status, status_text,
         created_at, expires_at, keep, frequency, copied, key_column, version, first_at, last_at)
         VALUES {}
         ON CONFLICT (cluster, id, ordinal) DO UPDATE SET
             first_at = min(first_at, excluded.first_at),
             last_at = max(last_at, excluded.last_at)
         WHERE (excluded.first_at < first_at OR excluded.last_at > last_at)
             AND shape = excluded.shape
             AND status = excluded.status
             AND status_text IS excluded.status_text
             AND created_at IS excluded.created_at
             AND expires_at IS excluded.expires_at
             AND keep = excluded.keep
             AND frequency IS excluded.frequency
             AND copied = excluded.copied
             AND key_column = excluded.key_column
             AND version IS excluded.version",
        vec![row; rows].join(", ")
    )
}

/// A [`Seen`] as its row has it.
struct Line<'s> {
    cluster: i64,
    id: &'s str,
    shape: &'static str,
    status: &'static str,
    status_text: Option<&'s str>,
    created_at: Option<i64>,
    expires_at: Option<i64>,
    keep: bool,
    frequency: Option<&'s str>,
    copied: bool,
    key_column: i64,
    version: Option<i64>,
    first_at: i64,
    last_at: i64,
}

/// So many of a line's values are what it says; then it says when.
const SAID: usize = 12;

impl Line<'_> {
    /// In the order of every statement.
    fn values(&self) -> [&dyn ToSql; SAID + 2] {
        [
            &self.cluster,
            &self.id,
            &self.shape,
            &self.status,
            &self.status_text,
            &self.created_at,
            &self.expires_at,
            &self.keep,
            &self.frequency,
            &self.copied,
            &self.key_column,
            &self.version,
            &self.first_at,
            &self.last_at,
        ]
    }
}

fn keep_key_column(conn: &Connection, keys: &KeyColumn) -> Result<i64, StoreError> {
    let (kind, spellings): (_, &[String]) = match keys {
        KeyColumn::Absent => ("absent", &[]),
        KeyColumn::NotEncrypted => ("not-encrypted", &[]),
        KeyColumn::Named(spellings) => ("named", spellings),
    };
    let digest = {
        let spellings: Vec<_> = spellings.iter().map(|spelling| text(spelling)).collect();
        let mut digest = Fingerprint::default();
        digest
            .row("key_column", &[text(kind)])
            .row("key_column_spelling", &spellings);
        digest.finish()
    };
    if let Some(no) = find(
        conn,
        "SELECT no FROM key_column WHERE digest = ?1",
        params![digest],
    )? {
        return Ok(no);
    }
    let no = conn
        .prepare_cached("INSERT INTO key_column (digest, kind) VALUES (?1, ?2)")?
        .insert(params![digest, kind])?;
    for (index, spelling) in spellings.iter().enumerate() {
        let spelling = find_or_add(
            conn,
            "SELECT no FROM spelling WHERE text = ?1",
            "INSERT INTO spelling (text) VALUES (?1)",
            &[spelling],
        )?;
        conn.prepare_cached(
            "INSERT INTO key_column_spelling (key_column, position, spelling)
             VALUES (?1, ?2, ?3)",
        )?
        .execute(params![no, position(index), spelling])?;
    }
    Ok(no)
}

fn lower_status(status: &SnapshotStatus) -> (&'static str, Option<&str>) {
    match status {
        SnapshotStatus::Completed => ("completed", None),
        SnapshotStatus::Queued => ("queued", None),
        SnapshotStatus::InProgress => ("in-progress", None),
        SnapshotStatus::Failed => ("failed", None),
        SnapshotStatus::Unrecorded => ("unrecorded", None),
        SnapshotStatus::Unrecognised(word) => ("unrecognised", Some(word)),
    }
}

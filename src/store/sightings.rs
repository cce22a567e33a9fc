//! Snapshots on their way in. A million rows stream through here, so nothing in this file may
//! grow with their number: what it caches grows with clusters and keys.
//!
//! What one list after the other says of a snapshot without a change is one row with the first
//! and the last time. Nothing is lost by that: when the lists in between were read is a reading
//! of its own.

use std::collections::{HashMap, HashSet};

use rusqlite::{CachedStatement, Connection, params};

use super::error::StoreError;
use super::lowered::{Fingerprint, find, find_or_add, position, text};
use super::readings::project_no;
use crate::model::evidence::{KeyColumn, SnapshotStatus};
use crate::model::intake::Shown;
use crate::model::{ProjectRef, Timestamp};

/// Takes the rows of snapshot lists, for the length of one import.
pub(super) struct Sightings<'c> {
    conn: &'c Connection,
    /// Adds the first row of a snapshot, or widens it if it says the same.
    add: CachedStatement<'c>,
    /// Finds the row of a snapshot that says the same.
    same: CachedStatement<'c>,
    widen: CachedStatement<'c>,
    /// Adds a further row of a snapshot.
    another: CachedStatement<'c>,
    clusters: HashMap<ProjectRef, HashMap<String, i64>>,
    key_columns: HashMap<KeyColumn, i64>,
    cluster_key_columns: HashSet<(i64, i64)>,
    versions: HashMap<String, i64>,
}

impl<'c> Sightings<'c> {
    pub(super) fn new(conn: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            conn,
            add: conn.prepare_cached(
                "INSERT INTO snapshot (cluster, id, ordinal, shape, status, status_text,
                 created_at, expires_at, keep, frequency, copied, key_column, version, first_at,
                 last_at)
                 VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)
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
            )?,
            same: conn.prepare_cached(
                "SELECT ordinal, first_at, last_at FROM snapshot
                 WHERE cluster = ?1 AND id = ?2 AND shape = ?3 AND status = ?4
                     AND status_text IS ?5 AND created_at IS ?6 AND expires_at IS ?7
                     AND keep = ?8 AND frequency IS ?9 AND copied = ?10 AND key_column = ?11
                     AND version IS ?12",
            )?,
            widen: conn.prepare_cached(
                "UPDATE snapshot SET first_at = min(first_at, ?4), last_at = max(last_at, ?4)
                 WHERE cluster = ?1 AND id = ?2 AND ordinal = ?3",
            )?,
            another: conn.prepare_cached(
                "INSERT INTO snapshot (cluster, id, ordinal, shape, status, status_text,
                 created_at, expires_at, keep, frequency, copied, key_column, version, first_at,
                 last_at)
                 VALUES (?1, ?2,
                     (SELECT max(ordinal) + 1 FROM snapshot WHERE cluster = ?1 AND id = ?2),
                     ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
            )?,
            clusters: HashMap::new(),
            key_columns: HashMap::new(),
            cluster_key_columns: HashSet::new(),
            versions: HashMap::new(),
        })
    }

    /// Keeps a row; false when it says nothing new.
    pub(super) fn keep(&mut self, shown: &Shown<'_>) -> Result<bool, StoreError> {
        let cluster = self.cluster(shown.project, shown.cluster)?;
        let key_column = self.key_column(cluster, &shown.keys)?;
        let version = self.version(shown.version)?;
        let (status, status_text) = lower_status(&shown.status);
        let at = shown.at.unix();
        let created_at = shown.created_at.map(Timestamp::unix);
        let expires_at = shown.expires_at.map(Timestamp::unix);
        let shape = shown.shape.word();
        let changed = self.add.execute(params![
            cluster,
            shown.id,
            shape,
            status,
            status_text,
            created_at,
            expires_at,
            shown.keep,
            shown.frequency,
            shown.copied,
            key_column,
            version,
            at
        ])?;
        if changed > 0 {
            return Ok(true);
        }
        let mut same = self.same.query(params![
            cluster,
            shown.id,
            shape,
            status,
            status_text,
            created_at,
            expires_at,
            shown.keep,
            shown.frequency,
            shown.copied,
            key_column,
            version
        ])?;
        if let Some(row) = same.next()? {
            let (ordinal, first_at, last_at): (i64, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if (first_at..=last_at).contains(&at) {
                return Ok(false);
            }
            drop(same);
            self.widen
                .execute(params![cluster, shown.id, ordinal, at])?;
            return Ok(true);
        }
        drop(same);
        self.another.execute(params![
            cluster,
            shown.id,
            shape,
            status,
            status_text,
            created_at,
            expires_at,
            shown.keep,
            shown.frequency,
            shown.copied,
            key_column,
            version,
            at
        ])?;
        Ok(true)
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

    fn key_column(&mut self, cluster: i64, keys: &KeyColumn) -> Result<i64, StoreError> {
        let no = if let Some(&no) = self.key_columns.get(keys) {
            no
        } else {
            let no = keep_key_column(self.conn, keys)?;
            self.key_columns.insert(keys.clone(), no);
            no
        };
        if self.cluster_key_columns.insert((cluster, no)) {
            self.conn
                .prepare_cached(
                    "INSERT INTO cluster_key_column (cluster, key_column) VALUES (?1, ?2)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![cluster, no])?;
        }
        Ok(no)
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

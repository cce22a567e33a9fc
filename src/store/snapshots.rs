//! Snapshots on their way out, one at a time: nothing in this file may grow with their number.
//! `sightings` takes them in, and says what a row means.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, Row, Statement, params};

use super::error::StoreError;
use super::lowered::Cells;
use super::numbered::Numbered;
use super::readings::projects;
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::{ProjectRef, Sighting, Snapshot, Timestamp};

/// The projects that have a snapshot first shown at or before `as_of`.
pub(super) fn projects_with_snapshots(
    conn: &Connection,
    as_of: Timestamp,
) -> Result<Vec<ProjectRef>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT id, base_url FROM project WHERE EXISTS (
             SELECT 1 FROM cluster WHERE cluster.project = project.no AND EXISTS (
                 SELECT 1 FROM snapshot WHERE snapshot.cluster = cluster.no AND first_at <= ?1))",
    )?;
    let mut rows = select.query(params![as_of.unix()])?;
    let mut projects = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "project",
            row,
        };
        projects.push(ProjectRef {
            id: cells.get(0)?,
            base_url: cells.get(1)?,
        });
    }
    Ok(projects)
}

/// Hands on every snapshot that a list showed at or before `as_of`, by project id, base URL,
/// cluster and snapshot id.
pub(super) fn for_each<E: From<StoreError>>(
    conn: &Connection,
    as_of: Timestamp,
    each: &mut dyn FnMut(&Snapshot) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = Reader::new(conn, as_of, KeyColumns::all(conn)?);
    let mut select = conn.prepare_cached(OF_CLUSTER).map_err(StoreError::from)?;
    for cluster in clusters(conn)? {
        reader.cluster(&cluster, &mut select, each)?;
    }
    Ok(())
}

/// Every MongoDB version that lists at or before `as_of` told of a snapshot, as they spell it.
/// Lists and verdicts do without it, so it is not read with the rows.
pub(super) fn versions(
    conn: &Connection,
    as_of: Timestamp,
    snapshot: &Snapshot,
) -> Result<Vec<String>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT DISTINCT version, text FROM snapshot
         LEFT JOIN mongod_version ON mongod_version.no = version
         WHERE id = ?1 AND first_at <= ?2 AND version IS NOT NULL AND cluster = (
             SELECT cluster.no FROM cluster JOIN project ON project.no = cluster.project
             WHERE project.id = ?3 AND base_url = ?4 AND name = ?5)
         ORDER BY text",
    )?;
    let mut rows = select.query(params![
        snapshot.id,
        as_of.unix(),
        snapshot.project.id,
        snapshot.project.base_url,
        snapshot.cluster
    ])?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "mongod_version",
            row,
        };
        versions.push(cells.get(1)?);
    }
    Ok(versions)
}

const OF_CLUSTER: &str = "SELECT id, shape, status, status_text, created_at, expires_at, keep,
     frequency, copied, key_column, first_at, last_at
     FROM snapshot WHERE cluster = ?1 AND first_at <= ?2 ORDER BY id, ordinal";

/// All rows of one snapshot.
pub(super) const BY_ID: &str = "SELECT id, shape, status, status_text, created_at, expires_at,
     keep, frequency, copied, key_column, first_at, last_at, ordinal
     FROM snapshot WHERE cluster = ?1 AND id = ?2 ORDER BY ordinal";

/// Makes sightings of rows.
pub(super) struct Reader<'c> {
    conn: &'c Connection,
    as_of: Timestamp,
    key_columns: KeyColumns<'c>,
    /// Read when the first row turns up that was shown after `as_of`.
    whole_lists: Option<WholeLists>,
    /// The key column of the row read last.
    last_column: Option<i64>,
    /// The sighting handed on last: its texts serve the next row, which mostly says the same.
    spare: Option<Sighting>,
}

/// A cluster that ever showed a snapshot.
pub(super) struct Cluster {
    pub(super) no: i64,
    project_no: i64,
    pub(super) project: Arc<ProjectRef>,
    pub(super) name: String,
    pub(super) latest: Timestamp,
    pub(super) sharded: bool,
}

impl<'c> Reader<'c> {
    pub(super) fn new(conn: &'c Connection, as_of: Timestamp, key_columns: KeyColumns<'c>) -> Self {
        Self {
            conn,
            as_of,
            key_columns,
            whole_lists: None,
            last_column: None,
            spare: None,
        }
    }

    fn cluster<E: From<StoreError>>(
        &mut self,
        cluster: &Cluster,
        select: &mut Statement<'_>,
        each: &mut dyn FnMut(&Snapshot) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut snapshot = Snapshot {
            project: ProjectRef::clone(&cluster.project),
            cluster: cluster.name.clone(),
            id: String::new(),
            sightings: Vec::new(),
        };
        let mut rows = select
            .query(params![cluster.no, self.as_of.unix()])
            .map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let cells = Cells {
                table: "snapshot",
                row,
            };
            let id = cells.str(0)?;
            if snapshot.id != id {
                self.hand_on(&mut snapshot, each)?;
                snapshot.id.clear();
                snapshot.id.push_str(id);
            }
            let mut sighting = self.sighting(&cells)?;
            sighting.last_at = self.last_seen_by_then(cluster, &sighting)?;
            snapshot.sightings.push(sighting);
        }
        self.hand_on(&mut snapshot, each)
    }

    fn hand_on<E>(
        &mut self,
        snapshot: &mut Snapshot,
        each: &mut dyn FnMut(&Snapshot) -> Result<(), E>,
    ) -> Result<(), E> {
        if snapshot.sightings.is_empty() {
            return Ok(());
        }
        put_in_order(snapshot);
        each(snapshot)?;
        self.take_back(snapshot);
        Ok(())
    }

    /// Takes the sightings of a snapshot that was handed on: their texts serve the next one.
    pub(super) fn take_back(&mut self, snapshot: &mut Snapshot) {
        // Of several, which of them bears the last key column is no longer known.
        let several = snapshot.sightings.len() > 1;
        self.spare = snapshot.sightings.pop().filter(|_| !several);
        snapshot.sightings.clear();
    }

    /// The sighting that a row is, up to when it was last shown.
    pub(super) fn sighting(&mut self, cells: &Cells<'_>) -> Result<Sighting, StoreError> {
        let column = cells.get(9)?;
        let (spare_frequency, spare_keys) = match self.spare.take() {
            Some(spare) => (spare.frequency, Some(spare.keys)),
            None => (None, None),
        };
        let keys = match spare_keys.filter(|_| Some(column) == self.last_column) {
            Some(same) => same,
            None => self
                .key_columns
                .get(column)?
                .ok_or_else(|| cells.corrupt("it refers to a missing key column"))?
                .clone(),
        };
        self.last_column = Some(column);
        Ok(Sighting {
            first_at: cells.time(10)?,
            last_at: cells.time(11)?,
            shape: cells.word(1, &SnapshotShape::ALL, SnapshotShape::word)?,
            status: status(cells)?,
            created_at: cells.opt_time(4)?,
            expires_at: cells.opt_time(5)?,
            keep: cells.get(6)?,
            frequency: cells.opt_text_into(7, spare_frequency)?,
            copied: cells.get(8)?,
            keys,
        })
    }

    /// When a snapshot that was shown at `first_at` and (again) at `last_at` had last been shown
    /// by `as_of`. It was there all the time, so every whole list in between showed it.
    fn last_seen_by_then(
        &mut self,
        cluster: &Cluster,
        sighting: &Sighting,
    ) -> Result<Timestamp, StoreError> {
        let (first_at, last_at) = (sighting.first_at, sighting.last_at);
        if last_at <= self.as_of {
            return Ok(last_at);
        }
        let lists = match &mut self.whole_lists {
            Some(lists) => lists,
            none => none.insert(whole_lists(self.conn, self.as_of)?),
        };
        let newest = lists.get(&cluster.project_no).and_then(|of_project| {
            let own = of_project.get(&Some(cluster.name.clone()));
            let of_all = of_project.get(&None);
            own.max(of_all).copied()
        });
        Ok(newest.map_or(first_at, |newest| newest.max(first_at)))
    }
}

/// The newest whole snapshot list of each cluster (`None`: of all of them) of each project.
type WholeLists = HashMap<i64, HashMap<Option<String>, Timestamp>>;

fn whole_lists(conn: &Connection, as_of: Timestamp) -> Result<WholeLists, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT project, cluster, max(at) FROM reading
         WHERE outcome = 'whole' AND at <= ?1 AND project IS NOT NULL AND content IN (
             SELECT no FROM content WHERE kind IN (
                 'snapshots', 'sharded-snapshots', 'shared-snapshots', 'inventory'))
         GROUP BY project, cluster",
    )?;
    let mut rows = select.query(params![as_of.unix()])?;
    let mut lists = WholeLists::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "reading",
            row,
        };
        lists
            .entry(cells.get(0)?)
            .or_default()
            .insert(cells.get(1)?, cells.time(2)?);
    }
    Ok(lists)
}

/// Puts the sightings of a snapshot in their order.
pub(super) fn put_in_order(snapshot: &mut Snapshot) {
    if snapshot.sightings.len() > 1 {
        snapshot
            .sightings
            .sort_unstable_by(|one, other| in_order(one).cmp(&in_order(other)));
    }
}

/// Everything that a sighting says, its times first: the order in which rows were added must not
/// show.
fn in_order(sighting: &Sighting) -> impl Ord + '_ {
    let Sighting {
        first_at,
        last_at,
        shape,
        status,
        created_at,
        expires_at,
        keep,
        frequency,
        copied,
        keys,
    } = sighting;
    (
        (first_at, last_at, shape, status, created_at, expires_at),
        (keep, frequency, copied, keys),
    )
}

fn status(cells: &Cells<'_>) -> Result<SnapshotStatus, StoreError> {
    Ok(match cells.str(2)? {
        "completed" => SnapshotStatus::Completed,
        "queued" => SnapshotStatus::Queued,
        "in-progress" => SnapshotStatus::InProgress,
        "failed" => SnapshotStatus::Failed,
        "unrecorded" => SnapshotStatus::Unrecorded,
        "unrecognised" => SnapshotStatus::Unrecognised(cells.get(3)?),
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

/// Every cluster that ever showed a snapshot, in the order in which snapshots are handed on.
pub(super) fn clusters(conn: &Connection) -> Result<Vec<Cluster>, StoreError> {
    let projects = projects(conn)?;
    let mut select =
        conn.prepare_cached("SELECT no, project, name, latest_at, has_sharded FROM cluster")?;
    let mut rows = select.query([])?;
    let mut clusters = Vec::new();
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "cluster",
            row,
        };
        let project_no = cells.get(1)?;
        clusters.push(Cluster {
            no: cells.get(0)?,
            project_no,
            project: projects
                .get(project_no)
                .map(Arc::clone)
                .ok_or_else(|| cells.corrupt("it refers to a missing project"))?,
            name: cells.get(2)?,
            latest: cells.time(3)?,
            sharded: cells.get(4)?,
        });
    }
    clusters.sort_unstable_by(|one, other| {
        (&one.project, &one.name).cmp(&(&other.project, &other.name))
    });
    Ok(clusters)
}

/// What key columns say, by their numbers.
pub(super) struct KeyColumns<'c> {
    conn: &'c Connection,
    known: HashMap<i64, KeyColumn>,
    /// `known` are all of them.
    all: bool,
}

impl<'c> KeyColumns<'c> {
    pub(super) fn all(conn: &'c Connection) -> Result<Self, StoreError> {
        let mut texts = Numbered::new();
        each_spelling(conn, |no, text| texts.push(no, text))?;
        let mut select = conn.prepare_cached("SELECT no, kind FROM key_column")?;
        let mut rows = select.query([])?;
        let mut known = HashMap::new();
        while let Some(row) = rows.next()? {
            let cells = key_column_row(row);
            known.insert(cells.get(0)?, empty(&cells)?);
        }
        let mut select = conn.prepare_cached(
            "SELECT key_column, spelling FROM key_column_spelling ORDER BY key_column, position",
        )?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let cells = Cells {
                table: "key_column_spelling",
                row,
            };
            let Some(KeyColumn::Named(named)) = known.get_mut(&cells.get(0)?) else {
                return Err(cells.corrupt("it belongs to no column that names keys"));
            };
            // Most columns name one key.
            named.reserve_exact(1);
            let text: Option<&String> = texts.get(cells.get(1)?);
            let missing = || cells.corrupt("it refers to a missing spelling");
            named.push(text.ok_or_else(missing)?.clone());
        }
        Ok(Self {
            conn,
            known,
            all: true,
        })
    }

    /// Each when it is first asked for.
    pub(super) fn by_need(conn: &'c Connection) -> Self {
        Self {
            conn,
            known: HashMap::new(),
            all: false,
        }
    }

    fn get(&mut self, no: i64) -> Result<Option<&KeyColumn>, StoreError> {
        if !self.all && !self.known.contains_key(&no) {
            let mut select = self
                .conn
                .prepare_cached("SELECT no, kind FROM key_column WHERE no = ?1")?;
            let mut rows = select.query(params![no])?;
            if let Some(row) = rows.next()? {
                let cells = key_column_row(row);
                let mut column = empty(&cells)?;
                if let KeyColumn::Named(named) = &mut column {
                    let mut select = self.conn.prepare_cached(
                        "SELECT text FROM key_column_spelling
                         JOIN spelling ON spelling.no = key_column_spelling.spelling
                         WHERE key_column = ?1 ORDER BY position",
                    )?;
                    let texts = select.query_map(params![no], |row| row.get(0))?;
                    *named = texts.collect::<Result<_, _>>()?;
                }
                self.known.insert(no, column);
            }
        }
        Ok(self.known.get(&no))
    }
}

fn key_column_row<'r>(row: &'r Row<'r>) -> Cells<'r> {
    Cells {
        table: "key_column",
        row,
    }
}

fn empty(cells: &Cells<'_>) -> Result<KeyColumn, StoreError> {
    Ok(match cells.str(1)? {
        "absent" => KeyColumn::Absent,
        "not-encrypted" => KeyColumn::NotEncrypted,
        "named" => KeyColumn::Named(Vec::new()),
        unknown => return Err(cells.unknown_word(unknown)),
    })
}

/// Hands on every spelling, by number.
pub(super) fn each_spelling(
    conn: &Connection,
    mut each: impl FnMut(i64, String),
) -> Result<(), StoreError> {
    let mut select = conn.prepare_cached("SELECT no, text FROM spelling ORDER BY no")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let cells = Cells {
            table: "spelling",
            row,
        };
        each(cells.get(0)?, cells.get(1)?);
    }
    Ok(())
}

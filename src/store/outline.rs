//! Snapshots looked up instead of streamed: the totals of every cluster, and the ways from them to
//! single snapshots. Selects and orders; what the snapshots mean is not known here.
//!
//! Of the newest state of the store only: it is for who asks about an instant after which nothing
//! was learned.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, Params, Row, params};

use super::error::StoreError;
use super::lowered::Cells;
use super::numbered::Numbered;
use super::snapshots::{self, KeyColumns, Reader};
use crate::model::evidence::SnapshotShape;
use crate::model::outline::{ClusterOutline, Column, End, Outline, Pile, Shapes, Shelves, Span};
use crate::model::{ProjectRef, Snapshot, Timestamp};

/// The snapshots of a store, to be looked up.
pub struct Shelved<'c> {
    conn: &'c Connection,
    outline: Outline,
    /// Where each spelling of the outline stands, by its number.
    spellings: Numbered<()>,
    /// Where each cluster of the outline stands, by its number.
    clusters: HashMap<i64, usize>,
    finder: RefCell<Finder<'c>>,
}

impl<'c> Shelved<'c> {
    pub(super) fn read(conn: &'c Connection) -> Result<Self, StoreError> {
        let redated = redated(conn)?;
        let clusters: Vec<ClusterOutline> = snapshots::clusters(conn)?
            .into_iter()
            .map(|cluster| ClusterOutline {
                redated: redated.contains(&cluster.no),
                no: cluster.no,
                project: cluster.project,
                name: cluster.name,
                latest: cluster.latest,
                sharded: cluster.sharded,
            })
            .collect();
        let mut spellings = Numbered::new();
        let mut texts = Vec::new();
        snapshots::each_spelling(conn, |no, text| {
            spellings.push(no, ());
            texts.push(text);
        })?;
        Ok(Self {
            conn,
            spellings,
            clusters: clusters.iter().map(|c| c.no).zip(0..).collect(),
            outline: Outline {
                clusters,
                spellings: texts,
            },
            finder: RefCell::new(Finder::new(conn)?),
        })
    }

    fn clusters_of(
        &self,
        select: &mut CachedStatement<'_>,
        of: impl Params,
    ) -> Result<Vec<usize>, StoreError> {
        let mut rows = select.query(of)?;
        let mut clusters = Vec::new();
        while let Some(row) = rows.next()? {
            let cells = Cells {
                table: "cluster_key_column",
                row,
            };
            let no: i64 = cells.get(0)?;
            let place = self.clusters.get(&no);
            clusters.push(*place.ok_or_else(|| cells.corrupt("it refers to a missing cluster"))?);
        }
        Ok(clusters)
    }
}

fn redated(conn: &Connection) -> Result<HashSet<i64>, StoreError> {
    let mut select = conn.prepare_cached("SELECT DISTINCT cluster FROM snapshot_redated")?;
    let clusters = select.query_map([], |row| row.get(0))?;
    Ok(clusters.collect::<Result<_, _>>()?)
}

impl Shelves for Shelved<'_> {
    type Error = StoreError;

    fn outline(&self) -> &Outline {
        &self.outline
    }

    fn piles(&self, cluster: &ClusterOutline) -> Result<Vec<Pile>, StoreError> {
        // Flags come in one number: there are many piles. Their order means nothing.
        let mut select = self.conn.prepare_cached(
            "SELECT pile.key_column, kind, spelling, made_from, made_to, has_replica_set
                 + 2 * has_sharded + 4 * has_shared + 8 * has_own + 16 * has_undated
             FROM cluster_key_column AS pile
             CROSS JOIN key_column ON key_column.no = pile.key_column
             LEFT JOIN key_column_spelling AS named ON named.key_column = pile.key_column
             WHERE cluster = ?1",
        )?;
        let mut rows = select.query(params![cluster.no])?;
        let mut piles: Vec<Pile> = Vec::new();
        while let Some(row) = rows.next()? {
            let cells = Cells {
                table: "cluster_key_column",
                row,
            };
            let no = cells.get(0)?;
            let spelling = match cells.get(2)? {
                None => None,
                Some(no) => Some(
                    self.spellings
                        .place(no)
                        .ok_or_else(|| cells.corrupt("it refers to a missing spelling"))?,
                ),
            };
            let known = piles.iter_mut().find(|pile| pile.no == no);
            if let Some(Pile {
                column: Column::Named(spellings),
                ..
            }) = known
            {
                spellings.extend(spelling);
                continue;
            }
            piles.push(Pile {
                no,
                column: match cells.str(1)? {
                    "absent" => Column::Absent,
                    "not-encrypted" => Column::NotEncrypted,
                    "named" => Column::Named(spelling.into_iter().collect()),
                    unknown => return Err(cells.unknown_word(unknown)),
                },
                made: match (cells.opt_time(3)?, cells.opt_time(4)?) {
                    (Some(from), Some(to)) => Some(Span { from, to }),
                    (Some(_) | None, _) => None,
                },
                undated: flags(&cells)? & 16 == 16,
                shapes: shapes(flags(&cells)?),
            });
        }
        Ok(piles)
    }

    fn clusters_under(&self, spelling: usize) -> Result<Vec<usize>, StoreError> {
        let mut select = self.conn.prepare_cached(
            "SELECT DISTINCT cluster FROM cluster_key_column WHERE key_column IN (
                 SELECT key_column FROM key_column_spelling WHERE spelling = ?1)",
        )?;
        let no = self.spellings.number(spelling);
        self.clusters_of(&mut select, params![no])
    }

    fn clusters_without_key(&self) -> Result<Vec<usize>, StoreError> {
        let mut select = self.conn.prepare_cached(
            "SELECT cluster FROM cluster_key_column WHERE key_column IN (
                 SELECT no FROM key_column WHERE kind = 'absent')",
        )?;
        self.clusters_of(&mut select, [])
    }

    fn pick(
        &self,
        cluster: &ClusterOutline,
        piles: &[&Pile],
        ids: &[&str],
        take: &mut dyn FnMut(&Snapshot),
    ) -> Result<(), StoreError> {
        let columns: Vec<i64> = piles.iter().map(|pile| pile.no).collect();
        let mut finder = self.finder.borrow_mut();
        for column in &columns {
            finder.pile(cluster, &columns, *column, take)?;
        }
        let whole = &mut finder.whole;
        for (place, id) in ids.iter().enumerate() {
            if ids.iter().take(place).any(|earlier| earlier == id) {
                continue;
            }
            whole.read(cluster, id)?;
            let is_taken = whole
                .rows
                .iter()
                .any(|(_, column)| columns.contains(column));
            if !whole.rows.is_empty() && !is_taken {
                take(&whole.snapshot);
            }
        }
        Ok(())
    }

    fn walk(
        &self,
        cluster: &ClusterOutline,
        pile: &Pile,
        span: Span,
        first: End,
        take: &mut dyn FnMut(&Snapshot) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let column = pile.no;
        let finder = &mut *self.finder.borrow_mut();
        let whole = &mut finder.whole;
        let mut all = |snapshot: &Snapshot| {
            let _not_stopped_by = take(snapshot);
            ControlFlow::Continue(())
        };
        if pile.undated {
            let of = params![cluster.no, column];
            each(&mut finder.undated, of, whole, cluster, &mut all)?;
        }
        if cluster.redated {
            let of = params![cluster.no];
            each(&mut finder.redated, of, whole, cluster, &mut all)?;
        }
        if !pile.made.is_some_and(|made| made.overlaps(span)) {
            return Ok(());
        }
        let in_order = match first {
            End::Oldest => &mut finder.oldest,
            End::Newest => &mut finder.newest,
        };
        let of = params![cluster.no, column, span.from.unix(), span.to.unix()];
        each(in_order, of, whole, cluster, &mut |snapshot| {
            // Here one of its times is met, which need not be the one that counts.
            if is_redated(snapshot) {
                return ControlFlow::Continue(());
            }
            take(snapshot)
        })
    }
}

/// Its readings do not agree on when it was made.
fn is_redated(snapshot: &Snapshot) -> bool {
    let mut made = snapshot.sightings.iter().map(|s| s.created_at);
    let first = made.next();
    made.any(|at| Some(at) != first)
}

fn flags(cells: &Cells<'_>) -> Result<u8, StoreError> {
    cells.get(5)
}

fn shapes(flags: u8) -> Shapes {
    let mut shapes = Shapes::default();
    for (bit, shape) in SnapshotShape::ALL.into_iter().enumerate() {
        if flags >> bit & 1 == 1 {
            shapes.add(shape);
        }
    }
    shapes
}

/// Statements that serve one look-up after the other.
struct Finder<'c> {
    of_pile: CachedStatement<'c>,
    oldest: CachedStatement<'c>,
    newest: CachedStatement<'c>,
    undated: CachedStatement<'c>,
    redated: CachedStatement<'c>,
    whole: Whole<'c>,
}

impl<'c> Finder<'c> {
    fn new(conn: &'c Connection) -> Result<Self, StoreError> {
        Ok(Self {
            of_pile: conn.prepare_cached(
                "SELECT id, ordinal FROM snapshot WHERE cluster = ?1 AND key_column = ?2",
            )?,
            oldest: conn.prepare_cached(
                "SELECT id FROM snapshot WHERE cluster = ?1 AND key_column = ?2
                     AND created_at BETWEEN ?3 AND ?4 ORDER BY created_at",
            )?,
            newest: conn.prepare_cached(
                "SELECT id FROM snapshot WHERE cluster = ?1 AND key_column = ?2
                     AND created_at BETWEEN ?3 AND ?4 ORDER BY created_at DESC",
            )?,
            undated: conn.prepare_cached(
                "SELECT id FROM snapshot
                 WHERE cluster = ?1 AND key_column = ?2 AND created_at IS NULL",
            )?,
            redated: conn.prepare_cached("SELECT id FROM snapshot_redated WHERE cluster = ?1")?,
            whole: Whole {
                by_id: conn.prepare_cached(snapshots::BY_ID)?,
                reader: Reader::new(conn, Timestamp::MAX, KeyColumns::by_need(conn)),
                snapshot: Snapshot {
                    project: ProjectRef {
                        id: String::new(),
                        base_url: String::new(),
                    },
                    cluster: String::new(),
                    id: String::new(),
                    sightings: Vec::new(),
                },
                rows: Vec::new(),
                cluster: None,
            },
        })
    }

    fn pile(
        &mut self,
        cluster: &ClusterOutline,
        columns: &[i64],
        column: i64,
        take: &mut dyn FnMut(&Snapshot),
    ) -> Result<(), StoreError> {
        let mut found = self.of_pile.query(params![cluster.no, column])?;
        while let Some(row) = found.next()? {
            let cells = snapshot_row(row);
            let by: i64 = cells.get(1)?;
            self.whole.read(cluster, cells.str(0)?)?;
            // A snapshot with several rows in the piles is found by the first of them.
            let mut rows = self.whole.rows.iter();
            let first = rows.find(|(_, column)| columns.contains(column));
            if first.is_some_and(|(ordinal, _)| *ordinal == by) {
                take(&self.whole.snapshot);
            }
        }
        Ok(())
    }
}

fn snapshot_row<'r>(row: &'r Row<'r>) -> Cells<'r> {
    Cells {
        table: "snapshot",
        row,
    }
}

/// Hands on the snapshots that a statement names, until told to stop.
fn each(
    names: &mut CachedStatement<'_>,
    of: impl Params,
    whole: &mut Whole<'_>,
    cluster: &ClusterOutline,
    take: &mut dyn FnMut(&Snapshot) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut found = names.query(of)?;
    while let Some(row) = found.next()? {
        whole.read(cluster, snapshot_row(row).str(0)?)?;
        if take(&whole.snapshot).is_break() {
            break;
        }
    }
    Ok(())
}

/// A snapshot with all its rows.
struct Whole<'c> {
    by_id: CachedStatement<'c>,
    reader: Reader<'c>,
    snapshot: Snapshot,
    /// Ordinal and key column of each row, in that order.
    rows: Vec<(i64, i64)>,
    /// The cluster that `snapshot` names.
    cluster: Option<i64>,
}

impl Whole<'_> {
    /// Reads a snapshot; it has no sightings if the cluster has none of this id.
    fn read(&mut self, cluster: &ClusterOutline, id: &str) -> Result<(), StoreError> {
        if self.cluster != Some(cluster.no) {
            self.snapshot.project.clone_from(&*cluster.project);
            self.snapshot.cluster.clone_from(&cluster.name);
            self.cluster = Some(cluster.no);
        }
        self.snapshot.id.clear();
        self.snapshot.id.push_str(id);
        self.rows.clear();
        self.reader.take_back(&mut self.snapshot);
        let mut found = self.by_id.query(params![cluster.no, id])?;
        while let Some(row) = found.next()? {
            let cells = snapshot_row(row);
            self.rows.push((cells.get(12)?, cells.get(9)?));
            self.snapshot.sightings.push(self.reader.sighting(&cells)?);
        }
        snapshots::put_in_order(&mut self.snapshot);
        Ok(())
    }
}

//! Totals of a cluster's snapshots, kept while rows come in: they tell what a question about one
//! key needs to know of all the others. Small and derived: `snapshot` says the same, row by row.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::error::StoreError;
use super::sightings::Seen;
use crate::model::Timestamp;
use crate::model::evidence::SnapshotShape;
use crate::model::outline::{Shapes, Span};

/// Totals of one import, by cluster and key column.
#[derive(Default)]
pub(super) struct Totals(HashMap<(i64, i64), Total>);

#[derive(Clone, Copy)]
struct Total {
    latest: Timestamp,
    made: Option<Span>,
    undated: bool,
    shapes: Shapes,
}

impl Totals {
    /// Counts a row in, whether or not it says anything new.
    pub(super) fn note(
        &mut self,
        conn: &Connection,
        place: (i64, i64),
        seen: &Seen<'_>,
    ) -> Result<(), StoreError> {
        let latest = seen
            .created_at
            .map_or(seen.last_at, |at| at.max(seen.last_at));
        let undated = seen.created_at.is_none();
        let made = seen.created_at.map(|at| Span { from: at, to: at });
        match self.0.get_mut(&place) {
            Some(total) => {
                total.latest = total.latest.max(latest);
                total.made = match (total.made, made) {
                    (Some(one), Some(other)) => Some(one.with(other)),
                    (one, other) => one.or(other),
                };
                total.undated |= undated;
                total.shapes.add(seen.shape);
            }
            None => {
                // The row of the snapshot refers to this one.
                conn.prepare_cached(
                    "INSERT INTO cluster_key_column (cluster, key_column) VALUES (?1, ?2)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![place.0, place.1])?;
                let mut shapes = Shapes::default();
                shapes.add(seen.shape);
                let total = Total {
                    latest,
                    made,
                    undated,
                    shapes,
                };
                self.0.insert(place, total);
            }
        }
        Ok(())
    }

    /// Writes them, added to those of earlier imports.
    pub(super) fn keep(&self, conn: &Connection) -> Result<(), StoreError> {
        let mut of_pile = conn.prepare_cached(
            "UPDATE cluster_key_column SET
                 made_from = ifnull(min(made_from, ?3), ifnull(made_from, ?3)),
                 made_to = ifnull(max(made_to, ?4), ifnull(made_to, ?4)),
                 has_undated = max(has_undated, ?5),
                 has_replica_set = max(has_replica_set, ?6),
                 has_sharded = max(has_sharded, ?7),
                 has_shared = max(has_shared, ?8),
                 has_own = max(has_own, ?9)
             WHERE cluster = ?1 AND key_column = ?2",
        )?;
        let mut of_cluster = conn.prepare_cached(
            "UPDATE cluster SET latest_at = max(latest_at, ?2), has_sharded = max(has_sharded, ?3)
             WHERE no = ?1",
        )?;
        for ((cluster, key_column), total) in &self.0 {
            let has = |shape| total.shapes.has(shape);
            of_pile.execute(params![
                cluster,
                key_column,
                total.made.map(|made| made.from.unix()),
                total.made.map(|made| made.to.unix()),
                total.undated,
                has(SnapshotShape::ReplicaSet),
                has(SnapshotShape::Sharded),
                has(SnapshotShape::Shared),
                has(SnapshotShape::Own),
            ])?;
            of_cluster.execute(params![
                cluster,
                total.latest.unix(),
                has(SnapshotShape::Sharded)
            ])?;
        }
        Ok(())
    }
}

/// A snapshot got a further row: notes it if its rows do not agree on when it was made.
pub(super) fn note_redated(conn: &Connection, cluster: i64, id: &str) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO snapshot_redated (cluster, id)
         SELECT ?1, ?2 FROM snapshot AS one JOIN snapshot AS other USING (cluster, id)
         WHERE cluster = ?1 AND id = ?2 AND one.created_at IS NOT other.created_at LIMIT 1
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![cluster, id])?;
    Ok(())
}

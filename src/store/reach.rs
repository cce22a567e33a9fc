//! What the snapshot rows of a cluster say together: aggregates that take no room, for whoever
//! has to know only how far the rows reach. What follows from them is no business of this file.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, params};

use super::error::StoreError;
use super::lowered::Cells;
use super::view::View;
use crate::model::{ProjectRef, Timestamp};

/// All snapshots of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach<'c> {
    pub project: &'c ProjectRef,
    pub cluster: &'c str,
    /// The latest time at which any of them was shown or made.
    pub latest: Timestamp,
    /// One of them was shown as that of a sharded cluster.
    pub sharded: bool,
}

impl View<'_> {
    /// Hands on how far the snapshots of each cluster of these projects reach, as everything
    /// stands now: where the store knows anything later than the instant in question
    /// (`Evidence::later_exists`), only the rows themselves can be cut back to it. Stops at the
    /// first error.
    pub fn for_each_reach<E: From<StoreError>>(
        &self,
        projects: &BTreeSet<ProjectRef>,
        each: &mut dyn FnMut(&Reach<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut clusters = self
            .conn
            .prepare_cached(
                "SELECT cluster.no, cluster.name FROM cluster
                 JOIN project ON project.no = cluster.project
                 WHERE project.id = ?1 AND project.base_url = ?2",
            )
            .map_err(StoreError::from)?;
        let mut rows_of = self
            .conn
            .prepare_cached(
                "SELECT max(max(last_at, ifnull(created_at, last_at))), max(shape = 'sharded')
                 FROM snapshot WHERE cluster = ?1",
            )
            .map_err(StoreError::from)?;
        for project in projects {
            let mut found = clusters
                .query(params![project.id, project.base_url])
                .map_err(StoreError::from)?;
            while let Some(row) = found.next().map_err(StoreError::from)? {
                let cells = Cells {
                    table: "cluster",
                    row,
                };
                let Some((latest, sharded)) = latest(&mut rows_of, cells.get(0)?)? else {
                    continue;
                };
                each(&Reach {
                    project,
                    cluster: cells.str(1)?,
                    latest,
                    sharded,
                })?;
            }
        }
        Ok(())
    }
}

/// `None` if the cluster has no rows.
fn latest(
    rows_of: &mut CachedStatement<'_>,
    cluster: i64,
) -> Result<Option<(Timestamp, bool)>, StoreError> {
    let mut found = rows_of.query(params![cluster])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let cells = Cells {
        table: "snapshot",
        row,
    };
    let latest = cells.opt_time(0)?;
    match latest {
        Some(latest) => Ok(Some((latest, cells.get(1)?))),
        None => Ok(None),
    }
}

//! What the same machine needs for the same work without snapkey: the yardsticks of the ratios.
//! Each runs in a process of its own, as snapkey does.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::DateTime;
use rusqlite::{Connection, params};
use serde::Deserialize;

const SCHEMA: &str = include_str!("../../schema.sql");

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<Row<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    frequency_type: Option<Cow<'a, str>>,
    created_at: Option<&'a str>,
    expires_at: Option<&'a str>,
    #[serde(rename = "masterKeyUUID")]
    master_key: Option<&'a str>,
    #[serde(borrow)]
    copy_regions: Vec<Cow<'a, str>>,
}

/// Reads every page with snapshots and inserts each snapshot once, prepared, in one transaction.
pub(crate) fn ingest(bundle: &Path, pages: &Path, store: &Path) -> Result<()> {
    let mut conn = Connection::open(store)?;
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -32768;",
    )?;
    conn.execute_batch(SCHEMA)?;
    let transaction = conn.transaction()?;
    {
        transaction.execute(
            "INSERT INTO project (no, id, base_url) VALUES (0, 'p', 'b')",
            [],
        )?;
        let mut add_cluster = transaction
            .prepare("INSERT OR IGNORE INTO cluster (no, project, name) VALUES (?1, 0, ?1)")?;
        let mut add_column = transaction.prepare(
            "INSERT INTO key_column (no, digest, kind) VALUES (?1, randomblob(32), 'named')",
        )?;
        let mut add = transaction.prepare(
            "INSERT INTO snapshot (cluster, id, ordinal, shape, status, status_text, created_at,
             expires_at, keep, frequency, copied, key_column, first_at, last_at)
             VALUES (?1, ?2, 0, ?3, ?4, NULL, ?5, ?6, 0, ?7, ?8, ?9, ?10, ?10)",
        )?;
        let mut add_pair = transaction
            .prepare("INSERT INTO cluster_key_column (cluster, key_column) VALUES (?1, ?2)")?;
        let mut pairs: HashSet<(i64, i64)> = HashSet::new();
        let mut columns: HashMap<String, i64> = HashMap::new();
        for line in fs::read_to_string(pages)?.lines() {
            let mut words = line.split(' ');
            let (Some(cluster), Some(mark), Some(file)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let cluster: i64 = cluster.parse()?;
            let bytes = fs::read(bundle.join(file))?;
            let page: Page<'_> = serde_json::from_slice(&bytes).with_context(|| file.to_owned())?;
            if mark == "-" {
                black_box(page.results.len());
                continue;
            }
            add_cluster.execute(params![cluster])?;
            for row in &page.results {
                let key = row.master_key.unwrap_or("");
                let column = match columns.get(key) {
                    Some(&no) => no,
                    None => {
                        let no = i64::try_from(columns.len())?;
                        add_column.execute(params![no])?;
                        columns.insert(key.to_owned(), no);
                        no
                    }
                };
                if pairs.insert((cluster, column)) {
                    add_pair.execute(params![cluster, column])?;
                }
                add.execute(params![
                    cluster,
                    row.id,
                    match &*row.kind {
                        "shardedCluster" => "sharded",
                        _ => "replica-set",
                    },
                    match &*row.status {
                        "completed" => "completed",
                        "inProgress" => "in-progress",
                        _ => "failed",
                    },
                    row.created_at.map(unix).transpose()?,
                    row.expires_at.map(unix).transpose()?,
                    row.frequency_type,
                    !row.copy_regions.is_empty(),
                    column,
                    1_768_442_400
                ])?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn unix(text: &str) -> Result<i64> {
    Ok(DateTime::parse_from_rfc3339(text)?.timestamp())
}

/// Reads every snapshot row with all its columns, twice, in the order in which snapkey wants them.
pub(crate) fn select(store: &Path) -> Result<()> {
    let conn = Connection::open(store)?;
    conn.execute_batch("PRAGMA cache_size = -8192;")?;
    for _ in 0..2 {
        // The cross join fixes the order of the loops: no sort of all rows.
        let mut select = conn.prepare(
            "SELECT of.id, of.name, snapshot.* FROM (
                 SELECT cluster.no AS no, project.id AS id, cluster.name AS name
                 FROM cluster JOIN project ON project.no = cluster.project
                 ORDER BY project.id, project.base_url, cluster.name) AS of
             CROSS JOIN snapshot ON snapshot.cluster = of.no",
        )?;
        let columns = select.column_count();
        let mut rows = select.query([])?;
        let mut count = 0_u64;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                black_box(row.get_ref(column)?);
            }
            count += 1;
        }
        black_box(count);
    }
    Ok(())
}

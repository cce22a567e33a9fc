//! What the store promises, seen through its public face.

mod evidence;
mod files;
mod outline;
mod rows;
mod samples;
mod schema;
mod snapshots;

use super::{Import, Location, Store, StoreError, View};
use crate::model::intake::{Intake, Shown};
use crate::model::{Evidence, Observation, ProjectRef, Reading, Sighting, Snapshot, Timestamp};

/// An instant some seconds into the tests' year.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + seconds).unwrap()
}

fn memory() -> Store {
    Store::create(&Location::Memory).unwrap()
}

fn import<T>(
    store: &mut Store,
    work: impl FnOnce(&mut Import<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    store.import(at(0), work)
}

fn view<T>(store: &Store, work: impl FnOnce(&View<'_>) -> Result<T, StoreError>) -> T {
    store.view(work).unwrap()
}

fn evidence(store: &Store, as_of: Timestamp) -> Evidence {
    view(store, |view| view.evidence(as_of))
}

fn snapshots(store: &Store, as_of: Timestamp) -> Vec<Snapshot> {
    view(store, |view| {
        let mut all = Vec::new();
        view.for_each_snapshot(as_of, &mut |snapshot: &Snapshot| {
            all.push(snapshot.clone());
            Ok::<_, StoreError>(())
        })?;
        Ok(all)
    })
}

/// Something that an import hands over.
#[derive(Clone, Debug)]
enum Fact {
    Snapshot(ProjectRef, String, String, Sighting),
    Reading(Reading),
    Observation(Observation),
}

/// Shows a snapshot once, when its sighting was first made.
fn show(
    import: &mut Import<'_>,
    project: &ProjectRef,
    cluster: &str,
    id: &str,
    sighting: &Sighting,
) -> Result<(), StoreError> {
    import.snapshot(&shown(project, cluster, id, sighting))
}

fn shown<'a>(
    project: &'a ProjectRef,
    cluster: &'a str,
    id: &'a str,
    sighting: &'a Sighting,
) -> Shown<'a> {
    Shown {
        project,
        cluster,
        id,
        at: sighting.first_at,
        shape: sighting.shape,
        status: sighting.status.clone(),
        created_at: sighting.created_at,
        expires_at: sighting.expires_at,
        keep: sighting.keep,
        frequency: sighting.frequency.as_deref(),
        copied: sighting.copied,
        version: None,
        keys: sighting.keys.clone(),
    }
}

fn hand_over(import: &mut Import<'_>, fact: &Fact) -> Result<(), StoreError> {
    match fact {
        Fact::Snapshot(project, cluster, id, sighting) => {
            show(import, project, cluster, id, sighting)
        }
        Fact::Reading(reading) => import.reading(reading),
        Fact::Observation(observation) => import.observation(observation),
    }
}

fn import_all(store: &mut Store, facts: &[Fact]) {
    import(store, |import| {
        facts.iter().try_for_each(|fact| hand_over(import, fact))
    })
    .unwrap();
}

/// Every row of every table, as text.
fn dump(store: &Store) -> Vec<String> {
    let mut tables = store
        .conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut dump = Vec::new();
    for table in tables {
        let mut rows = store
            .conn
            .prepare(&format!("SELECT * FROM {table}"))
            .unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|n| row.get_ref_unwrap(n)).collect();
            dump.push(format!("{table} {values:?}"));
        }
    }
    dump
}

/// The parts of `Evidence` that can be compared.
fn comparable(evidence: &Evidence) -> String {
    format!("{evidence:?}")
}

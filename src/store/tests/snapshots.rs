//! Snapshots: one row per distinct content, an interval that only widens, one fixed order.

use std::sync::Arc;

use proptest::prelude::*;

use super::samples::{project, sighting};
use super::{at, dump, evidence, import, memory, show, snapshots, view};
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::intake::{Intake, Shown};
use crate::model::reading::{Content, Gap, Outcome, Scope};
use crate::model::{ProjectRef, Reading, RootId, Sighting, Snapshot, Source, Timestamp};
use crate::store::{Store, StoreError};

pub(super) fn home(id: &str) -> ProjectRef {
    ProjectRef {
        id: id.to_owned(),
        base_url: "https://atlas.example".to_owned(),
    }
}

pub(super) fn completed(at: Timestamp) -> Sighting {
    Sighting {
        first_at: at,
        last_at: at,
        shape: SnapshotShape::ReplicaSet,
        status: SnapshotStatus::Completed,
        created_at: None,
        expires_at: None,
        keep: false,
        frequency: None,
        copied: false,
        keys: KeyColumn::Named(vec!["k".to_owned()]),
    }
}

fn shown(store: &mut Store, cluster: &str, id: &str, sighting: &Sighting) {
    import(store, |import| {
        show(import, &home("p"), cluster, id, sighting)
    })
    .unwrap();
}

fn list(
    store: &mut Store,
    at: Timestamp,
    cluster: Option<&str>,
    outcome: Outcome,
    content: Content,
) {
    let reading = Reading {
        root: Arc::new(RootId {
            source: Source::Atlas,
            base_url: home("p").base_url,
            scope: Scope::AllVisible,
        }),
        project: Some(Arc::from("p")),
        cluster: cluster.map(Arc::from),
        at,
        run: Arc::from("run"),
        identity: None,
        outcome,
        content: Arc::new(content),
        before: Vec::new(),
    };
    import(store, |import| import.reading(&reading)).unwrap();
}

/// First and last time of each sighting of the only snapshot.
fn intervals(store: &Store, as_of: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let all = snapshots(store, as_of);
    assert!(all.len() < 2);
    all.iter()
        .flat_map(|snapshot| &snapshot.sightings)
        .map(|sighting| (sighting.first_at, sighting.last_at))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_snapshot_comes_back_as_it_was(
        project in project(),
        cluster in "\\PC{0,4}",
        id in "\\PC{0,4}",
        sighting in sighting(),
    ) {
        let mut store = memory();
        import(&mut store, |import| show(import, &project, &cluster, &id, &sighting)).unwrap();
        let expected = Snapshot { project, cluster, id, sightings: vec![sighting] };
        prop_assert_eq!(snapshots(&store, Timestamp::MAX), vec![expected]);
    }
}

#[test]
fn the_same_content_widens_its_interval_and_another_adds_a_row() {
    let mut store = memory();
    let failed = |at| Sighting {
        status: SnapshotStatus::Failed,
        ..completed(at)
    };
    for sighting in [
        completed(at(5)),
        completed(at(9)),
        completed(at(7)),
        failed(at(6)),
        completed(at(2)),
        failed(at(8)),
        failed(at(8)),
    ] {
        shown(&mut store, "c", "s", &sighting);
    }
    assert_eq!(intervals(&store, at(99)), [(at(2), at(9)), (at(6), at(8))]);
    let rows = dump(&store);
    let rows = rows.iter().filter(|row| row.starts_with("snapshot "));
    assert_eq!(rows.count(), 2);
}

/// Each field alone makes another content: none may be left out of the comparison, or what a list
/// said would be lost.
pub(super) fn others_than(base: &Sighting) -> Vec<Sighting> {
    vec![
        Sighting {
            shape: SnapshotShape::Own,
            ..base.clone()
        },
        Sighting {
            status: SnapshotStatus::Queued,
            ..base.clone()
        },
        Sighting {
            status: SnapshotStatus::Unrecognised("a".to_owned()),
            ..base.clone()
        },
        Sighting {
            status: SnapshotStatus::Unrecognised("b".to_owned()),
            ..base.clone()
        },
        Sighting {
            created_at: Some(at(0)),
            ..base.clone()
        },
        Sighting {
            expires_at: Some(at(0)),
            ..base.clone()
        },
        Sighting {
            keep: true,
            ..base.clone()
        },
        Sighting {
            frequency: Some(String::new()),
            ..base.clone()
        },
        Sighting {
            copied: true,
            ..base.clone()
        },
        Sighting {
            keys: KeyColumn::Absent,
            ..base.clone()
        },
        Sighting {
            keys: KeyColumn::NotEncrypted,
            ..base.clone()
        },
        Sighting {
            keys: KeyColumn::Named(vec!["l".to_owned()]),
            ..base.clone()
        },
        Sighting {
            keys: KeyColumn::Named(vec!["k".to_owned(), "l".to_owned()]),
            ..base.clone()
        },
    ]
}

#[test]
fn every_field_counts() {
    let base = completed(at(1));
    let others = others_than(&base);
    let mut store = memory();
    shown(&mut store, "c", "s", &base);
    for (n, other) in others.iter().enumerate() {
        // Later than the first row, so that a comparison without the field would widen it.
        let later = |seconds| Sighting {
            first_at: at(seconds),
            last_at: at(seconds),
            ..other.clone()
        };
        shown(&mut store, "c", "s", &later(2));
        shown(&mut store, "c", "s", &later(3));
        assert_eq!(intervals(&store, at(9)).len(), n + 2, "{other:?}");
    }
    assert_eq!(intervals(&store, at(9))[0], (at(1), at(1)));
    assert!(
        intervals(&store, at(9))[1..]
            .iter()
            .all(|ends| *ends == (at(2), at(3)))
    );
}

#[test]
fn snapshots_come_by_project_url_cluster_and_id() {
    let order = [
        ("a", "https://x", "z", "2"),
        ("a", "https://y", "a", "1"),
        ("a", "https://y", "a", "10"),
        ("a", "https://y", "a", "2"),
        ("a", "https://y", "b", "0"),
        ("b", "https://x", "B", "1"),
        ("b", "https://x", "a", "1"),
        ("b", "https://x", "\u{e9}", "1"),
    ];
    let mut shuffled = order;
    shuffled.reverse();
    shuffled.swap(1, 5);
    let mut store = memory();
    import(&mut store, |import| {
        for (id, base_url, cluster, snapshot) in shuffled {
            let project = ProjectRef {
                id: id.to_owned(),
                base_url: base_url.to_owned(),
            };
            show(import, &project, cluster, snapshot, &completed(at(1)))?;
        }
        Ok(())
    })
    .unwrap();
    let all = snapshots(&store, at(1));
    let come: Vec<_> = all
        .iter()
        .map(|snapshot| {
            (
                snapshot.project.id.as_str(),
                snapshot.project.base_url.as_str(),
                snapshot.cluster.as_str(),
                snapshot.id.as_str(),
            )
        })
        .collect();
    assert_eq!(come, order);
}

/// A snapshot shown before and after an instant: which lists tell that it was still there then?
#[test]
fn an_interval_is_cut_at_the_newest_whole_list() {
    let whole = || Outcome::Whole;
    let cases: [(Option<&str>, Outcome, Content, i64); 8] = [
        (Some("c"), whole(), Content::Snapshots, 4),
        (Some("c"), whole(), Content::ShardedSnapshots, 4),
        (Some("c"), whole(), Content::SharedSnapshots, 4),
        (None, whole(), Content::Inventory(Vec::new()), 4),
        // Another cluster's, a partial one, and no snapshot list at all tell nothing.
        (Some("d"), whole(), Content::Snapshots, 2),
        (
            Some("c"),
            Outcome::Partial(Gap::PageMissing),
            Content::Snapshots,
            2,
        ),
        (
            Some("c"),
            Outcome::Refused {
                status: 404,
                code: None,
                confirmed: true,
            },
            Content::Snapshots,
            2,
        ),
        (Some("c"), whole(), Content::Settings(Vec::new()), 2),
    ];
    for (cluster, outcome, content, last) in cases {
        let mut store = memory();
        shown(&mut store, "c", "s", &completed(at(2)));
        shown(&mut store, "c", "s", &completed(at(9)));
        let case = format!("{cluster:?} {outcome:?} {content:?}");
        for time in [1, 3, 4, 7] {
            list(
                &mut store,
                at(time),
                cluster,
                outcome.clone(),
                content.clone(),
            );
        }
        assert_eq!(intervals(&store, at(5)), [(at(2), at(last))], "{case}");
        // A list older than the first sighting cannot have shown it.
        assert_eq!(intervals(&store, at(2)), [(at(2), at(2))], "{case}");
        assert_eq!(intervals(&store, at(9)), [(at(2), at(9))], "{case}");
        assert_eq!(intervals(&store, at(1)), [], "{case}");
    }
}

#[test]
fn a_wider_interval_is_later_evidence() {
    let mut store = memory();
    shown(&mut store, "c", "s", &completed(at(2)));
    assert!(!evidence(&store, at(2)).later_exists);
    shown(&mut store, "c", "s", &completed(at(9)));
    assert!(evidence(&store, at(8)).later_exists);
    assert!(!evidence(&store, at(9)).later_exists);
}

#[test]
fn the_stream_stops_at_the_first_error() {
    let mut store = memory();
    for id in ["1", "2", "3"] {
        shown(&mut store, "c", id, &completed(at(1)));
    }
    let mut n_snapshots = 0;
    let stopped = store.view(|view| {
        view.for_each_snapshot(at(1), &mut |_snapshot| {
            n_snapshots += 1;
            if n_snapshots == 2 {
                return Err(StoreError::Full);
            }
            Ok(())
        })
    });
    assert!(matches!(stopped, Err(StoreError::Full)));
    assert_eq!(n_snapshots, 2);
}

/// A million rows must not be sorted, and a key's snapshots not searched for.
#[test]
fn the_indexes_serve_what_they_are_for() {
    let plans = [
        (
            "SELECT id FROM snapshot WHERE cluster = 1 AND first_at <= 5 ORDER BY id, ordinal",
            "PRIMARY KEY (cluster=?)",
        ),
        (
            "SELECT id FROM snapshot WHERE cluster = 1 AND key_column = 2 AND created_at >= 3
             ORDER BY created_at",
            "snapshot_by_key (cluster=? AND key_column=? AND created_at>?)",
        ),
        (
            "SELECT cluster FROM cluster_key_column WHERE key_column = 1",
            "cluster_key_column_by_key (key_column=?)",
        ),
        (
            "SELECT key_column FROM key_column_spelling WHERE spelling = 1",
            "key_column_by_spelling (spelling=?)",
        ),
        (
            "SELECT no FROM observation WHERE key = 1 ORDER BY at DESC LIMIT 1",
            "observation_by_key (key=?)",
        ),
    ];
    let store = memory();
    for (select, index) in plans {
        let plan: String = store
            .conn
            .prepare(&format!("EXPLAIN QUERY PLAN {select}"))
            .unwrap()
            .query_map([], |row| row.get::<_, String>(3))
            .unwrap()
            .map(|step| step.unwrap() + "\n")
            .collect();
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    }
}

/// Shows a snapshot as taken with this MongoDB version.
fn show_version(store: &mut Store, seconds: i64, id: &str, version: Option<&str>) {
    import(store, |import| {
        import.snapshot(&Shown {
            project: &home("p"),
            cluster: "c",
            id,
            at: at(seconds),
            shape: SnapshotShape::ReplicaSet,
            status: SnapshotStatus::Completed,
            created_at: None,
            expires_at: None,
            keep: false,
            frequency: None,
            copied: false,
            version,
            keys: KeyColumn::Absent,
        })
    })
    .unwrap();
}

#[test]
fn a_snapshot_keeps_every_version_that_it_was_shown_with() {
    let mut store = memory();
    for (seconds, id, version) in [
        (1, "s1", None),
        (2, "s1", Some("7.0.12")),
        (3, "s1", Some("7.0.12")),
        (4, "s1", Some("7.0.2")),
        (5, "s1", Some("7.0.12")),
        (1, "s2", None),
        (1, "s3", Some("8.0.0-rc3")),
    ] {
        show_version(&mut store, seconds, id, version);
    }
    let unchanged = dump(&store);
    show_version(&mut store, 2, "s1", Some("7.0.12"));
    assert_eq!(dump(&store), unchanged);
    // (as of, snapshot, versions)
    let table: [(i64, &str, &[&str]); 6] = [
        (1, "s1", &[]),
        (2, "s1", &["7.0.12"]),
        (9, "s1", &["7.0.12", "7.0.2"]),
        (9, "s2", &[]),
        (9, "s3", &["8.0.0-rc3"]),
        (9, "s4", &[]),
    ];
    for (seconds, id, expected) in table {
        let row = Snapshot {
            project: home("p"),
            cluster: "c".to_owned(),
            id: id.to_owned(),
            sightings: Vec::new(),
        };
        let found = view(&store, |view| view.versions(at(seconds), &row));
        assert_eq!(found, expected, "{id} as of {seconds}");
    }
    // One row for each version, and one for none.
    let rows = snapshots(&store, Timestamp::MAX);
    let sightings: Vec<usize> = rows.iter().map(|row| row.sightings.len()).collect();
    assert_eq!(sightings, [3, 1, 1]);
}

#[test]
fn a_version_that_went_missing_is_told() {
    let mut store = memory();
    show_version(&mut store, 1, "s1", Some("7.0.12"));
    store
        .conn
        .execute_batch("DELETE FROM mongod_version")
        .unwrap();
    let [row] = snapshots(&store, Timestamp::MAX).try_into().unwrap();
    let error = store.view(|view| view.versions(Timestamp::MAX, &row));
    assert!(
        matches!(error, Err(StoreError::Corrupt { .. })),
        "{error:?}"
    );
}

//! What `ingest` exits with is what `projects` says of completeness, though it reads no row.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::Value;

use super::*;
use crate::model::intake::{Intake, Shown};
use crate::model::reading::{ClusterState, Content, Outcome, RootId, Schedule, Scope};
use crate::model::{Reading, Source};
use crate::store::{Import, Location, StoreError};

/// Bundles of one story, oldest first, in a folder where their manifests may be rewritten.
struct Story {
    _folder: tempfile::TempDir,
    bundles: Vec<(PathBuf, Value)>,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn bundles_below(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.join("manifest.json").exists() {
        found.push(folder.to_owned());
        return;
    }
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            bundles_below(&entry.path(), found);
        }
    }
}

fn stories() -> Vec<Story> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let scenarios = fs::read_dir(fixtures.join("scenarios")).unwrap();
    let mut sources: Vec<PathBuf> = scenarios.map(|entry| entry.unwrap().path()).collect();
    sources.extend([fixtures.join("demo"), fixtures.join("check")]);
    sources.sort();
    let stories = sources
        .into_iter()
        .filter(|source| source.is_dir())
        .map(|source| {
            let folder = tempfile::tempdir().unwrap();
            copy(&source, folder.path());
            let mut found = Vec::new();
            bundles_below(folder.path(), &mut found);
            let mut bundles: Vec<(PathBuf, Value)> = found
                .into_iter()
                .map(|bundle| {
                    let manifest = fs::read(bundle.join("manifest.json")).unwrap();
                    (bundle, serde_json::from_slice(&manifest).unwrap())
                })
                .collect();
            bundles.sort_by_key(|(_, manifest)| manifest["requests"][0]["at"].to_string());
            Story {
                _folder: folder,
                bundles,
            }
        });
    stories.collect()
}

fn options() -> Options {
    Options {
        base_url: None,
        known_base_url: None,
        project: None,
        cluster: None,
        observed_at: None,
        complete: false,
        read_key_answer: crate::probe::aws::read_recorded,
    }
}

/// Ingests a bundle without the requests that `left_out` picks, and gives its projects.
fn ingest_less(
    store: &mut Store,
    bundle: &Path,
    manifest: &Value,
    left_out: impl Fn(usize) -> bool,
    now: Timestamp,
) -> BTreeSet<ProjectRef> {
    let mut less = manifest.clone();
    let mut no = 0;
    less["requests"].as_array_mut().unwrap().retain(|_| {
        no += 1;
        !left_out(no - 1)
    });
    fs::write(bundle.join("manifest.json"), less.to_string()).unwrap();
    let read = store.import(now, |import: &mut Import<'_>| {
        let inputs = [ingest::Input::Path(bundle.to_owned())];
        let read = ingest::ingest(&inputs, &mut std::io::empty(), &options(), now, import);
        Ok::<_, StoreError>(read.unwrap())
    });
    read.unwrap().bundle_projects
}

/// Which of the projects are complete, by one way of reading the rows.
fn complete(
    verdicts: Vec<ProjectVerdict>,
    projects: &BTreeSet<ProjectRef>,
) -> BTreeMap<ProjectRef, bool> {
    verdicts
        .into_iter()
        .filter(|verdict| projects.contains(&verdict.project))
        .map(|verdict| (verdict.project, verdict.complete))
        .collect()
}

fn from_rows(store: &Store, policy: &Policy, now: Timestamp) -> Vec<ProjectVerdict> {
    let said = store.view(|view| {
        let evidence = view.evidence(now)?;
        Facts::new(&evidence, policy, now).projects(judge::rows(view, now))
    });
    said.unwrap()
}

fn from_none(store: &Store, policy: &Policy, now: Timestamp) -> Vec<ProjectVerdict> {
    let said = store.view(|view| {
        let evidence = view.evidence(now)?;
        Facts::new(&evidence, policy, now).projects(|_take| Ok::<_, Error>(()))
    });
    said.unwrap()
}

#[test]
fn completeness_of_the_stories_needs_no_rows() {
    let at = |text| Timestamp::floor(text).unwrap();
    let policy = Policy::default();
    let (mut closed, mut open) = (0, 0);
    let stories = stories();
    for case in 0..48 {
        let story = &stories[case % stories.len()];
        // How much is left out, from nothing to a third, and whether the clock was set back: what
        // was ingested before is then later than now.
        let (one_in, early) = (
            [u64::MAX, 12, 6, 3][case / stories.len() % 4],
            case % 5 == 0,
        );
        let mut store = Store::create(&Location::Memory).unwrap();
        // A clock that is set back: what was ingested before is later than now.
        let nows = if early {
            [at("2027-11-01T00:00:00Z"), at("2026-10-30T00:00:00Z")]
        } else {
            [at("2027-11-01T00:00:00Z"); 2]
        };
        for (no, (bundle, manifest)) in story.bundles.iter().enumerate() {
            let left_out = |request: usize| {
                let mut hash = DefaultHasher::new();
                (case, no, request).hash(&mut hash);
                hash.finish().is_multiple_of(one_in)
            };
            let projects = ingest_less(&mut store, bundle, manifest, left_out, nows[0]);
            for now in nows {
                let fast = coverage(&store, &policy, &projects, now).unwrap();
                let fast = complete(fast, &projects);
                let full = complete(from_rows(&store, &policy, now), &projects);
                assert_eq!(fast, full, "case {case} at {now}");
                closed += full.values().filter(|complete| **complete).count();
                open += full.values().filter(|complete| !**complete).count();
            }
        }
    }
    assert!(closed > 20 && open > 20, "{closed} {open}");
}

const HOUR: i64 = 3_600;
const CLUSTERS: [&str; 2] = ["orders", "ledger"];

fn at_hour(hour: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + hour * HOUR).unwrap()
}

fn home() -> ProjectRef {
    ProjectRef {
        id: "p".to_owned(),
        base_url: "https://atlas.example".to_owned(),
    }
}

/// One more thing that was read of a project, out of few of each kind.
#[derive(Clone, Debug)]
enum Read {
    List(Content, Option<&'static str>, Outcome),
    Row(&'static str, SnapshotShape, Option<i64>),
}

fn gone() -> Outcome {
    Outcome::Refused {
        status: 404,
        code: Some("CLUSTER_NOT_FOUND".to_owned()),
        confirmed: true,
    }
}

fn no_copies() -> Schedule {
    Schedule {
        restore_window_days: None,
        extra_retention: Vec::new(),
        copies: Vec::new(),
    }
}

fn cluster_list_of(is_listed: fn(&str) -> bool) -> Content {
    Content::Clusters {
        deleted_included: true,
        clusters: CLUSTERS
            .iter()
            .filter(|name| is_listed(name))
            .map(|name| cluster(name, 0, Some(false), None))
            .collect(),
    }
}

fn cluster(
    name: &str,
    id: u8,
    sharded: Option<bool>,
    backup_enabled: Option<bool>,
) -> ClusterState {
    ClusterState {
        id: Some(format!("{name}-{id}")),
        name: name.to_owned(),
        sharded,
        state: None,
        encryption: None,
        backup_enabled,
        pit_enabled: None,
        paused: None,
        dedicated: true,
        version: None,
        instance_size: None,
    }
}

fn cluster_list() -> impl Strategy<Value = Content> {
    // Not listed, or its id, whether it is sharded, whether it has backups.
    let state =
        prop::option::weighted(0.7, (0_u8..2, any::<Option<bool>>(), any::<Option<bool>>()));
    [state.clone(), state].prop_map(|states| Content::Clusters {
        deleted_included: true,
        clusters: CLUSTERS
            .iter()
            .zip(states)
            .filter_map(|(name, state)| {
                let (id, sharded, backup_enabled) = state?;
                Some(cluster(name, id, sharded, backup_enabled))
            })
            .collect(),
    })
}

fn read() -> impl Strategy<Value = Read> {
    let cluster = prop::sample::select(&CLUSTERS[..]);
    let of_cluster = prop::sample::select(vec![
        Content::Snapshots,
        Content::Snapshots,
        Content::ShardedSnapshots,
        Content::Schedule(no_copies()),
    ]);
    let outcome = prop_oneof![4 => Just(Outcome::Whole), 1 => Just(gone())];
    let shape = prop::sample::select(vec![
        SnapshotShape::ReplicaSet,
        SnapshotShape::ReplicaSet,
        SnapshotShape::Sharded,
    ]);
    prop_oneof![
        2 => cluster_list().prop_map(|list| Read::List(list, None, Outcome::Whole)),
        1 => Just(Read::List(Content::Settings(Vec::new()), None, Outcome::Whole)),
        8 => (of_cluster, cluster.clone(), outcome)
            .prop_map(|(list, cluster, outcome)| Read::List(list, Some(cluster), outcome)),
        3 => (cluster, shape, prop::option::of(0_i64..8))
            .prop_map(|(cluster, shape, created)| Read::Row(cluster, shape, created)),
    ]
}

/// All that makes the project complete, and then some: among it a cluster that may have vanished.
fn reads() -> impl Strategy<Value = Vec<(Read, i64)>> {
    let whole = |content, cluster, hour| (Read::List(content, cluster, Outcome::Whole), hour);
    let base = [
        whole(Content::Settings(Vec::new()), None, 0),
        whole(cluster_list_of(|_| true), None, 0),
        whole(Content::Snapshots, Some("ledger"), 7),
        whole(Content::Schedule(no_copies()), Some("ledger"), 7),
    ];
    let vanishing = (0_i64..8, 0_i64..8, 0_i64..8).prop_map(move |(first, second, told)| {
        let lacking = || cluster_list_of(|name| name != "orders");
        vec![
            whole(lacking(), None, first),
            whole(lacking(), None, second),
            (Read::List(Content::Snapshots, Some("orders"), gone()), told),
        ]
    });
    let more = prop::collection::vec((read(), 0_i64..8), 0..8);
    (prop::option::of(vanishing), more).prop_map(move |(vanishing, more)| {
        let vanishing = vanishing.into_iter().flatten();
        base.iter().cloned().chain(vanishing).chain(more).collect()
    })
}

fn keep(import: &mut Import<'_>, read: &Read, hour: i64, no: usize) -> Result<(), StoreError> {
    match read {
        Read::List(content, cluster, outcome) => import.reading(&Reading {
            root: Arc::new(RootId {
                source: Source::Atlas,
                base_url: home().base_url,
                scope: Scope::AllVisible,
            }),
            project: Some(Arc::from(home().id)),
            cluster: cluster.map(Arc::from),
            at: at_hour(hour),
            run: Arc::from(no.to_string()),
            identity: None,
            outcome: outcome.clone(),
            content: Arc::new(content.clone()),
            before: Vec::new(),
        }),
        Read::Row(cluster, shape, created) => import.snapshot(&Shown {
            project: &home(),
            cluster,
            id: &format!("s{}", no % 3),
            at: at_hour(hour),
            shape: *shape,
            status: SnapshotStatus::Completed,
            created_at: created.map(at_hour),
            expires_at: None,
            keep: false,
            frequency: None,
            copied: false,
            version: None,
            keys: KeyColumn::Named(vec!["k".to_owned()]),
        }),
    }
}

#[test]
fn completeness_of_any_project_needs_no_rows() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let reads = reads();
    let (mut closed, mut open, mut open_by_rows) = (0, 0, 0);
    let policy = Policy::default();
    let projects = BTreeSet::from([home()]);
    for _ in 0..256 {
        let reads = reads.new_tree(&mut runner).unwrap().current();
        let mut store = Store::create(&Location::Memory).unwrap();
        let kept = store.import(at_hour(8), |import| {
            reads
                .iter()
                .enumerate()
                .try_for_each(|(no, (read, hour))| keep(import, read, *hour, no))
        });
        kept.unwrap_or_else(|error: StoreError| panic!("{error}"));
        for now in [at_hour(8), at_hour(5)] {
            let fast = complete(
                coverage(&store, &policy, &projects, now).unwrap(),
                &projects,
            );
            let full = complete(from_rows(&store, &policy, now), &projects);
            assert_eq!(fast, full, "{now}: {reads:?}");
            if full.values().all(|complete| *complete) {
                closed += 1;
            } else {
                open += 1;
                let without = complete(from_none(&store, &policy, now), &projects);
                open_by_rows += u32::from(without != full);
            }
        }
    }
    assert!(
        closed > 20 && open > 20 && open_by_rows > 20,
        "{closed} {open} {open_by_rows}"
    );
}

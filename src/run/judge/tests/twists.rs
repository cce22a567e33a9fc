//! What estates of real life have and the generator of the rules' own property has not: many
//! readings of one snapshot that disagree, rows without a time, forms mixed in one cluster, settings
//! and events of several times, spellings that only may be a key.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::assess::testing::estates::KEYS;
use crate::assess::testing::*;
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::policy::{AbsentKey, CustomerKeys, KmipServer, ProjectStatement};
use crate::model::reading::{ClusterEncryption, Content, Delivery, Event, KeySettings, RestoreJob};
use crate::model::{KeyId, Reading, Snapshot};

#[derive(Clone, Debug)]
pub(super) enum Twist {
    /// Another snapshot like one that is there, made so many hours ago.
    Another(Index, i64),
    /// Made at another time.
    Made(Index, Option<i64>),
    /// What it says of its key.
    Says(Index, Says),
    Status(Index, u8),
    Shape(Index, u8),
    /// Lists showed it for the last time so many hours ago.
    Gone(Index, i64),
    Expires(Index, Option<i64>),
    /// An earlier list said something else of it.
    Before(Index, Says, u8, Option<i64>),
    /// Settings of so many hours ago.
    Settings(Index, i64, Option<usize>),
    /// Settings that name `AWS_A` by its bare id, in its region.
    BareSettings(Index, i64),
    /// Events read so many hours ago back to so many hours ago, and when a key was rotated.
    Events(Index, i64, Option<i64>, Vec<i64>),
    /// Point-in-time restore is on everywhere.
    Pit(Index),
    /// A cluster list of so many hours ago.
    Clusters(Index, i64, u8),
    /// A job of a snapshot, or of one that nobody knows.
    Job(Index, Index, u8),
    Statement(Index, u8, i64),
    /// Its snapshots are of a cluster of another name.
    Moved(Index, u8),
    /// No snapshot of its cluster says which key it is under.
    Unnamed(Index),
    /// Bare ids of a project are KMIP's.
    Kmip(Index),
}

/// A key column.
#[derive(Clone, Debug)]
pub(super) enum Says {
    Absent,
    NotEncrypted,
    Key(usize),
    Keys(usize, usize),
    Spelled(usize),
}

/// Spellings that are no complete key of `KEYS`.
const SPELLED: [&str; 9] = [
    UUID_A,
    MRK_ID,
    "https://pay.vault.azure.net/keys/backup",
    "11111111111111111111111111111111",
    "projects/pay/locations/global/keyRings/ring/cryptoKeys/backup",
    GCP_1_BY_NUMBER,
    "alias/backup",
    "something else",
    "arn:aws:kms:us-east-1:111122223333:alias/backup",
];

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        4 => Just(Says::Absent),
        1 => Just(Says::NotEncrypted),
        6 => (0..KEYS.len()).prop_map(Says::Key),
        1 => (0..KEYS.len(), 0..KEYS.len()).prop_map(|(a, b)| Says::Keys(a, b)),
        2 => (0..SPELLED.len()).prop_map(Says::Spelled),
    ]
}

pub(super) fn twists() -> impl Strategy<Value = Vec<Twist>> {
    let any_one = any::<Index>;
    let ago = || prop_oneof![3 => 0_i64..200, 3 => 0_i64..1_000, 1 => Just(0_i64)];
    let made = || prop::option::weighted(0.6, ago());
    let one = prop_oneof![
        12 => (any_one(), ago()).prop_map(|(i, h)| Twist::Another(i, h)),
        3 => (any_one(), prop::option::weighted(0.7, ago())).prop_map(|(i, h)| Twist::Made(i, h)),
        8 => (any_one(), says()).prop_map(|(i, s)| Twist::Says(i, s)),
        3 => (any_one(), 0_u8..6).prop_map(|(i, s)| Twist::Status(i, s)),
        2 => (any_one(), 0_u8..4).prop_map(|(i, s)| Twist::Shape(i, s)),
        3 => (any_one(), 2_i64..300).prop_map(|(i, h)| Twist::Gone(i, h)),
        2 => (any_one(), prop::option::of(-50_i64..500)).prop_map(|(i, h)| Twist::Expires(i, h)),
        8 => (any_one(), says(), 0_u8..6, made())
            .prop_map(|(i, s, status, made)| Twist::Before(i, s, status, made)),
        4 => (any_one(), 1_i64..1_000, prop::option::of(0..KEYS.len()))
            .prop_map(|(i, h, k)| Twist::Settings(i, h, k)),
        1 => (any_one(), 1_i64..1_000).prop_map(|(i, h)| Twist::BareSettings(i, h)),
        3 => (any_one(), 0_i64..30, prop::option::of(ago()), vec(ago(), 0..4))
            .prop_map(|(i, h, since, at)| Twist::Events(i, h, since, at)),
        2 => any_one().prop_map(Twist::Pit),
        3 => (any_one(), 1_i64..1_000, 0_u8..4).prop_map(|(i, h, e)| Twist::Clusters(i, h, e)),
        3 => (any_one(), any_one(), 0_u8..8).prop_map(|(i, s, j)| Twist::Job(i, s, j)),
        1 => (any_one(), 0_u8..4, 0_i64..400).prop_map(|(i, s, h)| Twist::Statement(i, s, h)),
        1 => (any_one(), 0_u8..3).prop_map(|(i, c)| Twist::Moved(i, c)),
        3 => any_one().prop_map(Twist::Unnamed),
        1 => any_one().prop_map(Twist::Kmip),
    ];
    vec(one, 0..24)
}

pub(super) fn twist(world: &mut World, step: &Twist) {
    match step {
        Twist::Another(index, ago) => {
            if let Some(mut row) = row(world, *index).cloned() {
                row.id = format!("{}-{ago}", row.id);
                for sighting in &mut row.sightings {
                    sighting.created_at = Some(hours(-ago));
                }
                world.rows.retain(|other| other.id != row.id);
                world.rows.push(row);
            }
        }
        Twist::Made(index, ago) => {
            if let Some(row) = row(world, *index) {
                for sighting in &mut row.sightings {
                    sighting.created_at = ago.map(|ago| hours(-ago));
                }
            }
        }
        Twist::Says(index, says) => {
            if let Some(row) = row(world, *index) {
                newest(row).keys = column(says);
            }
        }
        Twist::Status(index, word) => {
            if let Some(row) = row(world, *index) {
                newest(row).status = status(*word);
            }
        }
        Twist::Shape(index, no) => {
            if let Some(row) = row(world, *index) {
                newest(row).shape = SnapshotShape::ALL[usize::from(*no)];
            }
        }
        Twist::Gone(index, ago) => {
            if let Some(row) = row(world, *index) {
                let last = newest(row);
                last.last_at = hours(-ago);
                last.first_at = last.first_at.min(last.last_at);
            }
        }
        Twist::Expires(index, after) => {
            if let Some(row) = row(world, *index) {
                newest(row).expires_at = after.map(hours);
            }
        }
        Twist::Before(index, says, word, made) => {
            if let Some(row) = row(world, *index) {
                let last = newest(row).clone();
                let mut before = last.clone();
                before.keys = column(says);
                before.status = status(*word);
                if let Some(made) = made {
                    before.created_at = Some(hours(-made));
                }
                before.last_at = last.first_at.saturating_add(-7_200);
                before.first_at = before.last_at.saturating_add(-3_600);
                if before.keys != last.keys || before.status != last.status {
                    row.sightings.insert(0, before);
                }
            }
        }
        Twist::Settings(index, ago, key) => {
            let blocks: Vec<KeySettings> = key.map(|no| setting(KEYS[no])).into_iter().collect();
            add(world, *index, *ago, Content::Settings(blocks));
        }
        Twist::BareSettings(index, ago) => {
            let bare = KeySettings {
                region: Some(String::from("us-east-1")),
                ..block(Provider::Aws, UUID_A)
            };
            add(world, *index, *ago, Content::Settings(vec![bare]));
        }
        Twist::Events(index, ago, since, rotated) => {
            let kinds = [
                "AWS_ENCRYPTION_KEY_ROTATED",
                "AZURE_ENCRYPTION_KEY_ROTATED",
                "GCP_ENCRYPTION_KEY_ROTATED",
                "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED",
            ];
            let events = rotated.iter().zip(kinds.iter().cycle());
            let content = Content::Events {
                since: since.map(|since| hours(-since)),
                events: events
                    .map(|(ago, kind)| Event {
                        at: hours(-ago),
                        kind: (*kind).to_owned(),
                    })
                    .collect(),
            };
            add(world, *index, *ago, content);
        }
        Twist::Pit(index) => {
            for reading in readings(world, *index).into_iter().flatten() {
                if let Content::Clusters { clusters, .. } = Arc::make_mut(&mut reading.content) {
                    for cluster in clusters {
                        cluster.pit_enabled = Some(true);
                    }
                }
            }
        }
        Twist::Clusters(index, ago, encryption) => {
            let known = readings(world, *index).and_then(|readings| {
                readings.iter().find_map(|reading| {
                    if let Content::Clusters { clusters, .. } = &*reading.content {
                        Some(clusters.clone())
                    } else {
                        None
                    }
                })
            });
            let Some(mut clusters) = known else { return };
            for cluster in &mut clusters {
                cluster.encryption = match encryption {
                    0 => Some(ClusterEncryption::None),
                    1 => Some(ClusterEncryption::Provider(Provider::Azure)),
                    2 => None,
                    _ => Some(ClusterEncryption::Provider(Provider::Aws)),
                };
            }
            let content = Content::Clusters {
                deleted_included: true,
                clusters,
            };
            add(world, *index, *ago, content);
        }
        Twist::Job(index, of, kind) => job(world, *index, *of, *kind),
        Twist::Statement(index, kind, ago) => statement(world, *index, *kind, *ago),
        Twist::Moved(index, cluster) => {
            if let Some(row) = row(world, *index) {
                row.cluster = format!("c{cluster}");
            }
        }
        Twist::Kmip(index) => {
            let groups = world.evidence.projects.keys().map(|p| p.id.clone());
            let groups: Vec<String> = groups.collect();
            if !groups.is_empty() {
                world.policy.kmip_servers = vec![KmipServer {
                    name: String::from("main"),
                    groups: vec![index.get(&groups).clone()],
                }];
            }
        }
        Twist::Unnamed(index) => {
            if let Some(Snapshot {
                project, cluster, ..
            }) = row(world, *index).cloned()
            {
                let mut rows = world.rows.iter_mut();
                while let Some(row) = rows.find(|r| r.project == project && r.cluster == cluster) {
                    newest(row).keys = KeyColumn::Absent;
                }
            }
        }
    }
}

fn row(world: &mut World, index: Index) -> Option<&mut Snapshot> {
    if world.rows.is_empty() {
        return None;
    }
    let no = index.index(world.rows.len());
    world.rows.get_mut(no)
}

fn newest(row: &mut Snapshot) -> &mut crate::model::Sighting {
    row.sightings.last_mut().unwrap()
}

fn column(says: &Says) -> KeyColumn {
    match says {
        Says::Absent => KeyColumn::Absent,
        Says::NotEncrypted => KeyColumn::NotEncrypted,
        Says::Key(no) => named(&[KEYS[*no]]),
        Says::Keys(one, other) => named(&[KEYS[*one], KEYS[*other]]),
        Says::Spelled(no) => named(&[SPELLED[*no]]),
    }
}

fn status(word: u8) -> SnapshotStatus {
    match word {
        0 => SnapshotStatus::Queued,
        1 => SnapshotStatus::InProgress,
        2 => SnapshotStatus::Failed,
        3 => SnapshotStatus::Unrecorded,
        4 => SnapshotStatus::Unrecognised(String::from("resting")),
        _ => SnapshotStatus::Completed,
    }
}

fn setting(text: &str) -> KeySettings {
    let parsed: KeyId = key(text);
    block(parsed.provider(), text)
}

fn readings(world: &mut World, index: Index) -> Option<&mut Vec<Reading>> {
    let projects = world.evidence.projects.len();
    (projects > 0).then(|| {
        world
            .evidence
            .projects
            .values_mut()
            .nth(index.index(projects))
    })?
}

/// One more reading of a project, of a run of its own.
fn add(world: &mut World, index: Index, ago: i64, content: Content) {
    let Some(readings) = readings(world, index) else {
        return;
    };
    let Some(first) = readings.first() else {
        return;
    };
    let added = Reading {
        at: hours(-ago),
        run: Arc::from(format!("run {ago}")),
        cluster: None,
        outcome: crate::model::reading::Outcome::Whole,
        content: Arc::new(content),
        ..first.clone()
    };
    readings.push(added);
    readings.sort_by_key(|r| r.at);
}

fn job(world: &mut World, index: Index, of: Index, kind: u8) {
    let snapshot = match row(world, of) {
        Some(row) if kind < 6 => row.id.clone(),
        Some(_) | None => String::from("never shown"),
    };
    let Some(readings) = readings(world, index) else {
        return;
    };
    for reading in readings {
        if let Content::RestoreJobs(jobs) = Arc::make_mut(&mut reading.content) {
            jobs.push(RestoreJob {
                id: format!("job-{}-{kind}", jobs.len()),
                snapshot: Some(snapshot),
                delivery: match kind % 3 {
                    0 => Delivery::Download,
                    1 => Delivery::Automated,
                    _ => Delivery::PointInTime,
                },
                finished_at: (kind == 3).then(|| days(-1)),
                failed: false,
                cancelled: false,
                expired: false,
            });
            return;
        }
    }
}

fn statement(world: &mut World, index: Index, kind: u8, ago: i64) {
    let projects: Vec<String> = world
        .evidence
        .projects
        .keys()
        .map(|p| p.id.clone())
        .collect();
    if projects.is_empty() {
        return;
    }
    let id = index.get(&projects).clone();
    world.policy.projects.retain(|known| known.id != id);
    world.policy.projects.push(ProjectStatement {
        id,
        customer_keys: match kind {
            0 => Some(CustomerKeys::None),
            1 => Some(CustomerKeys::Only(vec![KEYS[0].to_owned()])),
            _ => None,
        },
        absent_key: match kind {
            2 => Some(AbsentKey::NotEnabled),
            3 => Some(AbsentKey::ProjectKey),
            _ => None,
        },
        stated: hours(-ago),
        reason: String::from("nobody but us knows"),
    });
}

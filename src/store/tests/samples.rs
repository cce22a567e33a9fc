//! Facts drawn at random from everything that the types can say.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::{collection, option};

use super::{Fact, at};
use crate::model::evidence::{Condition, KeyColumn, SnapshotShape, SnapshotStatus, UnknownReason};
use crate::model::reading::Schedule;
use crate::model::reading::{
    ClusterEncryption, ClusterState, CompliancePolicy, Content, CopyItem, CopySetting, Declared,
    DeclaredKind, Delivery, Event, ExtraRetention, Gap, KeySettings, ListedProject, Outcome,
    RestoreJob, Retention, RetentionUnit, Scope,
};
use crate::model::{
    KeyId, Observation, ProjectRef, Provider, Reading, RootId, Sighting, Source, Timestamp,
};

/// Few enough that equal facts turn up, odd enough to catch what quoting would break.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["", "'", "\0", "nul\0inside", "none", "Ä\u{202e}", "NULL"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ]
}

fn opt_text() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

pub(super) fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        9 => (0_i64..50).prop_map(at),
        1 => Just(Timestamp::MAX),
    ]
}

/// Times of evidence, as opposed to times in it.
fn answered() -> impl Strategy<Value = Timestamp> {
    (0_i64..50).prop_map(at)
}

fn few<T: std::fmt::Debug>(item: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    collection::vec(item, 0..4)
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..9, Just(u32::MAX)]
}

fn cluster_state() -> impl Strategy<Value = ClusterState> {
    let encryption = prop_oneof![
        Just(ClusterEncryption::None),
        prop::sample::select(Provider::ALL.to_vec()).prop_map(ClusterEncryption::Provider),
        text().prop_map(ClusterEncryption::Unrecognised),
    ];
    let flag = || option::of(any::<bool>());
    (
        (opt_text(), text(), flag(), opt_text()),
        option::of(encryption),
        (flag(), flag(), flag(), any::<bool>()),
        (opt_text(), opt_text()),
    )
        .prop_map(
            |(
                (id, name, sharded, state),
                encryption,
                (backup_enabled, pit_enabled, paused, dedicated),
                (version, instance_size),
            )| ClusterState {
                id,
                name,
                sharded,
                state,
                encryption,
                backup_enabled,
                pit_enabled,
                paused,
                dedicated,
                version,
                instance_size,
            },
        )
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let extra = (text(), number()).prop_map(|(frequency, days)| ExtraRetention { frequency, days });
    let retention = (prop::sample::select(RetentionUnit::ALL.to_vec()), number())
        .prop_map(|(unit, value)| Retention { unit, value });
    let item = (text(), option::of(retention)).prop_map(|(frequency, retention)| CopyItem {
        frequency,
        retention,
    });
    let copy =
        (few(item), any::<bool>()).prop_map(|(items, by_number)| CopySetting { items, by_number });
    (option::of(number()), few(extra), few(copy)).prop_map(
        |(restore_window_days, extra_retention, copies)| Schedule {
            restore_window_days,
            extra_retention,
            copies,
        },
    )
}

fn settings() -> impl Strategy<Value = KeySettings> {
    (
        prop::sample::select(Provider::ALL.to_vec()),
        any::<bool>(),
        opt_text(),
        opt_text(),
        option::of(any::<bool>()),
    )
        .prop_map(|(provider, enabled, key, region, valid)| KeySettings {
            provider,
            enabled,
            key,
            region,
            valid,
        })
}

fn restore_job() -> impl Strategy<Value = RestoreJob> {
    let delivery = prop_oneof![
        Just(Delivery::Automated),
        Just(Delivery::Download),
        Just(Delivery::PointInTime),
        text().prop_map(Delivery::Unrecognised),
    ];
    (
        (text(), opt_text(), delivery, option::of(time())),
        (any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(
            |((id, snapshot, delivery, finished_at), (failed, cancelled, expired))| RestoreJob {
                id,
                snapshot,
                delivery,
                finished_at,
                failed,
                cancelled,
                expired,
            },
        )
}

fn declared() -> impl Strategy<Value = Declared> {
    (
        prop::sample::select(DeclaredKind::ALL.to_vec()),
        opt_text(),
        opt_text(),
        few(text()),
        option::of(time()),
    )
        .prop_map(|(kind, cluster, id, keys, until)| Declared {
            kind,
            cluster,
            id,
            keys,
            until,
        })
}

/// One strategy per kind.
pub(super) fn contents() -> Vec<BoxedStrategy<Content>> {
    let listed = (text(), opt_text()).prop_map(|(id, name)| ListedProject { id, name });
    let event = (time(), text()).prop_map(|(at, kind)| Event { at, kind });
    let clusters = |deleted_included| {
        few(cluster_state()).prop_map(move |clusters| Content::Clusters {
            deleted_included,
            clusters,
        })
    };
    let policy = option::of(number()).prop_map(|restore_window_days| CompliancePolicy {
        restore_window_days,
    });
    let events = (option::of(time()), few(event));
    vec![
        few(listed).prop_map(Content::Projects).boxed(),
        Just(Content::Project).boxed(),
        clusters(false).boxed(),
        clusters(true).boxed(),
        few(cluster_state())
            .prop_map(Content::SharedClusters)
            .boxed(),
        Just(Content::Snapshots).boxed(),
        Just(Content::ShardedSnapshots).boxed(),
        Just(Content::SharedSnapshots).boxed(),
        schedule().prop_map(Content::Schedule).boxed(),
        few(settings()).prop_map(Content::Settings).boxed(),
        events
            .prop_map(|(since, events)| Content::Events { since, events })
            .boxed(),
        few(restore_job()).prop_map(Content::RestoreJobs).boxed(),
        policy.prop_map(Content::CompliancePolicy).boxed(),
        few(declared()).prop_map(Content::Inventory).boxed(),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    proptest::strategy::Union::new(contents())
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Whole),
        1 => prop::sample::select(Gap::ALL.to_vec()).prop_map(Outcome::Partial),
        1 => (any::<u16>(), opt_text(), any::<bool>()).prop_map(|(status, code, confirmed)| {
            Outcome::Refused {
                status,
                code,
                confirmed,
            }
        }),
    ]
}

fn root() -> impl Strategy<Value = RootId> {
    let scope = prop_oneof![
        Just(Scope::AllVisible),
        text().prop_map(Scope::Org),
        few(text()).prop_map(Scope::Projects),
    ];
    (prop::sample::select(Source::ALL.to_vec()), text(), scope).prop_map(
        |(source, base_url, scope)| RootId {
            source,
            base_url,
            scope,
        },
    )
}

pub(super) fn reading() -> impl Strategy<Value = Reading> {
    (
        (root(), opt_text(), opt_text(), answered()),
        (text(), opt_text(), outcome(), content()),
    )
        .prop_map(
            |((root, project, cluster, at), (run, identity, outcome, content))| Reading {
                root: Arc::new(root),
                project: project.map(Arc::from),
                cluster: cluster.map(Arc::from),
                at,
                run: Arc::from(run),
                identity: identity.map(Arc::from),
                outcome,
                content: Arc::new(content),
                before: Vec::new(),
            },
        )
}

pub(super) fn sighting() -> impl Strategy<Value = Sighting> {
    let status = prop_oneof![
        Just(SnapshotStatus::Completed),
        Just(SnapshotStatus::Queued),
        Just(SnapshotStatus::InProgress),
        Just(SnapshotStatus::Failed),
        Just(SnapshotStatus::Unrecorded),
        text().prop_map(SnapshotStatus::Unrecognised),
    ];
    let keys = prop_oneof![
        Just(KeyColumn::Absent),
        Just(KeyColumn::NotEncrypted),
        collection::vec(text(), 1..4).prop_map(KeyColumn::Named),
    ];
    (
        (
            answered(),
            prop::sample::select(SnapshotShape::ALL.to_vec()),
            status,
            option::of(time()),
            option::of(time()),
        ),
        (any::<bool>(), opt_text(), any::<bool>(), keys),
    )
        .prop_map(
            |((at, shape, status, created_at, expires_at), (keep, frequency, copied, keys))| {
                Sighting {
                    first_at: at,
                    last_at: at,
                    shape,
                    status,
                    created_at,
                    expires_at,
                    keep,
                    frequency,
                    copied,
                    keys,
                }
            },
        )
}

pub(super) fn key() -> impl Strategy<Value = KeyId> {
    prop::sample::select(vec![
        "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0f0",
        "arn:aws:kms:us-east-1:111122223333:key/mrk-00112233445566778899aabbccddeeff",
        "https://orders.vault.azure.net/keys/backups/00112233445566778899aabbccddeeff",
        "projects/shop/locations/europe-west1/keyRings/ring/cryptoKeys/key/cryptoKeyVersions/2",
        "kmip://hsm%2Fa/uid%201",
    ])
    .prop_map(|key| key.parse().unwrap())
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        option::of(time()).prop_map(|expires| Condition::Enabled { expires }),
        text().prop_map(|why| Condition::UnwrapOnly { why }),
        Just(Condition::Disabled),
        option::of(time()).prop_map(|deadline| Condition::PendingDeletion { deadline }),
        option::of(time()).prop_map(|purge| Condition::SoftDeleted { purge }),
        Just(Condition::MaterialMissing),
        opt_text().prop_map(|what| Condition::Unavailable { what }),
        Just(Condition::Transient),
        text().prop_map(|proof| Condition::Destroyed { proof }),
        (
            prop::sample::select(UnknownReason::ALL.to_vec()),
            opt_text()
        )
            .prop_map(|(reason, detail)| Condition::Unknown { reason, detail }),
    ]
}

pub(super) fn observation() -> impl Strategy<Value = Observation> {
    (
        (key(), answered(), condition(), opt_text()),
        (text(), opt_text(), few(key()), option::of(time())),
    )
        .prop_map(
            |((key, at, condition, native), (endpoint, identity, related, stale_at))| Observation {
                key,
                at,
                condition,
                native,
                endpoint,
                identity,
                related,
                stale_at,
            },
        )
}

pub(super) fn project() -> impl Strategy<Value = ProjectRef> {
    (text(), text()).prop_map(|(id, base_url)| ProjectRef { id, base_url })
}

pub(super) fn fact() -> impl Strategy<Value = Fact> {
    prop_oneof![
        3 => (project(), text(), text(), sighting())
            .prop_map(|(project, cluster, id, sighting)| {
                Fact::Snapshot(project, cluster, id, sighting)
            }),
        3 => reading().prop_map(Fact::Reading),
        1 => observation().prop_map(Fact::Observation),
    ]
}

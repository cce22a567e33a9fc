//! Facts for the tables of this layer: a project, its readings, its snapshots.

pub(crate) mod estates;
mod world;

pub(crate) use world::*;

use std::sync::Arc;

use super::{Facts, Found, Purpose, RotationInput};
use crate::model::evidence::{
    Condition, KeyColumn, Sighting, SnapshotShape, SnapshotStatus, UnknownReason,
};
use crate::model::reading::{
    ClusterEncryption, ClusterState, Content, Event, KeySettings, Outcome, Reading, RootId,
    Schedule, Scope, Source,
};
use crate::model::verdict::UnitVerdict;
use crate::model::{KeyId, Observation, ProjectRef, Provider, Snapshot, Timestamp};

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::floor(text).unwrap()
}

pub(crate) fn root() -> RootId {
    RootId {
        source: Source::Atlas,
        base_url: String::from("https://cloud.mongodb.com"),
        scope: Scope::AllVisible,
    }
}

pub(crate) fn project() -> ProjectRef {
    ProjectRef {
        id: String::from("p1"),
        base_url: root().base_url,
    }
}

pub(crate) fn reading(time: &str, cluster: Option<&str>, content: Content) -> Reading {
    Reading {
        root: Arc::new(root()),
        project: Some(Arc::from(project().id)),
        cluster: cluster.map(Arc::from),
        at: at(time),
        run: Arc::from("run"),
        identity: Some(Arc::from("abcdefgh")),
        outcome: Outcome::Whole,
        content: Arc::new(content),
        before: Vec::new(),
    }
}

pub(crate) fn events_reading(time: &str, since: Option<&str>, events: &[(&str, &str)]) -> Reading {
    let events = events
        .iter()
        .map(|(time, kind)| Event {
            at: at(time),
            kind: (*kind).to_owned(),
        })
        .collect();
    reading(
        time,
        None,
        Content::Events {
            since: since.map(at),
            events,
        },
    )
}

pub(crate) fn sighting(time: &str) -> Sighting {
    Sighting {
        first_at: at(time),
        last_at: at(time),
        shape: SnapshotShape::ReplicaSet,
        status: SnapshotStatus::Completed,
        created_at: None,
        expires_at: None,
        keep: false,
        frequency: None,
        copied: false,
        keys: KeyColumn::Absent,
    }
}

pub(crate) fn snapshot(id: &str, sightings: Vec<Sighting>) -> Snapshot {
    Snapshot {
        project: project(),
        cluster: String::from("c1"),
        id: id.to_owned(),
        sightings,
    }
}

/// The instant of every verdict in the tables.
pub(crate) fn as_of() -> Timestamp {
    at("2026-11-20T12:00:00Z")
}

/// So many minutes after `as_of`.
pub(crate) fn minutes(minutes: i64) -> Timestamp {
    as_of().saturating_add(minutes * 60)
}

/// So many hours after `as_of`.
pub(crate) fn hours(hours: i64) -> Timestamp {
    minutes(hours * 60)
}

/// So many days after `as_of`.
pub(crate) fn days(days: i64) -> Timestamp {
    hours(days * 24)
}

pub(crate) const AWS_A: &str =
    "arn:aws:kms:us-east-1:111122223333:key/aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa";
pub(crate) const AWS_B: &str =
    "arn:aws:kms:us-east-1:111122223333:key/bbbbbbbb-2222-4222-8222-bbbbbbbbbbbb";
pub(crate) const AWS_C: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/cccccccc-3333-4333-8333-cccccccccccc";
/// The id of `AWS_A` alone.
pub(crate) const UUID_A: &str = "aaaaaaaa-1111-4111-8111-aaaaaaaaaaaa";
pub(crate) const MRK_ID: &str = "mrk-dddddddd4444444488888888dddddddd";
pub(crate) const MRK_US: &str =
    "arn:aws:kms:us-east-1:111122223333:key/mrk-dddddddd4444444488888888dddddddd";
pub(crate) const MRK_EU: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/mrk-dddddddd4444444488888888dddddddd";
pub(crate) const AZURE_1: &str =
    "https://pay.vault.azure.net/keys/backup/11111111111111111111111111111111";
pub(crate) const AZURE_2: &str =
    "https://pay.vault.azure.net/keys/backup/22222222222222222222222222222222";
pub(crate) const AZURE_OTHER: &str =
    "https://pay.vault.azure.net/keys/other/33333333333333333333333333333333";
pub(crate) const GCP_1: &str =
    "projects/pay/locations/global/keyRings/ring/cryptoKeys/backup/cryptoKeyVersions/1";
/// `GCP_1`, if `pay` has this number.
pub(crate) const GCP_1_BY_NUMBER: &str =
    "projects/123456789012/locations/global/keyRings/ring/cryptoKeys/backup/cryptoKeyVersions/1";
pub(crate) const GCP_2: &str =
    "projects/pay/locations/global/keyRings/ring/cryptoKeys/backup/cryptoKeyVersions/2";

pub(crate) fn key(text: &str) -> KeyId {
    text.parse().unwrap()
}

pub(crate) fn named(keys: &[&str]) -> KeyColumn {
    KeyColumn::Named(keys.iter().map(|k| (*k).to_owned()).collect())
}

pub(crate) const ENABLED: Condition = Condition::Enabled { expires: None };

pub(crate) fn unknown(reason: UnknownReason) -> Condition {
    Condition::Unknown {
        reason,
        detail: None,
    }
}

pub(crate) fn destroyed() -> Condition {
    Condition::Destroyed {
        proof: String::from("the service said so"),
    }
}

pub(crate) fn pending(deadline: Timestamp) -> Condition {
    Condition::PendingDeletion {
        deadline: Some(deadline),
    }
}

pub(crate) fn observed(key_text: &str, at: Timestamp, condition: Condition) -> Observation {
    Observation {
        key: key(key_text),
        at,
        condition,
        native: None,
        endpoint: String::from("https://kms.example.org"),
        identity: Some(String::from("111122223333")),
        related: Vec::new(),
        stale_at: None,
    }
}

/// A live, dedicated replica set with backups and without point-in-time restore.
pub(crate) fn cluster(name: &str) -> ClusterState {
    ClusterState {
        id: Some(format!("id-{name}")),
        name: name.to_owned(),
        sharded: Some(false),
        state: Some(String::from("IDLE")),
        encryption: Some(ClusterEncryption::None),
        backup_enabled: Some(true),
        pit_enabled: Some(false),
        paused: Some(false),
        dedicated: true,
        version: Some(String::from("7.0.12")),
        instance_size: Some(String::from("M10")),
    }
}

pub(crate) fn clusters(deleted_included: bool, clusters: &[ClusterState]) -> Content {
    Content::Clusters {
        deleted_included,
        clusters: clusters.to_vec(),
    }
}

pub(crate) fn schedule() -> Schedule {
    Schedule {
        restore_window_days: Some(7),
        extra_retention: Vec::new(),
        copies: Vec::new(),
    }
}

/// An enabled block of encryption-at-rest settings.
pub(crate) fn block(provider: Provider, key: &str) -> KeySettings {
    KeySettings {
        provider,
        enabled: true,
        key: Some(key.to_owned()),
        region: None,
        valid: Some(true),
    }
}

pub(crate) fn refused(status: u16, code: Option<&str>, confirmed: bool) -> Outcome {
    Outcome::Refused {
        status,
        code: code.map(ToOwned::to_owned),
        confirmed,
    }
}

/// A snapshot of `c1` under `AWS_A`, made three days ago, shown by the lists of `World::new`, to
/// expire in three days.
pub(crate) fn snap(id: &str) -> Snapshot {
    let mut only = sighting("2026-11-20T11:22:00Z");
    only.first_at = days(-3);
    only.created_at = Some(days(-3));
    only.expires_at = Some(days(3));
    only.frequency = Some(String::from("daily"));
    only.keys = named(&[AWS_A]);
    snapshot(id, vec![only])
}

/// The same, changed.
pub(crate) fn snap_with(id: &str, change: impl FnOnce(&mut Sighting)) -> Snapshot {
    let mut row = snap(id);
    change(&mut row.sightings[0]);
    row
}

/// A snapshot that no list shows any more.
pub(crate) fn gone_snap(id: &str, change: impl FnOnce(&mut Sighting)) -> Snapshot {
    snap_with(id, |s| {
        s.last_at = days(-2);
        s.expires_at = Some(days(-1));
        change(s);
    })
}

pub(crate) fn project_ref(id: &str) -> ProjectRef {
    ProjectRef {
        id: id.to_owned(),
        base_url: root().base_url,
    }
}

/// Verdict, when it would be safe, dependants (`~` marks a maybe), doubts.
pub(crate) fn line(of: &UnitVerdict) -> String {
    let mut line = of.verdict.word().to_owned();
    let after = of.safe_after;
    if let Some(at) = after.date() {
        line += &format!(" {}:{at}", after.word());
    } else if after.word() != "none" {
        line += &format!(" {}", after.word());
    }
    for dependant in &of.dependants {
        let maybe = if dependant.certain { "" } else { "~" };
        line += &format!(" +{maybe}{}", dependant.kind.word());
    }
    let mut kinds: Vec<&str> = of.doubts.iter().map(|d| d.kind.word()).collect();
    kinds.dedup();
    for kind in kinds {
        line += &format!(" ?{kind}");
    }
    line
}

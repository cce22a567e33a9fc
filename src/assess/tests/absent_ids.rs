//! What a snapshot without an Encryption Key ID is under.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::evidence::{KeyColumn, SnapshotShape, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::policy::{AbsentKey, Policy, ProjectStatement};
use crate::model::reading::{ClusterEncryption, Content};

/// A completed snapshot without an id.
fn absent() -> World {
    World::new().row(snap_with("s1", |s| s.keys = KeyColumn::Absent))
}

#[test]
fn a_snapshot_without_an_id_is_not_enabled_where_that_is_known() {
    let unrecorded = "unknown [key-unrecorded]";
    let since = |since: i64| {
        move |r: &mut crate::model::Reading| {
            if let Content::Events { since: back_to, .. } = Arc::make_mut(&mut r.content) {
                *back_to = Some(days(-3).saturating_add(since));
            }
        }
    };
    let trusted = "absent-id-not-encrypted p1";
    let table = [
        ("complete", absent(), "restorable", true),
        (
            "incomplete",
            absent().without("schedule"),
            unrecorded,
            false,
        ),
        ("no events", absent().without("events"), unrecorded, false),
        (
            "events from later on",
            absent().change("events", since(1)),
            unrecorded,
            false,
        ),
        (
            "events from that second on",
            absent().change("events", since(0)),
            unrecorded,
            false,
        ),
        (
            "events from before",
            absent().change("events", since(-1)),
            "restorable",
            true,
        ),
        (
            "events read before it was made",
            absent().change("events", |r| r.at = days(-4)),
            unrecorded,
            false,
        ),
        (
            "nobody knows when it was made",
            absent().with(|w| w.rows[0].sightings[0].created_at = None),
            unrecorded,
            false,
        ),
        (
            "an AWS key elsewhere in the project",
            absent().settings(&[block(Provider::Aws, AWS_A)]),
            "restorable",
            true,
        ),
        (
            "settings showed Azure",
            absent().settings(&[block(Provider::Azure, AZURE_1)]),
            unrecorded,
            false,
        ),
        (
            "a row showed Google",
            absent().row(snap_with("s2", |s| s.keys = named(&[GCP_1]))),
            unrecorded,
            false,
        ),
        (
            "a shared tier",
            absent().without("events").cluster(|c| c.dedicated = false),
            "restorable",
            false,
        ),
        (
            "perhaps a shared tier",
            absent()
                .outcome(
                    "clusters-with-deleted",
                    &crate::model::reading::Outcome::Partial(
                        crate::model::reading::Gap::PageMissing,
                    ),
                )
                .cluster(|c| c.dedicated = false),
            unrecorded,
            false,
        ),
    ];
    for (case, world, expected, assumed) in table {
        let audit = world.audit();
        let verdict = &audit.snapshots[0];
        let shown = match verdict.reasons.as_slice() {
            [] => verdict.verdict.word().to_owned(),
            reasons => format!("{} [{}]", verdict.verdict.word(), reasons.join(" ")),
        };
        assert_eq!(shown, expected, "{case}");
        let printed = audit.assumptions().iter().any(|a| a == trusted);
        assert_eq!(printed, assumed, "{case}");
    }
}

#[test]
fn in_a_project_that_showed_azure_the_clusters_provider_must_be_off_on_either_side() {
    let off = Some(ClusterEncryption::None);
    let on = Some(ClusterEncryption::Provider(Provider::Azure));
    // (before the snapshot, after it, restorable)
    let table = [
        (Some(&off), &off, true),
        (Some(&on), &off, false),
        (Some(&off), &on, false),
        (Some(&None), &off, false),
        (None, &off, false),
    ];
    for (before, after, expected) in table {
        let world = absent()
            .settings(&[block(Provider::Azure, AZURE_1)])
            .cluster(|c| c.encryption = after.clone())
            .with(|world| {
                if let Some(before) = before {
                    let mut state = cluster("c1");
                    state.encryption = before.clone();
                    world.read(days(-4), None, clusters(true, &[state]));
                }
            });
        let restorable = world.audit().only() == "restorable";
        assert_eq!(restorable, expected, "{before:?} {after:?}");
    }
}

#[test]
fn a_statement_says_what_an_absent_id_means() {
    let stated = |absent_key, at| {
        move |policy: &mut Policy| {
            policy.projects = vec![ProjectStatement {
                id: String::from("p1"),
                customer_keys: None,
                absent_key: Some(absent_key),
                stated: at,
                reason: String::from("as the runbook says"),
            }];
        }
    };
    let azure = || absent().settings(&[block(Provider::Azure, AZURE_1)]);
    use AbsentKey::{NotEnabled, ProjectKey};
    // (statement, its date, the key's condition, verdict)
    let table = [
        (NotEnabled, days(-1), None, "restorable"),
        (NotEnabled, days(-3), None, "restorable"),
        // Made before the snapshot, aged out, not yet made.
        (NotEnabled, days(-4), None, "unknown [key-unrecorded]"),
        (ProjectKey, days(-1), None, "unknown [not-probed]"),
        (ProjectKey, days(-1), Some(ENABLED), "restorable"),
        (ProjectKey, days(-1), Some(destroyed()), "lost [destroyed]"),
        (
            ProjectKey,
            days(-4),
            Some(ENABLED),
            "unknown [key-unrecorded]",
        ),
        (
            ProjectKey,
            days(1),
            Some(ENABLED),
            "unknown [key-unrecorded]",
        ),
    ];
    for (absent_key, at, condition, expected) in table {
        let mut world = azure().policy(stated(absent_key, at));
        if let Some(condition) = condition {
            world = world.observe(observed(AZURE_1, minutes(-30), condition));
        }
        let audit = world.audit();
        assert_eq!(audit.only(), expected, "{absent_key:?} {at}");
        let printed = audit.all.assumptions.iter().any(|a| a.stated == Some(at));
        let in_force = at <= as_of() && !expected.contains("unrecorded");
        assert!(printed >= in_force, "{absent_key:?} {at}");
    }
    let old = azure()
        .policy(stated(NotEnabled, days(-91)))
        .with(|w| w.rows[0].sightings[0].created_at = Some(days(-99)));
    assert_eq!(old.audit().only(), "unknown [key-unrecorded]");
    let limit = azure()
        .policy(stated(NotEnabled, days(-90)))
        .with(|w| w.rows[0].sightings[0].created_at = Some(days(-99)));
    assert_eq!(limit.audit().only(), "restorable");
    // One of several keys that cannot be told spoils it.
    let two = azure()
        .settings(&[
            block(Provider::Azure, AZURE_1),
            block(Provider::Aws, UUID_A),
        ])
        .policy(stated(ProjectKey, days(-1)))
        .enabled(&[AZURE_1]);
    assert_eq!(two.audit().only(), "unknown [key-unresolved]");
}

#[test]
fn keys_only_accumulate() {
    let mut row = snap("s1");
    let mut later = row.sightings[0].clone();
    row.sightings[0].last_at = days(-1);
    later.first_at = minutes(SNAPSHOTS_AT);
    later.keys = KeyColumn::Absent;
    row.sightings.push(later);
    let world = World::new().row(row).enabled(&[AWS_A]);
    assert_eq!(world.audit().only(), "restorable");
    assert_eq!(
        line(&world.check(AWS_A)),
        "held date:2026-11-23T12:00:00Z +snapshot"
    );
}

#[test]
fn what_is_shared_in_one_reading_and_not_in_another_is_not_shared() {
    let mut row = snap_with("s1", |s| {
        s.keys = KeyColumn::Absent;
        s.shape = SnapshotShape::Shared;
    });
    let mut other = row.sightings[0].clone();
    other.shape = SnapshotShape::ReplicaSet;
    other.status = SnapshotStatus::Completed;
    row.sightings.insert(0, other);
    let world = World::new().without("events").row(row);
    assert_eq!(world.audit().only(), "unknown [key-unrecorded]");
}

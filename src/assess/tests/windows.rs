//! Point-in-time windows: how long an oplog needs a key after its successor came.

use std::sync::Arc;

use super::dependants::needs;
use crate::assess::testing::*;
use crate::model::Timestamp;
use crate::model::evidence::SnapshotStatus;
use crate::model::key_id::Provider;
use crate::model::reading::{CompliancePolicy, Content, Schedule};

/// Point-in-time restore with a window of seven days; `AWS_A` until `last`, `AWS_B` since `next`.
fn pit(last: Timestamp, next: Timestamp) -> World {
    World::new()
        .cluster(|c| c.pit_enabled = Some(true))
        .settings(&[block(Provider::Aws, AWS_B)])
        .row(gone_snap("s1", |s| s.created_at = Some(last)))
        .row(snap_with("s2", |s| {
            s.created_at = Some(next);
            s.keys = named(&[AWS_B]);
        }))
}

fn window(until: Timestamp) -> String {
    format!("pit-window {until}")
}

#[test]
fn a_window_holds_from_the_first_evidence_of_the_successor() {
    let ever = "pit-window ever";
    // By a snapshot.
    assert_eq!(needs(&pit(days(-30), days(-5))), window(days(2)));
    assert_eq!(needs(&pit(days(-30), days(-7))), "");
    assert_eq!(
        needs(&pit(days(-30), days(-7).saturating_add(1))),
        window(minutes(0).saturating_add(1))
    );
    // Evidence at the same second or before that of the key itself is none of a successor: the
    // settings are.
    assert_eq!(
        needs(&pit(days(-3), days(-3))),
        window(minutes(SETTINGS_AT).saturating_add(7 * 86_400))
    );
    // By settings.
    let mut by_settings = pit(days(-30), days(-5));
    by_settings.read(
        days(-6),
        None,
        Content::Settings(vec![block(Provider::Aws, AWS_B)]),
    );
    assert_eq!(needs(&by_settings), window(days(1)));
    // By settings in which the provider is off.
    let mut off = pit(days(-30), days(-5));
    off.read(
        days(-6),
        None,
        Content::Settings(vec![block(Provider::Gcp, GCP_1)]),
    );
    assert_eq!(needs(&off), window(days(1)));
    // A key of another provider is no successor.
    let other = pit(days(-30), days(-5)).with(|w| {
        w.rows[1].sightings[0].keys = named(&[GCP_1]);
    });
    assert_eq!(
        needs(&other),
        window(minutes(SETTINGS_AT).saturating_add(7 * 86_400))
    );
    // One not completed is no evidence.
    let queued = pit(days(-30), days(-5)).with(|w| {
        w.rows[1].sightings[0].status = SnapshotStatus::Queued;
    });
    assert_eq!(
        needs(&queued),
        window(minutes(SETTINGS_AT).saturating_add(7 * 86_400))
    );
    // The current key.
    let current = pit(days(-30), days(-40)).settings(&[block(Provider::Aws, AWS_A)]);
    assert_eq!(needs(&current), format!("current-key ever, {ever}"));
    // Not said counts as on; off is off.
    let untold = pit(days(-30), days(-5)).cluster(|c| c.pit_enabled = None);
    assert_eq!(needs(&untold), window(days(2)));
    let no_pit = pit(days(-30), days(-5)).cluster(|c| c.pit_enabled = Some(false));
    assert_eq!(needs(&no_pit), "");
}

#[test]
fn the_window_is_the_newest_schedules_or_a_longer_policys() {
    let of = |d| Schedule {
        restore_window_days: d,
        ..schedule()
    };
    let ever = String::from("pit-window ever");
    // (schedule, policy, until)
    let table = [
        (Some(7), None, window(days(2))),
        (Some(7), Some(3), window(days(2))),
        (Some(7), Some(10), window(days(5))),
        (None, Some(10), ever.clone()),
    ];
    for (schedule, policy, expected) in table {
        let world =
            pit(days(-30), days(-5))
                .schedule(&of(schedule))
                .change("compliance-policy", |r| {
                    r.content = Arc::new(Content::CompliancePolicy(CompliancePolicy {
                        restore_window_days: policy,
                    }));
                });
        assert_eq!(needs(&world), expected, "{schedule:?} {policy:?}");
    }
    assert_eq!(needs(&pit(days(-30), days(-5)).without("schedule")), ever);
    let mut older = pit(days(-30), days(-5));
    older.read(days(-9), Some("c1"), Content::Schedule(of(Some(90))));
    assert_eq!(needs(&older), window(days(2)));
}

#[test]
fn a_deleted_clusters_oplog_stays_while_a_snapshot_of_it_does() {
    let ever = "pit-window ever";
    let deleting = |world: World| world.cluster(|c| c.state = Some(String::from("DELETING")));
    let world = pit(days(-30), days(-20));
    assert_eq!(needs(&world), "");
    assert_eq!(needs(&deleting(world.clone())), ever);
    // Only the list with deleted clusters names it.
    let hidden = world
        .clone()
        .change("clusters", |r| r.content = Arc::new(clusters(false, &[])));
    assert_eq!(needs(&hidden), ever);
    // It had it when it was last read alive.
    let was_on = deleting(world.clone())
        .cluster(|c| c.pit_enabled = Some(false))
        .with(|w| {
            let mut alive = cluster("c1");
            alive.pit_enabled = Some(true);
            w.read(days(-40), None, clusters(true, &[alive]));
        });
    assert_eq!(needs(&was_on), ever);
    // All its snapshots are gone.
    let empty = deleting(world).with(|w| {
        w.rows[1] = gone_snap("s2", |s| s.keys = named(&[AWS_B]));
    });
    assert_eq!(needs(&empty), "");
}

//! Keys that a project no longer uses: what point-in-time restore and a rotation leave in doubt.

use std::sync::Arc;

use super::doubts::{free, said};
use crate::assess::testing::*;
use crate::model::Timestamp;
use crate::model::key_id::Provider;
use crate::model::reading::{ClusterEncryption, Content, Gap, Outcome};

/// Point-in-time restore; `AWS_A` was used until nine days ago, `AWS_B` since.
fn rotated() -> World {
    free()
        .cluster(|c| c.pit_enabled = Some(true))
        .settings(&[block(Provider::Aws, AWS_B)])
        .row(gone_snap("s1", |s| s.created_at = Some(days(-30))))
        .row(snap_with("s2", |s| {
            s.created_at = Some(days(-9));
            s.keys = named(&[AWS_B]);
        }))
}

#[test]
fn pit_successor_unseen() {
    assert_eq!(said(&rotated()), "safe");
    // Settings say nothing about the provider, and no snapshot names another key.
    let unseen = rotated().settings(&[]).with(|w| {
        w.rows.pop();
        let later = minutes(0);
        w.rows.push(gone_snap("s3", |s| s.created_at = Some(later)));
        w.rows[1].sightings[0].last_at = days(-2);
        w.rows[1].sightings[0].created_at = Some(minutes(SETTINGS_AT));
    });
    assert!(
        said(&unseen).contains("?pit-successor-unseen"),
        "{}",
        said(&unseen)
    );
    let without_pit = unseen.cluster(|c| c.pit_enabled = Some(false));
    assert!(!said(&without_pit).contains("?pit-successor-unseen"));
}

#[test]
fn a_list_that_tells_which_clusters_are_deleted_is_not_required_but_not_cut_either() {
    let doubt = "unknown ?project-incomplete";
    let cut = |outcome: &Outcome| rotated().outcome("clusters", outcome);
    assert_eq!(said(&cut(&Outcome::Partial(Gap::PageMissing))), doubt);
    assert_eq!(said(&cut(&refused(500, None, true))), doubt);
    // Without point-in-time restore, or without a snapshot, it does not matter.
    let no_pit = cut(&refused(500, None, true)).cluster(|c| c.pit_enabled = Some(false));
    assert_eq!(said(&no_pit), "safe");
    let empty = cut(&refused(500, None, true)).with(|w| {
        w.rows[1].sightings[0].last_at = days(-2);
        w.rows[1].sightings[0].expires_at = Some(days(-1));
    });
    assert_eq!(said(&empty), "safe");
    // Never asked for: taken on trust, and printed.
    let unasked = rotated().without("clusters");
    assert_eq!(said(&unasked), "safe");
    let printed = String::from("cluster-not-deleted p1");
    assert!(unasked.audit().assumptions().contains(&printed));
    assert!(!rotated().audit().assumptions().contains(&printed));
}

fn events(world: World, since: Option<Timestamp>, events: &[(Timestamp, &str)]) -> World {
    let events: Vec<(String, &str)> = events.iter().map(|(at, k)| (at.to_string(), *k)).collect();
    let events: Vec<(&str, &str)> = events.iter().map(|(at, k)| (at.as_str(), *k)).collect();
    let since = since.map(|at| at.to_string());
    let content = events_reading("2026-11-20T11:00:00Z", since.as_deref(), &events).content;
    world.change("events", |r| r.content = content.clone())
}

#[test]
fn history_too_short() {
    const ROTATED: &str = "AWS_ENCRYPTION_KEY_ROTATED";
    const UPDATED: &str = "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED";
    let short = "unknown ?history-too-short";
    let world = rotated;
    let pit_off = |world: World| world.cluster(|c| c.pit_enabled = Some(false));
    // Read back to the start of the window of seven days, and no further.
    assert_eq!(said(&events(world(), Some(days(-7)), &[])), "safe");
    let late = Some(days(-7).saturating_add(1));
    assert_eq!(said(&events(world(), late, &[])), short);
    assert_eq!(said(&pit_off(events(world(), late, &[]))), "safe");
    for bad in [
        world().without("events"),
        world().outcome("events", &Outcome::Partial(Gap::PageMissing)),
        world().outcome("events", &refused(500, None, true)),
        world().change("events", |r| r.at = minutes(-61)),
    ] {
        assert_eq!(said(&bad), short);
    }
    // Evidence is of nine days ago (B), and now (settings).
    let table: [(&[(Timestamp, &str)], &str); 8] = [
        (&[(days(-3), ROTATED)], "safe"),
        (&[(days(-3), UPDATED)], "safe"),
        (&[(days(-3), ROTATED), (days(-2), ROTATED)], short),
        (&[(days(-3), UPDATED), (days(-2), ROTATED)], short),
        (
            &[
                (days(-3), ROTATED),
                (days(-2), "AZURE_ENCRYPTION_KEY_ROTATED"),
            ],
            "safe",
        ),
        (&[(days(-3), ROTATED), (days(-2), "CLUSTER_READY")], "safe"),
        // Before the window.
        (&[(days(-9), ROTATED), (days(-8), ROTATED)], "safe"),
        (&[(days(-9), ROTATED), (days(-7), ROTATED)], "safe"),
    ];
    for (happened, expected) in table {
        assert_eq!(
            said(&events(world(), None, happened)),
            expected,
            "{happened:?}"
        );
    }
    // Settings in which the provider was off are evidence too.
    let off = events(world(), None, &[(days(-3), ROTATED), (days(-2), ROTATED)]).with(|w| {
        w.read(hours(-60), None, Content::Settings(Vec::new()));
    });
    assert_eq!(said(&off), "safe");
    // What was seen before the events begin says nothing about the time between.
    let gap = events(world(), Some(days(-8)), &[(days(-3), ROTATED)]);
    assert_eq!(said(&gap), short);
    // Nor does what was seen after they were read, in another run.
    let after =
        events(world(), None, &[(days(-3), ROTATED)]).change("events", |r| r.at = minutes(-50));
    assert_eq!(said(&after), "safe");
    assert_eq!(
        said(&after.change("events", |r| r.run = Arc::from("before"))),
        short
    );
    // A longer policy.
    let policy = events(world(), Some(days(-7)), &[]).change("compliance-policy", |r| {
        r.content = Arc::new(Content::CompliancePolicy(
            crate::model::reading::CompliancePolicy {
                restore_window_days: Some(8),
            },
        ));
    });
    assert!(
        said(&policy).contains("?history-too-short"),
        "{}",
        said(&policy)
    );
    // Each provider has its own history, and KMIP none.
    let google =
        events(world(), None, &[(days(-3), "GCP_ENCRYPTION_KEY_ROTATED")]).enabled(&[GCP_1]);
    assert_eq!(line(&google.check(GCP_1)), short);
    assert_eq!(said(&google), "safe");
}

/// Two rotations since events were last read without any: what came and went between them is not
/// known, and the older reading does not know that it is not.
#[test]
fn an_older_reading_of_events_does_not_outvote_a_newer_one() {
    const ROTATED: &str = "AWS_ENCRYPTION_KEY_ROTATED";
    let twice = [(minutes(-45), ROTATED), (minutes(-44), ROTATED)];
    let both = |newer: Outcome| {
        events(rotated(), None, &twice).with(|w| {
            let newest = w
                .readings()
                .iter_mut()
                .find(|r| r.content.word() == "events");
            let newest = newest.unwrap();
            newest.outcome = newer;
            let mut older = events_reading("2026-11-20T11:00:00Z", None, &[]);
            older.at = minutes(-50);
            older.project = newest.project.clone();
            w.push(older);
        })
    };
    let short = "unknown ?history-too-short";
    assert_eq!(said(&both(Outcome::Whole)), short);
    // What a cut reading showed counts, too.
    assert_eq!(said(&both(Outcome::Partial(Gap::LastPageFull))), short);
    // Where the newest showed nothing, the older one stands.
    assert_eq!(said(&both(refused(500, None, true))), "safe");
}

#[test]
fn rotation_under_way() {
    let doubt = "unknown ?rotation-under-way";
    let aws = |world: World| {
        world.cluster(|c| c.encryption = Some(ClusterEncryption::Provider(Provider::Aws)))
    };
    // `A` until a month ago; settings name `B` since nine days ago.
    let world = |snapshot: Option<(Timestamp, &str)>| {
        let mut world = aws(free())
            .settings(&[block(Provider::Aws, AWS_B)])
            .row(gone_snap("s1", |s| s.created_at = Some(days(-30))));
        world.read(
            days(-9),
            None,
            Content::Settings(vec![block(Provider::Aws, AWS_B)]),
        );
        if let Some((created, key)) = snapshot {
            world = world.row(gone_snap("s2", |s| {
                s.created_at = Some(created);
                s.keys = named(&[key]);
            }));
        }
        world
    };
    assert_eq!(said(&world(None)), doubt);
    assert_eq!(said(&world(Some((days(-9), AWS_B)))), "safe");
    assert_eq!(said(&world(Some((days(-8), GCP_1)))), "safe");
    // Still under the old one; of another cluster; unresolved.
    assert_eq!(said(&world(Some((days(-10), AWS_A)))), doubt);
    let elsewhere = world(Some((days(-8), AWS_B))).with(|w| {
        w.rows[1].cluster = String::from("c0");
        w.read(minutes(SNAPSHOTS_AT), Some("c0"), Content::Snapshots);
        w.read(
            minutes(SNAPSHOTS_AT),
            Some("c0"),
            Content::Schedule(schedule()),
        );
    });
    assert_eq!(said(&elsewhere), doubt);
    let unsure = world(Some((days(-8), "something else")));
    assert!(said(&unsure).contains("?rotation-under-way"));
    // Another provider, or none: it does not run under this one.
    for (encryption, expected) in [
        (Some(ClusterEncryption::None), "safe"),
        (Some(ClusterEncryption::Provider(Provider::Gcp)), "safe"),
        (
            Some(ClusterEncryption::Unrecognised(String::from("X"))),
            doubt,
        ),
        (None, doubt),
    ] {
        let other = world(None).cluster(|c| c.encryption = encryption.clone());
        assert_eq!(said(&other), expected, "{encryption:?}");
    }
    // A deleted cluster rotates no more.
    let deleted = world(None).change("clusters", |r| r.content = Arc::new(clusters(false, &[])));
    assert_eq!(said(&deleted), "safe");
    // Never used: not a former key.
    assert_eq!(said(&aws(free())), "safe");
    assert!(said(&world(None).settings(&[block(Provider::Aws, AWS_A)])).starts_with("held"));
}

#[test]
fn without_backups_a_rotation_ends_when_the_cluster_has_been_idle() {
    let idle = |state: &str, paused, backups, at: Timestamp| {
        free()
            .settings(&[block(Provider::Aws, AWS_B)])
            .cluster(|c| {
                c.encryption = Some(ClusterEncryption::Provider(Provider::Aws));
                c.state = Some(state.to_owned());
                c.paused = paused;
                c.backup_enabled = backups;
            })
            .row(gone_snap("s1", |s| s.created_at = Some(days(-30))))
            .with(|w| {
                w.read(
                    at,
                    None,
                    Content::Settings(vec![block(Provider::Aws, AWS_B)]),
                );
            })
    };
    let hour = CLUSTERS_AT - 60;
    let doubt = "unknown ?rotation-under-way";
    let table = [
        ("IDLE", Some(false), Some(false), hour, "safe"),
        ("IDLE", Some(false), Some(false), hour + 1, doubt),
        ("UPDATING", Some(false), Some(false), hour, doubt),
        ("IDLE", Some(true), Some(false), hour, doubt),
        ("IDLE", None, Some(false), hour, doubt),
        ("IDLE", Some(false), Some(true), hour, doubt),
        ("IDLE", Some(false), None, hour, doubt),
    ];
    for (state, paused, backups, at, expected) in table {
        let world = idle(state, paused, backups, minutes(at));
        assert_eq!(
            said(&world),
            expected,
            "{state} {paused:?} {backups:?} {at}"
        );
    }
}

//! Is this snapshot restorable: each verdict, its reasons and actions, and which comes first.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::Timestamp;
use crate::model::evidence::{Condition, KeyColumn, SnapshotShape, SnapshotStatus, UnknownReason};
use crate::model::key_id::Provider;
use crate::model::reading::Source;

fn under_a() -> World {
    World::new().settings(&[block(Provider::Aws, AWS_A)])
}

fn with_condition(condition: Condition) -> World {
    under_a()
        .row(snap("s1"))
        .observe(observed(AWS_A, minutes(-30), condition))
}

#[test]
fn each_condition_has_its_verdict_reason_and_actions() {
    let table = [
        (ENABLED, "restorable"),
        (
            Condition::Enabled {
                expires: Some(days(1)),
            },
            "restorable",
        ),
        (
            Condition::UnwrapOnly {
                why: String::from("deactivated"),
            },
            "conditional [unwrap-only]",
        ),
        (Condition::Disabled, "blocked [disabled] -> enable"),
        (
            pending(days(5)),
            "blocked [pending-deletion] -> cancel-deletion, enable before 2026-11-25T12:00:00Z",
        ),
        (
            Condition::PendingDeletion { deadline: None },
            "blocked [pending-deletion] -> cancel-deletion, enable",
        ),
        (
            Condition::SoftDeleted {
                purge: Some(days(2)),
            },
            "blocked [soft-deleted] -> recover before 2026-11-22T12:00:00Z",
        ),
        (
            Condition::MaterialMissing,
            "blocked [material-missing] -> import-material",
        ),
        (
            Condition::Unavailable { what: None },
            "blocked [unavailable] -> reconnect",
        ),
        (Condition::Transient, "unknown [transient]"),
        (destroyed(), "lost [destroyed]"),
    ];
    for (condition, expected) in table {
        let audit = with_condition(condition.clone()).audit();
        assert_eq!(audit.only(), expected, "{condition}");
    }
    for reason in UnknownReason::ALL {
        let audit = with_condition(unknown(reason)).audit();
        assert_eq!(audit.only(), format!("unknown [{}]", reason.word()));
    }
}

#[test]
fn a_key_that_nobody_asked_about_or_too_long_ago_is_unknown() {
    let day = 24 * 60;
    let table = [
        (None, "unknown [not-probed]"),
        (Some(-day), "restorable"),
        (Some(-day - 1), "unknown [probe-stale]"),
    ];
    for (asked, expected) in table {
        let mut world = under_a().row(snap("s1"));
        if let Some(m) = asked {
            world = world.observe(observed(AWS_A, minutes(m), ENABLED));
        }
        assert_eq!(world.audit().only(), expected, "{asked:?}");
    }
}

#[test]
fn the_worst_of_several_keys_counts() {
    let unwrap = Condition::UnwrapOnly {
        why: String::from("expired"),
    };
    let lost = destroyed();
    let dark = unknown(UnknownReason::AccessDenied);
    let off = Condition::Disabled;
    let table = [
        ([&ENABLED, &ENABLED], "restorable"),
        ([&ENABLED, &unwrap], "conditional [unwrap-only]"),
        ([&off, &unwrap], "blocked [disabled unwrap-only] -> enable"),
        ([&dark, &off], "unknown [access-denied disabled]"),
        ([&lost, &dark], "lost [access-denied destroyed]"),
    ];
    for (conditions, expected) in table {
        for [first, second] in [conditions, [conditions[1], conditions[0]]] {
            let world = under_a()
                .row(snap_with("s1", |s| s.keys = named(&[AWS_A, AWS_B])))
                .observe(observed(AWS_A, minutes(-30), first.clone()))
                .observe(observed(AWS_B, minutes(-30), second.clone()));
            assert_eq!(world.audit().only(), expected);
        }
    }
}

#[test]
fn the_earliest_deadline_counts() {
    let world = under_a()
        .row(snap_with("s1", |s| s.keys = named(&[AWS_A, AWS_B])))
        .observe(observed(AWS_A, minutes(-30), pending(days(9))))
        .observe(observed(AWS_B, minutes(-30), pending(days(4))));
    assert_eq!(
        world.audit().only(),
        "blocked [pending-deletion] -> cancel-deletion, enable before 2026-11-24T12:00:00Z"
    );
}

#[test]
fn gone_then_expired_then_unfit_come_before_the_key() {
    use SnapshotStatus::{Completed, Failed, InProgress, Queued, Unrecognised, Unrecorded};
    let shown = minutes(SNAPSHOTS_AT);
    let earlier = minutes(SNAPSHOTS_AT - 10);
    // (last shown, expires, status, verdict under a destroyed key)
    let table: [(Timestamp, Option<Timestamp>, SnapshotStatus, &str); 11] = [
        (days(-2), Some(days(-1)), Failed, "gone"),
        (shown, Some(shown), Failed, "expired"),
        (shown, Some(minutes(0)), Completed, "expired"),
        (shown, Some(minutes(1)), Completed, "lost [destroyed]"),
        // A list read after its date still shows it.
        (shown, Some(earlier), Completed, "lost [destroyed]"),
        (shown, None, Completed, "lost [destroyed]"),
        (shown, None, Queued, "unusable [queued]"),
        (shown, None, InProgress, "unusable [in-progress]"),
        (shown, None, Failed, "unusable [failed]"),
        (shown, None, Unrecorded, "unknown [status-unrecorded]"),
        (
            shown,
            None,
            Unrecognised(String::from("resting")),
            "unknown [status-unrecognised]",
        ),
    ];
    for (last_at, expires, status, expected) in table {
        let row = snap_with("s1", |s| {
            s.last_at = last_at;
            s.expires_at = expires;
            s.status = status.clone();
        });
        let world = under_a()
            .row(row)
            .observe(observed(AWS_A, minutes(-30), destroyed()));
        assert_eq!(world.audit().only(), expected, "{last_at} {status:?}");
    }
}

#[test]
fn a_snapshot_to_be_kept_never_expires() {
    let world = under_a().enabled(&[AWS_A]).row(snap_with("s1", |s| {
        s.expires_at = Some(minutes(-1));
        s.keep = true;
    }));
    let audit = world.audit();
    assert_eq!(audit.only(), "restorable");
    assert_eq!(audit.snapshots[0].expires_at, None);
}

#[test]
fn lists_that_are_too_old_show_nothing() {
    let day = 24 * 60;
    for (minute, expected) in [
        (-day, "restorable"),
        (-day - 1, "unknown [inventory-stale]"),
    ] {
        // Without a complete inventory nothing is gone.
        let world = under_a()
            .without("schedule")
            .enabled(&[AWS_A])
            .row(snap_with("s1", |s| s.last_at = minutes(minute)));
        assert_eq!(world.audit().only(), expected, "{minute}");
    }
    let world = under_a()
        .without("schedule")
        .observe(observed(AWS_A, minutes(-30), destroyed()))
        .row(snap_with("s1", |s| s.last_at = minutes(-day - 1)));
    assert_eq!(world.audit().only(), "lost [destroyed inventory-stale]");
}

#[test]
fn not_encrypted_is_restorable_and_unrecorded_or_unresolved_unknown() {
    let table = [
        (SnapshotShape::Own, KeyColumn::NotEncrypted, "restorable"),
        (
            SnapshotShape::Own,
            KeyColumn::Absent,
            "unknown [key-unrecorded]",
        ),
        (SnapshotShape::Shared, KeyColumn::Absent, "restorable"),
        (
            SnapshotShape::ReplicaSet,
            named(&[UUID_A]),
            "unknown [key-unresolved]",
        ),
        (
            SnapshotShape::ReplicaSet,
            named(&["alias/backup"]),
            "unknown [key-unresolved]",
        ),
    ];
    for (shape, keys, expected) in table {
        let world = World::new().enabled(&[AWS_A]).row(snap_with("s1", |s| {
            s.shape = shape;
            s.keys = keys.clone();
        }));
        assert_eq!(world.audit().only(), expected, "{shape:?} {keys:?}");
    }
}

#[test]
fn siblings_of_a_multi_region_key_stand_in_for_each_other() {
    let lost = destroyed();
    let off = Condition::Disabled;
    let dark = unknown(UnknownReason::Unreachable);
    // (home, sibling, verdict of a snapshot under the home's ARN)
    let table: [(Option<&Condition>, Option<&Condition>, &str); 9] = [
        (Some(&ENABLED), Some(&ENABLED), "restorable"),
        (
            Some(&ENABLED),
            Some(&off),
            "conditional [sibling-not-usable]",
        ),
        (
            Some(&lost),
            Some(&ENABLED),
            "conditional [sibling-not-usable]",
        ),
        (Some(&ENABLED), None, "conditional [sibling-not-usable]"),
        (Some(&lost), Some(&lost), "lost [destroyed]"),
        (Some(&lost), Some(&off), "blocked [disabled] -> enable"),
        (Some(&off), Some(&dark), "unknown [unreachable]"),
        (Some(&lost), None, "unknown [not-probed]"),
        (None, Some(&lost), "unknown [not-probed]"),
    ];
    for (home, sibling, expected) in table {
        let mut world = World::new()
            .settings(&[block(Provider::Aws, MRK_US)])
            .row(snap_with("s1", |s| s.keys = named(&[MRK_US])));
        for (text, other, condition) in [(MRK_US, MRK_EU, home), (MRK_EU, MRK_US, sibling)] {
            if let Some(condition) = condition {
                let mut answer = observed(text, minutes(-30), condition.clone());
                answer.related = vec![key(other)];
                world = world.observe(answer);
            }
        }
        assert_eq!(world.audit().only(), expected, "{home:?} {sibling:?}");
    }
}

#[test]
fn settings_that_say_invalid_block_what_is_under_the_current_key() {
    let day = 24 * 60;
    let blocked = "blocked [settings-invalid] -> repair-access";
    // (valid, read at, the snapshot's key, verdict)
    let table = [
        (Some(true), SETTINGS_AT, AWS_A, "restorable"),
        (None, SETTINGS_AT, AWS_A, "restorable"),
        (Some(false), SETTINGS_AT, AWS_A, blocked),
        (Some(false), SETTINGS_AT, UUID_A, blocked),
        (Some(false), SETTINGS_AT, AWS_B, "restorable"),
        (Some(false), -day, AWS_A, blocked),
        (Some(false), -day - 1, AWS_A, "unknown [settings-stale]"),
        (Some(true), -day - 1, AWS_A, "restorable"),
    ];
    for (valid, at, text, expected) in table {
        let mut settings = block(Provider::Aws, AWS_A);
        settings.valid = valid;
        let world = World::new()
            .settings(&[settings])
            .change("settings", |r| r.at = minutes(at))
            .enabled(&[AWS_A, AWS_B])
            .row(snap_with("s1", |s| s.keys = named(&[text])));
        assert_eq!(world.audit().only(), expected, "{valid:?} {at} {text}");
    }
}

#[test]
fn only_the_newest_settings_of_a_provider_say_whether_its_key_is_valid() {
    let mut invalid = block(Provider::Aws, AWS_A);
    invalid.valid = Some(false);
    let valid = block(Provider::Aws, AWS_A);
    let gcp = block(Provider::Gcp, GCP_1);
    let blocked = "blocked [settings-invalid] -> repair-access";
    let table = [
        (&invalid, &valid, "restorable"),
        (&valid, &invalid, blocked),
        (&invalid, &gcp, blocked),
    ];
    for (earlier, later, expected) in table {
        let world = World::new()
            .settings(std::slice::from_ref(earlier))
            .with(|world| {
                let content = crate::model::reading::Content::Settings(vec![later.clone()]);
                world.read(minutes(-20), None, content);
                // What is cut adds to what is whole.
                world.readings().last_mut().unwrap();
                let last = world
                    .readings()
                    .iter_mut()
                    .find(|r| r.at == minutes(-20))
                    .unwrap();
                last.outcome = crate::model::reading::Outcome::Partial(
                    crate::model::reading::Gap::SingleObject,
                );
            })
            .enabled(&[AWS_A])
            .row(snap("s1"));
        assert_eq!(world.audit().only(), expected);
    }
}

#[test]
fn where_a_service_was_asked_settings_must_have_been_read() {
    let world = under_a().enabled(&[AWS_A]).row(snap("s1"));
    assert_eq!(world.audit().only(), "restorable");
    let unread = world.clone().without("settings");
    assert_eq!(unread.audit().only(), "unknown [settings-unread]");
    // Files never say that they are all there is.
    let files = unread.with(|world| {
        for reading in world.readings() {
            Arc::make_mut(&mut reading.root).source = Source::Files;
        }
    });
    assert_eq!(files.audit().only(), "restorable");
}

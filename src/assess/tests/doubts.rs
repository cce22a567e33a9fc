//! Why "nothing needs it" is not yet known: each doubt where it arises, and where it does not.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::Timestamp;
use crate::model::evidence::{KeyColumn, SnapshotShape, UnknownReason};
use crate::model::key_id::Provider;
use crate::model::policy::Hold;
use crate::model::reading::{
    Content, CopyItem, CopySetting, Delivery, Gap, Outcome, RestoreJob, Retention, RetentionUnit,
    Schedule,
};
use crate::model::verdict::{DoubtKind, Intent};

/// `AWS_A` was asked about, and nothing needs it.
pub(super) fn free() -> World {
    World::new().enabled(&[AWS_A])
}

pub(super) fn said(world: &World) -> String {
    line(&world.check(AWS_A))
}

#[test]
fn nothing_needs_it_and_nothing_is_doubtful() {
    assert_eq!(said(&free()), "safe");
}

#[test]
fn estate_empty_and_incomplete() {
    let no_roots = free().with(|w| w.evidence.roots.clear());
    assert_eq!(
        said(&no_roots),
        "unknown ?estate-incomplete ?project-missing"
    );
    let empty = free().with(|w| {
        w.evidence.projects.clear();
        w.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(Vec::new()));
    });
    assert_eq!(said(&empty), "unknown ?estate-empty");
    let nothing = empty.with(|w| w.evidence.roots.clear());
    assert_eq!(said(&nothing), "unknown ?estate-empty ?estate-incomplete");
    let cut = free().with(|w| {
        w.evidence.roots[0].lists[0].outcome = Outcome::Partial(Gap::LastPageFull);
    });
    assert_eq!(said(&cut), "unknown ?estate-incomplete");
    let refused = free().with(|w| {
        w.evidence.roots[0].lists[0].outcome = refused(401, None, false);
    });
    assert!(said(&refused).contains("?estate-incomplete"));
    let unread = free().with(|w| w.evidence.roots[0].lists.clear());
    assert_eq!(said(&unread), "unknown ?estate-incomplete ?project-missing");
}

#[test]
fn a_check_wants_lists_of_the_last_hour_and_an_audit_of_the_last_day() {
    let lists = |at: Timestamp| free().with(|w| w.evidence.roots[0].lists[0].at = at);
    assert_eq!(said(&lists(minutes(-60))), "safe");
    assert_eq!(said(&lists(minutes(-61))), "unknown ?estate-incomplete");
    let settings = |at: Timestamp| free().change("settings", |r| r.at = at);
    assert_eq!(said(&settings(minutes(-60))), "safe");
    assert_eq!(said(&settings(minutes(-61))), "unknown ?project-stale");
    for (at, expected) in [
        (minutes(-61), "safe"),
        (hours(-24), "safe"),
        (minutes(-24 * 60 - 1), "unknown"),
    ] {
        for world in [lists(at), settings(at)] {
            let audit = world.audit();
            let [crate::model::verdict::KeyRow::Resolved(row)] = audit.all.keys.as_slice() else {
                panic!("one key");
            };
            assert_eq!(row.verdict.verdict.word(), expected, "{at}");
        }
    }
    let disable = settings(minutes(-61)).check_for(Intent::Disable, AWS_A);
    assert_eq!(line(&disable.verdict), "unknown ?project-stale");
    let patient = settings(minutes(-61)).policy(|p| p.max_check_age = 3660);
    assert_eq!(said(&patient), "safe");
}

#[test]
fn project_incomplete_and_missing() {
    for word in ["settings", "clusters-with-deleted", "snapshots", "schedule"] {
        assert_eq!(
            said(&free().without(word)),
            "unknown ?project-incomplete",
            "{word}"
        );
    }
    let unread = free().with(|w| w.readings().clear());
    assert_eq!(said(&unread), "unknown ?project-incomplete");
    // The list names it, and the store holds nothing else of it.
    let unheard = free().with(|w| {
        w.add_project("p2");
        w.evidence.projects.remove(&project_ref("p2"));
    });
    assert_eq!(said(&unheard), "unknown ?project-incomplete");
    let missing = free().with(|w| {
        w.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(Vec::new()));
    });
    assert_eq!(said(&missing), "unknown ?project-missing");
    // A snapshot of a project that nothing else names.
    let stray = free().row({
        let mut row = snap_with("s1", |s| s.keys = named(&[AWS_B]));
        row.project = project_ref("p9");
        row
    });
    assert_eq!(said(&stray), "unknown ?project-incomplete");
}

#[test]
fn maybe_match_by_what_is_in_use() {
    let odd = "something else";
    let by_snapshot = free().row(snap_with("s1", |s| s.keys = named(&[odd])));
    assert_eq!(said(&by_snapshot), "unknown ?maybe-match ?unresolved-key");
    let by_settings = free().settings(&[block(Provider::Aws, odd)]);
    assert!(said(&by_settings).contains("?maybe-match"));
    let by_hold = free().policy(|p| {
        p.holds = vec![Hold {
            key: odd.to_owned(),
            until: None,
            stated: days(-1),
            reason: String::from("litigation"),
        }];
    });
    assert!(said(&by_hold).contains("?maybe-match"));
    // One that is gone needs nothing; its copies may.
    let gone = || free().row(gone_snap("s1", |s| s.keys = named(&[odd])));
    assert_eq!(said(&gone()), "safe");
    let copied = gone().schedule(&Schedule {
        copies: vec![CopySetting {
            items: Vec::new(),
            by_number: true,
        }],
        ..schedule()
    });
    assert_eq!(said(&copied), "unknown ?maybe-match ?unresolved-key");
    // Settings that are on and name no key.
    let mut nameless = block(Provider::Aws, AWS_A);
    nameless.key = None;
    assert_eq!(
        said(&free().settings(&[nameless.clone()])),
        "unknown ?maybe-match"
    );
    nameless.provider = Provider::Gcp;
    assert_eq!(said(&free().settings(&[nameless])), "safe");
}

fn download(snapshot: &str) -> RestoreJob {
    RestoreJob {
        id: String::from("j1"),
        snapshot: Some(snapshot.to_owned()),
        delivery: Delivery::Download,
        finished_at: Some(days(-5)),
        failed: false,
        cancelled: false,
        expired: false,
    }
}

#[test]
fn a_job_of_a_snapshot_that_was_never_shown_may_need_any_key_of_the_project() {
    let world = free().row(gone_snap("s1", |_| {}));
    assert_eq!(said(&world), "safe");
    let read = |job: RestoreJob| {
        world.clone().change("restore-jobs", move |r| {
            r.content = Arc::new(Content::RestoreJobs(vec![job.clone()]));
        })
    };
    assert_eq!(said(&read(download("s7"))), "unknown ?maybe-match");
    let mut ended = download("s7");
    ended.delivery = Delivery::Automated;
    assert_eq!(said(&read(ended)), "safe");
}

#[test]
fn unrecorded_key_by_what_the_source_promises() {
    let absent = |shape| {
        World::new()
            .without("events")
            .enabled(&[AWS_A, AZURE_1, GCP_1])
            .observe(observed("kmip://hsm/7", minutes(-30), ENABLED))
            .row(snap_with("s1", |s| {
                s.shape = shape;
                s.keys = KeyColumn::Absent;
            }))
    };
    let doubted = |world: &World, key: &str| {
        let doubts = world.check(key).doubts;
        doubts.iter().any(|d| d.kind == DoubtKind::UnrecordedKey)
    };
    // (shape, AWS, Azure, Google, KMIP)
    let table = [
        (SnapshotShape::ReplicaSet, [false, true, true, false]),
        (SnapshotShape::Sharded, [false, true, true, false]),
        (SnapshotShape::Shared, [false; 4]),
        (SnapshotShape::Own, [true; 4]),
    ];
    for (shape, expected) in table {
        let world = absent(shape);
        let keys = [AWS_A, AZURE_1, GCP_1, "kmip://hsm/7"];
        assert_eq!(keys.map(|key| doubted(&world, key)), expected, "{shape:?}");
    }
    // A gone one leaves a doubt with what outlives it.
    let gone = || {
        World::new()
            .without("events")
            .enabled(&[AZURE_1])
            .row(gone_snap("s1", |s| s.keys = KeyColumn::Absent))
    };
    assert!(!doubted(&gone(), AZURE_1));
    let downloaded = gone().change("restore-jobs", |r| {
        r.content = Arc::new(Content::RestoreJobs(vec![download("s1")]));
    });
    assert!(doubted(&downloaded, AZURE_1));
    let copied = gone().row(gone_snap("s2", |s| {
        s.keys = KeyColumn::Absent;
        s.copied = true;
    }));
    assert!(doubted(&copied, AZURE_1));
}

#[test]
fn unresolved_key_of_an_argument() {
    let unheard = "eeeeeeee-5555-4555-8555-eeeeeeeeeeee";
    assert_eq!(line(&free().check(unheard)), "unknown ?unresolved-key");
    let incomplete = free().without("schedule");
    assert_eq!(
        line(&incomplete.check(unheard)),
        "unknown ?project-incomplete ?unresolved-key"
    );
    // One key in the store agrees: that is it.
    assert_eq!(line(&free().check(UUID_A)), "safe");
}

#[test]
fn lapsed_snapshot() {
    let lapsed = |expires: Timestamp| free().row(snap_with("s1", |s| s.expires_at = Some(expires)));
    assert_eq!(said(&lapsed(minutes(0))), "unknown ?lapsed-snapshot");
    assert!(said(&lapsed(minutes(1))).starts_with("held"));
    // Extra retention moves its date.
    let longer = lapsed(minutes(0)).schedule(&Schedule {
        extra_retention: vec![crate::model::reading::ExtraRetention {
            frequency: String::from("daily"),
            days: 1,
        }],
        ..schedule()
    });
    assert!(said(&longer).starts_with("held date:2026-11-21T12:00:00Z"));
    assert_eq!(said(&free().row(gone_snap("s1", |_| {}))), "safe");
}

#[test]
fn copy_retention_unknown() {
    let unknown = "unknown ?copy-retention-unknown";
    let copied = |copies: Vec<CopySetting>| {
        free()
            .row(gone_snap("s1", |s| s.copied = true))
            .schedule(&Schedule {
                copies,
                ..schedule()
            })
    };
    let item = |retention| CopySetting {
        items: vec![CopyItem {
            frequency: String::from("daily"),
            retention,
        }],
        by_number: false,
    };
    let past = Some(Retention {
        unit: RetentionUnit::Days,
        value: 1,
    });
    assert_eq!(said(&copied(vec![])), unknown);
    assert_eq!(said(&copied(vec![item(None)])), unknown);
    assert_eq!(said(&copied(vec![item(past)])), "safe");
    assert_eq!(said(&copied(vec![item(past), item(None)])), unknown);
    let not_copied = copied(vec![]).with(|w| w.rows[0].sightings[0].copied = false);
    assert_eq!(said(&not_copied), "safe");
    // A deleted cluster's schedule was never read.
    let deleted = copied(vec![])
        .outcome("schedule", &refused(404, Some("CLUSTER_NOT_FOUND"), false))
        .change("clusters", |r| r.content = Arc::new(clusters(false, &[])));
    assert_eq!(said(&deleted), unknown);
}

#[test]
fn kmip_never_named() {
    let kmip = "kmip://hsm/7";
    let world = World::new().observe(observed(kmip, minutes(-30), ENABLED));
    assert_eq!(line(&world.check(kmip)), "unknown ?kmip-never-named");
    assert_eq!(said(&free()), "safe");
}

#[test]
fn key_never_seen() {
    let never = "unknown ?key-never-seen";
    assert_eq!(said(&World::new()), never);
    for reason in UnknownReason::ALL {
        let world = World::new().observe(observed(AWS_A, minutes(-30), unknown(reason)));
        assert_eq!(said(&world), never, "{}", reason.word());
    }
    let transient = crate::model::evidence::Condition::Transient;
    let world = World::new().observe(observed(AWS_A, minutes(-30), transient));
    assert_eq!(said(&world), never);
    // Any definite answer, however old; any reading that names it.
    let years = days(-2000);
    let disabled = crate::model::evidence::Condition::Disabled;
    assert_eq!(
        said(&World::new().observe(observed(AWS_A, years, disabled))),
        "safe"
    );
    assert_eq!(said(&World::new().row(gone_snap("s1", |_| {}))), "safe");
    let by_id = gone_snap("s1", |s| s.keys = named(&[UUID_A]));
    assert_eq!(said(&World::new().row(by_id)), "safe");
    // Of any key of the unit.
    assert_eq!(
        line(&World::new().enabled(&[AZURE_1]).check(AZURE_2)),
        "safe"
    );
    assert_eq!(
        line(&World::new().enabled(&[AZURE_OTHER]).check(AZURE_2)),
        never
    );
    // A hold is no reading.
    let held = World::new().policy(|p| {
        p.holds = vec![Hold {
            key: AWS_A.to_owned(),
            until: Some(days(-1)),
            stated: days(-9),
            reason: String::from("litigation"),
        }];
    });
    assert_eq!(said(&held), never);
}

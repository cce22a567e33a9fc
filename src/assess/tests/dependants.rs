//! Who needs a key, and until when.

use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::evidence::{Forgotten, KeyColumn, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::policy::Hold;
use crate::model::reading::{
    Content, CopyItem, CopySetting, Declared, DeclaredKind, Delivery, ExtraRetention, RestoreJob,
    Retention, RetentionUnit, Schedule,
};
use crate::model::verdict::{DependantKind, Until};
use crate::model::{Snapshot, Timestamp};

/// `KIND until` of every dependant of `AWS_A`.
pub(super) fn needs(world: &World) -> String {
    let check = world.check(AWS_A);
    let counted: u64 = DependantKind::ALL.iter().map(|k| check.counts.of(*k)).sum();
    assert_eq!(counted, u64::try_from(check.dependants.len()).unwrap());
    let lines: Vec<String> = check
        .dependants
        .iter()
        .map(|d| {
            let maybe = if d.certain { "" } else { "~" };
            match d.until {
                Until::At(at) => format!("{maybe}{} {at}", d.kind.word()),
                Until::Indefinite => format!("{maybe}{} ever", d.kind.word()),
            }
        })
        .collect();
    lines.join(", ")
}

const DAY_3: &str = "snapshot 2026-11-23T12:00:00Z";

#[test]
fn a_present_snapshot_of_any_status_but_failed_holds_until_it_expires() {
    use SnapshotStatus::{Completed, Failed, InProgress, Queued, Unrecognised, Unrecorded};
    let table = [
        (Completed, DAY_3),
        (Queued, DAY_3),
        (InProgress, DAY_3),
        (Unrecorded, DAY_3),
        (Unrecognised(String::from("resting")), DAY_3),
        (Failed, ""),
    ];
    for (status, expected) in table {
        let world = World::new().row(snap_with("s1", |s| s.status = status.clone()));
        assert_eq!(needs(&world), expected, "{status:?}");
    }
    let ever = "snapshot ever";
    let kept = World::new().row(snap_with("s1", |s| s.keep = true));
    assert_eq!(needs(&kept), ever);
    let without_end = World::new().row(snap_with("s1", |s| s.expires_at = None));
    assert_eq!(needs(&without_end), ever);
    assert_eq!(needs(&World::new().row(gone_snap("s1", |_| {}))), "");
}

#[test]
fn an_until_that_equals_as_of_has_passed() {
    for (minute, expected) in [(0, ""), (1, "snapshot 2026-11-20T12:01:00Z")] {
        let world = World::new().row(snap_with("s1", |s| s.expires_at = Some(minutes(minute))));
        assert_eq!(needs(&world), expected);
    }
}

fn extra(frequency: &str, days: u32) -> ExtraRetention {
    ExtraRetention {
        frequency: frequency.to_owned(),
        days,
    }
}

#[test]
fn extra_retention_ever_read_for_its_frequency_is_added() {
    // (older schedule, newer schedule, the snapshot's frequency, until)
    let table = [
        (vec![], vec![extra("daily", 2)], Some("daily"), days(5)),
        (
            vec![extra("daily", 9)],
            vec![extra("daily", 2)],
            Some("daily"),
            days(12),
        ),
        (vec![extra("daily", 9)], vec![], Some("daily"), days(12)),
        (vec![], vec![extra("weekly", 9)], Some("daily"), days(3)),
        (
            vec![extra("weekly", 9)],
            vec![extra("daily", 2)],
            None,
            days(12),
        ),
    ];
    for (older, newer, frequency, until) in table {
        let schedule = |extra_retention| Schedule {
            extra_retention,
            ..schedule()
        };
        let mut world = World::new()
            .schedule(&schedule(newer))
            .row(snap_with("s1", |s| {
                s.frequency = frequency.map(ToOwned::to_owned)
            }));
        world.read(days(-9), Some("c1"), Content::Schedule(schedule(older)));
        assert_eq!(needs(&world), format!("snapshot {until}"), "{frequency:?}");
    }
}

fn item(frequency: &str, value: u32, unit: RetentionUnit) -> CopyItem {
    CopyItem {
        frequency: frequency.to_owned(),
        retention: Some(Retention { unit, value }),
    }
}

fn copying(items: Vec<CopyItem>, by_number: bool) -> Schedule {
    Schedule {
        copies: vec![CopySetting { items, by_number }],
        ..schedule()
    }
}

fn copy(until: Timestamp) -> String {
    format!("snapshot-copy {until}")
}

#[test]
fn a_copy_holds_for_the_longest_retention_of_its_own() {
    use RetentionUnit::{Days, Months, Weeks};
    // The snapshot is gone, was made on 17 November, daily.
    let table = [
        (vec![item("daily", 4, Days)], false, copy(days(1))),
        (vec![item("daily", 3, Days)], false, String::new()),
        (
            vec![item("daily", 4, Days), item("daily", 2, Weeks)],
            false,
            copy(days(11)),
        ),
        // Of its frequency; of all if none matches.
        (
            vec![item("daily", 4, Days), item("weekly", 2, Weeks)],
            false,
            copy(days(1)),
        ),
        (
            vec![item("monthly", 1, Months), item("weekly", 2, Weeks)],
            false,
            copy(at("2026-12-17T12:00:00Z")),
        ),
        (vec![], true, String::from("snapshot-copy ever")),
        (vec![], false, String::new()),
    ];
    for (items, by_number, expected) in table {
        let schedule = copying(items, by_number);
        let world = World::new()
            .schedule(&schedule)
            .row(gone_snap("s1", |_| {}));
        assert_eq!(world.audit().only(), "gone");
        assert_eq!(needs(&world), expected, "{schedule:?}");
    }
}

#[test]
fn copies_count_beside_the_snapshot_and_by_every_schedule_ever_read() {
    let long = copying(vec![item("daily", 2, RetentionUnit::Weeks)], false);
    let mut world = World::new().row(snap("s1"));
    world.read(days(-9), Some("c1"), Content::Schedule(long.clone()));
    assert_eq!(needs(&world), format!("{DAY_3}, {}", copy(days(11))));
    // Of its cluster.
    let mut other = World::new().row(snap("s1"));
    other.read(days(-9), Some("c2"), Content::Schedule(long.clone()));
    assert_eq!(needs(&other), DAY_3);
    let failed = World::new()
        .schedule(&long)
        .row(snap_with("s1", |s| s.status = SnapshotStatus::Failed));
    assert_eq!(needs(&failed), "");
    let undated = World::new()
        .schedule(&long)
        .row(gone_snap("s1", |s| s.created_at = None));
    assert_eq!(needs(&undated), "snapshot-copy ever");
    // A frequency that was not recorded may be any.
    let two = copying(
        vec![
            item("daily", 4, RetentionUnit::Days),
            item("weekly", 2, RetentionUnit::Weeks),
        ],
        false,
    );
    let some = World::new()
        .schedule(&two)
        .row(gone_snap("s1", |s| s.frequency = None));
    assert_eq!(needs(&some), copy(days(11)));
}

#[test]
fn an_enabled_block_is_a_current_key() {
    let a = || block(Provider::Aws, AWS_A);
    let ever = "current-key ever";
    assert_eq!(needs(&World::new().settings(&[a()])), ever);
    let agrees = World::new()
        .settings(&[block(Provider::Aws, UUID_A)])
        .enabled(&[AWS_A]);
    assert_eq!(needs(&agrees), "~current-key ever");
    let mut off = a();
    off.enabled = false;
    assert_eq!(needs(&World::new().settings(&[off])), "");
    // The newest decides; what a cut one shows since counts too.
    let mut world = World::new().settings(&[block(Provider::Aws, AWS_B)]);
    world.read(days(-5), None, Content::Settings(vec![a()]));
    assert_eq!(needs(&world), "");
    let mut cut = reading("2026-11-20T11:50:00Z", None, Content::Settings(vec![a()]));
    cut.outcome =
        crate::model::reading::Outcome::Partial(crate::model::reading::Gap::BodyUnreadable);
    world.push(cut);
    assert_eq!(needs(&world), ever);
    // Two of one second.
    let tie = World::new().with(|w| {
        for key in [AWS_A, AWS_B] {
            w.read(
                minutes(-5),
                None,
                Content::Settings(vec![block(Provider::Aws, key)]),
            );
        }
    });
    assert_eq!(needs(&tie), ever);
}

fn job(id: &str, snapshot: Option<&str>, delivery: Delivery) -> RestoreJob {
    RestoreJob {
        id: id.to_owned(),
        snapshot: snapshot.map(ToOwned::to_owned),
        delivery,
        finished_at: None,
        failed: false,
        cancelled: false,
        expired: false,
    }
}

fn with_job(row: Snapshot, job: RestoreJob) -> World {
    World::new().row(row).change("restore-jobs", move |r| {
        r.content = Arc::new(Content::RestoreJobs(vec![job.clone()]));
    })
}

#[test]
fn a_job_holds_until_it_ends_and_a_download_until_it_is_forgotten() {
    use Delivery::{Automated, Download, Unrecognised};
    let ended = |change: fn(&mut RestoreJob), delivery| {
        let mut job = job("j1", Some("s1"), delivery);
        change(&mut job);
        job
    };
    let running = "restore-job ever";
    let download = "download ever";
    let finish: fn(&mut RestoreJob) = |j| j.finished_at = Some(days(-2));
    let table = [
        (ended(|_| {}, Automated), running),
        (ended(|_| {}, Download), running),
        (ended(|_| {}, Unrecognised(String::from("x"))), running),
        (ended(finish, Automated), ""),
        (ended(|j| j.failed = true, Automated), ""),
        (ended(|j| j.cancelled = true, Automated), ""),
        (ended(|j| j.expired = true, Automated), ""),
        (ended(finish, Download), download),
        (
            ended(
                |j| {
                    j.finished_at = Some(days(-2));
                    j.expired = true;
                },
                Download,
            ),
            download,
        ),
        (
            ended(
                |j| {
                    j.finished_at = Some(days(-2));
                    j.failed = true;
                },
                Download,
            ),
            "",
        ),
    ];
    for (job, expected) in table {
        let world = with_job(gone_snap("s1", |_| {}), job.clone());
        assert_eq!(needs(&world), expected, "{job:?}");
        let other = with_job(gone_snap("s1", |s| s.keys = named(&[AWS_B])), job);
        assert_eq!(needs(&other), "");
    }
    let finished = ended(finish, Download);
    let mut world = with_job(gone_snap("s1", |_| {}), finished.clone());
    world.evidence.forgotten.push(Forgotten {
        id: String::from("j1"),
        reason: String::from("shredded"),
        at: days(-1),
    });
    assert_eq!(needs(&world), "");
    // The newest state counts.
    let mut later = with_job(gone_snap("s1", |_| {}), ended(finish, Automated));
    let before = Content::RestoreJobs(vec![ended(|_| {}, Automated)]);
    later.read(days(-3), Some("c1"), before.clone());
    assert_eq!(needs(&later), "");
    later.read(minutes(-1), Some("c1"), before);
    assert_eq!(needs(&later), running);
}

#[test]
fn a_point_in_time_restore_needs_every_key_of_the_project_once() {
    let restoring = job("j1", Some("s1"), Delivery::PointInTime);
    let world = with_job(gone_snap("s1", |_| {}), restoring);
    assert_eq!(needs(&world), "restore-job ever");
    let unnamed = with_job(
        gone_snap("s1", |_| {}),
        job("j1", None, Delivery::PointInTime),
    );
    assert_eq!(needs(&unnamed), "restore-job ever");
    let mut ended = job("j1", None, Delivery::PointInTime);
    ended.finished_at = Some(days(-1));
    assert_eq!(needs(&with_job(gone_snap("s1", |_| {}), ended)), "");
}

#[test]
fn a_download_outlives_its_project() {
    let mut finished = job("j1", Some("s1"), Delivery::Download);
    finished.finished_at = Some(days(-9));
    let world = with_job(snap("s1"), finished).with(|w| {
        w.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(Vec::new()));
        let mut gone = reading("2026-11-20T11:55:00Z", None, Content::Project);
        gone.outcome = refused(404, Some("GROUP_NOT_FOUND"), false);
        w.push(gone);
    });
    assert_eq!(needs(&world), "download ever");
}

#[test]
fn a_hold_holds_until_its_date() {
    let hold = |key: &str, until| {
        let key = key.to_owned();
        World::new().enabled(&[AWS_A]).policy(|policy| {
            policy.holds = vec![Hold {
                key,
                until,
                stated: days(-1000),
                reason: String::from("litigation"),
            }];
        })
    };
    assert_eq!(needs(&hold(AWS_A, None)), "hold ever");
    assert_eq!(
        needs(&hold(AWS_A, Some(days(4)))),
        "hold 2026-11-24T12:00:00Z"
    );
    assert_eq!(needs(&hold(AWS_A, Some(minutes(0)))), "");
    assert_eq!(needs(&hold(UUID_A, None)), "~hold ever");
    assert_eq!(needs(&hold(AWS_B, None)), "");
}

#[test]
fn a_queued_snapshot_without_an_id_needs_every_key_since_the_last_list_without_it() {
    let queued = |shown: i64| {
        snap_with("q1", |s| {
            s.status = SnapshotStatus::Queued;
            s.keys = KeyColumn::Absent;
            s.first_at = minutes(shown);
            s.created_at = Some(minutes(shown - 1));
            s.last_at = minutes(SNAPSHOTS_AT);
            s.expires_at = None;
        })
    };
    let held = "snapshot ever";
    // A was the project's until B took over, two days ago.
    let world = |shown| {
        World::new()
            .settings(&[block(Provider::Aws, AWS_B)])
            .row(gone_snap("s1", |s| s.created_at = Some(days(-9))))
            .row(gone_snap("s2", |s| {
                s.created_at = Some(days(-2));
                s.keys = named(&[AWS_B]);
            }))
            .row(queued(shown))
    };
    // No list before it: ever.
    assert_eq!(needs(&world(SNAPSHOTS_AT)), held);
    let with_list = |at: Timestamp| {
        let mut world = world(-60);
        world.read(at, Some("c1"), Content::Snapshots);
        world
    };
    assert_eq!(needs(&with_list(days(-1))), "");
    assert_eq!(needs(&with_list(days(-2).saturating_add(-60))), held);
    // When the same list was read before counts like the last time.
    let mut again = with_list(minutes(SNAPSHOTS_AT));
    for reading in again.readings() {
        if *reading.content == Content::Snapshots {
            reading.before = vec![days(-2).saturating_add(-60), days(-1)];
        }
    }
    assert_eq!(needs(&again), "");
    // A list of the other kind would not have shown it.
    let mut sharded = world(-60);
    sharded.read(days(-1), Some("c1"), Content::ShardedSnapshots);
    assert_eq!(needs(&sharded), held);
    // So do its copies.
    let copied = with_list(days(-1)).schedule(&copying(vec![], true));
    assert!(
        !needs(&copied).contains("snapshot ever"),
        "{}",
        needs(&copied)
    );
    let copied = world(SNAPSHOTS_AT).schedule(&copying(vec![], true));
    assert!(
        needs(&copied).starts_with("snapshot ever, snapshot-copy ever"),
        "{}",
        needs(&copied)
    );
}

#[test]
fn lines_of_the_own_form_hold_until_their_date() {
    let line = |kind, keys: &[&str], until| Declared {
        kind,
        cluster: Some(String::from("c1")),
        id: Some(String::from("d1")),
        keys: keys.iter().map(|k| (*k).to_owned()).collect(),
        until,
    };
    let world = |line| {
        let mut world = World::new();
        world.read(minutes(-50), None, Content::Inventory(vec![line]));
        world
    };
    use DeclaredKind::{CurrentKey, Download, PitWindow, RestoreJob};
    let table = [
        (line(CurrentKey, &[AWS_A], None), "current-key ever"),
        (
            line(PitWindow, &[AWS_A], Some(days(3))),
            "pit-window 2026-11-23T12:00:00Z",
        ),
        (line(PitWindow, &[AWS_A], Some(minutes(0))), ""),
        (line(Download, &[AWS_A, AWS_B], None), "download ever"),
        (line(RestoreJob, &[AWS_B], None), ""),
    ];
    for (declared, expected) in table {
        assert_eq!(needs(&world(declared.clone())), expected, "{declared:?}");
    }
    let mut forgotten = world(line(Download, &[AWS_A], None));
    forgotten.evidence.forgotten.push(Forgotten {
        id: String::from("d1"),
        reason: String::from("shredded"),
        at: days(-1),
    });
    assert_eq!(needs(&forgotten), "");
}

#[test]
fn safe_after_is_the_latest_date() {
    let world = |expires: Option<Timestamp>| {
        World::new()
            .row(snap("s1"))
            .row(snap_with("s2", |s| s.expires_at = expires))
    };
    assert_eq!(
        line(&world(Some(days(9))).check(AWS_A)),
        "held date:2026-11-29T12:00:00Z +snapshot +snapshot"
    );
    assert_eq!(
        line(&world(None).check(AWS_A)),
        "held indefinite +snapshot +snapshot"
    );
    assert_eq!(
        line(&world(Some(days(9))).without("schedule").check(AWS_A)),
        "held not-before:2026-11-29T12:00:00Z +snapshot +snapshot ?project-incomplete"
    );
    assert_eq!(line(&World::new().enabled(&[AWS_A]).check(AWS_A)), "safe");
}

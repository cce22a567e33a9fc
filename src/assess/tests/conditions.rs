//! Which observation counts, for how long, and what two of them imply.

use std::sync::Arc;

use crate::assess::gate;
use crate::assess::testing::*;
use crate::model::evidence::{Condition, Observation, UnknownReason};
use crate::model::key_id::Provider;
use crate::model::reading::{Content, Delivery, RestoreJob};
use crate::model::verdict::{Code, Intent, KeyRow};

const OURS: &str = "111122223333";

fn under(key: &str) -> World {
    World::new().row(snap_with("s1", |s| s.keys = named(&[key])))
}

/// The verdict of a snapshot under `AWS_A`, whichever way round the answers come.
fn verdict(answers: &[(i64, Condition)]) -> String {
    let world = |answers: &[(i64, Condition)]| {
        answers.iter().fold(under(AWS_A), |world, (m, condition)| {
            world.observe(observed(AWS_A, minutes(*m), condition.clone()))
        })
    };
    let forth = world(answers).audit();
    let mut back: Vec<_> = answers.to_vec();
    back.reverse();
    assert_eq!(forth.all, world(&back).audit().all);
    forth.only()
}

#[test]
fn the_newest_counts_whatever_it_says() {
    let dark = unknown(UnknownReason::Unreachable);
    let table = [
        (
            vec![(-120, ENABLED), (-10, dark.clone())],
            "unknown [unreachable]",
        ),
        (vec![(-120, dark.clone()), (-10, ENABLED)], "restorable"),
        (
            vec![(-120, ENABLED), (-10, Condition::Disabled)],
            "blocked [disabled] -> enable",
        ),
        (
            vec![(-120, ENABLED), (-10, Condition::Transient)],
            "unknown [transient]",
        ),
        // An old answer is not helped by an older one.
        (
            vec![(-3000, ENABLED), (-1500, dark)],
            "unknown [probe-stale]",
        ),
    ];
    for (answers, expected) in table {
        assert_eq!(verdict(&answers), expected, "{answers:?}");
    }
}

#[test]
fn at_the_same_second_the_worse_counts() {
    let conditional = Condition::UnwrapOnly {
        why: String::from("expired"),
    };
    let dark = unknown(UnknownReason::AccessDenied);
    let from_best = [
        (ENABLED, "restorable"),
        (conditional, "conditional [unwrap-only]"),
        (Condition::Disabled, "blocked [disabled] -> enable"),
        (dark, "unknown [access-denied]"),
        (destroyed(), "lost [destroyed]"),
    ];
    for (no, (better, _)) in from_best.iter().enumerate() {
        for (worse, expected) in &from_best[no..] {
            let answers = [(-10, better.clone()), (-10, worse.clone())];
            assert_eq!(verdict(&answers), *expected, "{better} {worse}");
        }
    }
    // Equally bad: the nearer deadline.
    assert_eq!(
        verdict(&[(-10, pending(days(9))), (-10, pending(days(4)))]),
        "blocked [pending-deletion] -> cancel-deletion, enable before 2026-11-24T12:00:00Z"
    );
}

#[test]
fn destroyed_stays_until_a_definite_answer() {
    let years = -2 * 365 * 24 * 60;
    let table = [
        (vec![(years, destroyed())], "lost [destroyed]", false),
        (
            vec![
                (years, destroyed()),
                (-10, unknown(UnknownReason::NotFound)),
            ],
            "lost [destroyed]",
            false,
        ),
        (
            vec![(-20, destroyed()), (-10, Condition::Transient)],
            "lost [destroyed]",
            false,
        ),
        (vec![(-20, destroyed()), (-10, ENABLED)], "restorable", true),
        (
            vec![(-20, destroyed()), (-10, Condition::Disabled)],
            "blocked [disabled] -> enable",
            true,
        ),
        (
            vec![(-20, ENABLED), (-10, destroyed())],
            "lost [destroyed]",
            false,
        ),
        // It came back, and what is known now is too old.
        (
            vec![(-3000, destroyed()), (-2000, ENABLED)],
            "unknown [probe-stale]",
            true,
        ),
    ];
    for (answers, expected, came_back) in table {
        assert_eq!(verdict(&answers), expected, "{answers:?}");
        let world = answers.iter().fold(under(AWS_A), |world, (m, condition)| {
            world.observe(observed(AWS_A, minutes(*m), condition.clone()))
        });
        let audit = world.audit();
        assert_eq!(audit.has(Code::KeyCameBack), came_back, "{answers:?}");
    }
}

#[test]
fn an_answer_is_stale_once_a_date_that_lay_ahead_has_passed() {
    let expires = |m| Condition::Enabled {
        expires: Some(minutes(m)),
    };
    // (condition, stale_at, verdict)
    let table = [
        (expires(1), None, "restorable"),
        (expires(0), None, "unknown [probe-stale]"),
        (expires(-5), None, "unknown [probe-stale]"),
        // An expiry that had passed when it was told contradicts "enabled"; a deadline does not.
        (expires(-31), None, "unknown [probe-stale]"),
        (
            pending(minutes(-31)),
            None,
            "blocked [pending-deletion] -> cancel-deletion, enable before 2026-11-20T11:29:00Z",
        ),
        (ENABLED, Some(1), "restorable"),
        (ENABLED, Some(0), "unknown [probe-stale]"),
        (pending(minutes(0)), None, "unknown [probe-stale]"),
        (
            Condition::SoftDeleted {
                purge: Some(minutes(-1)),
            },
            None,
            "unknown [probe-stale]",
        ),
    ];
    for (condition, stale_at, expected) in table {
        let mut answer = observed(AWS_A, minutes(-30), condition.clone());
        answer.stale_at = stale_at.map(minutes);
        let world = under(AWS_A).observe(answer);
        assert_eq!(world.audit().only(), expected, "{condition:?} {stale_at:?}");
    }
}

fn told(at: i64, condition: Condition, identity: Option<&str>) -> Observation {
    let mut answer = observed(AWS_A, minutes(at), condition);
    answer.identity = identity.map(ToOwned::to_owned);
    answer
}

#[test]
fn aws_destruction_follows_from_a_passed_deadline_and_not_found() {
    let due = || pending(minutes(-60));
    let absent = || unknown(UnknownReason::NotFound);
    let lost = "lost [destroyed]";
    let missing = "unknown [not-found]";
    let from = |endpoint: &str| Observation {
        endpoint: endpoint.to_owned(),
        ..told(-10, absent(), Some(OURS))
    };
    let table: [(&str, Vec<Observation>, &str); 16] = [
        (
            "asked at home",
            vec![
                told(-9000, due(), Some(OURS)),
                from("https://kms.us-east-1.amazonaws.com"),
            ],
            lost,
        ),
        (
            "asked in another region",
            vec![
                told(-9000, due(), Some(OURS)),
                from("https://kms.eu-west-1.amazonaws.com"),
            ],
            missing,
        ),
        (
            "asked by way of a proxy",
            vec![
                told(-9000, due(), Some(OURS)),
                from("https://kms-eu-west-1.proxy.example.org"),
            ],
            lost,
        ),
        (
            "both by us",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-10, absent(), Some(OURS)),
            ],
            lost,
        ),
        (
            "long ago",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-59, absent(), Some(OURS)),
            ],
            lost,
        ),
        (
            "before the deadline",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-61, absent(), Some(OURS)),
            ],
            missing,
        ),
        (
            "another asks",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-10, absent(), Some("x")),
            ],
            missing,
        ),
        (
            "nobody asks",
            vec![told(-9000, due(), None), told(-10, absent(), None)],
            missing,
        ),
        (
            "nobody was told",
            vec![told(-9000, due(), None), told(-10, absent(), Some(OURS))],
            missing,
        ),
        (
            "no deadline",
            vec![
                told(
                    -9000,
                    Condition::PendingDeletion { deadline: None },
                    Some(OURS),
                ),
                told(-10, absent(), Some(OURS)),
            ],
            missing,
        ),
        (
            "denied is not absent",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-10, unknown(UnknownReason::AccessDenied), Some(OURS)),
            ],
            "unknown [access-denied]",
        ),
        (
            "cancelled",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-8000, Condition::Disabled, Some(OURS)),
                told(-10, absent(), Some(OURS)),
            ],
            missing,
        ),
        (
            "a sign of life",
            vec![
                told(-9000, due(), Some(OURS)),
                told(
                    -50,
                    unknown(UnknownReason::BackingKeyUnverified),
                    Some(OURS),
                ),
                told(-10, absent(), Some(OURS)),
            ],
            missing,
        ),
        (
            "unreachable since",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-30, absent(), Some(OURS)),
                told(-10, unknown(UnknownReason::Unreachable), Some(OURS)),
            ],
            lost,
        ),
        (
            "came back",
            vec![
                told(-9000, due(), Some(OURS)),
                told(-30, absent(), Some(OURS)),
                told(-10, ENABLED, Some(OURS)),
            ],
            "restorable",
        ),
        (
            "never pending",
            vec![told(-10, absent(), Some(OURS))],
            missing,
        ),
    ];
    for (case, answers, expected) in table {
        let world = answers.into_iter().fold(under(AWS_A), World::observe);
        let audit = world.audit();
        assert_eq!(audit.only(), expected, "{case}");
        assert_eq!(audit.has(Code::KeyCameBack), case == "came back", "{case}");
        let gone = world.check(AWS_A).verdict.word();
        assert_eq!(gone == "gone", expected == lost, "{case}");
    }
}

#[test]
fn no_other_provider_ends_that_way() {
    for text in [AZURE_1, GCP_1] {
        let world = under(text)
            .observe(observed(text, minutes(-90), pending(minutes(-60))))
            .observe(observed(
                text,
                minutes(-10),
                unknown(UnknownReason::NotFound),
            ));
        assert_eq!(world.audit().only(), "unknown [not-found]");
    }
}

#[test]
fn a_multi_region_key_ends_only_with_all_known_siblings() {
    let ended = |world: World, text: &str| {
        world
            .observe(observed(text, minutes(-9000), pending(minutes(-60))))
            .observe(observed(
                text,
                minutes(-10),
                unknown(UnknownReason::NotFound),
            ))
    };
    let one = ended(under(MRK_US), MRK_US);
    let table = [
        ("alone", one.clone(), "gone", "lost [destroyed]"),
        (
            "both",
            ended(one.clone(), MRK_EU),
            "gone",
            "lost [destroyed]",
        ),
        (
            "the other was destroyed with proof",
            one.clone()
                .observe(observed(MRK_EU, minutes(-10), destroyed())),
            "gone",
            "lost [destroyed]",
        ),
        (
            "the other lives",
            one.clone().enabled(&[MRK_EU]),
            "held",
            "conditional [sibling-not-usable]",
        ),
        (
            "the other is only configured",
            one.clone().settings(&[block(Provider::Aws, MRK_EU)]),
            "held",
            "unknown",
        ),
        (
            "another project once had the other",
            one.clone().with(|world| {
                world.add_project("p2");
                let p2 = world.evidence.projects.get_mut(&project_ref("p2")).unwrap();
                let blocks = vec![block(Provider::Aws, MRK_EU)];
                let mut former = p2[0].clone();
                former.at = days(-9);
                former.content = Arc::new(Content::Settings(blocks));
                former.cluster = None;
                p2.insert(0, former);
            }),
            "held",
            "unknown",
        ),
    ];
    for (case, world, key_verdict, snapshot_verdict) in table {
        assert_eq!(world.check(MRK_US).verdict.word(), key_verdict, "{case}");
        let only = world.audit().only();
        assert!(only.starts_with(snapshot_verdict), "{case}: {only}");
    }
}

#[test]
fn with_an_identity_configured_non_answers_of_others_are_not_counted() {
    let dark = || unknown(UnknownReason::AccessDenied);
    let table = [
        // (newer answer, by, verdict; the older one is ours and says enabled)
        (dark(), Some("other"), "restorable"),
        (dark(), Some(OURS), "unknown [access-denied]"),
        (dark(), None, "unknown [access-denied]"),
        (
            Condition::Disabled,
            Some("other"),
            "blocked [disabled] -> enable",
        ),
        (Condition::Transient, Some("other"), "unknown [transient]"),
        (
            unknown(UnknownReason::BackingKeyUnverified),
            Some("other"),
            "unknown [backing-key-unverified]",
        ),
    ];
    for (condition, by, expected) in table {
        let world = under(AWS_A)
            .observe(told(-60, ENABLED, Some(OURS)))
            .observe(told(-10, condition.clone(), by));
        assert!(world.audit().only() != "restorable", "{condition}");
        let world = world.policy(|policy| policy.probe_identity = Some(OURS.to_owned()));
        assert_eq!(world.audit().only(), expected, "{condition} {by:?}");
    }
}

#[test]
fn what_is_said_of_a_key_vault_key_is_said_of_all_its_versions() {
    let soft = || Condition::SoftDeleted {
        purge: Some(days(3)),
    };
    let recover = "blocked [soft-deleted] -> recover before 2026-11-23T12:00:00Z";
    // (of version 1 an hour ago, of version 2 half an hour ago, verdict under version 1)
    let table = [
        (Some(ENABLED), soft(), recover),
        (None, soft(), recover),
        (Some(ENABLED), destroyed(), "lost [destroyed]"),
        (None, destroyed(), "lost [destroyed]"),
        (
            Some(ENABLED),
            unknown(UnknownReason::AccessDenied),
            "unknown [access-denied]",
        ),
        (
            Some(ENABLED),
            unknown(UnknownReason::Throttled),
            "unknown [throttled]",
        ),
        // Of a version alone.
        (Some(ENABLED), Condition::Disabled, "restorable"),
        (None, ENABLED, "unknown [not-probed]"),
    ];
    for (of_1, of_2, expected) in table {
        let mut world = under(AZURE_1);
        if let Some(of_1) = of_1.clone() {
            world = world.observe(observed(AZURE_1, minutes(-60), of_1));
        }
        world = world.observe(observed(AZURE_2, minutes(-30), of_2.clone()));
        assert_eq!(world.audit().only(), expected, "{of_1:?} {of_2}");
    }
    // Another key of the vault says nothing.
    let world =
        under(AZURE_1)
            .enabled(&[AZURE_1])
            .observe(observed(AZURE_OTHER, minutes(-10), soft()));
    assert_eq!(world.audit().only(), "restorable");
}

#[test]
fn the_unit_is_gone_with_one_version_destroyed() {
    let world =
        under(AZURE_1)
            .enabled(&[AZURE_1])
            .observe(observed(AZURE_2, minutes(-10), destroyed()));
    let check = world.check(AZURE_1);
    assert_eq!(check.verdict.word(), "gone");
    assert_eq!(check.lost_snapshots, 1);
}

/// A download of `s1`, which was under `AWS_A` and is gone.
fn downloaded() -> World {
    World::new()
        .row(gone_snap("s1", |_| {}))
        .change("restore-jobs", |reading| {
            reading.content = Arc::new(Content::RestoreJobs(vec![RestoreJob {
                id: String::from("job"),
                snapshot: Some(String::from("s1")),
                delivery: Delivery::Download,
                finished_at: Some(days(-1)),
                failed: false,
                cancelled: false,
                expired: false,
            }]));
        })
}

#[test]
fn whatever_was_lost_with_a_key_makes_its_end_a_definite_no() {
    let end = |world: World| world.observe(observed(AWS_A, minutes(-10), destroyed()));
    let gone = || World::new().row(gone_snap("s1", |_| {}));
    let pit = || {
        gone()
            .settings(&[block(Provider::Aws, AWS_A)])
            .cluster(|cluster| cluster.pit_enabled = Some(true))
    };
    // (case, world, something was lost, snapshots that were, exit code)
    let table = [
        ("nothing", end(gone()), false, 0, 0),
        ("a snapshot", end(under(AWS_A)), true, 1, 1),
        ("a download", end(downloaded()), true, 0, 1),
        ("a window", end(pit()), true, 0, 1),
        ("doubtful", end(gone()).without("snapshots"), false, 0, 3),
        (
            "a snapshot, and doubtful",
            end(under(AWS_A)).without("schedule"),
            true,
            1,
            1,
        ),
    ];
    for (case, world, lost, snapshots, code) in table {
        let check = world.check_for(Intent::Delete, AWS_A);
        assert_eq!(check.verdict.verdict.word(), "gone", "{case}");
        assert_eq!(check.verdict.lost, lost, "{case}");
        assert_eq!(check.verdict.lost_snapshots, snapshots, "{case}");
        assert_eq!(gate::of_check(&check), code, "{case}");
    }
    // Alive, it only holds.
    let check = downloaded()
        .enabled(&[AWS_A])
        .check_for(Intent::Delete, AWS_A);
    assert_eq!(line(&check.verdict), "held indefinite +download");
}

#[test]
fn a_snapshot_is_lost_with_those_of_its_keys_that_are_destroyed() {
    let world = World::new()
        .row(snap_with("s1", |s| s.keys = named(&[MRK_US, AWS_B])))
        .observe(observed(MRK_US, minutes(-10), destroyed()))
        .enabled(&[MRK_EU])
        .observe(observed(AWS_B, minutes(-10), destroyed()));
    assert_eq!(world.audit().only(), "lost [destroyed sibling-not-usable]");
    for (text, snapshots) in [(MRK_US, 0), (AWS_B, 1)] {
        let check = world.check(text);
        assert_eq!(check.verdict.word(), "gone", "{text}");
        assert_eq!(check.lost_snapshots, snapshots, "{text}");
    }
}

#[test]
fn rows_show_the_newest_answer_and_whether_it_is_fresh() {
    let world =
        under(AWS_A)
            .enabled(&[AWS_A])
            .observe(told(-3000, Condition::Disabled, Some(OURS)));
    let audit = world.audit();
    let [KeyRow::Resolved(row)] = audit.all.keys.as_slice() else {
        panic!("one key");
    };
    assert_eq!(row.state.condition, Some(ENABLED));
    assert_eq!(row.state.observed_at, Some(minutes(-30)));
    assert!(row.state.fresh);
}

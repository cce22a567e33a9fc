//! Findings: each code where it fires, its class and level, and the words.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::assess::testing::*;
use crate::model::Timestamp;
use crate::model::evidence::{Condition, HoldSeen, UnknownReason};
use crate::model::key_id::Provider;
use crate::model::policy::Hold;
use crate::model::reading::{Content, Gap, Outcome};
use crate::model::verdict::{Class, Code, Level};

fn answered(condition: Condition) -> World {
    World::new()
        .row(snap("s1"))
        .observe(observed(AWS_A, minutes(-30), condition))
}

fn hold(key: &str) -> Hold {
    Hold {
        key: key.to_owned(),
        until: None,
        stated: days(-9),
        reason: String::from("litigation"),
    }
}

fn hold_seen(until: Option<Timestamp>, last_seen: Timestamp) -> World {
    World::new().with(|w| {
        w.evidence.holds_seen.push(HoldSeen {
            key: AWS_A.to_owned(),
            until,
            last_seen,
        });
    })
}

fn settings(valid: bool, since: Timestamp) -> World {
    let mut current = block(Provider::Aws, AWS_A);
    current.valid = Some(valid);
    let mut world = World::new()
        .enabled(&[AWS_A])
        .settings(std::slice::from_ref(&current));
    world.read(since, None, Content::Settings(vec![current]));
    world
}

#[test]
fn each_code_fires() {
    use Code::*;
    let expired = Condition::Enabled {
        expires: Some(days(2)),
    };
    let cut = Outcome::Partial(Gap::ClockSkew);
    let table = [
        (SnapshotLost, answered(destroyed())),
        (SnapshotBlocked, answered(Condition::Disabled)),
        (
            SnapshotConditional,
            answered(Condition::UnwrapOnly {
                why: String::from("expired"),
            }),
        ),
        (SnapshotUnknown, answered(unknown(UnknownReason::NotFound))),
        (KeyPendingDeletionInUse, answered(pending(days(3)))),
        (
            KeyPendingDeletionInUse,
            answered(Condition::SoftDeleted { purge: None }),
        ),
        (KeyDisabledInUse, answered(Condition::Disabled)),
        (KeyExpiresBeforeSnapshots, answered(expired)),
        (KeyRotationOverdue, settings(true, days(-91))),
        (
            KeyIdConflict,
            World::new().row(snap_with("s1", |s| s.keys = named(&[AWS_A, AWS_B]))),
        ),
        (
            KeyCameBack,
            answered(ENABLED).observe(observed(AWS_A, days(-9), destroyed())),
        ),
        (ActiveKeyInvalid, settings(false, days(-2))),
        (HoldRemoved, hold_seen(None, days(-2))),
        (
            HoldUnused,
            World::new().policy(|p| p.holds = vec![hold(AWS_A)]),
        ),
        (
            KeyUnresolved,
            World::new().row(snap_with("s1", |s| s.keys = named(&[UUID_A]))),
        ),
        (
            EstateIncomplete,
            World::new().with(|w| w.evidence.roots[0].lists.clear()),
        ),
        (
            EstateEmpty,
            World::new().with(|w| w.evidence.projects.clear()),
        ),
        (ProjectIncomplete, World::new().without("snapshots")),
        (
            ProjectStale,
            World::new().change("settings", |r| r.at = hours(-25)),
        ),
        (
            ProjectMissing,
            World::new().with(|w| {
                w.evidence.roots[0].lists[0].content = Arc::new(Content::Projects(Vec::new()));
            }),
        ),
        (ProbeStale, World::new().row(snap("s1"))),
        (
            ProbeStale,
            World::new()
                .row(snap("s1"))
                .observe(observed(AWS_A, hours(-25), ENABLED)),
        ),
        (ClockSkew, World::new().outcome("snapshots", &cut)),
    ];
    let mut fired = BTreeSet::new();
    for (code, world) in table {
        let audit = world.audit();
        assert!(audit.has(code), "{code}: {:?}", audit.findings());
        for finding in &audit.all.findings {
            assert_eq!(finding.level, finding.code.default_level());
        }
        fired.insert(code);
    }
    // These are the gate's, and those of waivers.
    let elsewhere = [
        WaiverUnused,
        WaiverExpired,
        KeyStillNeeded,
        RotationRefused,
        KeyUndecided,
    ];
    let all: BTreeSet<Code> = Code::ALL.iter().copied().collect();
    fired.extend(elsewhere);
    assert_eq!(fired, all);
}

#[test]
fn a_healthy_estate_has_no_finding() {
    let world = settings(true, days(-90)).row(snap("s1"));
    assert_eq!(world.audit().findings(), Vec::<String>::new());
    assert_eq!(World::new().audit().findings(), Vec::<String>::new());
}

#[test]
fn near_misses() {
    use Code::*;
    let expires = |at| answered(Condition::Enabled { expires: Some(at) });
    let table = [
        // It expires with its last snapshot; a current key has no last snapshot.
        (KeyExpiresBeforeSnapshots, expires(days(3))),
        (
            KeyExpiresBeforeSnapshots,
            expires(days(4)).settings(&[block(Provider::Aws, AWS_A)]),
        ),
        (KeyRotationOverdue, settings(true, days(-90))),
        // Nothing needs it.
        (
            KeyDisabledInUse,
            World::new().observe(observed(AWS_A, minutes(-30), Condition::Disabled)),
        ),
        (
            ProbeStale,
            World::new().observe(observed(AWS_A, hours(-25), ENABLED)),
        ),
        (ProbeStale, answered(ENABLED)),
        // Destroyed never ages.
        (
            ProbeStale,
            World::new()
                .row(snap("s1"))
                .observe(observed(AWS_A, days(-900), destroyed())),
        ),
        (HoldRemoved, hold_seen(Some(minutes(0)), days(-2))),
        (HoldRemoved, hold_seen(None, days(-90).saturating_add(-1))),
        (
            HoldRemoved,
            hold_seen(None, days(-2)).policy(|p| p.holds = vec![hold(AWS_A)]),
        ),
        (
            HoldUnused,
            World::new()
                .enabled(&[AWS_A])
                .policy(|p| p.holds = vec![hold(UUID_A)]),
        ),
        (
            HoldUnused,
            World::new()
                .row(snap("s1"))
                .policy(|p| p.holds = vec![hold(AWS_A)]),
        ),
        (
            KeyUnresolved,
            World::new().row(gone_snap("s1", |s| s.keys = named(&[UUID_A]))),
        ),
        (
            ClockSkew,
            World::new()
                .outcome("snapshots", &Outcome::Partial(Gap::ClockSkew))
                .change("snapshots", |r| r.at = hours(-25)),
        ),
        (
            ProjectStale,
            World::new().change("settings", |r| r.at = hours(-24)),
        ),
    ];
    for (code, world) in table {
        let audit = world.audit();
        assert!(!audit.has(code), "{code}: {:?}", audit.findings());
    }
}

#[test]
fn snapshots_that_share_a_key_and_a_verdict_share_a_finding() {
    let mut world = answered(Condition::Disabled);
    for id in ["s5", "s4", "s3", "s2"] {
        world = world.row(snap(id));
    }
    let audit = world.audit();
    let blocked: Vec<&str> = audit
        .all
        .findings
        .iter()
        .filter(|f| f.code == Code::SnapshotBlocked)
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(
        blocked,
        [
            "5 snapshots cannot be restored until somebody acts (disabled): p1/c1/s1, p1/c1/s2, p1/c1/s3, …"
        ]
    );
}

#[test]
fn classes_and_levels_are_those_of_the_contract() {
    let words: Vec<&str> = Code::ALL.iter().map(|c| c.word()).collect();
    let unique: BTreeSet<&str> = words.iter().copied().collect();
    assert_eq!(unique.len(), words.len());
    for word in &words {
        let fine = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(word.chars().all(fine), "{word}");
        assert!(!word.starts_with('-') && !word.ends_with('-') && !word.contains("--"));
    }
    let undecided = [
        "key-undecided",
        "snapshot-unknown",
        "key-unresolved",
        "estate-incomplete",
        "estate-empty",
        "project-incomplete",
        "project-stale",
        "project-missing",
        "probe-stale",
        "clock-skew",
    ];
    let warn = [
        "snapshot-conditional",
        "key-expires-before-snapshots",
        "key-rotation-overdue",
        "key-disabled-in-use",
        "hold-unused",
        "waiver-unused",
        "clock-skew",
    ];
    for code in Code::ALL {
        let class = code.class() == Class::Undecided;
        assert_eq!(class, undecided.contains(&code.word()), "{code}");
        let level = code.default_level() == Level::Warn;
        assert_eq!(level, warn.contains(&code.word()), "{code}");
        assert!(level || code.default_level() == Level::Deny, "{code}");
    }
    assert_eq!(Code::ALL.len(), 26);
}

#[test]
fn a_policy_moves_levels() {
    let world = answered(Condition::Disabled).policy(|p| {
        p.gate.levels.insert(Code::KeyDisabledInUse, Level::Allow);
    });
    let audit = world.audit();
    let found = audit
        .all
        .findings
        .iter()
        .find(|f| f.code == Code::KeyDisabledInUse);
    assert_eq!(found.map(|f| f.level), Some(Level::Allow));
}

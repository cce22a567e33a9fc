//! Conclusions for the tests of every format: worst and best side by side, and names that somebody
//! chose with malice.

use crate::model::Timestamp;
use crate::model::evidence::{Condition, Observation, UnknownReason};
use crate::model::gate::{Action, Answer};
use crate::model::key_id::{KeyId, Provider};
use crate::model::reading::ProjectRef;
use crate::model::verdict::{
    Assessment, Assumption, CheckedKey, Code, Deletability, Dependant, DependantCounts,
    DependantKind, Doubt, DoubtKind, Finding, Intent, KeyCheck, KeyRow, KeyState, Level,
    ProjectVerdict, ResolvedKey, Restorability, RootVerdict, RotationCheck, RotationVerdict,
    SafeAfter, SnapshotVerdict, Summary, UnitVerdict, Until, Waived,
};

pub(super) const ARN: &str =
    "arn:aws:kms:us-east-1:111122223333:key/52b7c0d6-1e9a-4f38-a64d-08f3b95c7e21";
pub(super) const NEW_ARN: &str =
    "arn:aws:kms:us-east-1:111122223333:key/9e4f1a72-83c5-4d06-b2f7-5a1c60d8e394";
pub(super) const AZURE: &str =
    "https://contoso-crm.vault.azure.net/keys/crm-backup/7d20c4f1ab3e4965b80f13c7e92a5d46";
const GCP: &str = "projects/contoso-analytics/locations/europe-west1/keyRings/atlas/cryptoKeys/backups/cryptoKeyVersions/1";
const GCP_OTHER: &str = "projects/contoso-analytics/locations/europe-west1/keyRings/other/cryptoKeys/backups/cryptoKeyVersions/1";
pub(super) const PROJECT: &str = "65f1a2b3c4d5e6f7089ad001";
const OTHER_PROJECT: &str = "65f1a2b3c4d5e6f7089ad002";
/// Clears the screen, turns text around, and would compute itself in a spreadsheet.
pub(super) const HOSTILE: &str = "=cmd|'/c calc'!A1\u{1b}[2J\u{202e}\nverdict: safe";

pub(super) fn at(text: &str) -> Timestamp {
    Timestamp::floor(text).unwrap()
}

pub(super) fn as_of() -> Timestamp {
    at("2026-11-01T06:00:00Z")
}

pub(super) fn snapshot(
    verdict: Restorability,
    project: &str,
    cluster: &str,
    id: &str,
    key: &str,
) -> SnapshotVerdict {
    SnapshotVerdict {
        project: ProjectRef {
            id: project.to_owned(),
            base_url: "https://cloud.mongodb.com".to_owned(),
        },
        cluster: cluster.to_owned(),
        id: id.to_owned(),
        verdict,
        keys: vec![key.to_owned()],
        reasons: Vec::new(),
        actions: Vec::new(),
        deadline: None,
        created_at: Some(at("2026-10-31T02:00:00Z")),
        expires_at: Some(at("2027-01-05T02:00:00Z")),
        obstacles: None,
    }
}

/// One of each verdict, and one with hostile names, in contract order.
pub(super) fn snapshots() -> Vec<SnapshotVerdict> {
    let plain = |verdict, cluster, id, key| snapshot(verdict, PROJECT, cluster, id, key);
    vec![
        SnapshotVerdict {
            keys: Vec::new(),
            ..plain(
                Restorability::Restorable,
                "checkout",
                "6ae1491010c7a51b8b00cea3",
                "",
            )
        },
        SnapshotVerdict {
            reasons: vec!["in-progress".to_owned()],
            expires_at: None,
            ..plain(
                Restorability::Unusable,
                "checkout",
                "6ae69d20f1d9a247585e6f0e",
                ARN,
            )
        },
        SnapshotVerdict {
            reasons: vec!["pending-deletion".to_owned()],
            actions: vec!["cancel-deletion", "enable"],
            deadline: Some(at("2026-11-20T09:30:00Z")),
            ..plain(
                Restorability::Blocked,
                "ledger",
                "6ac304a00a6c9e3dd7652ff0",
                ARN,
            )
        },
        SnapshotVerdict {
            reasons: vec!["access-denied".to_owned(), "probe-stale".to_owned()],
            keys: vec![NEW_ARN.to_owned(), ARN.to_owned()],
            ..plain(
                Restorability::Unknown,
                "ledger",
                "6acae6986a1f88477568709a",
                "",
            )
        },
        SnapshotVerdict {
            reasons: vec!["destroyed".to_owned()],
            ..plain(
                Restorability::Lost,
                "ledger",
                "6ad42118e917748ac4ebaf14",
                GCP,
            )
        },
        plain(
            Restorability::Restorable,
            "ledger",
            "6ae6961802fdc1183679a83d",
            GCP_OTHER,
        ),
        SnapshotVerdict {
            reasons: vec!["expired".to_owned()],
            ..plain(
                Restorability::Conditional,
                "web",
                "6ae41640f9c66f67aee62f47",
                AZURE,
            )
        },
        SnapshotVerdict {
            expires_at: Some(at("2026-10-30T02:00:00Z")),
            ..plain(
                Restorability::Expired,
                "web",
                "6ae2c4c0360540f994b3c6a7",
                AZURE,
            )
        },
        SnapshotVerdict {
            reasons: vec!["unresolved-key".to_owned()],
            ..snapshot(
                Restorability::Unknown,
                OTHER_PROJECT,
                HOSTILE,
                HOSTILE,
                HOSTILE,
            )
        },
    ]
}

fn key(text: &str) -> KeyId {
    text.parse().unwrap()
}

pub(super) fn state(condition: Condition) -> KeyState {
    KeyState {
        condition: Some(condition),
        native: None,
        observed_at: Some(at("2026-11-01T05:59:00Z")),
        fresh: true,
    }
}

pub(super) fn counts(all: &[(DependantKind, u64)]) -> DependantCounts {
    let mut counts = DependantCounts::default();
    for (kind, count) in all {
        for _ in 0..*count {
            counts.add(*kind);
        }
    }
    counts
}

pub(super) fn doubt(kind: DoubtKind, project: Option<&str>, detail: &str) -> Doubt {
    Doubt {
        kind,
        project: project.map(str::to_owned),
        detail: detail.to_owned(),
    }
}

/// Nothing needs it, nothing is in doubt.
pub(super) fn safe() -> UnitVerdict {
    UnitVerdict {
        verdict: Deletability::Safe,
        safe_after: SafeAfter::None,
        dependants: Vec::new(),
        counts: DependantCounts::default(),
        doubts: Vec::new(),
        lost_snapshots: 0,
        lost: false,
    }
}

/// Held by a dozen snapshots, two of them listed, and by a window.
pub(super) fn held() -> UnitVerdict {
    let snapshot = |id: &str, certain| Dependant {
        kind: DependantKind::Snapshot,
        project: Some(PROJECT.to_owned()),
        cluster: Some("ledger".to_owned()),
        id: Some(id.to_owned()),
        until: Until::At(at("2027-01-05T02:00:00Z")),
        certain,
    };
    UnitVerdict {
        verdict: Deletability::Held,
        safe_after: SafeAfter::Date(at("2027-01-05T02:00:00Z")),
        dependants: vec![
            snapshot("6ac304a00a6c9e3dd7652ff0", true),
            snapshot("6acae6986a1f88477568709a", false),
            Dependant {
                kind: DependantKind::PitWindow,
                id: None,
                until: Until::At(at("2026-12-01T00:00:00Z")),
                ..snapshot("", true)
            },
        ],
        counts: counts(&[(DependantKind::Snapshot, 12), (DependantKind::PitWindow, 1)]),
        ..safe()
    }
}

pub(super) fn unknown() -> UnitVerdict {
    UnitVerdict {
        verdict: Deletability::Unknown,
        doubts: vec![
            doubt(
                DoubtKind::ProjectIncomplete,
                Some(PROJECT),
                "cluster `orders` has backups and no whole snapshot list",
            ),
            doubt(
                DoubtKind::ProjectIncomplete,
                Some(OTHER_PROJECT),
                "encryption settings were never read",
            ),
            doubt(DoubtKind::UnrecordedKey, Some(OTHER_PROJECT), HOSTILE),
        ],
        ..safe()
    }
}

fn resolved(id: &str, condition: Option<Condition>, verdict: UnitVerdict) -> KeyRow {
    KeyRow::Resolved(Box::new(ResolvedKey {
        key: key(id),
        state: condition.map_or_else(KeyState::default, state),
        verdict,
    }))
}

pub(super) fn keys() -> Vec<KeyRow> {
    vec![
        resolved(
            ARN,
            Some(Condition::PendingDeletion {
                deadline: Some(at("2026-11-20T09:30:00Z")),
            }),
            held(),
        ),
        resolved(NEW_ARN, Some(Condition::Enabled { expires: None }), safe()),
        resolved(
            AZURE,
            Some(Condition::Unknown {
                reason: UnknownReason::AccessDenied,
                detail: None,
            }),
            unknown(),
        ),
        resolved(
            GCP,
            Some(Condition::Destroyed {
                proof: "DESTROYED".to_owned(),
            }),
            UnitVerdict {
                verdict: Deletability::Gone,
                lost_snapshots: 1,
                lost: true,
                ..safe()
            },
        ),
        resolved(
            GCP_OTHER,
            None,
            UnitVerdict {
                safe_after: SafeAfter::NotBefore(Some(at("2027-01-05T02:00:00Z"))),
                doubts: unknown().doubts,
                ..held()
            },
        ),
        KeyRow::Unresolved {
            provider: Some(Provider::Aws),
            spelling: "0c8d3e15-47fa-4b92-8d60-e17b2a94f5c3".to_owned(),
            doubts: vec![doubt(
                DoubtKind::UnresolvedKey,
                Some(PROJECT),
                "which region is not known",
            )],
        },
        KeyRow::Unresolved {
            provider: None,
            spelling: HOSTILE.to_owned(),
            doubts: Vec::new(),
        },
    ]
}

pub(super) fn roots() -> Vec<RootVerdict> {
    vec![RootVerdict {
        source: "atlas",
        base_url: "https://cloud.mongodb.com".to_owned(),
        scope: "all visible".to_owned(),
        covered_at: Some(at("2026-11-01T05:00:00Z")),
    }]
}

pub(super) fn assumptions() -> Vec<Assumption> {
    let unstated = |subject: &str| Assumption {
        kind: "no-restore-running",
        subject: subject.to_owned(),
        stated: None,
        reason: "restore jobs were not read".into(),
    };
    vec![
        Assumption {
            kind: "hold",
            subject: ARN.to_owned(),
            stated: Some(at("2026-10-01T00:00:00Z")),
            reason: "seven years of retention".into(),
        },
        unstated(PROJECT),
        unstated(OTHER_PROJECT),
    ]
}

pub(super) fn projects() -> Vec<ProjectVerdict> {
    let project = |id: &str| ProjectRef {
        id: id.to_owned(),
        base_url: "https://cloud.mongodb.com".to_owned(),
    };
    vec![
        ProjectVerdict {
            project: project(PROJECT),
            name: Some("payments".to_owned()),
            complete: true,
            covered_at: Some(at("2026-11-01T05:00:00Z")),
            gaps: Vec::new(),
        },
        ProjectVerdict {
            project: project(OTHER_PROJECT),
            name: Some(HOSTILE.to_owned()),
            complete: false,
            covered_at: None,
            gaps: vec![
                "cluster `orders` has backups and no whole snapshot list".to_owned(),
                "encryption settings were never read".to_owned(),
            ],
        },
    ]
}

fn finding(code: Code, subject: &str, message: &str) -> Finding {
    Finding {
        waived: None,
        code,
        level: code.default_level(),
        subject: subject.to_owned(),
        message: message.to_owned(),
    }
}

pub(super) fn assessment() -> Assessment {
    let mut summary = Summary::default();
    for row in snapshots() {
        summary.count_snapshot(row.verdict);
    }
    for row in keys() {
        summary.count_key(match row {
            KeyRow::Resolved(row) => row.verdict.verdict,
            KeyRow::Unresolved { .. } => Deletability::Unknown,
        });
    }
    let mut findings = vec![finding(
        Code::SnapshotLost,
        "65f1a2b3c4d5e6f7089ad001/ledger/6ad42118e917748ac4ebaf14",
        "its key is destroyed",
    )];
    for n in 0..5 {
        findings.push(finding(
            Code::SnapshotBlocked,
            &format!("65f1a2b3c4d5e6f7089ad001/ledger/6ac304a00a6c9e3dd7652ff{n}"),
            "its key is pending deletion: cancel that before 2026-11-20T09:30:00Z",
        ));
    }
    findings.push(finding(
        Code::KeyPendingDeletionInUse,
        ARN,
        "12 snapshots need it",
    ));
    findings.push(finding(Code::ProjectIncomplete, OTHER_PROJECT, HOSTILE));
    findings.push(finding(
        Code::SnapshotConditional,
        "65f1a2b3c4d5e6f7089ad001/web/6ae41640f9c66f67aee62f47",
        "its key has expired",
    ));
    Assessment {
        as_of: as_of(),
        historical: false,
        roots: roots(),
        assumptions: assumptions(),
        summary,
        findings,
        projects: projects(),
        keys: keys(),
        covered_at: None,
    }
}

/// The same with a policy applied: findings of every level, one of them waived.
pub(super) fn weighed() -> Assessment {
    let mut assessment = assessment();
    let mut waived = finding(
        Code::KeyDisabledInUse,
        NEW_ARN,
        "cluster `ledger` needs it: 3 snapshots",
    );
    waived.level = Level::Allow;
    waived.waived = Some(Waived {
        until: at("2026-12-01T00:00:00Z"),
        reason: "CHG-4711 @ops: migration under way".to_owned(),
    });
    let mut allowed = finding(
        Code::ClockSkew,
        "bundle 2026-11-01",
        "clocks differ by 600 s",
    );
    allowed.level = Level::Allow;
    assessment.findings.extend([waived, allowed]);
    assessment
}

/// One answer of every exit code, asked by a plan and on the command line.
pub(super) fn answers() -> Vec<Answer> {
    let answer = |action, key: &str, verdict, exit_code| Answer {
        address: None,
        action,
        key: Some(key.to_owned()),
        to: None,
        verdict,
        safe_after: SafeAfter::None,
        counts: DependantCounts::default(),
        doubts: Vec::new(),
        details: Vec::new(),
        exit_code,
    };
    vec![
        Answer {
            safe_after: SafeAfter::Date(at("2027-01-05T02:00:00Z")),
            counts: held().counts,
            ..answer(Action::Delete, ARN, "held", 1)
        },
        Answer {
            address: Some("aws_kms_key.orders[\"eu\"]".to_owned()),
            ..answer(Action::Replace, NEW_ARN, "safe", 0)
        },
        Answer {
            address: Some("azurerm_key_vault_key.crm".to_owned()),
            to: Some(GCP.to_owned()),
            details: vec!["the new key was never asked about".to_owned()],
            ..answer(Action::Rotate, AZURE, "unknown", 3)
        },
        Answer {
            key: None,
            address: Some(HOSTILE.to_owned()),
            doubts: vec![DoubtKind::UnresolvedKey],
            ..answer(Action::Forget, "", "unknown", 3)
        },
    ]
}

/// What a gate finds in [`answers`], as levels and waivers leave it.
pub(super) fn answered() -> Vec<Finding> {
    vec![
        finding(
            Code::KeyStillNeeded,
            ARN,
            "asked to delete it: needed by 12 snapshots, 1 pit-window until 2027-01-05T02:00:00Z",
        ),
        finding(
            Code::KeyUndecided,
            HOSTILE,
            "the plan would forget it: unresolved-key",
        ),
        finding(
            Code::KeyUndecided,
            AZURE,
            "azurerm_key_vault_key.crm would rotate it: the new key was never asked about",
        ),
    ]
}

/// A store in which there is nothing.
pub(super) fn nothing() -> Assessment {
    Assessment {
        as_of: as_of(),
        historical: false,
        roots: Vec::new(),
        assumptions: Vec::new(),
        summary: Summary::default(),
        findings: Vec::new(),
        projects: Vec::new(),
        keys: Vec::new(),
        covered_at: None,
    }
}

pub(super) fn checked(id: &str, condition: Condition) -> CheckedKey {
    CheckedKey {
        provider: Some(key(id).provider()),
        id: id.to_owned(),
        unit: key(id).unit().to_string(),
        state: state(condition),
    }
}

pub(super) fn check(intent: Intent, id: &str, verdict: UnitVerdict) -> KeyCheck {
    KeyCheck {
        as_of: as_of(),
        historical: false,
        covered_at: Some(at("2026-11-01T05:00:00Z")),
        intent,
        key: checked(id, Condition::Enabled { expires: None }),
        verdict,
        assumptions: assumptions(),
        roots: roots(),
    }
}

pub(super) fn rotation(verdict: RotationVerdict) -> RotationCheck {
    RotationCheck {
        as_of: as_of(),
        historical: false,
        covered_at: Some(at("2026-11-01T05:00:00Z")),
        verdict,
        reasons: match verdict {
            RotationVerdict::Pass => Vec::new(),
            RotationVerdict::Fail | RotationVerdict::Unknown => {
                vec!["the new key is disabled".to_owned()]
            }
        },
        key: checked(ARN, Condition::Enabled { expires: None }),
        to: Some(checked(NEW_ARN, Condition::Disabled)),
        keep_until: SafeAfter::Date(at("2027-01-05T02:00:00Z")),
        old: held(),
        assumptions: assumptions(),
        roots: roots(),
    }
}

pub(super) fn observations() -> Vec<Observation> {
    let answer = |id: &str, condition, native: &str| Observation {
        key: key(id),
        at: at("2026-11-01T05:59:00Z"),
        condition,
        native: Some(native.to_owned()),
        endpoint: "https://kms.us-east-1.amazonaws.com".to_owned(),
        identity: Some("111122223333".to_owned()),
        related: Vec::new(),
        stale_at: None,
    };
    vec![
        answer(ARN, Condition::Enabled { expires: None }, "Enabled"),
        answer(
            NEW_ARN,
            Condition::Unknown {
                reason: UnknownReason::AccessDenied,
                detail: None,
            },
            "AccessDeniedException",
        ),
    ]
}

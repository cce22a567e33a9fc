//! What an audit lists, and what it leaves out.

use super::*;

/// An empty list would say that nothing is blocked.
#[test]
fn a_summary_lists_no_snapshots_and_does_not_say_there_are_none() {
    let view = AuditView {
        summary: true,
        all: false,
    };
    let of = |format| {
        audit_of(
            &sample::assessment(),
            &sample::snapshots(),
            format,
            view,
            NARROW,
        )
    };
    let document = json(&of(Format::Json));
    assert_eq!(document["snapshots"], Value::Null);
    assert_eq!(document["summary"]["snapshots"]["blocked"], 1);
    assert_eq!(of(Format::Csv).lines().count(), 1);
    let table = of(Format::Table);
    assert!(!table.contains("6ae1491010c7a51b8b00cea3"), "{table}");
    assert!(table.contains("1 blocked"), "{table}");
}

#[test]
fn the_worst_fifty_whatever_the_order() {
    let mut rows = Vec::new();
    for n in 0..120 {
        let verdict = if n % 4 == 0 {
            Restorability::Blocked
        } else {
            Restorability::Restorable
        };
        rows.push(sample::snapshot(
            verdict,
            "p",
            "c",
            &format!("snap-{n:03}"),
            ARN,
        ));
    }
    rows.push(sample::snapshot(
        Restorability::Lost,
        "z",
        "z",
        "snap-last",
        ARN,
    ));
    let nothing = sample::nothing();
    let forth = audit_of(&nothing, &rows, Format::Table, AuditView::default(), PIPE);
    rows.reverse();
    let back = audit_of(&nothing, &rows, Format::Table, AuditView::default(), PIPE);
    assert_eq!(forth, back);
    let listed: Vec<&str> = forth
        .lines()
        .filter(|line| line.contains("snap-"))
        .collect();
    assert_eq!(listed.len(), 50);
    assert!(listed[0].contains("snap-last"), "{}", listed[0]);
    assert!(
        listed[1..31].iter().all(|line| line.starts_with("blocked")),
        "{forth}"
    );
    assert!(listed[31].contains("snap-001"), "{}", listed[31]);
    assert!(forth.contains("and 71 more"), "{forth}");

    let view = AuditView {
        summary: false,
        all: true,
    };
    let all = audit_of(&nothing, &rows, Format::Table, view, PIPE);
    assert_eq!(
        all.lines().filter(|line| line.contains("snap-")).count(),
        121
    );
    assert!(!all.contains(" more ("), "{all}");
}

#[test]
fn findings_are_grouped_and_capped() {
    let text = audit_of(
        &sample::assessment(),
        &[],
        Format::Table,
        AuditView::default(),
        PIPE,
    );
    assert!(text.contains("snapshot-blocked (5)"), "{text}");
    assert!(text.contains("and 2 more (--all lists them)"), "{text}");
    let place = |what: &str| text.find(what).expect(what);
    assert!(place("What needs action") < place("Keys, worst first"));
    assert!(place("Keys, worst first") < place("Snapshots, worst first"));
    assert!(place("snapshot-lost (1)") < place("snapshot-conditional (1)"));
}

#[test]
fn allowed_findings_are_counted_and_not_shown() {
    let mut assessment = sample::assessment();
    assessment.findings.push(Finding {
        waived: None,
        code: Code::ClockSkew,
        level: Level::Allow,
        subject: "bundle".to_owned(),
        message: "ten minutes".to_owned(),
    });
    let text = audit_of(&assessment, &[], Format::Table, AuditView::default(), PIPE);
    assert!(text.contains("1 finding allowed by the policy"), "{text}");
    assert!(!text.contains("clock-skew"), "{text}");
}

#[test]
fn a_long_list_streams() {
    let frame_of = sample::nothing();
    let mut bytes = Vec::new();
    let mut rows = snapshots(
        Format::Table,
        Frame::from(&frame_of),
        None,
        PIPE,
        &mut bytes,
    )
    .unwrap();
    for n in 0..1_201 {
        let row = sample::snapshot(Restorability::Restorable, "p", "c", &format!("s{n}"), ARN);
        rows.row(&row).unwrap();
    }
    rows.finish().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("restorable"))
            .count(),
        1_201
    );
}

/// An estate with every kind of finding: 10,000 keys in every condition, 2,000 projects.
fn large() -> Assessment {
    use crate::model::evidence::{Condition, UnknownReason};
    use crate::model::verdict::{KeyRow, ResolvedKey};
    let conditions = [
        Condition::Enabled { expires: None },
        Condition::UnwrapOnly {
            why: HOSTILE.into(),
        },
        Condition::Disabled,
        Condition::PendingDeletion { deadline: None },
        Condition::SoftDeleted { purge: None },
        Condition::MaterialMissing,
        Condition::Unavailable { what: None },
        Condition::Transient,
        Condition::Destroyed {
            proof: HOSTILE.into(),
        },
        Condition::Unknown {
            reason: UnknownReason::NotFound,
            detail: None,
        },
    ];
    let mut estate = sample::nothing();
    for n in 0..10_000_usize {
        let verdict = match n % 3 {
            0 => sample::held(),
            1 => sample::unknown(),
            _ => sample::safe(),
        };
        estate.summary.count_key(verdict.verdict);
        let id = format!("arn:aws:kms:us-east-1:111122223333:key/52b7c0d6-1e9a-4f38-a64d-{n:012}");
        let mut state = sample::state(conditions[n % 10].clone());
        if n % 11 == 0 {
            state.condition = None;
        }
        estate.keys.push(if n % 13 == 0 {
            KeyRow::Unresolved {
                provider: None,
                spelling: format!("{HOSTILE}{n}"),
                doubts: Vec::new(),
            }
        } else {
            KeyRow::Resolved(Box::new(ResolvedKey {
                key: id.parse().unwrap(),
                state,
                verdict,
            }))
        });
    }
    for n in 0..1_000_000_u64 {
        let verdicts = Restorability::ALL;
        estate
            .summary
            .count_snapshot(verdicts[usize::try_from(n).unwrap() % verdicts.len()]);
    }
    for n in 0..2_000 {
        let mut project = sample::projects().remove(n % 2);
        project.project.id = format!("65f1a2b3c4d5e6f7089a{n:04}");
        estate.assumptions.extend(sample::assumptions());
        estate.projects.push(project);
    }
    for n in 0..30 {
        estate.roots.extend(sample::roots());
        estate.roots[n].base_url =
            format!("https://opsmanager-{n}.example.internal:8443/with/a/long/path");
    }
    for level in [Level::Deny, Level::Warn, Level::Allow] {
        for code in Code::ALL {
            for n in 0..137 {
                estate.findings.push(Finding {
                    waived: None,
                    code: *code,
                    level,
                    subject: format!("65f1a2b3c4d5e6f7089ad001/a-cluster-of-some-name/{n}"),
                    message: HOSTILE.repeat(1 + n % 4),
                });
            }
        }
    }
    estate
}

#[test]
fn a_summary_of_any_estate_fits_one_screen() {
    let view = AuditView {
        summary: true,
        all: false,
    };
    let estate = large();
    for (layout, columns) in [(NARROW, 80), (WIDE, 200)] {
        let text = audit_of(&estate, &[], Format::Table, view, layout);
        // One line of the 24 is the prompt's.
        assert!(text.lines().count() <= 23, "{columns}: {text}");
        for line in text.lines() {
            assert!(console::measure_text_width(line) <= columns, "{line}");
        }
        for part in [
            "failed: 3562 denied findings",
            "deny  snapshot-lost (137): 65f1",
            "and 44 more kinds (6028 findings)",
            "Snapshots: 1000000 (142858 lost, ",
            "Keys: 10000 (3334 held, 3333 unknown, 3333 safe)",
            "Projects: 2000 (1000 incomplete)",
            "Assumptions: 6000 (2000 hold, 4000 no-restore-running)",
            // What is known of the oldest comes first.
            "Evidence: project lists read whole at 2026-11-01T05:00:00Z or later: atlas http",
        ] {
            assert!(text.contains(part), "{columns}: {part}\n{text}");
        }
        insta::assert_snapshot!(format!("summary_at_{columns}"), text);
    }
}

/// A log has no width: nothing is cut, and it is as many lines.
#[test]
fn a_summary_in_a_pipe_is_not_cut() {
    let view = AuditView {
        summary: true,
        all: false,
    };
    let text = audit_of(&large(), &[], Format::Table, view, PIPE);
    assert!(text.lines().count() <= 23, "{text}");
    assert!(!text.contains('…'), "{text}");
    let small = audit_of(&sample::nothing(), &[], Format::Table, view, NARROW);
    for part in ["Nothing needs action", "Snapshots: none", "Projects: none"] {
        assert!(small.contains(part), "{part}\n{small}");
    }
}

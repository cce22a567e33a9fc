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

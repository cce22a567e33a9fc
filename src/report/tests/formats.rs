//! SARIF, JUnit, annotations and Markdown from lists in which every level and class is mixed.

use std::collections::BTreeSet;

use super::reread::reread;
use super::*;

/// A conclusion as `run` prints it: every row as often as the format wants.
pub(super) fn printed_as(
    style: Style,
    conclusion: Conclusion<'_>,
    rows: &[SnapshotVerdict],
    view: AuditView,
) -> String {
    let mut bytes = Vec::new();
    let mut report = match conclusion.estate {
        Some(estate) if conclusion.command != "gate" => {
            audit(style, estate, conclusion, view, PIPE, &mut bytes).unwrap()
        }
        Some(_) | None => gate(style, conclusion, PIPE, &mut bytes).unwrap(),
    };
    for _pass in 0..report.passes() {
        for row in rows {
            report.row(row).unwrap();
        }
        report.pass_ended().unwrap();
    }
    report.finish().unwrap();
    String::from_utf8(bytes).unwrap()
}

const CONCLUDED: [Style; 4] = [Style::Markdown, Style::Sarif, Style::Junit, Style::Github];

fn of_estate(assessment: &Assessment) -> Conclusion<'_> {
    Conclusion {
        command: "audit",
        exit_code: 1,
        frame: Frame::from(assessment),
        findings: &assessment.findings,
        asked: false,
        answers: &[],
        estate: Some(assessment),
        anchor: "ops/snapkey.toml",
    }
}

fn audited(style: Style) -> String {
    let assessment = sample::weighed();
    printed_as(
        style,
        of_estate(&assessment),
        &sample::snapshots(),
        AuditView::default(),
    )
}

/// A gate that was asked about keys.
fn asked(style: Style) -> String {
    let assessment = sample::assessment();
    let (findings, answers) = (sample::answered(), sample::answers());
    let conclusion = Conclusion {
        command: "gate",
        findings: &findings,
        asked: true,
        answers: &answers,
        estate: None,
        ..of_estate(&assessment)
    };
    printed_as(style, conclusion, &[], AuditView::default())
}

/// Nothing was found, and the store holds later evidence or not.
fn clean(style: Style, exit_code: u8) -> String {
    let mut assessment = sample::nothing();
    assessment.historical = exit_code != 0;
    let conclusion = Conclusion {
        exit_code,
        ..of_estate(&assessment)
    };
    printed_as(style, conclusion, &[], AuditView::default())
}

/// A list of findings, each of its own subject.
fn many(all: &[(Code, Level, usize)]) -> Assessment {
    let mut assessment = sample::nothing();
    for (code, level, count) in all {
        assessment.findings.extend((0..*count).map(|n| Finding {
            code: *code,
            level: *level,
            subject: format!("{code}-{n:05}"),
            message: "told".to_owned(),
            waived: None,
        }));
    }
    assessment
}

fn of_many(style: Style, all: &[(Code, Level, usize)]) -> String {
    let assessment = many(all);
    printed_as(style, of_estate(&assessment), &[], AuditView::default())
}

#[test]
fn markdown_of_an_audit() {
    insta::assert_snapshot!(audited(Style::Markdown));
}

#[test]
fn markdown_of_answers() {
    insta::assert_snapshot!(asked(Style::Markdown));
}

#[test]
fn junit_of_an_audit() {
    insta::assert_snapshot!(audited(Style::Junit));
}

#[test]
fn junit_of_answers() {
    insta::assert_snapshot!(asked(Style::Junit));
}

#[test]
fn annotations() {
    let all = [
        ("audit", audited(Style::Github)),
        ("answers", asked(Style::Github)),
        ("clean", clean(Style::Github, 0)),
        ("historical", clean(Style::Github, 3)),
    ];
    insta::assert_snapshot!(shown(&all));
}

/// Without the rules, which are as long as their page.
#[test]
fn sarif_of_an_audit() {
    let mut log = json(&audited(Style::Sarif));
    let driver = &mut log["runs"][0]["tool"]["driver"];
    for field in ["version", "semanticVersion"] {
        assert_eq!(driver[field], env!("CARGO_PKG_VERSION"));
        driver[field] = "[version]".into();
    }
    let rules = driver["rules"].as_array_mut().unwrap();
    for rule in rules.iter_mut() {
        rule["help"] = "[help]".into();
    }
    rules.truncate(2);
    insta::assert_snapshot!(serde_json::to_string_pretty(&log).unwrap());
}

#[test]
fn sarif_tells_levels_rules_and_waivers_apart() {
    let log = json(&audited(Style::Sarif));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let count = |level: &str| results.iter().filter(|r| r["level"] == level).count();
    assert_eq!((count("error"), count("warning"), count("note")), (8, 1, 1));
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "ops/snapkey.toml");
        let suppressed = result.get("suppressions").is_some();
        assert_eq!(suppressed, result["level"] == "note");
    }
    let told = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(
        told.contains("1 finding is allowed by the policy"),
        "{told}"
    );
    let assumed = told.matches("\"assumption\"").count();
    assert_eq!(assumed, sample::assumptions().len(), "{told}");
    assert_eq!(run["invocations"][0]["exitCode"], 1);
    assert_eq!(run["invocations"][0]["endTimeUtc"], "2026-11-01T06:00:00Z");

    let question = json(&asked(Style::Sarif));
    let ids = |log: &Value| -> BTreeSet<String> {
        let rules = log["runs"][0]["tool"]["driver"]["rules"]
            .as_array()
            .unwrap();
        rules
            .iter()
            .map(|rule| rule["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = ["key-still-needed", "key-undecided", "rotation-refused"];
    let expected = expected
        .into_iter()
        .chain(["waiver-expired", "waiver-unused"]);
    assert_eq!(ids(&question), expected.map(str::to_owned).collect());
    assert_eq!(
        ids(&json(&clean(Style::Sarif, 0))),
        ids(&log),
        "a clean run too"
    );
}

/// GitHub tells findings apart by this alone, and takes equal ones for one.
#[test]
fn a_fingerprint_is_of_code_and_subject() {
    let fingerprints = |findings: &[(Code, &str, &str)]| -> Vec<String> {
        let mut assessment = sample::nothing();
        assessment.findings = findings
            .iter()
            .map(|(code, subject, message)| Finding {
                code: *code,
                level: Level::Deny,
                subject: (*subject).to_owned(),
                message: (*message).to_owned(),
                waived: None,
            })
            .collect();
        let text = printed_as(
            Style::Sarif,
            of_estate(&assessment),
            &[],
            AuditView::default(),
        );
        let log = json(&text);
        let results = log["runs"][0]["results"].as_array().unwrap();
        results
            .iter()
            .map(|r| r["partialFingerprints"]["primaryLocationLineHash"].to_string())
            .collect()
    };
    let today = fingerprints(&[
        (Code::SnapshotLost, "a", "x"),
        (Code::SnapshotBlocked, "a", "x"),
        (Code::SnapshotBlocked, "b", "12 of them"),
        (Code::ProjectIncomplete, "p", "one gap"),
        (Code::ProjectIncomplete, "p", "another gap"),
    ]);
    assert_eq!(today.iter().collect::<BTreeSet<_>>().len(), 5);
    let tomorrow = fingerprints(&[(Code::SnapshotBlocked, "b", "11 of them")]);
    assert_eq!(tomorrow[0], today[2]);
}

#[test]
fn sarif_leaves_out_the_least_of_too_many() {
    let log = json(&of_many(
        Style::Sarif,
        &[
            (Code::SnapshotLost, Level::Deny, 24_999),
            (Code::SnapshotConditional, Level::Warn, 3),
        ],
    ));
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 25_000);
    assert_eq!(results[24_999]["level"], "warning");
    let told = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(told["descriptor"]["id"], "left-out");
    let text = told["message"]["text"].as_str().unwrap();
    assert!(text.starts_with("2 findings are left out"), "{text}");
}

/// The numbers of a suite, and how often each element is in it.
#[test]
fn junit_counts_what_it_holds() {
    let assessment = sample::weighed();
    let codes = of_estate(&assessment).codes().count();
    let with_finding = 7;
    for (text, cases, failures, errors, skipped) in [
        (audited(Style::Junit), 11 + codes - with_finding, 7, 1, 2),
        (asked(Style::Junit), 3 + 1 + 3, 1, 2, 0),
        (clean(Style::Junit, 0), codes, 0, 0, 0),
        (clean(Style::Junit, 3), codes + 1, 0, 1, 0),
    ] {
        let shape = reread(Style::Junit, &text).shape;
        let count = |element: &str| shape.iter().filter(|name| *name == element).count();
        assert_eq!(count("testcase"), cases, "{text}");
        assert_eq!(count("failure"), failures, "{text}");
        assert_eq!(count("error"), errors, "{text}");
        // The suite has an attribute of that name besides.
        assert_eq!(count("skipped"), skipped + 1, "{text}");
        let totals = format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\"");
        assert_eq!(text.matches(&totals).count(), 2, "{totals}\n{text}");
        let of_suite = format!("{totals} skipped=\"{skipped}\"");
        assert!(text.contains(&of_suite), "{of_suite}\n{text}");
        assert!(
            !text.contains("timestamp") && !text.contains("time="),
            "{text}"
        );
    }
}

#[test]
fn annotations_are_ten_of_each_the_denied_first() {
    let text = of_many(
        Style::Github,
        &[
            (Code::SnapshotLost, Level::Deny, 12),
            (Code::SnapshotUnknown, Level::Deny, 3),
            (Code::SnapshotConditional, Level::Warn, 11),
            (Code::ClockSkew, Level::Allow, 2),
        ],
    );
    let commands = reread(Style::Github, &text).shape;
    let commands: Vec<&str> = commands
        .iter()
        .map(String::as_str)
        .filter(|name| !["file", "line", "title"].contains(name))
        .collect();
    let mut expected = vec!["notice"];
    expected.extend(["error"; 10]);
    expected.extend(["warning"; 10]);
    assert_eq!(commands, expected);
    let first = text.lines().next().unwrap();
    for part in [
        "audit%3A fail (exit code 1)",
        "15 denied findings (10 shown)",
        "11 warnings (10 shown)",
        "0 waived",
        "2 allowed",
    ] {
        assert!(first.contains(part), "{part}\n{first}");
    }
}

/// Exit code 3 without a denied finding: a reader of findings alone would take it for a pass.
#[test]
fn what_is_only_historical_passes_nowhere() {
    for style in CONCLUDED {
        let (now, then) = (clean(style, 0), clean(style, 3));
        assert!(then.contains("later evidence"), "{style:?}\n{then}");
        assert!(!now.contains("later evidence is"), "{style:?}\n{now}");
    }
    let log = json(&clean(Style::Sarif, 3));
    let told = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(told["level"], "error");
    assert!(clean(Style::Github, 3).contains("\n::error "));
}

#[test]
fn markdown_lists_all_when_asked_worst_first() {
    let mut assessment = sample::nothing();
    let mut rows = Vec::new();
    for n in 0..130 {
        let verdict = match n % 3 {
            0 => Restorability::Restorable,
            1 => Restorability::Lost,
            _ => Restorability::Unknown,
        };
        assessment.summary.count_snapshot(verdict);
        rows.push(sample::snapshot(
            verdict,
            "p",
            "c",
            &format!("snap-{n:03}"),
            ARN,
        ));
    }
    let listed = |view: AuditView| -> (Vec<String>, String) {
        let text = printed_as(Style::Markdown, of_estate(&assessment), &rows, view);
        let lines = text.lines().filter(|line| line.contains("snap-"));
        let places = |line: &str| {
            let cells: Vec<&str> = line.split(" | ").collect();
            format!("{} {}", cells[0].trim_start_matches("| "), cells[3])
        };
        (lines.map(places).collect(), text)
    };
    let (fifty, text) = listed(AuditView::default());
    assert_eq!(fifty.len(), 50);
    assert!(text.contains("\nand 80 more\n"), "{text}");
    let (all, text) = listed(AuditView {
        summary: false,
        all: true,
    });
    assert_eq!(all.len(), 130);
    assert!(!text.contains(" more\n"), "{text}");
    assert_eq!(all[..50], fifty);
    assert!(all[0].starts_with("**lost** `snap-001`"), "{}", all[0]);
    assert!(
        all[129].starts_with("restorable `snap-129`"),
        "{}",
        all[129]
    );
    let (none, text) = listed(AuditView {
        summary: true,
        all: false,
    });
    assert!(none.is_empty() && text.contains("Not listed."), "{text}");
}

/// GitHub takes 1 MiB as the summary of a step.
#[test]
fn markdown_of_many_long_names_stays_in_bounds() {
    let long = "🔑@".repeat(2_000);
    let mut assessment = sample::nothing();
    for code in Code::ALL {
        for level in [Level::Deny, Level::Warn, Level::Allow] {
            for n in 0..5 {
                assessment.findings.push(Finding {
                    code: *code,
                    level,
                    subject: format!("{n} {long}"),
                    message: long.clone(),
                    waived: (level == Level::Allow).then(|| crate::model::verdict::Waived {
                        until: sample::as_of(),
                        reason: long.clone(),
                    }),
                });
            }
        }
    }
    let assumption = |n| Assumption {
        kind: "hold",
        subject: format!("{n} {long}"),
        stated: Some(sample::as_of()),
        reason: long.clone().into(),
    };
    assessment.assumptions = (0..100).map(assumption).collect();
    assessment.roots = vec![
        RootVerdict {
            source: "atlas",
            base_url: long.clone(),
            scope: long.clone(),
            covered_at: None,
        };
        100
    ];
    let row = SnapshotVerdict {
        keys: vec![long.clone(); 20],
        ..sample::snapshot(Restorability::Lost, &long, &long, &long, &long)
    };
    let key = KeyRow::Unresolved {
        provider: None,
        spelling: long.clone(),
        doubts: Vec::new(),
    };
    assessment.keys = vec![key; 100];
    for _ in 0..100 {
        assessment.summary.count_snapshot(row.verdict);
        assessment.summary.count_key(Deletability::Unknown);
    }
    let rows = vec![row; 100];
    let text = printed_as(
        Style::Markdown,
        of_estate(&assessment),
        &rows,
        AuditView::default(),
    );
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    assert!(text.len() > 100_000, "{} bytes", text.len());
    for section in [
        "## What needs action",
        "## Keys, worst first: 100",
        "## Snapshots, worst first: 100",
        "## Waived",
        "## Assumptions behind this answer",
        "## Evidence searched",
    ] {
        let (_, rest) = text.split_once(section).expect(section);
        let section_text = rest.split("\n## ").next().unwrap();
        assert!(section_text.contains('🔑'), "{section} has no row");
    }
}

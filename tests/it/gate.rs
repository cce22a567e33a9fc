//! `gate` through the built binary: what a pipeline asks and how it is told, under policies and
//! waivers. The estate is `fixtures/check`, whose verdicts are derived in its README.

use serde_json::{Value, json};

use crate::support::cmd::{Place, Ran};
use crate::support::evidence::{CHECK_AS_OF as AS_OF, HELD, SAFE, UNKNOWN, base};

/// The current key of the project whose snapshots the held key is needed for.
const CURRENT: &str = "arn:aws:kms:us-east-1:111122223333:key/1d6b3e50-94c7-4f2a-b8d1-3e7f05a2c916";

const FORMATS: [&str; 9] = [
    "table",
    "json",
    "csv",
    "md",
    "sarif",
    "junit",
    "github",
    "prometheus",
    "cbom",
];

fn gate(place: &Place, words: &[&str]) -> (i32, Value) {
    let mut all = vec!["--offline", "--as-of", AS_OF, "gate"];
    all.extend(words);
    place.json(&all)
}

/// Code, level and subject of every finding.
fn findings(document: &Value) -> Vec<(String, String, String)> {
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap().to_owned();
    document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (text(f, "code"), text(f, "level"), text(f, "subject")))
        .collect()
}

fn found(code: &str, level: &str, subject: &str) -> (String, String, String) {
    (code.to_owned(), level.to_owned(), subject.to_owned())
}

#[test]
fn what_is_asked_is_answered_as_check_answers_it() {
    let place = base();
    let table: [(&[&str], i32, &str, Option<&str>); 7] = [
        (
            &["--for", "delete", "--key", HELD],
            1,
            "held",
            Some("key-still-needed"),
        ),
        (&["--for", "delete", "--key", SAFE], 0, "safe", None),
        (
            &["--for", "delete", "--key", UNKNOWN],
            3,
            "unknown",
            Some("key-undecided"),
        ),
        (&["--for", "rotate", "--key", HELD], 0, "pass", None),
        (
            &["--for", "rotate", "--key", HELD, "--to", CURRENT],
            0,
            "pass",
            None,
        ),
        (
            &["--for", "rotate", "--key", HELD, "--to", HELD],
            1,
            "fail",
            Some("rotation-refused"),
        ),
        (
            &[
                "--for",
                "rotate",
                "--key",
                HELD,
                "--to",
                "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
            ],
            3,
            "unknown",
            Some("key-undecided"),
        ),
    ];
    for (words, code, verdict, finding) in table {
        let (exit, document) = gate(&place, words);
        assert_eq!(exit, code, "{words:?}: {document:#}");
        assert_eq!(document["exit_code"], json!(code), "{words:?}");
        let expected = ["pass", "fail", "", "undecided"][usize::try_from(code).unwrap()];
        assert_eq!(document["verdict"], expected, "{words:?}");
        let answers = document["answers"].as_array().unwrap();
        assert_eq!(answers.len(), 1, "{words:?}");
        assert_eq!(answers[0]["verdict"], verdict, "{words:?}");
        assert_eq!(answers[0]["key"], words[3], "{words:?}");
        let wanted: Vec<_> = finding
            .into_iter()
            .map(|code| found(code, "deny", words[3]))
            .collect();
        assert_eq!(findings(&document), wanted, "{words:?}");

        let check = [
            "--offline",
            "--as-of",
            AS_OF,
            "check",
            words[3],
            "--for",
            words[1],
        ];
        let to = words.get(4..).unwrap_or_default();
        let (as_check, checked) = place.json(&[&check, to].concat());
        assert_eq!(exit, as_check, "{words:?}");
        for field in ["verdict", "dependant_counts"] {
            assert_eq!(answers[0][field], checked[field], "{words:?}");
        }
    }
}

#[test]
fn the_exit_code_and_the_reason_are_the_same_in_every_format() {
    let place = base();
    let questions: [(&[&str], i32, &str); 5] = [
        (
            &["gate", "--for", "delete", "--key", HELD],
            1,
            "key-still-needed",
        ),
        (&["gate", "--for", "delete", "--key", SAFE], 0, "pass"),
        (
            &["gate", "--for", "delete", "--key", UNKNOWN],
            3,
            "lapsed-snapshot",
        ),
        (&["gate"], 0, "pass"),
        (&["audit"], 0, "pass"),
    ];
    for (words, code, reason) in questions {
        for format in FORMATS {
            let mut all = vec!["--offline", "--as-of", AS_OF, "--format", format];
            all.extend(words);
            let ran = place.run(&all);
            assert_eq!(ran.code, code, "{words:?} in {format}: {}", ran.stderr);
            assert!(!ran.stdout.is_empty(), "{words:?} in {format}");
            if format != "table" {
                assert!(
                    ran.stderr.contains(reason),
                    "{words:?} in {format}: {}",
                    ran.stderr
                );
            }
            all.push("--quiet");
            let quiet = place.run(&all);
            assert_eq!(
                (quiet.code, quiet.stderr.as_str(), &quiet.stdout),
                (code, "", &ran.stdout),
                "{words:?} in {format}"
            );
        }
    }
}

#[test]
fn a_waiver_holds_until_its_date_and_is_never_silent() {
    let place = base();
    let waiver = |code: &str, subject: &str, until: &str| {
        format!(
            "[[waiver]]\ncode = \"{code}\"\nsubject = \"{subject}\"\nuntil = {until}\n\
             reason = \"agreed with the owner\"\n"
        )
    };
    let delete = ["--for", "delete", "--key", HELD];
    let table = [
        (
            waiver("key-still-needed", HELD, "2026-11-01T03:00:01Z"),
            0,
            vec![found("key-still-needed", "allow", HELD)],
        ),
        (
            waiver("key-still-needed", HELD, "2026-11-01T03:00:00Z"),
            1,
            vec![
                found(
                    "waiver-expired",
                    "deny",
                    &format!("key-still-needed {HELD}"),
                ),
                found("key-still-needed", "deny", HELD),
            ],
        ),
        (
            waiver("key-still-needed", SAFE, "2026-10-01"),
            1,
            vec![found("key-still-needed", "deny", HELD)],
        ),
        (
            waiver("key-undecided", HELD, "2027-01-01"),
            1,
            vec![found("key-still-needed", "deny", HELD)],
        ),
    ];
    for (config, code, expected) in table {
        place.write("snapkey.toml", &config);
        let (exit, document) = gate(&place, &delete);
        assert_eq!(exit, code, "{config}\n{document:#}");
        assert_eq!(findings(&document), expected, "{config}");
        // What was found out is the same, whatever is put up with.
        assert_eq!(document["answers"][0]["verdict"], "held", "{config}");
        assert_eq!(document["answers"][0]["exit_code"], 1, "{config}");
    }

    place.write(
        "snapkey.toml",
        &waiver("key-still-needed", HELD, "2027-01-01"),
    );
    let (_, document) = gate(&place, &delete);
    assert_eq!(
        document["findings"][0]["waived"],
        json!({"until": "2027-01-02T00:00:00Z", "reason": "agreed with the owner"})
    );
    let table = place.run(&[&["--offline", "--as-of", AS_OF, "gate"][..], &delete].concat());
    assert!(
        table.stdout.contains("agreed with the owner"),
        "{}",
        table.stdout
    );
}

#[test]
fn the_estate_is_weighed_under_levels_of_all_and_of_one_project() {
    let place = base();
    let snapshot_unknown = "rotation_max_age = \"1d\"\n[policy]\nkey-rotation-overdue = \"deny\"\n";
    place.write("snapkey.toml", snapshot_unknown);
    let overdue = |document: &Value| -> Vec<(String, String)> {
        findings(document)
            .into_iter()
            .filter(|(code, _, _)| code == "key-rotation-overdue")
            .map(|(_, level, subject)| (level, subject))
            .collect()
    };
    let (exit, document) = gate(&place, &[]);
    let all = overdue(&document);
    assert_eq!(exit, 1, "{document:#}");
    assert!(
        !all.is_empty() && all.iter().all(|(level, _)| level == "deny"),
        "{all:?}"
    );
    let (audit, _) = place.json(&["--offline", "--as-of", AS_OF, "audit"]);
    assert_eq!(audit, exit);

    let allowed: String = all
        .iter()
        .map(|(_, project)| {
            format!("[policy.project.{project}]\nkey-rotation-overdue = \"allow\"\n")
        })
        .collect();
    place.write("snapkey.toml", &format!("{snapshot_unknown}{allowed}"));
    let (exit, document) = gate(&place, &[]);
    assert_eq!(exit, 0, "{document:#}");
    assert!(overdue(&document).iter().all(|(level, _)| level == "allow"));

    let (_, first) = &all[0];
    place.write(
        "snapkey.toml",
        &format!("{snapshot_unknown}[policy.project.another]\nkey-rotation-overdue = \"allow\"\n[[waiver]]\ncode = \"key-rotation-overdue\"\nsubject = \"{first}\"\nuntil = 2027-01-01\nreason = \"x\"\n[[waiver]]\ncode = \"snapshot-lost\"\nsubject = \"nothing\"\nuntil = 2027-01-01\nreason = \"x\"\n"),
    );
    let (exit, document) = gate(&place, &[]);
    let weighed = findings(&document);
    assert_eq!(exit, i32::from(all.len() > 1), "{document:#}");
    assert!(weighed.contains(&found("key-rotation-overdue", "allow", first)));
    assert!(weighed.contains(&found("waiver-unused", "warn", "snapshot-lost nothing")));
}

#[test]
fn a_policy_file_stands_in_the_place_of_the_configured_policy() {
    let place = base();
    let waiver = format!(
        "[[waiver]]\ncode = \"key-still-needed\"\nsubject = \"{HELD}\"\nuntil = 2027-01-01\nreason = \"x\"\n"
    );
    place.write("snapkey.toml", &waiver);
    place.write("strict.toml", "");
    place.write("lax.toml", "[policy]\nkey-still-needed = \"warn\"\n");
    place.write(
        "statements.toml",
        &format!("[[hold]]\nkey = \"{HELD}\"\nstated = 2026-10-01\nreason = \"x\"\n"),
    );
    let delete = ["--for", "delete", "--key", HELD];
    for (policy, code) in [
        ("strict.toml", 1),
        ("lax.toml", 0),
        ("statements.toml", 2),
        ("absent.toml", 2),
    ] {
        let words = [
            &["--offline", "--as-of", AS_OF, "gate", "--policy", policy][..],
            &delete,
        ]
        .concat();
        let ran = place.run(&words);
        assert_eq!(ran.code, code, "{policy}: {}{}", ran.stdout, ran.stderr);
        if code == 2 {
            assert!(ran.stderr.contains(policy), "{}", ran.stderr);
        }
    }
    assert_eq!(gate(&place, &delete).0, 0);
}

#[test]
fn words_that_do_not_go_together_are_refused() {
    let place = base();
    let table: [(&[&str], &str); 10] = [
        (&["gate", "--for", "delete"], "--key"),
        (&["gate", "--key", SAFE], "--for"),
        (&["gate", "--for", "disable", "--key", SAFE], "disable"),
        (
            &["gate", "--for", "delete", "--key", SAFE, "--to", HELD],
            "--for rotate",
        ),
        (
            &["gate", "--for", "delete", "--key", "alias/backups"],
            "alias",
        ),
        (&["gate", "--probe"], "--probe"),
        (&["check", SAFE, "--format", "sarif"], "sarif"),
        (&["keys", "--format", "md"], "md"),
        (&["ingest", ".", "--format", "junit"], "junit"),
        (&["man", "--format", "json"], "man"),
    ];
    for (words, named) in table {
        let Ran {
            code,
            stdout,
            stderr,
        } = place.run(words);
        assert_eq!((code, stdout.as_str()), (2, ""), "{words:?}: {stderr}");
        assert!(stderr.contains(named), "{words:?}: {stderr}");
    }
    let empty = Place::new();
    assert_eq!(empty.run(&["gate"]).code, 4);
    assert_eq!(empty.run(&["report"]).code, 4);
}

#[test]
fn a_report_is_written_all_at_once_and_exits_0() {
    let place = base();
    place.write(
        "snapkey.toml",
        "rotation_max_age = \"1d\"\n[policy]\nkey-rotation-overdue = \"deny\"\n",
    );
    let report = |words: &[&str]| {
        place.run(&[&["--offline", "--as-of", AS_OF, "report"][..], words].concat())
    };
    let audited = place.run(&["--offline", "--as-of", AS_OF, "--format", "json", "audit"]);
    assert_eq!(audited.code, 1);
    let printed = report(&["--format", "json"]);
    assert_eq!((printed.code, &printed.stdout), (0, &audited.stdout));
    let written = report(&["--format", "json", "-o", "out.json"]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    let text = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    assert_eq!(text("out.json"), audited.stdout);

    let before = std::fs::read_dir(place.path()).unwrap().count();
    let failed = report(&["--format", "json", "-o", "no/such/folder/out.json"]);
    assert_eq!(failed.code, 4);
    assert!(
        failed.stderr.contains("no/such/folder/out.json"),
        "{}",
        failed.stderr
    );
    place.write("not-a-store.db", "text");
    let failed = report(&[
        "--store",
        "not-a-store.db",
        "--format",
        "json",
        "-o",
        "out.json",
    ]);
    assert_eq!(failed.code, 4, "{}", failed.stderr);
    assert_eq!(text("out.json"), audited.stdout);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), before + 1);
}

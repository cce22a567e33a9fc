//! The command line as a script meets it: exit codes, which stream carries what, formats, closed
//! pipes, and the answers that are about the past.

use std::process::Stdio;

use serde_json::Value;

use crate::support::cmd::{Place, fixture, ran};
use crate::support::evidence::{CHECK_AS_OF, HELD, SAFE, UNKNOWN, base as checked};

#[test]
fn usage_errors_say_so_on_stderr_and_exit_with_2() {
    let table: &[&[&str]] = &[
        &[],
        &["frobnicate"],
        &["keys", "--format", "sarif"],
        &["check", HELD, "--format", "md"],
        &["gate", "--format", "html"],
        &["gate", "--for", "delete"],
        &["check"],
        &["check", HELD, "--for", "keep"],
        &["check", HELD, "--profile", "audit"],
        &["collect", "atlas"],
        &["collect", "atlas", "--out", "bundle"],
        &["collect", "ops-manager", "--out", "bundle"],
        &["--offline", "collect", "atlas", "--out", "bundle"],
        &["check", HELD, "--to", SAFE],
        &["probe", "--offline"],
        &["probe", "--as-of", CHECK_AS_OF],
        &["probe", "--explain"],
        &["ingest"],
        &["ingest", "atlas"],
        &["ingest", "ops-manager"],
        &["ingest", "download"],
        &["ingest", ".", "--format", "csv"],
        &["ingest", ".", "--complete"],
        &["audit", "--as-of", "yesterday"],
        &["audit", "--as-of", "2026-13-01T00:00:00Z"],
        &["snapshots", "--verdict", "safe"],
        &["download", "forget", "id"],
    ];
    for words in table {
        let place = Place::new();
        let ran = place.run(words);
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{words:?}");
        assert!(!ran.stderr.is_empty(), "{words:?}");
        assert_eq!(names(&place), [""; 0], "{words:?} left something behind");
    }
}

/// What a run left in its folder.
fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_missing_store_is_4_and_is_not_made() {
    let table: &[&[&str]] = &[
        &["audit"],
        &["audit", "--no-probe"],
        &["--offline", "check", HELD],
        &["check", HELD, "--for", "rotate", "--no-probe"],
        &["snapshots"],
        &["keys"],
        &["projects"],
        &["probe"],
        &["download", "list"],
        &["download", "forget", "id", "--reason", "gone"],
    ];
    for words in table {
        for store in ["snapkey.db", "no/such/folder/snapkey.db", ":memory:"] {
            let place = Place::new();
            let ran = place.run(&[&["--store", store][..], words].concat());
            assert_eq!(ran.code, 4, "{words:?}: {}", ran.stderr);
            assert_eq!(ran.stdout, "", "{words:?}");
            assert!(ran.stderr.contains("no store at"), "{}", ran.stderr);
            assert!(ran.stderr.contains("snapkey ingest PATH"), "{}", ran.stderr);
            assert_eq!(names(&place), [""; 0], "{words:?} left something behind");
        }
    }
}

#[test]
fn a_missing_path_or_configuration_is_2_and_leaves_no_store() {
    for words in [
        &["ingest", "no-such-folder"][..],
        &["audit", "--no-probe", "no-such-folder"],
        &["--config", "no-such.toml", "ingest", "."],
        &["--config", "no-such.toml", "keys"],
    ] {
        let place = Place::new();
        let ran = place.run(words);
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("no-such"), "{}", ran.stderr);
        assert_eq!(names(&place), [""; 0], "{words:?} left something behind");
    }
}

#[test]
fn every_problem_of_a_configuration_is_reported_at_once() {
    let place = Place::new();
    place.write(
        "snapkey.toml",
        "max_probe_age = \"soon\"\nfrobnicate = 1\n[policy]\nsnapshot-lost = \"maybe\"\n",
    );
    let ran = place.run(&["keys"]);
    assert_eq!(ran.code, 2);
    for problem in ["soon", "frobnicate", "maybe"] {
        assert!(ran.stderr.contains(problem), "{problem}: {}", ran.stderr);
    }
}

#[test]
fn version_tells_the_numbers_of_store_and_json() {
    let place = checked();
    let ran = place.run(&["--version"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let numbers: Vec<i64> = ran
        .stdout
        .split(|c: char| !c.is_ascii_digit())
        .rev()
        .filter_map(|number| number.parse().ok())
        .take(2)
        .collect();
    let store = rusqlite::Connection::open(place.path().join("snapkey.db")).unwrap();
    let schema: i64 = store
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    let (_, keys) = place.json(&["--as-of", CHECK_AS_OF, "keys"]);
    let document = keys["schema"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(
        numbers,
        [document.parse().unwrap(), schema],
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains(env!("CARGO_PKG_VERSION")));
}

/// Questions about the two fixtures, and the exit code of each.
const SCENARIOS: &[(&str, &str, &[&str], i32)] = &[
    ("check", CHECK_AS_OF, &["check", HELD], 1),
    ("check", CHECK_AS_OF, &["check", SAFE], 0),
    ("check", CHECK_AS_OF, &["check", UNKNOWN], 3),
    (
        "check",
        CHECK_AS_OF,
        &["check", SAFE, "--for", "disable"],
        0,
    ),
    ("check", CHECK_AS_OF, &["audit"], 0),
    ("check", CHECK_AS_OF, &["audit", "--summary"], 0),
    ("check", CHECK_AS_OF, &["keys"], 0),
    ("check", CHECK_AS_OF, &["snapshots"], 0),
    ("check", CHECK_AS_OF, &["projects"], 0),
    ("check", CHECK_AS_OF, &["download", "list"], 0),
    // An hour and a second after the oldest reading.
    ("check", "2026-11-01T03:35:01Z", &["check", SAFE], 3),
    ("check", "2026-11-01T03:35:00Z", &["check", SAFE], 0),
    ("demo", "2026-11-01T06:00:00Z", &["audit"], 1),
    ("demo", "2026-11-01T06:00:00Z", &["snapshots"], 0),
    ("demo", "2026-11-01T06:00:00Z", &["keys"], 0),
    ("demo", "2026-11-01T06:00:00Z", &["projects"], 0),
];

#[test]
fn the_exit_code_is_the_same_in_every_format_and_data_is_all_there_is_on_stdout() {
    for name in ["check", "demo"] {
        let place = Place::new();
        let folder = fixture(name);
        place.run(&["ingest", folder.to_str().unwrap()]);
        for (_, as_of, words, code) in SCENARIOS.iter().filter(|row| row.0 == name) {
            for format in ["table", "json", "csv"] {
                let all = [&["--as-of", as_of, "--format", format][..], words].concat();
                let quiet = place.run(&[&["--quiet"][..], &all].concat());
                assert_eq!(
                    quiet.code, *code,
                    "{all:?}: {}{}",
                    quiet.stdout, quiet.stderr
                );
                assert_eq!(quiet.stderr, "", "{all:?}");
                assert!(!quiet.stdout.contains('\u{1b}'), "{all:?}");
                if format == "json" {
                    let document: Value = serde_json::from_str(&quiet.stdout).unwrap();
                    let stated = document["exit_code"].as_i64();
                    assert!(stated.is_none_or(|stated| stated == i64::from(*code)));
                }
                let chatty = place.run(&[&["-vvv"][..], &all].concat());
                assert_eq!(chatty.stdout, quiet.stdout, "{all:?}");
                assert_eq!(chatty.code, *code, "{all:?}");
            }
        }
    }
}

#[test]
fn color_is_for_terminals_or_on_demand() {
    let place = checked();
    let words = ["--as-of", CHECK_AS_OF, "keys", "--color"];
    let with = |when: &str, no_color: Option<&str>| {
        let mut command = place.command();
        command.args(words).arg(when);
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        ran(command.output().unwrap()).stdout.contains('\u{1b}')
    };
    assert!(with("always", None));
    assert!(with("always", Some("1")), "a flag is more than a variable");
    assert!(!with("auto", None));
    assert!(!with("auto", Some("1")));
    assert!(!with("never", None));
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let place = Place::new();
    place.run(&["ingest", fixture("demo").to_str().unwrap()]);
    for (words, code) in [(&["audit"][..], 1), (&["keys"], 0), (&["snapshots"], 0)] {
        for format in ["table", "json", "csv"] {
            let mut child = place
                .command()
                .args(["--quiet", "--as-of", "2026-11-01T06:00:00Z"])
                .args(["--format", format])
                .args(words)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            drop(child.stdout.take());
            let ran = ran(child.wait_with_output().unwrap());
            assert_eq!(
                (ran.code, ran.stderr.as_str()),
                (code, ""),
                "{words:?} {format}"
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_4() {
    let place = checked();
    for words in [&["check", SAFE][..], &["keys"], &["audit"], &["snapshots"]] {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let child = place
            .command()
            .args(["--as-of", CHECK_AS_OF])
            .args(words)
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ran = ran(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 4, "{words:?}");
        assert!(
            ran.stderr.contains("could not write the answer"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_pass_about_the_past_is_undecided() {
    let place = checked();
    let ask = |words: &[&str]| place.json(&[&["--as-of", CHECK_AS_OF][..], words].concat());
    for (words, before, after) in [
        (&["check", SAFE][..], 0, 3),
        (&["check", HELD], 1, 1),
        (&["check", UNKNOWN], 3, 3),
        (&["audit"], 0, 3),
        (&["keys"], 0, 0),
        (&["check", HELD, "--for", "rotate"], 0, 3),
    ] {
        let (code, document) = ask(words);
        assert_eq!(
            (code, &document["historical"]),
            (before, &Value::Bool(false)),
            "{words:?}"
        );
        let later = Place::new();
        later.run(&["ingest", fixture("check").to_str().unwrap()]);
        let answer = format!(
            "{{\"key\": \"{HELD}\", \"condition\": \"enabled\", \"at\": \"2026-11-02T00:00:00Z\"}}\n"
        );
        let fed = later.feed(&["ingest", "-"], answer.as_bytes());
        assert_eq!(fed.code, 0, "{}", fed.stderr);
        let (code, document) = later.json(&[&["--as-of", CHECK_AS_OF][..], words].concat());
        assert_eq!(
            (code, &document["historical"]),
            (after, &Value::Bool(true)),
            "{words:?}"
        );
    }
}

#[test]
fn a_key_is_named_in_a_way_that_means_one_key() {
    let place = checked();
    let check = |key: &str| place.run(&["--as-of", CHECK_AS_OF, "check", key]);
    for (alias, hint) in [
        ("alias/orders", "describe-key"),
        (
            "arn:aws:kms:us-east-1:111122223333:alias/orders",
            "describe-key",
        ),
    ] {
        let ran = check(alias);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{alias}");
        assert!(
            ran.stderr.contains(alias) && ran.stderr.contains(hint),
            "{}",
            ran.stderr
        );
    }
    let unresolved = check("11111111-2222-4333-8444-555555555555");
    assert_eq!(unresolved.code, 3, "{}", unresolved.stderr);
    assert!(
        unresolved.stdout.contains("unresolved-key"),
        "{}",
        unresolved.stdout
    );
    // The same spelling completed by what the store knows.
    let (id, _) = ("4a9d2c61-0f38-4b7e-9c15-d27e80b6f341", ());
    let (code, document) = place.json(&["--as-of", CHECK_AS_OF, "check", id]);
    assert_eq!((code, &document["key"]["id"]), (1, &Value::from(HELD)));

    // The id alone means two keys once a twin in another account is known.
    let twin = HELD.replace("111122223333", "444455556666");
    let answer =
        format!("{{\"key\": \"{twin}\", \"condition\": \"enabled\", \"at\": \"{CHECK_AS_OF}\"}}");
    assert_eq!(place.feed(&["ingest", "-"], answer.as_bytes()).code, 0);
    let ran = check(id);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains(HELD) && ran.stderr.contains(&twin),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_download_holds_its_key_until_it_is_forgotten() {
    let place = checked();
    let line = format!(
        "{{\"kind\": \"download\", \"system\": \"tapes\", \"project\": \"vault\", \"id\": \"tape-7\", \
         \"keys\": [\"{SAFE}\"], \"at\": \"2026-11-01T02:30:00Z\"}}\n"
    );
    let fed = place.feed(&["ingest", "-"], line.as_bytes());
    assert_eq!(fed.code, 0, "{}", fed.stderr);
    let check = || place.json(&["--offline", "check", SAFE]);
    let (code, held) = check();
    assert_eq!(
        (code, &held["verdict"]),
        (1, &Value::from("held")),
        "{held:#}"
    );
    assert_eq!(held["dependant_counts"]["download"], 1);
    let (code, list) = place.json(&["--offline", "download", "list"]);
    assert_eq!(code, 0);
    let id = list["downloads"][0]["id"].as_str().unwrap().to_owned();
    let unknown = place.run(&["download", "forget", "no-such-id", "--reason", "x"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (2, ""));
    assert!(unknown.stderr.contains("no-such-id"), "{}", unknown.stderr);
    let forgot = place.run(&["download", "forget", &id, "--reason", "tape was wiped"]);
    assert_eq!(forgot.code, 0, "{}", forgot.stderr);
    assert!(
        forgot.stdout.contains("tape was wiped"),
        "{}",
        forgot.stdout
    );
    let (_, free) = check();
    assert_eq!(free["dependant_counts"]["download"], 0, "{free:#}");
    assert_ne!(free["verdict"], "held");
}

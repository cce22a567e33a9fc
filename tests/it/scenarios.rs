//! Walks `fixtures/scenarios`: each folder is a story of evidence that arrives step by step, with
//! the answers that the rules give in between, derived by hand. A difference is a defect of the
//! story or of the program; neither is regenerated from the other.
//!
//! What a story may say is in `fixtures/scenarios/README.md`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::cmd::{Place, Ran, fixture};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    title: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The configuration from here on, a file of the story; `none` takes it away.
    config: Option<String>,
    args: Vec<String>,
    exit: i32,
    /// A part of the document; null where none is printed.
    #[serde(default)]
    expect: Value,
    /// Words of the message.
    #[serde(default)]
    stderr: Vec<String>,
    /// The rules behind the exit code and every expectation.
    why: Vec<String>,
}

/// Commands that print a table, JSON and CSV, and change nothing.
const LISTS: [&str; 4] = ["check", "snapshots", "keys", "projects"];
/// Commands that print what they conclude in every format, and change nothing.
const CONCLUSIONS: [&str; 3] = ["audit", "gate", "report"];
/// Formats besides JSON: those of the lists first.
const FORMATS: [&str; 8] = [
    "table",
    "csv",
    "md",
    "sarif",
    "junit",
    "github",
    "prometheus",
    "cbom",
];

#[test]
fn every_story_goes_as_derived_by_hand() {
    let folders = stories();
    let now = now();
    let failed: Vec<String> = std::thread::scope(|scope| {
        let walks: Vec<_> = folders
            .iter()
            .map(|folder| scope.spawn(move || walk(folder, now)))
            .collect();
        walks
            .into_iter()
            .flat_map(|walk| walk.join().unwrap())
            .collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(folders.len() >= 12, "only {} stories", folders.len());
}

fn stories() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(fixture("scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// What went otherwise, one line each.
fn walk(folder: &Path, now: DateTime<Utc>) -> Vec<String> {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let text = std::fs::read_to_string(folder.join("story.json")).unwrap();
    let story: Story = serde_json::from_str(&dated(&text, now))
        .unwrap_or_else(|error| panic!("{name}/story.json: {error}"));
    assert!(!story.title.is_empty() && !story.steps.is_empty(), "{name}");
    let place = Place::new();
    unpack(
        &folder.join("evidence"),
        &place.path().join("evidence"),
        now,
    );
    configure(&place, folder, "snapkey.toml", now);
    let mut failed = Vec::new();
    for (no, step) in story.steps.iter().enumerate() {
        let at = format!("{name}, step {}", no + 1);
        assert!(!step.why.is_empty(), "{at}: says no rule");
        if let Some(config) = &step.config {
            configure(&place, folder, config, now);
        }
        take(&place, step, &at, &mut failed);
    }
    failed
}

fn take(place: &Place, step: &Step, at: &str, failed: &mut Vec<String>) {
    let words: Vec<&str> = step.args.iter().map(String::as_str).collect();
    let in_format = |format| place.run(&[&["--format", format][..], &words].concat());
    let ran = in_format("json");
    let before = failed.len();
    if ran.code != step.exit {
        failed.push(format!("{at}: exit {}, not {}", ran.code, step.exit));
    }
    for word in &step.stderr {
        if !ran.stderr.contains(word) {
            failed.push(format!("{at}: stderr lacks {word:?}"));
        }
    }
    let document = match serde_json::from_str::<Value>(&ran.stdout) {
        Ok(document) => {
            compare(at, &step.expect, &document, failed);
            // `ingest` and `download` have no exit code of their own in the document; a report
            // tells what an audit would exit with.
            if let Some(told) = document.get("exit_code")
                && !words.contains(&"report")
                && *told != json!(ran.code)
            {
                failed.push(format!("{at}: tells exit {told} and exits {}", ran.code));
            }
            document
        }
        Err(_) if step.expect.is_null() => Value::Null,
        Err(error) => {
            failed.push(format!("{at}: {error}"));
            Value::Null
        }
    };
    let is_one_of = |commands: &[&str]| words.iter().any(|word| commands.contains(word));
    let (formats, reasons) = if is_one_of(&CONCLUSIONS) {
        (&FORMATS[..], reasons(&document))
    } else if is_one_of(&LISTS) {
        (&FORMATS[..2], Vec::new())
    } else {
        (&[][..], Vec::new())
    };
    for format in formats {
        let Ran { code, stderr, .. } = in_format(format);
        if code != step.exit {
            failed.push(format!("{at}: exit {code} in {format}: {stderr}"));
        }
        // A table has them in its first lines.
        for reason in reasons.iter().filter(|_| *format != "table") {
            if !stderr.contains(reason) {
                failed.push(format!(
                    "{at}: in {format} stderr lacks {reason:?}: {stderr}"
                ));
            }
        }
    }
    if failed.len() > before {
        failed.push(format!("{words:?}\n{}{}", ran.stdout, ran.stderr));
    }
}

/// What stderr says of a conclusion that a machine gets on standard output: the exit code and the
/// first finding behind it.
fn reasons(document: &Value) -> Vec<String> {
    let Some(code) = document.get("exit_code") else {
        return Vec::new();
    };
    let rows = document["findings"].as_array().unwrap();
    let denied = rows.iter().find(|row| row["level"] == "deny");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let first = denied.map(|row| format!("{}: {}", text(row, "code"), text(row, "subject")));
    [format!("(exit code {code})")]
        .into_iter()
        .chain(first)
        .collect()
}

/// Fields that say which row a row is.
const ID_FIELDS: [&str; 6] = ["kind", "code", "project", "cluster", "id", "subject"];

/// Compares what is wanted with what was printed: of an object the fields given, of a list all
/// rows in any order, of a list wanted as `{"has": [..], "lacks": [..]}` those rows only.
fn compare(at: &str, wanted: &Value, got: &Value, failed: &mut Vec<String>) {
    match (wanted, got) {
        (Value::Null, _) if !at.contains('.') => {}
        (Value::Object(some), Value::Array(rows)) if is_some_rows(some) => {
            for wanted in rows_of(some, "has") {
                row(at, wanted, rows, failed);
            }
            for unwanted in rows_of(some, "lacks") {
                if rows.iter().any(|row| agrees(unwanted, row)) {
                    failed.push(format!("{at}: has {unwanted}"));
                }
            }
        }
        (Value::Object(fields), Value::Object(_)) => {
            for (field, wanted) in fields {
                match got.get(field) {
                    Some(got) => compare(&format!("{at}.{field}"), wanted, got, failed),
                    None => failed.push(format!("{at}.{field}: absent")),
                }
            }
        }
        (Value::Array(wanted), Value::Array(rows)) => {
            let found: BTreeSet<usize> = wanted
                .iter()
                .filter_map(|wanted| row(at, wanted, rows, failed))
                .collect();
            for (_, more) in rows
                .iter()
                .enumerate()
                .filter(|(no, _)| !found.contains(no))
            {
                failed.push(format!("{at}: has besides {more}"));
            }
        }
        _ if wanted == got => {}
        _ => failed.push(format!("{at}: {got}, not {wanted}")),
    }
}

fn is_some_rows(fields: &Map<String, Value>) -> bool {
    !fields.is_empty()
        && fields
            .keys()
            .all(|field| field == "has" || field == "lacks")
}

fn rows_of<'a>(some: &'a Map<String, Value>, which: &str) -> impl Iterator<Item = &'a Value> {
    some.get(which)
        .map(|rows| rows.as_array().unwrap())
        .into_iter()
        .flatten()
}

/// The number of the row that is wanted, or how the row of that name differs.
fn row(at: &str, wanted: &Value, rows: &[Value], failed: &mut Vec<String>) -> Option<usize> {
    if let Some(no) = rows.iter().position(|row| agrees(wanted, row)) {
        return Some(no);
    }
    let named = |row: &&Value| {
        wanted.is_object()
            && ID_FIELDS
                .iter()
                .all(|id| wanted.get(id).is_none_or(|name| row.get(id) == Some(name)))
    };
    match rows.iter().find(named) {
        Some(row) => compare(&format!("{at}.{}", name(wanted)), wanted, row, failed),
        None => failed.push(format!("{at}: lacks {wanted}")),
    }
    None
}

fn name(row: &Value) -> String {
    let names = ID_FIELDS.iter().filter_map(|id| row.get(id)?.as_str());
    names.collect::<Vec<_>>().join(" ")
}

fn agrees(wanted: &Value, got: &Value) -> bool {
    let mut failed = Vec::new();
    compare(".", wanted, got, &mut failed);
    failed.is_empty()
}

fn configure(place: &Place, folder: &Path, name: &str, now: DateTime<Utc>) {
    let from = folder.join(name);
    if from.is_file() {
        let text = std::fs::read_to_string(from).unwrap();
        place.write("snapkey.toml", &dated(&text, now));
    } else {
        assert!(
            name == "none" || name == "snapkey.toml",
            "{} is missing",
            from.display()
        );
        let _absent = std::fs::remove_file(place.path().join("snapkey.toml"));
    }
}

/// Copies the evidence, with its times.
fn unpack(from: &Path, to: &Path, now: DateTime<Utc>) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            unpack(&entry.path(), &target, now);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            std::fs::write(target, dated(&text, now)).unwrap();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a story about the present needs evidence that is a few minutes old"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Puts times in the place of `{now-90s}`, `{now-10m}`, `{now-2h}`, `{now-3d}`.
fn dated(text: &str, now: DateTime<Utc>) -> String {
    let mut parts = text.split("{now-");
    let mut dated = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (ago, rest) = part.split_once('}').unwrap();
        let (number, unit) = ago.split_at(ago.len() - 1);
        let number: i64 = number.parse().unwrap();
        let ago = match unit {
            "s" => TimeDelta::seconds(number),
            "m" => TimeDelta::minutes(number),
            "h" => TimeDelta::hours(number),
            "d" => TimeDelta::days(number),
            other => panic!("{other} is no unit of time"),
        };
        dated.push_str(&(now - ago).to_rfc3339_opts(SecondsFormat::Secs, true));
        dated.push_str(rest);
    }
    dated
}

#[test]
fn what_differs_from_a_story_is_told() {
    let document = json!({"verdict": "held", "until": null, "rows": [
        {"kind": "snapshot", "id": "a", "until": "x"}, {"kind": "hold", "id": "b", "until": null}
    ]});
    let same = [
        json!({}),
        json!({"verdict": "held", "until": null}),
        json!({"rows": [{"id": "b", "until": null}, {"id": "a"}]}),
        json!({"rows": {"has": [{"id": "b"}], "lacks": [{"kind": "download"}]}}),
    ];
    let different = [
        json!({"verdict": "safe"}),
        json!({"until": "x"}),
        json!({"verdict": null}),
        json!({"no such field": null}),
        json!({"rows": []}),
        json!({"rows": [{"id": "a"}]}),
        json!({"rows": [{"id": "a"}, {"id": "a"}]}),
        json!({"rows": [{"id": "a", "until": "y"}, {"id": "b"}]}),
        json!({"rows": {"has": [{"id": "c"}]}}),
        json!({"rows": {"lacks": [{"id": "b"}]}}),
    ];
    for (wanted, agree) in same
        .iter()
        .map(|wanted| (wanted, true))
        .chain(different.iter().map(|wanted| (wanted, false)))
    {
        assert_eq!(agrees(wanted, &document), agree, "{wanted}");
    }
}

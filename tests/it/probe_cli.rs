//! The same answers of AWS KMS through the built binary: `snapkey probe`, its exit code, and what
//! the store keeps. Credentials and endpoints come from AWS's own environment variables.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::conformance_aws::{errors, states};
use crate::emulator::aws::{ACCOUNT, Aws, Fault, Key, Role};
use crate::support::aws::{SECRET, arn};
use crate::support::cmd::{Place, Ran, ran};

/// A place with an empty store, and the binary in it, pointed at the emulator.
fn place() -> Place {
    let place = Place::new();
    let known = json!({"key": arn(0), "condition": "enabled", "at": "2020-01-01T00:00:00Z"});
    let file = place.write("keys.ndjson", &format!("{known}\n"));
    let ingested = place.run(&["ingest", file.to_str().unwrap()]);
    assert_eq!(ingested.code, 0, "{}", ingested.stderr);
    place
}

fn command(place: &Place, kms: &Aws, words: &[&str]) -> std::process::Command {
    let mut command = place.command();
    command
        .args(words)
        .env("AWS_ACCESS_KEY_ID", "AKIDTEST")
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_ENDPOINT_URL_KMS", kms.url())
        .env("AWS_ENDPOINT_URL_STS", format!("{}/sts", kms.url()));
    command
}

fn probe(place: &Place, kms: &Aws, arns: &[String]) -> (Ran, BTreeMap<String, Value>) {
    let mut words = vec!["--format", "json", "probe"];
    words.extend(arns.iter().map(String::as_str));
    let ran = ran(command(place, kms, &words).output().unwrap());
    let document: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    assert_eq!(document["exit_code"], ran.code);
    (ran, by_id(&document["observations"]))
}

fn by_id(rows: &Value) -> BTreeMap<String, Value> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row.clone()))
        .collect()
}

/// `word`, `word DATE`, or `unknown REASON`, of a row of JSON.
fn short(row: &Value) -> String {
    let text = |name: &str| row[name].as_str();
    let condition = text("condition").unwrap_or("none");
    match (condition, text("reason"), text("deadline")) {
        ("unknown", Some(reason), None) => format!("unknown {reason}"),
        (_, _, Some(date)) => format!("{condition} {date}"),
        (_, _, None) => condition.to_owned(),
    }
}

/// Puts one key for each row and probes them all in one run; the store then says the same.
fn conforms(rows: Vec<(&str, Key, String)>) {
    let kms = Aws::start();
    let mut expected = BTreeMap::new();
    for (number, (row, mut key, condition)) in (1..).zip(rows) {
        // Rows that name an ARN name that of key 1.
        if let Some(other) = key.metadata["Arn"].as_str() {
            key.metadata["Arn"] = json!(other.replace(&tail(1), &tail(number)));
        }
        kms.put(&arn(number), key);
        expected.insert(arn(number), (row, condition));
    }
    let arns: Vec<String> = expected.keys().cloned().collect();
    let place = place();
    let (ran, told) = probe(&place, &kms, &arns);
    assert_eq!(ran.code, 3, "some are unknown");
    assert_eq!(told.len(), expected.len());
    let (code, document) = place.json(&["--offline", "keys"]);
    assert_eq!(code, 0);
    let kept = by_id(&document["keys"]);
    for (arn, (row, condition)) in &expected {
        assert_eq!(short(&told[arn]), *condition, "{row}: {}", told[arn]);
        assert_eq!(short(&kept[arn]), *condition, "{row}: {}", kept[arn]);
        assert_eq!(told[arn]["endpoint"], kms.url(), "{row}");
    }
}

fn tail(number: u32) -> String {
    arn(number).rsplit('/').next().unwrap().to_owned()
}

#[test]
fn every_state_is_told_and_kept() {
    let rows = states().into_iter();
    conforms(
        rows.map(|(row, metadata, condition)| (row, Key::new(metadata), condition.to_owned()))
            .collect(),
    );
}

#[test]
fn every_error_is_told_and_kept() {
    let rows = errors().into_iter();
    conforms(
        rows.map(|(row, fault, reason)| (row, Key::failing(fault), format!("unknown {reason}")))
            .collect(),
    );
}

#[test]
fn a_probe_passes_when_every_key_gave_a_definite_answer() {
    let kms = Aws::start();
    kms.put(&arn(1), Key::in_state("Enabled"));
    kms.put(&arn(2), Key::in_state("Disabled"));
    kms.put(&arn(3), Key::in_state("Creating"));
    let place = place();
    let (ran, told) = probe(&place, &kms, &[arn(1), arn(2)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(
        told[&arn(1)]["identity"],
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/auditor")
    );
    assert_eq!(probe(&place, &kms, &[arn(1), arn(3)]).0.code, 3);
    assert_eq!(probe(&place, &kms, &[arn(1), arn(4)]).0.code, 3);
}

#[test]
fn a_key_of_the_configuration_is_asked_about_in_its_role() {
    const ROLE: &str = "arn:aws:iam::444455556666:role/snapkey-audit";
    let kms = Aws::start();
    kms.put(&arn(1), Key::in_state("Enabled"));
    kms.put(&arn(2), Key::in_state("Enabled"));
    kms.put_role(
        ROLE,
        Role {
            external_id: Some("backup:42".to_owned()),
            fault: None,
        },
    );
    let place = place();
    let config = |external_id: &str| {
        format!(
            "[[key]]\nid = '{0}'\nis = '{0}'\nrole_arn = '{ROLE}'\n\
             external_id = '{external_id}'\nstated = 2026-10-01\nreason = 'r'\n",
            arn(1)
        )
    };
    place.write("snapkey.toml", &config("backup:42"));
    let (ran, told) = probe(&place, &kms, &[arn(1), arn(2)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let identity = |number| told[&arn(number)]["identity"].as_str().unwrap();
    assert_eq!(
        identity(1),
        "arn:aws:sts::444455556666:assumed-role/snapkey-audit"
    );
    assert_eq!(
        identity(2),
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/auditor")
    );

    place.write("snapkey.toml", &config("wrong:one"));
    let (ran, told) = probe(&place, &kms, &[arn(1)]);
    assert_eq!(ran.code, 3);
    assert_eq!(short(&told[&arn(1)]), "unknown credentials");
    assert!(ran.stderr.contains(ROLE), "{}", ran.stderr);
    assert!(!ran.stderr.contains("wrong:one"), "{}", ran.stderr);

    let explained = place.run(&["probe", "--explain", &arn(1)]);
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    assert!(
        explained.stdout.contains("sts:AssumeRole") && explained.stdout.contains(ROLE),
        "{}",
        explained.stdout
    );
}

const LAST_USE: &str = "TrentService.GetKeyLastUsage";

/// A key with this record of its use.
fn used(last_use: Value) -> Key {
    let mut key = Key::in_state("Enabled");
    key.last_use = Some(last_use);
    key
}

#[test]
fn the_last_use_of_a_few_keys_is_shown_and_changes_no_verdict() {
    let kms = Aws::start();
    let place = place();
    let ask = |last_use: Option<Value>| {
        let key = match last_use {
            Some(told) => used(told),
            None => Key::in_state("Enabled"),
        };
        kms.put(&arn(1), key);
        let words = ["--format", "json", "probe", &arn(1)];
        let ran = ran(command(&place, &kms, &words).output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let (code, mut verdict) = place.json(&["--offline", "check", &arn(1)]);
        // The time of asking is all that may differ.
        for path in ["/as_of", "/key/observed_at"] {
            *verdict.pointer_mut(path).unwrap() = Value::Null;
        }
        (document["last_uses"].clone(), (code, verdict))
    };
    let (told, without) = ask(None);
    assert_eq!(told, json!([]), "tolerated");
    let told_by = |last_use: Value, at: Value, operation: Value| {
        let (told, with) = ask(Some(last_use));
        assert_eq!(
            told,
            json!([{
                "provider": "aws", "id": arn(1), "at": at, "operation": operation,
                "recorded_since": "2025-01-01T00:00:00Z",
            }])
        );
        assert_eq!(with, without, "no verdict depends on it");
    };
    let since = json!(1_735_689_600.0);
    told_by(
        json!({
            "KeyLastUsage": {"Operation": "Decrypt", "Timestamp": 1_790_000_000.9},
            "TrackingStartDate": since,
        }),
        json!("2026-09-21T14:13:20Z"),
        json!("Decrypt"),
    );
    // No use on record is no proof that there was none.
    told_by(
        json!({"KeyLastUsage": {}, "TrackingStartDate": since}),
        Value::Null,
        Value::Null,
    );
    // An answer about another key is none about this one.
    let (told, with) = ask(Some(json!({"KeyId": arn(2), "KeyLastUsage": {}})));
    assert_eq!((told, with), (json!([]), without));

    let table = ran(command(&place, &kms, &["probe", &arn(1)]).output().unwrap());
    assert!(!table.stdout.contains("Last used"), "{}", table.stdout);
    kms.put(
        &arn(1),
        used(json!({"KeyLastUsage": {}, "TrackingStartDate": since})),
    );
    let table = ran(command(&place, &kms, &["probe", &arn(1)]).output().unwrap());
    let line = format!("{}: no use on record", arn(1));
    assert!(table.stdout.contains(&line), "{}", table.stdout);
}

#[test]
fn the_last_use_is_asked_for_where_a_few_keys_are_named_and_nowhere_else() {
    let kms = Aws::start();
    let place = place();
    let arns: Vec<String> = (1..=11).map(arn).collect();
    for arn in &arns {
        kms.put(arn, used(json!({"KeyLastUsage": {}})));
    }
    assert_eq!(probe(&place, &kms, &arns).0.code, 0);
    assert_eq!(kms.count(LAST_USE), 0, "more than its quota is for");
    assert_eq!(probe(&place, &kms, &arns[..2]).0.code, 0);
    assert_eq!(kms.count(LAST_USE), 2);
    let checked = command(&place, &kms, &["check", &arns[0]])
        .output()
        .unwrap();
    assert!(!checked.stdout.is_empty());
    assert_eq!(kms.count(LAST_USE), 2, "a verdict has no use for it");
}

#[test]
fn causes_are_told_in_the_document_too() {
    let kms = Aws::start();
    let denied = Fault::exception("AccessDeniedException", "not for you");
    for number in 1..=3 {
        kms.put(&arn(number), Key::failing(denied.clone()));
    }
    kms.put(&arn(4), Key::in_state("Creating"));
    kms.put(&arn(5), Key::in_state("Enabled"));
    let place = place();
    let arns: Vec<String> = (1..=5).map(arn).collect();
    let mut words = vec!["--format", "json", "probe"];
    words.extend(arns.iter().map(String::as_str));
    let ran = ran(command(&place, &kms, &words).output().unwrap());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let causes = document["causes"].as_array().unwrap();
    let short: Vec<Value> = causes
        .iter()
        .map(|cause| {
            json!([
                cause["provider"],
                cause["reason"],
                cause["keys"],
                cause["example"]
            ])
        })
        .collect();
    assert_eq!(
        short,
        [
            json!(["aws", "access-denied", 3, "not for you"]),
            json!(["aws", "transient", 1, null]),
        ]
    );
    for cause in causes {
        let fix = cause["fix"].as_str().unwrap();
        assert!(ran.stderr.contains(fix), "{fix}: {}", ran.stderr);
    }
}

#[test]
fn without_credentials_every_key_is_unknown_and_nothing_is_asked() {
    let kms = Aws::start();
    let place = place();
    let mut command = command(&place, &kms, &["--format", "json", "probe", &arn(1)]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = ran(command.output().unwrap());
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(short(&document["observations"][0]), "unknown credentials");
    assert_eq!(ran.code, 3);
    assert!(kms.log().is_empty());
}

#[test]
fn no_output_repeats_a_secret() {
    let kms = Aws::start();
    let leaks = format!("canonical string 'x-amz-security-token:{SECRET}'");
    kms.fail_identity(Fault::exception("SignatureDoesNotMatch", &leaks));
    let faults = [
        "AccessDeniedException",
        "InvalidSignatureException",
        "OddException",
    ];
    for (number, code) in (1..).zip(faults) {
        kms.put(&arn(number), Key::failing(Fault::exception(code, &leaks)));
    }
    let place = place();
    let words = [
        "-vvvv",
        "--format",
        "json",
        "probe",
        &arn(1),
        &arn(2),
        &arn(3),
    ];
    let ran = ran(command(&place, &kms, &words).output().unwrap());
    assert_eq!(ran.code, 3);
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(SECRET), "{text}");
        assert!(!text.contains("Signature="), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_probe_keeps_what_it_learned() {
    let kms = Aws::start();
    kms.put(&arn(1), Key::in_state("Disabled"));
    kms.put(&arn(2), Key::failing(Fault::Silence));
    let place = place();
    let words = ["--format", "json", "probe", &arn(1), &arn(2)];
    let child = command(&place, &kms, &words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while kms.count("TrentService.DescribeKey") < 2 || kms.count("GetCallerIdentity") < 1 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    let interrupt = format!("kill -INT {}", child.id());
    let sent = std::process::Command::new("sh")
        .args(["-c", &interrupt])
        .status();
    assert!(sent.unwrap().success());
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let told = by_id(&document["observations"]);
    assert_eq!(told.len(), 1, "nothing is invented");
    assert_eq!(short(&told[&arn(1)]), "disabled");
    assert_eq!(document["not_asked"], json!([arn(2)]));
    let kept = by_id(&place.json(&["--offline", "keys"]).1["keys"]);
    assert_eq!(short(&kept[&arn(1)]), "disabled");
}

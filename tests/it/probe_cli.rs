//! The same answers of AWS KMS through the built binary: `snapkey probe`, its exit code, and what
//! the store keeps. Credentials and endpoints come from AWS's own environment variables.

use std::collections::BTreeMap;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::conformance_aws::{errors, states};
use crate::emulator::aws::{ACCOUNT, Aws, Fault, Key};
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

//! Microsoft's own client of Key Vault as a judge of the emulator here: what the emulator says of
//! versions, deleted keys and refusals is what that client understands. No independent server of
//! Key Vault is to be had from a registry. Run `.ci/real-tools` first; a missing tool is a failure.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::conformance_azure::{errors, states};
use crate::emulator::azure::{Azure, Fault, Key, TOKEN, Version};
use crate::real_aws::tools;
use crate::support::azure::{name, version};

/// What Microsoft's client makes of each key: a list of lines.
fn understood(azure: &Azure, names: &[&String]) -> BTreeMap<String, Vec<String>> {
    let home = tempfile::tempdir().unwrap();
    let authority = home.path().join("ca.pem");
    std::fs::write(&authority, azure.ca_pem()).unwrap();
    let python = tools().join("bin/python");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support");
    let mut child = Command::new(&python)
        .arg(folder.join("azure_microsoft.py"))
        .arg(azure.proxy_url())
        .arg(&authority)
        .arg(TOKEN)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run `.ci/real-tools`", python.display()));
    let mut stdin = child.stdin.take().unwrap();
    let names = serde_json::to_vec(names).unwrap();
    stdin.write_all(&names).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaints}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the client must make of a version.
fn line_of(version: &Version) -> String {
    let said = |field: &str| {
        let value = version.attributes.get(field);
        value.filter(|value| !value.is_null()).map(Value::to_string)
    };
    let of = |field: &str| said(field).unwrap_or_else(|| "-".to_owned());
    let enabled = said("enabled").unwrap_or_else(|| "true".to_owned());
    let operations = match version.jwk["key_ops"].as_array() {
        Some(named) => {
            let named: Vec<&str> = named.iter().filter_map(Value::as_str).collect();
            named.join(",")
        }
        None => "encrypt,decrypt,sign,verify,wrapKey,unwrapKey".to_owned(),
    };
    format!(
        "{} {enabled} {} {} {operations}",
        version.id,
        of("nbf"),
        of("exp")
    )
}

#[test]
fn microsofts_own_client_understands_the_emulator() {
    let azure = Azure::start();
    let mut expected: BTreeMap<String, (&str, Vec<String>)> = BTreeMap::new();
    let mut numbers = 1..;
    for (row, key, told) in states() {
        // Answers that nobody should understand.
        if told.ends_with("malformed") {
            continue;
        }
        let name = name(numbers.next().unwrap());
        let lines = match &key.deleted {
            None => key.versions.iter().map(line_of).collect(),
            Some(over) => {
                let purge = match over.get("scheduledPurgeDate") {
                    Some(Value::Null) => "-".to_owned(),
                    Some(date) => date.to_string(),
                    None => "1801202400".to_owned(),
                };
                let own = name.rsplit('/').next().unwrap();
                vec![
                    "404 KeyNotFound -".to_owned(),
                    format!("deleted {own} {purge}"),
                ]
            }
        };
        expected.insert(name.clone(), (row, lines));
        azure.put(&name, key);
    }
    for (row, fault, _) in errors() {
        let Fault::Error {
            status,
            code,
            inner,
            ..
        } = &fault
        else {
            continue;
        };
        let line = format!("{status} {code} {}", inner.unwrap_or("-"));
        let name = name(numbers.next().unwrap());
        expected.insert(name.clone(), (row, vec![line.clone(), line]));
        azure.put(&name, Key::failing(&version(1), &fault));
    }
    // More versions than fit on a page, in the order of the list.
    let many: Vec<Version> = (1..=60)
        .map(|number| {
            Version::new(
                &version(number),
                json!({"enabled": number % 2 == 0}),
                json!({}),
            )
        })
        .collect();
    let paged = name(numbers.next().unwrap());
    let lines = many.iter().map(line_of).collect();
    expected.insert(paged.clone(), ("pages", lines));
    azure.put(&paged, Key::of(many));
    let missing = name(numbers.next().unwrap());
    let lines = vec!["404 KeyNotFound -".to_owned(); 2];
    expected.insert(missing, ("missing", lines));

    let names: Vec<&String> = expected.keys().collect();
    let understood = understood(&azure, &names);
    for (name, (row, lines)) in &expected {
        assert_eq!(understood.get(name), Some(lines), "{row}");
    }
    assert!(expected.len() > 30, "{}", expected.len());
    for request in azure.log() {
        assert_eq!(request.method, "GET", "{request:?}");
    }
}

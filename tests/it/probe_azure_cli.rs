//! Key Vault through the built binary: the credentials of the environment, the proxy and the
//! private authority that people have, recorded answers, what is told on stderr, `--explain`.

use serde_json::{Value, json};

use crate::emulator::azure::{Azure, CLIENT_SECRET, Fault, Key, OBJECT, TENANT, Version};
use crate::support::azure::{kid, name, version};
use crate::support::cmd::{Place, Ran, ran};

/// A place with an empty store and a configuration that trusts the emulator.
fn place(azure: &Azure) -> Place {
    let place = Place::new();
    let known = json!({"key": kid(0), "condition": "enabled", "at": "2020-01-01T00:00:00Z"});
    let file = place.write("keys.ndjson", &format!("{known}\n"));
    let ingested = place.run(&["ingest", file.to_str().unwrap()]);
    assert_eq!(ingested.code, 0, "{}", ingested.stderr);
    place.write("ca.pem", azure.ca_pem());
    place.write("snapkey.toml", "ca_file = \"ca.pem\"\n");
    place
}

/// The binary as an application of the tenant, with the emulator as its proxy.
fn command(place: &Place, azure: &Azure, words: &[&str]) -> std::process::Command {
    let mut command = place.command();
    command
        .args(words)
        .env("AZURE_TENANT_ID", TENANT)
        .env("AZURE_CLIENT_ID", "99999999-0000-4000-8000-000000000000")
        .env("AZURE_CLIENT_SECRET", CLIENT_SECRET)
        .env("HTTPS_PROXY", azure.proxy_url());
    command
}

fn probe(place: &Place, azure: &Azure, keys: &[String]) -> (Ran, Value) {
    let mut words = vec!["-vvvv", "--format", "json", "probe"];
    words.extend(keys.iter().map(String::as_str));
    let ran = ran(command(place, azure, &words).output().unwrap());
    let document = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ran.stdout, ran.stderr));
    (ran, document)
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

#[test]
fn an_application_with_a_secret_gets_its_answers_through_a_proxy_and_a_private_authority() {
    let azure = Azure::start();
    azure.put(&name(1), Key::enabled(&version(1)));
    azure.put(
        &name(2),
        Key {
            deleted: Some(json!({})),
            ..Key::enabled(&version(1))
        },
    );
    let place = place(&azure);
    let (ran, document) = probe(&place, &azure, &[kid(1), kid(2)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = document["observations"].as_array().unwrap();
    let told: Vec<String> = rows.iter().map(short).collect();
    assert_eq!(told, ["enabled", "soft-deleted 2027-01-29T06:00:00Z"]);
    for row in rows {
        assert_eq!(row["identity"], format!("{TENANT}/{OBJECT}"));
        assert_eq!(row["endpoint"], "https://payments.vault.azure.net");
    }
    for text in [&ran.stdout, &ran.stderr] {
        assert!(
            !text.contains(CLIENT_SECRET) && !text.contains("eyJ"),
            "{text}"
        );
    }
    let tokens = azure
        .log()
        .into_iter()
        .filter(|r| r.host.starts_with("login."));
    assert_eq!(tokens.count(), 1, "one token for all keys");
    let stored = place.json(&["--offline", "keys"]).1;
    let kept = stored["keys"].as_array().unwrap().iter();
    let kept: Vec<String> = kept.filter(|row| row["id"] != kid(0)).map(short).collect();
    assert_eq!(kept, told);
    // A key without a version, of which no reading ever named one.
    azure.put(&name(3), Key::enabled(&version(1)));
    let (_, document) = probe(&place, &azure, &[name(3)]);
    assert_eq!(short(&document["observations"][0]), "enabled");
}

#[test]
fn without_a_token_nothing_is_asked_and_the_reason_repeats_no_secret() {
    let azure = Azure::start();
    azure.put(&name(1), Key::enabled(&version(1)));
    let place = place(&azure);
    let words = ["--format", "json", "probe", &kid(1), &kid(2)];
    let mut wrong = command(&place, &azure, &words);
    wrong.env(
        "AZURE_CLIENT_SECRET",
        "Wrong8~secret-that-nobody.may_see-in-a-log",
    );
    let mut none = command(&place, &azure, &words);
    none.env_remove("AZURE_CLIENT_SECRET")
        // No metadata service is looked for outside of this machine.
        .env("IDENTITY_ENDPOINT", "http://127.0.0.1:9/token")
        .env("IDENTITY_HEADER", "hunter2");
    for (mut command, expected) in [
        (wrong, "refused with AADSTS7000215"),
        (none, "managed identity: "),
    ] {
        let ran = ran(command.output().unwrap());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        for row in document["observations"].as_array().unwrap() {
            assert_eq!(short(row), "unknown credentials");
        }
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(ran.stderr.contains("az login"), "{}", ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(
                !text.contains("nobody") && !text.contains("hunter2"),
                "{text}"
            );
        }
    }
    assert!(
        azure
            .log()
            .iter()
            .all(|request| request.host.starts_with("login."))
    );
}

#[test]
fn what_could_not_be_told_is_said_once_for_each_cause_with_the_fix() {
    let azure = Azure::start();
    let denied = Fault::error(403, "Forbidden", Some("ForbiddenByRbac"));
    for number in 1..=5 {
        azure.put(&name(number), Key::failing(&version(1), &denied));
    }
    azure.put(&name(6), Key::enabled(&version(1)));
    let place = place(&azure);
    let keys: Vec<String> = (1..=6).map(kid).collect();
    let (ran, _) = probe(&place, &azure, &keys);
    assert_eq!(ran.code, 3);
    let lines: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains("could not be told"))
        .collect();
    let [line] = lines.as_slice() else {
        panic!("{}", ran.stderr);
    };
    assert!(line.contains("azure access-denied: 5 keys"), "{line}");
    assert!(line.contains("Key Vault Reader"), "{line}");
}

#[test]
fn an_authority_that_cannot_be_used_is_an_error_of_the_configuration() {
    let azure = Azure::start();
    let place = place(&azure);
    for (file, text) in [
        ("ca.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n"),
        ("snapkey.toml", "ca_file = \"gone.pem\"\n"),
    ] {
        place.write(file, text);
        let ran = ran(command(&place, &azure, &["probe", &kid(1)])
            .output()
            .unwrap());
        assert_eq!(ran.code, 2, "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains("ca_file"), "{}", ran.stderr);
    }
    assert!(azure.log().is_empty());
}

/// As the Azure CLI prints them: times as text, `keyOps`, `notBefore`, `expires`.
#[test]
fn recorded_answers_of_the_azure_cli_are_evidence() {
    let place = Place::new();
    let attributes = |enabled: bool, expires: Value| {
        json!({"created": "2025-01-01T00:00:00+00:00", "enabled": enabled, "expires": expires,
            "exportable": false, "notBefore": null, "recoveryLevel": "Recoverable"})
    };
    let shown = json!({
        "attributes": attributes(true, Value::Null), "managed": null, "releasePolicy": null,
        "key": {"kid": kid(1), "kty": "RSA", "keyOps": ["unwrapKey", "decrypt", "wrapKey", "encrypt"]},
        "tags": {},
    });
    let second = format!("{}/{}", name(2), version(2));
    let versions = json!([
        {"attributes": attributes(false, Value::Null), "kid": kid(2), "managed": null, "name": "k2"},
        {"attributes": attributes(true, json!("2026-01-01T00:00:00+00:00")), "kid": second, "name": "k2"},
    ]);
    let deleted = json!({
        "attributes": attributes(true, Value::Null), "deletedDate": "2026-10-30T06:00:00+00:00",
        "key": {"kid": kid(3), "kty": "RSA", "keyOps": ["unwrapKey"]},
        "recoveryId": "https://payments.vault.azure.net/deletedkeys/k3",
        "scheduledPurgeDate": "2027-01-28T06:00:00+00:00",
    });
    for (file, document) in [
        ("show.json", shown),
        ("versions.json", versions),
        ("deleted.json", deleted),
    ] {
        let path = place.write(&format!("answers/{file}"), &document.to_string());
        let ran = place.run(&[
            "ingest",
            path.to_str().unwrap(),
            "--observed-at",
            "2026-11-01T06:00:00Z",
        ]);
        assert_eq!(ran.code, 0, "{file}: {}", ran.stderr);
    }
    let (_, document) = place.json(&["--as-of", "2026-11-01T06:05:00Z", "keys"]);
    let told: Vec<(String, String)> = document["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), short(row)))
        .collect();
    let expected = [
        (kid(1), "enabled"),
        (kid(2), "disabled"),
        (second, "unwrap-only"),
        (kid(3), "soft-deleted 2027-01-28T06:00:00Z"),
    ];
    assert_eq!(told, expected.map(|(id, word)| (id, word.to_owned())));
}

#[test]
fn a_probe_is_explained_without_a_store_and_without_asking() {
    let place = Place::new();
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let ran = place.run(&["--offline", "probe", "--explain", &kid(1), arn]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for shown in [
        "https://payments.vault.azure.net",
        "GET /keys/k1/versions",
        "Key Vault Reader",
        "https://kms.eu-west-1.amazonaws.com",
        "kms:DescribeKey",
    ] {
        assert!(ran.stdout.contains(shown), "{shown}: {}", ran.stdout);
    }
    let (code, document) = place.json(&["probe", "--explain", &name(1)]);
    assert_eq!(
        (code, &document["schema"]),
        (0, &json!("snapkey.probe-explain/1"))
    );
    assert_eq!(document["keys"][0]["calls"].as_array().unwrap().len(), 3);
    for words in [
        &["probe", "--explain"][..],
        &["probe", "--explain", "alias/x"],
    ] {
        assert_eq!(place.run(words).code, 2, "{words:?}");
    }
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        0,
        "no store is made"
    );
}

/// A vault of disabled versions is asked about once; the run's limit of time is in the file.
#[test]
fn a_run_that_is_out_of_time_keeps_what_it_learned() {
    let azure = Azure::start();
    azure.put(
        &name(1),
        Key::of(vec![Version::new(
            &version(1),
            json!({"enabled": false}),
            json!({}),
        )]),
    );
    azure.put(&name(2), Key::failing(&version(1), &Fault::Silence));
    let place = place(&azure);
    place.write(
        "snapkey.toml",
        "ca_file = \"ca.pem\"\n[probe]\ndeadline = \"5s\"\n",
    );
    let (ran, document) = probe(&place, &azure, &[kid(1), kid(2)]);
    assert_eq!(ran.code, 3);
    assert_eq!(short(&document["observations"][0]), "disabled");
    assert_eq!(document["not_asked"], json!([kid(2)]));
}

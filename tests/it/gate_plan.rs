//! `gate --terraform-plan` through the built binary: what a plan would do to keys, weighed against
//! what needs them. The AWS keys are those of `fixtures/check`; those of Azure and Google are in an
//! inventory of snapkey's own form, vouched for as complete.

use serde_json::{Value, json};

use crate::support::cmd::{Place, Ran};
use crate::support::evidence::{CHECK_AS_OF as AS_OF, HELD, SAFE, UNKNOWN, base};

const CURRENT: &str = "arn:aws:kms:us-east-1:111122223333:key/1d6b3e50-94c7-4f2a-b8d1-3e7f05a2c916";
const VAULT_HELD: &str =
    "https://held.vault.azure.net/keys/backup/00000000000000000000000000000a01";
const VAULT_SAFE: &str =
    "https://spare.vault.azure.net/keys/backup/00000000000000000000000000000b01";
const RING: &str = "projects/backups/locations/europe-west1/keyRings/main/cryptoKeys";

fn resource(kind: &str, name: &str, actions: &[&str], before: Value, after: Value) -> Value {
    json!({
        "address": format!("module.backup.{kind}.{name}"), "mode": "managed", "type": kind,
        "name": name, "change": {
            "actions": actions, "before": before, "after": after, "after_unknown": {},
        },
    })
}

fn delete(kind: &str, name: &str, before: Value) -> Value {
    resource(kind, name, &["delete"], before, Value::Null)
}

fn aws(name: &str, arn: &str) -> Value {
    delete("aws_kms_key", name, json!({"arn": arn, "is_enabled": true}))
}

fn plan(resources: &[Value]) -> Value {
    json!({
        "format_version": "1.2", "terraform_version": "1.9.8", "resource_changes": resources,
        "complete": true, "errored": false, "applyable": true,
    })
}

fn gate(place: &Place, plan: &Value, format: &str) -> Ran {
    place.write("plan.json", &plan.to_string());
    place.run(&[
        "--offline",
        "--as-of",
        AS_OF,
        "--format",
        format,
        "gate",
        "--terraform-plan",
        "plan.json",
    ])
}

/// Fixtures of three providers in one store: the own inventory is fresh, complete and beside Atlas.
fn three_providers(more: &[&str]) -> Place {
    let place = Place::new();
    let snapshot = |id: &str, key: &str| {
        json!({
            "kind": "snapshot", "system": "vaultline", "project": "payroll", "cluster": "pg-1",
            "id": id, "status": "completed", "created_at": "2026-10-30T01:00:00Z",
            "expires_at": "2026-11-10T01:00:00Z", "keys": [key],
        })
        .to_string()
    };
    let google_held = format!("{RING}/held/cryptoKeyVersions/1");
    let mut lines = vec![snapshot("b-1", VAULT_HELD), snapshot("b-2", &google_held)];
    lines.extend(more.iter().map(|key| snapshot(key, key)));
    let lines = lines.join("\n");
    let inventory = place.write("inventory.ndjson", &lines);
    let words = [
        "ingest",
        "--complete",
        "--observed-at",
        "2026-11-01T02:30:00Z",
    ];
    let ran = place.run(&[&words[..], &[inventory.to_str().unwrap()]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let answers: Vec<String> = [
        VAULT_HELD.to_owned(),
        VAULT_SAFE.to_owned(),
        google_held,
        format!("{RING}/held/cryptoKeyVersions/2"),
        format!("{RING}/spare/cryptoKeyVersions/1"),
    ]
    .iter()
    .map(|key| {
        json!({"key": key, "condition": "enabled", "at": "2026-11-01T02:40:00Z"}).to_string()
    })
    .collect();
    let answers = place.write("keys.ndjson", &answers.join("\n"));
    let ran = place.run(&["ingest", answers.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    place
}

#[test]
fn a_plan_fails_passes_or_is_undecided_by_the_keys_that_it_takes_away() {
    let place = base();
    let rest = |key: &str| {
        json!({
            "aws_kms_config": [{"enabled": true, "customer_master_key_id": key, "region": "US_EAST_1"}],
            "azure_key_vault_config": [], "google_cloud_kms_config": [],
        })
    };
    let rotation = |to: Value| {
        let mut after = rest(CURRENT);
        after["aws_kms_config"][0]["customer_master_key_id"] = to;
        resource(
            "mongodbatlas_encryption_at_rest",
            "atlas",
            &["update"],
            rest(CURRENT),
            after,
        )
    };
    let mut after_apply = rotation(Value::Null);
    after_apply["change"]["after_unknown"] =
        json!({"aws_kms_config": [{"customer_master_key_id": true}]});
    let never_seen = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000";
    let disabled = resource(
        "aws_kms_key",
        "off",
        &["update"],
        json!({"arn": HELD, "is_enabled": true}),
        json!({"arn": HELD, "is_enabled": false}),
    );
    let table: Vec<(&str, Vec<Value>, i32, Vec<&str>)> = vec![
        ("nothing", vec![], 0, vec![]),
        (
            "another resource",
            vec![delete(
                "aws_s3_bucket",
                "logs",
                json!({"arn": "arn:aws:s3:::logs"}),
            )],
            0,
            vec![],
        ),
        (
            "a key that is needed",
            vec![aws("a", HELD)],
            1,
            vec!["key-still-needed"],
        ),
        ("a key that is not", vec![aws("a", SAFE)], 0, vec![]),
        (
            "a key of which that cannot be told",
            vec![aws("a", UNKNOWN)],
            3,
            vec!["key-undecided"],
        ),
        (
            "a key that nobody ever saw",
            vec![aws("a", never_seen)],
            3,
            vec!["key-undecided"],
        ),
        (
            "one of each",
            vec![aws("a", SAFE), aws("b", UNKNOWN), aws("c", HELD)],
            1,
            vec!["key-still-needed", "key-undecided"],
        ),
        (
            "replaced, the new one first",
            vec![resource(
                "aws_kms_key",
                "a",
                &["create", "delete"],
                json!({"arn": HELD}),
                json!({}),
            )],
            1,
            vec!["key-still-needed"],
        ),
        (
            "forgotten",
            vec![resource(
                "aws_kms_key",
                "a",
                &["forget"],
                json!({"arn": HELD}),
                Value::Null,
            )],
            1,
            vec!["key-still-needed"],
        ),
        ("disabled", vec![disabled], 1, vec!["key-still-needed"]),
        (
            "without its ARN",
            vec![delete("aws_kms_key", "a", json!({"is_enabled": true}))],
            3,
            vec!["key-undecided"],
        ),
        (
            "rotated to a key in use",
            vec![rotation(json!(HELD))],
            0,
            vec![],
        ),
        (
            "rotated to a key that nobody saw",
            vec![rotation(json!(never_seen))],
            3,
            vec!["key-undecided"],
        ),
        (
            "rotated to a key that is yet to be made",
            vec![after_apply],
            3,
            vec!["key-undecided"],
        ),
        (
            "detached",
            vec![delete(
                "mongodbatlas_encryption_at_rest",
                "atlas",
                rest(CURRENT),
            )],
            1,
            vec!["key-still-needed"],
        ),
        (
            "an alias where a key should be",
            vec![aws("a", "arn:aws:kms:us-east-1:111122223333:alias/backups")],
            3,
            vec!["key-undecided"],
        ),
    ];
    for (name, resources, code, codes) in table {
        let ran = gate(&place, &plan(&resources), "json");
        assert_eq!(ran.code, code, "{name}: {}{}", ran.stdout, ran.stderr);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap();
        let found: Vec<&str> = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| finding["code"].as_str().unwrap())
            .collect();
        assert_eq!(found, codes, "{name}");
        for answer in document["answers"].as_array().unwrap() {
            let address = answer["address"].as_str().unwrap();
            assert!(address.starts_with("module.backup."), "{name}: {address}");
        }
        for format in [
            "table",
            "csv",
            "md",
            "sarif",
            "junit",
            "github",
            "prometheus",
            "cbom",
        ] {
            assert_eq!(
                gate(&place, &plan(&resources), format).code,
                code,
                "{name} in {format}"
            );
        }
    }
}

fn vault(name: &str) -> Value {
    let uri = format!("https://{name}.vault.azure.net/");
    delete("azurerm_key_vault", name, json!({"vault_uri": uri}))
}

#[test]
fn what_is_taken_away_whole_takes_every_key_in_it() {
    let place = three_providers(&[]);
    let google = |name: &str| {
        delete(
            "google_kms_crypto_key",
            name,
            json!({"id": format!("{RING}/{name}")}),
        )
    };
    let version = |name: &str, no: u8| {
        let id = format!("{RING}/{name}/cryptoKeyVersions/{no}");
        delete(
            "google_kms_crypto_key_version",
            name,
            json!({"id": id, "name": id}),
        )
    };
    let azure = |id: &str| delete("azurerm_key_vault_key", "key", json!({"id": id}));
    for (name, change, code) in [
        ("a vault with a key that is needed", vault("held"), 1),
        ("a vault whose only key is not", vault("spare"), 0),
        ("a vault of which no key is known", vault("other"), 3),
        ("a key with a version that is needed", google("held"), 1),
        ("a key whose only version is not", google("spare"), 0),
        ("a key of which no version is known", google("other"), 3),
        ("the version that is needed", version("held", 1), 1),
        ("another version of that key", version("held", 2), 0),
        // Key Vault destroys all versions of a key together.
        (
            "another version of a Key Vault key",
            azure("https://held.vault.azure.net/keys/backup/00000000000000000000000000000a02"),
            1,
        ),
        ("a Key Vault key that is not needed", azure(VAULT_SAFE), 0),
    ] {
        let ran = gate(&place, &plan(&[change]), "json");
        assert_eq!(ran.code, code, "{name}: {}{}", ran.stdout, ran.stderr);
    }
}

/// A key that is named without its version is one of those in it, too.
#[test]
fn a_vault_is_not_empty_because_its_other_key_is_not_needed() {
    let place = three_providers(&["https://spare.vault.azure.net/keys/other"]);
    let ran = gate(&place, &plan(&[vault("spare")]), "json");
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    // A hold is no inventory, and counts all the same.
    let place = three_providers(&[]);
    let hold = "[[hold]]\nkey = \"https://spare.vault.azure.net/keys/kept/\
                00000000000000000000000000000c01\"\nstated = 2026-10-01\nreason = \"x\"\n";
    place.write("snapkey.toml", hold);
    let ran = gate(&place, &plan(&[vault("spare")]), "json");
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    // Which key this is nobody can tell, so it may be any in any vault.
    let place = three_providers(&["0123456789abcdef0123456789abcdef"]);
    let ran = gate(&place, &plan(&[vault("spare")]), "json");
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let place = three_providers(&[&format!("{RING}/spare")]);
    let spare = json!({"id": format!("{RING}/spare")});
    let ran = gate(
        &place,
        &plan(&[delete("google_kms_crypto_key", "k", spare)]),
        "json",
    );
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_plan_that_may_not_be_all_never_passes() {
    let place = base();
    let whole = plan(&[aws("a", SAFE)]);
    assert_eq!(gate(&place, &whole, "json").code, 0);
    for (field, value) in [("errored", json!(true)), ("complete", json!(false))] {
        let mut flawed = whole.clone();
        flawed[field] = value;
        let ran = gate(&place, &flawed, "json");
        assert_eq!(ran.code, 3, "{field}: {}", ran.stdout);
        assert!(ran.stdout.contains("plan.json"), "{field}: {}", ran.stdout);
    }
}

#[test]
fn a_plan_that_does_nothing_to_a_key_passes_in_every_format_whatever_came_later() {
    let place = base();
    place.write("plan.json", &plan(&[]).to_string());
    // The store knows more than this instant.
    let early = ["--offline", "--as-of", "2026-11-01T02:00:00Z"];
    for format in [
        "table",
        "json",
        "csv",
        "md",
        "sarif",
        "junit",
        "github",
        "prometheus",
        "cbom",
    ] {
        let gate = ["--format", format, "gate", "--terraform-plan", "plan.json"];
        let ran = place.run(&[&early[..], &gate].concat());
        assert_eq!(ran.code, 0, "{format}: {}{}", ran.stdout, ran.stderr);
    }
    // About a key, such a pass is none.
    place.write("plan.json", &plan(&[aws("a", SAFE)]).to_string());
    let gate = ["--format", "cbom", "gate", "--terraform-plan", "plan.json"];
    assert_eq!(place.run(&[&early[..], &gate].concat()).code, 3);
}

#[test]
fn what_is_no_plan_is_refused() {
    let place = base();
    let whole = plan(&[aws("a", HELD)]).to_string();
    for (name, text) in [
        ("empty", ""),
        ("binary", "PK\u{3}\u{4}"),
        (
            "a state",
            r#"{"format_version":"1.0","values":{"root_module":{}}}"#,
        ),
        (
            "a log",
            "{\"@level\":\"info\",\"type\":\"version\"}\n{\"@level\":\"info\"}\n",
        ),
        ("cut", &whole[..whole.len() / 2]),
        ("a list", "[]"),
        (
            "another version",
            r#"{"format_version":"2.0","resource_changes":[]}"#,
        ),
    ] {
        place.write("plan.json", text);
        let ran = place.run(&[
            "--offline",
            "--as-of",
            AS_OF,
            "gate",
            "--terraform-plan",
            "plan.json",
        ]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (2, ""),
            "{name}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("plan.json"), "{name}: {}", ran.stderr);
    }
    let absent = place.run(&["--offline", "gate", "--terraform-plan", "absent.json"]);
    assert_eq!(absent.code, 2, "{}", absent.stderr);
    let piped = [
        "--offline",
        "--as-of",
        AS_OF,
        "gate",
        "--terraform-plan",
        "-",
    ];
    assert_eq!(place.feed(&piped, whole.as_bytes()).code, 1);
}

//! What asking Google Cloud KMS does around the answers about one key: one list for all versions,
//! pages, rights that reach only so far, attempts; and that it only reads.

use serde_json::{Value, json};
use snapkey::model::KeyId;

use crate::emulator::gcp::{Fault, GET_KEY, GET_VERSION, Gcp, Key, LIST, RETIRED, Request};
use crate::support::aws::{limits, short};
use crate::support::cmd::Place;
use crate::support::gcp::{ask, name, observe, probe, told, version};

fn in_states(states: &[&str]) -> Key {
    Key::new(states.iter().map(|state| json!({"state": state})))
}

fn versions(key: u32, numbers: std::ops::RangeInclusive<u64>) -> Vec<KeyId> {
    numbers.map(|number| version(key, number)).collect()
}

fn denied() -> Fault {
    Fault::denied("cloudkms.something")
}

#[test]
fn one_list_answers_for_every_version_of_a_key() {
    let kms = Gcp::start();
    kms.put(
        &name(1),
        in_states(&["DISABLED", "ENABLED", "DESTROYED", "ENABLED"]),
    );
    let read = ask(&probe(&kms.url()), &versions(1, 1..=5), &limits());
    assert_eq!(
        told(&read),
        [
            "1 disabled",
            "2 enabled",
            "3 destroyed",
            "4 enabled",
            "5 unknown not-found"
        ]
    );
    let calls = [LIST, GET_KEY, GET_VERSION, RETIRED].map(|operation| kms.count(operation));
    assert_eq!(calls, [1, 1, 0, 0]);
}

#[test]
fn a_key_is_asked_about_only_for_the_sake_of_an_enabled_version() {
    for (state, level, reads) in [
        ("DISABLED", "SOFTWARE", 0),
        ("DESTROYED", "HSM", 0),
        ("ENABLED", "EXTERNAL", 0),
        ("ENABLED", "EXTERNAL_VPC", 0),
        ("ENABLED", "HSM", 1),
    ] {
        let kms = Gcp::start();
        // Another version's state is of no account.
        let shown = json!({"state": state, "protectionLevel": level});
        kms.put(&name(1), Key::new([shown, json!({})]));
        observe(&kms.url(), &version(1, 1));
        assert_eq!(kms.count(GET_KEY), reads, "{state} {level}");
    }
}

#[test]
fn pages_are_read_until_every_wanted_version_was_seen() {
    let five = || in_states(&["DISABLED"; 5]);
    let table: [(std::ops::RangeInclusive<u64>, &[&str], usize); 4] = [
        (1..=1, &["1 disabled"], 1),
        (4..=4, &["4 disabled"], 2),
        (
            1..=5,
            &[
                "1 disabled",
                "2 disabled",
                "3 disabled",
                "4 disabled",
                "5 disabled",
            ],
            3,
        ),
        (5..=6, &["5 disabled", "6 unknown not-found"], 3),
    ];
    for (wanted, expected, pages) in table {
        let kms = Gcp::start();
        kms.set_page(2);
        kms.put(&name(1), five());
        let read = ask(&probe(&kms.url()), &versions(1, wanted.clone()), &limits());
        assert_eq!(told(&read), expected, "{wanted:?}");
        assert_eq!(kms.count(LIST), pages, "{wanted:?}");
    }

    // A page that does not come leaves what was seen, and never proves an absence.
    let kms = Gcp::start();
    kms.set_page(2);
    let cut = Fault::body(200, "{\"cryptoKeyVersions\": [");
    kms.put(&name(1), five().failing_first(LIST, vec![None, Some(cut)]));
    let read = ask(&probe(&kms.url()), &versions(1, 2..=3), &limits());
    assert_eq!(told(&read), ["2 disabled", "3 unknown malformed"]);

    let kms = Gcp::start();
    kms.never_end_lists();
    kms.put(&name(1), five());
    let read = ask(&probe(&kms.url()), &versions(1, 5..=6), &limits());
    assert_eq!(told(&read), ["5 disabled", "6 unknown malformed"]);
    assert_eq!(kms.count(LIST), 32);
}

#[test]
fn a_list_with_another_keys_version_answers_nothing() {
    let kms = Gcp::start();
    let foreign = json!({"name": version(2, 2).to_string()});
    kms.put(&name(1), Key::new([json!({}), foreign]));
    let read = ask(&probe(&kms.url()), &versions(1, 1..=2), &limits());
    assert_eq!(told(&read), ["1 unknown malformed", "2 unknown malformed"]);
}

#[test]
fn a_list_that_tells_a_version_in_two_ways_tells_nothing() {
    let again = |state: &str| json!({"name": version(1, 1).to_string(), "state": state});
    for (second, expected) in [
        ("DISABLED", "1 unknown malformed"),
        ("ENABLED", "1 enabled"),
    ] {
        let kms = Gcp::start();
        kms.put(&name(1), Key::new([json!({}), again(second)]));
        assert_eq!(
            told(&ask(&probe(&kms.url()), &versions(1, 1..=1), &limits())),
            [expected]
        );
    }
}

#[test]
fn who_may_not_list_looks_at_single_versions() {
    let three = || in_states(&["DISABLED", "ENABLED", "DESTROYED"]);
    let unimplemented = Fault::error("UNIMPLEMENTED", "no such method");
    for refusal in [denied(), unimplemented] {
        let kms = Gcp::start();
        kms.put(&name(1), three().failing(LIST, refusal.clone()));
        let read = ask(&probe(&kms.url()), &versions(1, 1..=4), &limits());
        assert_eq!(
            told(&read),
            [
                "1 disabled",
                "2 enabled",
                "3 destroyed",
                "4 unknown not-found"
            ],
            "{refusal:?}"
        );
        assert_eq!((kms.count(GET_VERSION), kms.count(GET_KEY)), (4, 1));
    }

    // Rights are a key's, not a version's: a refusal is not asked for again.
    let kms = Gcp::start();
    kms.put(
        &name(1),
        three()
            .failing(LIST, denied())
            .failing(GET_VERSION, denied()),
    );
    let read = ask(&probe(&kms.url()), &versions(1, 1..=3), &limits());
    assert_eq!(
        told(&read),
        [
            "1 unknown access-denied",
            "2 unknown access-denied",
            "3 unknown access-denied"
        ]
    );
    assert_eq!(kms.count(GET_VERSION), 1);

    // A failure of another kind is none of the rights.
    let kms = Gcp::start();
    let switched_off = denied().because("SERVICE_DISABLED", "projects/4711");
    kms.put(&name(1), three().failing(LIST, switched_off));
    assert_eq!(
        short(&observe(&kms.url(), &version(1, 1)).condition),
        "unknown wrong-scope"
    );
    assert_eq!(kms.count(GET_VERSION), 0);
}

#[test]
fn keys_of_projects_that_are_not_named_are_left_alone() {
    let kms = Gcp::start();
    let other: KeyId = version(1, 1)
        .to_string()
        .replace("payments", "audit")
        .parse()
        .unwrap();
    let keys = [version(1, 1), other.clone()];
    kms.put(&name(1), in_states(&["DISABLED"]));
    let narrow = probe(&kms.url()).with_projects(vec!["payments".to_owned()]);
    assert!(narrow.asks_about(&keys[0]) && !narrow.asks_about(&other));
    assert_eq!(told(&ask(&narrow, &keys, &limits())), ["1 disabled"]);
    assert_eq!(kms.log().len(), 1);
    assert_eq!(ask(&probe(&kms.url()), &keys, &limits()).len(), 2);
}

#[test]
fn a_version_that_answers_for_another_is_not_believed() {
    let kms = Gcp::start();
    let other = json!({"name": version(1, 2).to_string()});
    kms.put(&name(1), Key::new([other]).failing(LIST, denied()));
    assert_eq!(
        short(&observe(&kms.url(), &version(1, 1)).condition),
        "unknown malformed"
    );
}

#[test]
fn a_key_that_is_not_found_is_destroyed_only_by_its_own_record() {
    let record = |original: &str| {
        json!({
            "name": "projects/payments/locations/europe-west3/retiredResources/r-1",
            "originalResource": original,
            "resourceType": "cloudkms.googleapis.com/CryptoKey",
            "deleteTime": "2026-09-01T00:00:00.5Z",
        })
    };
    let others = || vec![record(&name(2)), record(&version(1, 1).to_string())];
    let mut with_own = others();
    with_own.push(record(&name(1)));
    let table: Vec<(Vec<Value>, Option<Fault>, &str)> = vec![
        (vec![], None, "unknown not-found"),
        (others(), None, "unknown not-found"),
        (with_own.clone(), None, "destroyed"),
        (with_own.clone(), Some(denied()), "unknown not-found"),
        (with_own.clone(), Some(Fault::Reset), "unknown not-found"),
        (with_own, Some(Fault::body(200, "{")), "unknown not-found"),
    ];
    for (records, fault, expected) in table {
        for page in [1, 100] {
            let kms = Gcp::start();
            kms.set_page(page);
            kms.retire(records.clone());
            if let Some(fault) = &fault {
                kms.fail_retired(fault.clone());
            }
            let read = observe(&kms.url(), &version(1, 1));
            assert_eq!(short(&read.condition), expected, "{records:?} {fault:?}");
            assert_eq!(read.native.as_deref(), Some("NOT_FOUND"));
        }
    }
    // Nobody looks for the record of a key that is there, or hidden.
    let kms = Gcp::start();
    kms.retire(vec![record(&name(1))]);
    kms.put(&name(1), in_states(&["DISABLED"]));
    assert_eq!(
        short(&observe(&kms.url(), &version(1, 2)).condition),
        "unknown not-found"
    );
    kms.put(
        &name(1),
        in_states(&[])
            .failing(LIST, denied())
            .failing(GET_VERSION, denied()),
    );
    assert_eq!(
        short(&observe(&kms.url(), &version(1, 1)).condition),
        "unknown access-denied"
    );
    assert_eq!(kms.count(RETIRED), 0);
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let busy = || Fault::error("UNAVAILABLE", "later");
    let throttled = || Fault::error("RESOURCE_EXHAUSTED", "slow down");
    let table: Vec<(Vec<Fault>, &str, usize)> = vec![
        (vec![throttled(), throttled()], "disabled", 3),
        (
            vec![throttled(), throttled(), throttled()],
            "unknown throttled",
            3,
        ),
        (vec![busy(), Fault::Reset], "disabled", 3),
        (
            vec![Fault::body(502, "<html>"), Fault::HangUp],
            "disabled",
            3,
        ),
        (vec![busy(), busy(), busy()], "unknown unreachable", 3),
        (
            vec![Fault::error("NOT_FOUND", "gone")],
            "unknown not-found",
            1,
        ),
        (
            vec![Fault::error("UNAUTHENTICATED", "old")],
            "unknown credentials",
            1,
        ),
        (vec![Fault::body(200, "<html>")], "unknown malformed", 1),
    ];
    for (faults, expected, calls) in table {
        let kms = Gcp::start();
        let faulty = faults.iter().cloned().map(Some).collect();
        kms.put(
            &name(1),
            in_states(&["DISABLED"]).failing_first(LIST, faulty),
        );
        let read = observe(&kms.url(), &version(1, 1));
        assert_eq!(short(&read.condition), expected, "{faults:?}");
        assert_eq!(kms.count(LIST), calls, "{faults:?}");
    }
}

#[test]
fn only_reading_calls_are_ever_made_and_an_emulator_gets_no_token() {
    let kms = Gcp::start();
    kms.put(&name(1), in_states(&["ENABLED", "DESTROY_SCHEDULED"]));
    kms.put(&name(2), in_states(&["ENABLED"]).failing(LIST, denied()));
    kms.put(&name(3), Key::new([json!({"protectionLevel": "EXTERNAL"})]));
    let mut keys = versions(1, 1..=3);
    keys.extend([version(2, 1), version(3, 1), version(4, 1)]);
    keys.push(
        "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
            .parse()
            .unwrap(),
    );
    let read = ask(&probe(&kms.url()), &keys, &limits());
    assert_eq!(read.len(), 6, "keys of others are none of its business");
    let log = kms.log();
    let reads = |request: &Request| {
        request.method == "GET"
            && request.authorization.is_none()
            && [LIST, GET_KEY, GET_VERSION, RETIRED].contains(&request.operation)
            && !request.name.contains(':')
    };
    assert!(log.iter().all(reads), "{log:?}");
    for operation in [LIST, GET_KEY, GET_VERSION, RETIRED] {
        assert!(kms.count(operation) > 0, "{operation}");
    }
    let whole = |request: &&Request| request.query.get("filter").is_none_or(String::is_empty);
    assert!(
        log.iter().all(|request| whole(&request)),
        "a filtered list proves nothing"
    );
}

#[test]
fn recorded_answers_of_gcloud_are_kept() {
    let place = Place::new();
    let shown = |number: u64, more: Value| {
        let mut version = json!({
            "algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION",
            "createTime": "2025-03-04T05:06:07.890123456Z",
            "name": version(1, number).to_string(),
            "protectionLevel": "SOFTWARE",
            "state": "ENABLED",
        });
        for (name, value) in more.as_object().unwrap() {
            version[name] = value.clone();
        }
        version
    };
    let list = json!([shown(1, json!({"state": "DESTROYED"})), shown(2, json!({}))]);
    let one = shown(
        3,
        json!({"state": "DESTROY_SCHEDULED", "destroyTime": "2096-10-02T07:06:40.75Z"}),
    );
    place.write("list.json", &list.to_string());
    place.write("describe.json", &one.to_string());
    let ran = place.run(&[
        "ingest",
        "--observed-at",
        "2026-11-01T06:00:00Z",
        "list.json",
        "describe.json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (_, document) = place.json(&["--offline", "keys"]);
    let rows: Vec<(String, String)> = document["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            (
                text("id"),
                format!("{} {}", text("condition"), text("deadline")),
            )
        })
        .collect();
    let expected = [
        "destroyed ",
        "enabled ",
        "pending-deletion 2096-10-02T07:06:40Z",
    ];
    let expected = (1..).zip(expected);
    let expected: Vec<(String, String)> = expected
        .map(|(number, word)| (version(1, number).to_string(), word.to_owned()))
        .collect();
    assert_eq!(rows, expected);
}

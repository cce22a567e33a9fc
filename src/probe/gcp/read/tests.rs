//! One row for each state, each thing that a key takes away from it, and each way in which an
//! answer contradicts itself.

use super::*;

const KEY: &str = "projects/payments/locations/europe-west3/keyRings/atlas/cryptoKeys/backup";

fn time(text: &str) -> Timestamp {
    Timestamp::floor(text).unwrap()
}

fn key() -> KeyId {
    format!("{KEY}/cryptoKeyVersions/7").parse().unwrap()
}

fn answer(state: &str) -> Version {
    Version {
        name: key().to_string(),
        state: state.to_owned(),
        protection_level: "SOFTWARE".to_owned(),
        ..Version::default()
    }
}

fn at_level(state: &str, level: &str) -> Version {
    Version {
        protection_level: level.to_owned(),
        ..answer(state)
    }
}

fn ordinary_key() -> Key {
    Key {
        name: KEY.to_owned(),
        purpose: "ENCRYPT_DECRYPT".to_owned(),
        ..Key::default()
    }
}

fn allowing(reasons: &[&str]) -> Key {
    Key {
        allowed_access_reasons: Some(reasons.iter().map(|&reason| reason.to_owned()).collect()),
        ..ordinary_key()
    }
}

fn asked() -> Asked {
    Asked {
        at: time("2026-11-01T06:00:00Z"),
        endpoint: "https://kms.example".to_owned(),
        identity: Some("auditor@ops.iam.gserviceaccount.com".to_owned()),
    }
}

fn read(version: &Version) -> Observation {
    read_version(&key(), version, &AboutKey::Told(ordinary_key()), &asked())
}

/// `word` or `word DATE`, and for unknown `unknown REASON`.
fn short(condition: &Condition) -> String {
    if let Condition::Unknown { reason, detail } = condition {
        assert!(detail.is_some(), "{reason:?} says nothing more");
        return format!("unknown {}", reason.word());
    }
    match condition.date() {
        Some(date) => format!("{} {date}", condition.word()),
        None => condition.word().to_owned(),
    }
}

#[test]
fn every_state_has_one_condition() {
    let scheduled = Version {
        destroy_time: Some(time("2026-12-01T06:00:00Z")),
        ..answer("DESTROY_SCHEDULED")
    };
    let destroyed = Version {
        destroy_time: Some(time("2026-10-01T06:00:00Z")),
        destroy_event_time: Some(time("2026-10-01T06:00:01Z")),
        ..answer("DESTROYED")
    };
    let importable = Version {
        reimport_eligible: true,
        ..destroyed.clone()
    };
    let failed = Version {
        failure_reason: Some("the wrapped key is malformed".to_owned()),
        ..answer("IMPORT_FAILED")
    };
    let table = [
        (answer("ENABLED"), "enabled"),
        (at_level("ENABLED", "HSM"), "enabled"),
        (answer("DISABLED"), "disabled"),
        (scheduled, "pending-deletion 2026-12-01T06:00:00Z"),
        (answer("DESTROY_SCHEDULED"), "pending-deletion"),
        (destroyed, "destroyed"),
        (answer("DESTROYED"), "destroyed"),
        (importable, "material-missing"),
        (answer("PENDING_EXTERNAL_DESTRUCTION"), "destroyed"),
        (answer("EXTERNAL_DESTRUCTION_FAILED"), "destroyed"),
        (answer("PENDING_GENERATION"), "transient"),
        (answer("PENDING_IMPORT"), "transient"),
        (failed, "unknown unsupported"),
        (answer("GENERATION_FAILED"), "unknown unsupported"),
        (answer("HIBERNATING"), "unknown unrecognised-state"),
        (answer("11"), "unknown unrecognised-state"),
        (answer("1"), "unknown unrecognised-state"),
        (answer("enabled"), "unknown unrecognised-state"),
        (
            answer("CRYPTO_KEY_VERSION_STATE_UNSPECIFIED"),
            "unknown malformed",
        ),
    ];
    for (version, expected) in table {
        let read = read(&version);
        assert_eq!(short(&read.condition), expected, "{version:?}");
        assert_eq!(read.native, Some(version.state), "the word is kept");
        assert_eq!(read.endpoint, "https://kms.example");
        assert_eq!(read.identity, asked().identity);
    }
    let silent = read(&answer(""));
    assert_eq!(short(&silent.condition), "unknown malformed");
    assert_eq!(silent.native, None);
}

#[test]
fn material_outside_google_is_never_taken_for_enabled() {
    let external = Version {
        external_options: true,
        ..answer("ENABLED")
    };
    let table = [
        (
            at_level("ENABLED", "EXTERNAL"),
            "unknown backing-key-unverified",
        ),
        (
            at_level("ENABLED", "EXTERNAL_VPC"),
            "unknown backing-key-unverified",
        ),
        (
            at_level("ENABLED", "HSM_SINGLE_TENANT"),
            "unknown backing-key-unverified",
        ),
        (
            at_level("ENABLED", "QUANTUM"),
            "unknown backing-key-unverified",
        ),
        (at_level("ENABLED", "6"), "unknown backing-key-unverified"),
        (external, "unknown backing-key-unverified"),
        (at_level("ENABLED", ""), "unknown malformed"),
        (
            at_level("ENABLED", "PROTECTION_LEVEL_UNSPECIFIED"),
            "unknown malformed",
        ),
        (at_level("DISABLED", "EXTERNAL"), "disabled"),
        (at_level("DESTROYED", "EXTERNAL"), "destroyed"),
        (
            at_level("DESTROY_SCHEDULED", "EXTERNAL_VPC"),
            "pending-deletion",
        ),
        (at_level("PENDING_GENERATION", "EXTERNAL"), "transient"),
    ];
    for (version, expected) in table {
        assert_eq!(short(&read(&version).condition), expected, "{version:?}");
        // Nothing about the key could change that: it is not asked about.
        assert!(!needs_key(&version), "{version:?}");
    }
    assert!(needs_key(&answer("ENABLED")));
}

#[test]
fn what_a_key_allows_only_ever_takes_away() {
    let denied = AboutKey::Failed(UnknownReason::AccessDenied, None);
    let purpose = |purpose: &str| {
        AboutKey::Told(Key {
            purpose: purpose.to_owned(),
            ..ordinary_key()
        })
    };
    let named = |name: &str| {
        AboutKey::Told(Key {
            name: name.to_owned(),
            ..ordinary_key()
        })
    };
    let backend = AboutKey::Told(Key {
        backend: "projects/ops/locations/europe-west3/ekmConnections/vault".to_owned(),
        ..ordinary_key()
    });
    let number = KEY.replace("payments", "123456789012");
    let other = KEY.replace("backup", "other");
    let version = key().to_string();
    let table = [
        (AboutKey::Told(ordinary_key()), "enabled"),
        (AboutKey::NotRecorded, "enabled"),
        (denied, "unknown access-denied"),
        (AboutKey::Told(allowing(&[])), "disabled"),
        (
            AboutKey::Told(allowing(&[
                "GOOGLE_INITIATED_REVIEW",
                "CUSTOMER_INITIATED_ACCESS",
            ])),
            "enabled",
        ),
        (
            AboutKey::Told(allowing(&["CUSTOMER_INITIATED_SUPPORT"])),
            "unknown unsupported",
        ),
        (
            AboutKey::Told(allowing(&["REASON_UNSPECIFIED"])),
            "unknown unsupported",
        ),
        (AboutKey::Told(allowing(&["12"])), "unknown unsupported"),
        (purpose("ASYMMETRIC_SIGN"), "unknown unsupported"),
        (purpose("RAW_ENCRYPT_DECRYPT"), "unknown unsupported"),
        (purpose("12"), "unknown unsupported"),
        (purpose(""), "unknown malformed"),
        (
            purpose("CRYPTO_KEY_PURPOSE_UNSPECIFIED"),
            "unknown malformed",
        ),
        (named(&number), "enabled"),
        (named(&other), "unknown malformed"),
        (named(&version), "unknown malformed"),
        (named(""), "unknown malformed"),
        (backend, "unknown backing-key-unverified"),
    ];
    for (about, expected) in table {
        let read_as = |state: &str| read_version(&key(), &answer(state), &about, &asked());
        let enabled = read_as("ENABLED");
        assert_eq!(short(&enabled.condition), expected, "{about:?}");
        assert_eq!(enabled.native.as_deref(), Some("ENABLED"));
        assert_eq!(read_as("DISABLED").condition, Condition::Disabled);
    }
}

#[test]
fn an_answer_that_contradicts_itself_is_not_believed() {
    let renamed = |name: &str| Version {
        name: name.to_owned(),
        ..answer("ENABLED")
    };
    let own = key().to_string();
    let later = Some(time("2026-12-01T06:00:00Z"));
    let table = [
        (renamed(&own.replace("payments", "123456789012")), "enabled"),
        (
            renamed(&format!("https://cloudkms.googleapis.com/v1/{own}")),
            "enabled",
        ),
        (
            renamed(&own.replace("payments", "elsewhere")),
            "unknown malformed",
        ),
        (renamed(&own.replace("/7", "/8")), "unknown malformed"),
        (
            renamed(&own.replace("europe-west3", "europe")),
            "unknown malformed",
        ),
        (
            renamed(&own.replace("backup", "Backup")),
            "unknown malformed",
        ),
        (renamed(KEY), "unknown malformed"),
        (renamed(""), "unknown malformed"),
        (
            Version {
                destroy_time: later,
                ..answer("ENABLED")
            },
            "unknown malformed",
        ),
        (
            Version {
                destroy_event_time: later,
                ..answer("ENABLED")
            },
            "unknown malformed",
        ),
    ];
    for (version, expected) in table {
        assert_eq!(short(&read(&version).condition), expected, "{version:?}");
    }
}

#[test]
fn an_answer_is_stale_once_its_date_has_passed() {
    let table = [
        (Some("2026-12-01T06:00:00Z"), Some("2026-12-01T06:00:00Z")),
        (Some("2026-11-01T06:00:00Z"), None),
        (Some("2026-10-01T06:00:00Z"), None),
        (None, None),
    ];
    for (date, stale_at) in table {
        let version = Version {
            destroy_time: date.map(time),
            ..answer("DESTROY_SCHEDULED")
        };
        assert_eq!(read(&version).stale_at, stale_at.map(time), "{date:?}");
    }
}

#[test]
fn only_the_record_of_this_very_key_proves_its_deletion() {
    let KeyId::Gcp(version) = key() else {
        panic!("no key of Google");
    };
    let record = |original: &str| Retired {
        original_resource: original.to_owned(),
        delete_time: Some(time("2026-09-01T00:00:00Z")),
    };
    let proven = read_retired(version.key(), &record(KEY)).unwrap();
    assert_eq!(
        proven.reason().unwrap(),
        "Google: the key was deleted on 2026-09-01T00:00:00Z (retired resource)"
    );
    for other in [
        "",
        "projects/payments/locations/europe-west3/keyRings/atlas",
        &KEY.replace("backup", "Backup"),
        &KEY.replace("payments", "123456789012"),
        &format!("{KEY}/cryptoKeyVersions/7"),
        &format!("{KEY}2"),
    ] {
        assert_eq!(read_retired(version.key(), &record(other)), None, "{other}");
    }
}

#[test]
fn foreign_words_reach_nobody_raw() {
    let hostile = Version {
        state: "\u{1b}[31mENABLED\u{202e}".to_owned(),
        failure_reason: Some("a\nb".to_owned()),
        ..answer("")
    };
    let read = read(&hostile);
    assert_eq!(read.native.as_deref(), Some("[31mENABLED"));
    assert_eq!(short(&read.condition), "unknown unrecognised-state");
}

//! One row for each state and each way in which an answer contradicts itself.

use super::*;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
const MRK: &str = "arn:aws:kms:eu-west-1:111122223333:key/mrk-00112233445566778899aabbccddeeff";
const MRK_ELSEWHERE: &str =
    "arn:aws:kms:us-east-1:111122223333:key/mrk-00112233445566778899aabbccddeeff";

fn time(text: &str) -> Timestamp {
    Timestamp::floor(text).unwrap()
}

fn at() -> Timestamp {
    time("2026-11-01T06:00:00Z")
}

fn key(arn: &str) -> KeyId {
    arn.parse().unwrap()
}

/// An answer as KMS gives it for an ordinary key.
fn answer(state: &str) -> KeyMetadata {
    KeyMetadata {
        arn: Some(KEY.to_owned()),
        key_id: Some("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9".to_owned()),
        account: Some("111122223333".to_owned()),
        state: Some(state.to_owned()),
        enabled: Some(state == "Enabled"),
        origin: Some("AWS_KMS".to_owned()),
        ..KeyMetadata::default()
    }
}

fn imported(valid_to: Option<&str>) -> KeyMetadata {
    KeyMetadata {
        origin: Some("EXTERNAL".to_owned()),
        expiration_model: Some(
            match valid_to {
                Some(_) => "KEY_MATERIAL_EXPIRES",
                None => "KEY_MATERIAL_DOES_NOT_EXPIRE",
            }
            .to_owned(),
        ),
        valid_to: valid_to.map(time),
        ..answer("Enabled")
    }
}

fn material(import: &str, state: &str, valid_to: Option<&str>) -> Material {
    Material {
        import_state: Some(import.to_owned()),
        state: Some(state.to_owned()),
        expiration_model: valid_to.map(|_| "KEY_MATERIAL_EXPIRES".to_owned()),
        valid_to: valid_to.map(time),
    }
}

fn asked() -> Asked {
    Asked {
        at: at(),
        endpoint: "https://kms.example".to_owned(),
        identity: None,
    }
}

fn read(metadata: &KeyMetadata, materials: &Materials) -> Observation {
    let key = key(metadata.arn.as_deref().unwrap_or(KEY));
    read_describe_key(&key, metadata, materials, None, asked())
}

/// `word` or `word DATE`, and for unknown `unknown REASON`.
fn short(condition: &Condition) -> String {
    match condition {
        Condition::Unknown { reason, detail } => {
            assert!(detail.is_some(), "{reason:?} says nothing more");
            format!("unknown {}", reason.word())
        }
        Condition::Enabled { .. }
        | Condition::UnwrapOnly { .. }
        | Condition::Disabled
        | Condition::PendingDeletion { .. }
        | Condition::SoftDeleted { .. }
        | Condition::MaterialMissing
        | Condition::Unavailable { .. }
        | Condition::Transient
        | Condition::Destroyed { .. } => match condition.date() {
            Some(date) => format!("{} {date}", condition.word()),
            None => condition.word().to_owned(),
        },
    }
}

#[test]
fn every_state_has_one_condition() {
    let deletion = KeyMetadata {
        deletion_date: Some(time("2026-11-08T06:00:00Z")),
        ..answer("PendingDeletion")
    };
    let table = [
        (answer("Enabled"), "enabled"),
        (answer("Updating"), "enabled"),
        (answer("Disabled"), "disabled"),
        (deletion.clone(), "pending-deletion 2026-11-08T06:00:00Z"),
        (answer("PendingDeletion"), "pending-deletion"),
        (answer("PendingReplicaDeletion"), "pending-deletion"),
        (
            KeyMetadata {
                state: Some("PendingReplicaDeletion".to_owned()),
                ..deletion
            },
            "pending-deletion",
        ),
        (answer("PendingImport"), "material-missing"),
        (answer("Unavailable"), "unavailable"),
        (answer("Creating"), "transient"),
        (answer("Hibernating"), "unknown unrecognised-state"),
        (answer(""), "unknown unrecognised-state"),
        (answer("enabled"), "unknown unrecognised-state"),
    ];
    for (metadata, expected) in table {
        let read = read(&metadata, &Materials::NotTold);
        assert_eq!(short(&read.condition), expected, "{metadata:?}");
        assert_eq!(read.native, metadata.state, "the word is kept");
    }
}

#[test]
fn a_backing_key_outside_kms_is_never_taken_for_enabled() {
    let of_origin = |origin: &str, state: &str| KeyMetadata {
        origin: Some(origin.to_owned()),
        ..answer(state)
    };
    let in_store = |state: &str| KeyMetadata {
        custom_key_store: Some("cks-1".to_owned()),
        ..answer(state)
    };
    let table = [
        (
            of_origin("AWS_CLOUDHSM", "Enabled"),
            "unknown backing-key-unverified",
        ),
        (
            of_origin("EXTERNAL_KEY_STORE", "Enabled"),
            "unknown backing-key-unverified",
        ),
        (
            of_origin("SOMEWHERE_ELSE", "Enabled"),
            "unknown backing-key-unverified",
        ),
        (
            of_origin("AWS_CLOUDHSM", "Updating"),
            "unknown backing-key-unverified",
        ),
        (in_store("Enabled"), "unknown backing-key-unverified"),
        (in_store("Disabled"), "disabled"),
        (in_store("PendingDeletion"), "pending-deletion"),
        (in_store("Unavailable"), "unavailable"),
    ];
    for (metadata, expected) in table {
        let read = read(&metadata, &Materials::NotTold);
        assert_eq!(short(&read.condition), expected, "{metadata:?}");
    }
}

#[test]
fn imported_material_that_is_missing_or_expired_blocks_the_whole_key() {
    let listed = Materials::Listed;
    let current = || material("IMPORTED", "CURRENT", Some("2027-03-01T00:00:00Z"));
    let dated = || imported(Some("2027-01-01T00:00:00Z"));
    let table = [
        (imported(None), Materials::NotTold, "enabled", None),
        (
            dated(),
            Materials::NotTold,
            "enabled 2027-01-01T00:00:00Z",
            Some("2027-01-01T00:00:00Z"),
        ),
        (
            imported(Some("2026-11-01T06:00:00Z")),
            Materials::NotTold,
            "material-missing",
            None,
        ),
        (
            dated(),
            listed(vec![current()]),
            "enabled 2027-01-01T00:00:00Z",
            Some("2027-01-01T00:00:00Z"),
        ),
        (
            imported(None),
            listed(vec![
                current(),
                material("IMPORTED", "NON_CURRENT", Some("2026-12-01T00:00:00Z")),
            ]),
            "enabled 2026-12-01T00:00:00Z",
            Some("2026-12-01T00:00:00Z"),
        ),
        (
            imported(None),
            listed(vec![
                current(),
                material("PENDING_IMPORT", "NON_CURRENT", None),
            ]),
            "material-missing",
            Some("2027-03-01T00:00:00Z"),
        ),
        (
            imported(None),
            listed(vec![material(
                "IMPORTED",
                "CURRENT",
                Some("2026-10-01T00:00:00Z"),
            )]),
            "material-missing",
            None,
        ),
        (
            imported(None),
            listed(vec![material(
                "PENDING_IMPORT",
                "PENDING_ROTATION",
                Some("2026-10-01T00:00:00Z"),
            )]),
            "enabled",
            None,
        ),
        (
            imported(None),
            listed(vec![material("PENDING_IMPORT", "A_NEW_WORD", None)]),
            "material-missing",
            None,
        ),
        (
            imported(None),
            listed(vec![material("HALF_IMPORTED", "CURRENT", None)]),
            "unknown unrecognised-state",
            None,
        ),
        (
            imported(None),
            listed(vec![Material {
                expiration_model: Some("KEY_MATERIAL_EXPIRES".to_owned()),
                ..material("IMPORTED", "CURRENT", None)
            }]),
            "unknown malformed",
            None,
        ),
        (
            imported(None),
            Materials::Failed(UnknownReason::Throttled, Some("slow down".to_owned())),
            "unknown throttled",
            None,
        ),
        (
            KeyMetadata {
                expiration_model: Some("KEY_MATERIAL_EXPIRES".to_owned()),
                ..imported(None)
            },
            Materials::NotTold,
            "unknown malformed",
            None,
        ),
    ];
    for (metadata, materials, expected, stale_at) in table {
        let read = read(&metadata, &materials);
        assert_eq!(
            short(&read.condition),
            expected,
            "{metadata:?} {materials:?}"
        );
        assert_eq!(
            read.stale_at,
            stale_at.map(time),
            "{metadata:?} {materials:?}"
        );
    }
}

#[test]
fn materials_are_listed_only_where_they_matter() {
    assert!(needs_materials(&imported(None)));
    assert!(!needs_materials(&answer("Enabled")));
    for state in ["Disabled", "PendingDeletion", "PendingImport"] {
        let metadata = KeyMetadata {
            state: Some(state.to_owned()),
            ..imported(None)
        };
        assert!(!needs_materials(&metadata), "{state}");
    }
}

#[test]
fn the_earliest_date_ahead_ends_an_observation() {
    let with = |state: &str, deletion: Option<&str>, valid_to: Option<&str>| KeyMetadata {
        deletion_date: deletion.map(time),
        valid_to: valid_to.map(time),
        ..answer(state)
    };
    let table = [
        (
            with(
                "PendingDeletion",
                Some("2026-12-01T00:00:00Z"),
                Some("2026-11-15T00:00:00Z"),
            ),
            Some("2026-11-15T00:00:00Z"),
        ),
        (
            with("PendingDeletion", Some("2026-12-01T00:00:00Z"), None),
            Some("2026-12-01T00:00:00Z"),
        ),
        (
            with("PendingDeletion", Some("2026-11-01T06:00:00Z"), None),
            None,
        ),
        (
            with("Disabled", None, Some("2026-11-15T00:00:00Z")),
            Some("2026-11-15T00:00:00Z"),
        ),
        (with("Disabled", None, None), None),
    ];
    for (metadata, expected) in table {
        let read = read(&metadata, &Materials::NotTold);
        assert_eq!(read.stale_at, expected.map(time), "{metadata:?}");
    }
}

#[test]
fn an_answer_that_contradicts_itself_or_the_question_settles_nothing() {
    let elsewhere = "arn:aws:kms:eu-west-1:999988887777:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let good = || answer("Enabled");
    let bad = |arn: &str| KeyMetadata {
        related: vec![arn.to_owned()],
        ..good()
    };
    let table = [
        KeyMetadata {
            arn: None,
            ..good()
        },
        KeyMetadata {
            arn: Some(elsewhere.to_owned()),
            ..good()
        },
        KeyMetadata {
            arn: Some("alias/mine".to_owned()),
            ..good()
        },
        KeyMetadata {
            key_id: Some("other".to_owned()),
            ..good()
        },
        KeyMetadata {
            account: Some("999988887777".to_owned()),
            ..good()
        },
        KeyMetadata {
            enabled: Some(false),
            ..good()
        },
        KeyMetadata {
            state: None,
            ..good()
        },
        KeyMetadata {
            origin: None,
            ..good()
        },
        bad("arn:aws:kms:eu-west-1:111122223333:key/ffffffff-4e5f-6071-8293-a4b5c6d7e8f9"),
        bad("nonsense"),
    ];
    assert_eq!(
        short(&read_describe_key(&key(KEY), &good(), &Materials::NotTold, None, asked()).condition),
        "enabled"
    );
    for metadata in table {
        let read = read_describe_key(&key(KEY), &metadata, &Materials::NotTold, None, asked());
        assert_eq!(short(&read.condition), "unknown malformed", "{metadata:?}");
        assert_eq!(read.key, key(KEY), "{metadata:?}");
        assert!(read.related.is_empty(), "{metadata:?}");
    }
}

#[test]
fn related_keys_are_named_once_and_without_the_key_itself() {
    let metadata = KeyMetadata {
        arn: Some(MRK.to_owned()),
        key_id: None,
        related: [MRK, MRK_ELSEWHERE, MRK_ELSEWHERE]
            .map(str::to_owned)
            .to_vec(),
        ..answer("Enabled")
    };
    let read = read(&metadata, &Materials::NotTold);
    assert_eq!(short(&read.condition), "enabled");
    assert_eq!(read.related, [key(MRK_ELSEWHERE)]);
}

#[test]
fn a_key_store_can_make_a_key_unusable_and_never_more_than_unverified() {
    let of = |state: &str, store: KeyStore| {
        let metadata = KeyMetadata {
            custom_key_store: Some("cks-1".to_owned()),
            origin: Some("AWS_CLOUDHSM".to_owned()),
            enabled: None,
            ..answer(state)
        };
        read_describe_key(
            &key(KEY),
            &metadata,
            &Materials::NotTold,
            Some(&store),
            asked(),
        )
        .condition
    };
    let store = |connection: Option<&str>, error: Option<&str>| KeyStore {
        connection: connection.map(str::to_owned),
        error: error.map(str::to_owned),
    };
    let unverified = "unknown backing-key-unverified";
    let table = [
        (store(Some("CONNECTED"), None), unverified),
        (store(Some("CONNECTING"), None), unverified),
        (store(Some("SLEEPING"), None), unverified),
        (store(None, None), unverified),
        (store(None, Some("USER_LOCKED_OUT")), unverified),
        (store(Some("DISCONNECTED"), None), "unavailable"),
        (store(Some("DISCONNECTING"), None), "unavailable"),
        (
            store(Some("FAILED"), Some("CLUSTER_NOT_FOUND")),
            "unavailable",
        ),
    ];
    for (store, expected) in table {
        for state in ["Enabled", "Updating"] {
            let condition = of(state, store.clone());
            assert_eq!(short(&condition), expected, "{state} {store:?}");
            let told = format!("{condition:?}");
            for word in [&store.connection, &store.error].into_iter().flatten() {
                assert!(told.contains(word.as_str()), "{told}");
            }
        }
        // What KMS says of the key counts; a store that is back again does not undo it.
        assert_eq!(short(&of("Unavailable", store.clone())), "unavailable");
        assert_eq!(short(&of("Disabled", store.clone())), "disabled");
    }
}

//! The edges of the rules for keys and vaults: what is a change of a key, and what is none.

use serde_json::{Value, json};

use super::{ARN, Action, Keys, changes};

/// The action of an update, of a key whose other attributes do not change.
fn update(resource_type: &str, before: Value, after: Value, unknown: Value) -> Option<Action> {
    let id = json!({
        "arn": ARN, "id": "https://kv-a.vault.azure.net/keys/k", "name": "n",
        "versioned_id": "https://hsm-a.managedhsm.azure.net/keys/k/0000000000000000000000000000000a",
    });
    let with = |side: Value| {
        let mut all = id.clone();
        for (name, value) in side.as_object().unwrap() {
            all[name] = value.clone();
        }
        all
    };
    let mut found = changes(
        resource_type,
        json!({"actions": ["update"], "before": with(before), "after": with(after), "after_unknown": unknown}),
    );
    assert!(found.len() <= 1, "{found:?}");
    found.pop().map(|(action, keys)| {
        assert!(matches!(keys, Keys::One(_)), "{keys:?}");
        action
    })
}

#[test]
fn an_update_disables_a_key_or_does_not() {
    let disable = Some(Action::Disable);
    let delete = Some(Action::Delete);
    let aws = "aws_kms_key";
    let external = "aws_kms_external_key";
    let azure = "azurerm_key_vault_key";
    let hsm = "azurerm_key_vault_managed_hardware_security_module_key";
    let google = "google_kms_crypto_key_version";
    let on = || json!({"is_enabled": true});
    let off = || json!({"is_enabled": false});
    let material = |text: Value, until: Value| json!({"enabled": true, "key_material_base64": text, "valid_to": until});
    let opts =
        |list: Value| json!({"key_opts": list, "expiration_date": null, "not_before_date": null});
    let full = || opts(json!(["decrypt", "unwrapKey", "wrapKey"]));
    let dated = |from: Value, to: Value| json!({"key_opts": ["unwrapKey"], "not_before_date": from, "expiration_date": to});
    let state = |word: Value| json!({"state": word, "external_protection_level_options": []});
    let table = [
        // On and off.
        (aws, on(), on(), json!({}), None),
        (aws, on(), off(), json!({}), disable.clone()),
        (aws, off(), on(), json!({}), None),
        (aws, off(), off(), json!({}), None),
        (aws, off(), json!({}), json!({"is_enabled": true}), None),
        (
            aws,
            on(),
            json!({}),
            json!({"is_enabled": true}),
            disable.clone(),
        ),
        (aws, on(), on(), json!(true), disable.clone()),
        (aws, on(), on(), json!("nonsense"), disable.clone()),
        (aws, on(), on(), json!({"is_enabled": false}), None),
        (
            aws,
            on(),
            json!({"is_enabled": null}),
            json!({}),
            disable.clone(),
        ),
        (
            aws,
            json!({"is_enabled": null}),
            off(),
            json!({}),
            disable.clone(),
        ),
        (
            aws,
            json!({"is_enabled": null}),
            json!({"is_enabled": null}),
            json!({}),
            None,
        ),
        (aws, json!({}), off(), json!({}), disable.clone()),
        (aws, json!({}), on(), json!({}), disable.clone()),
        (aws, json!({}), json!({}), json!({}), None),
        // The other types have another name for it.
        (
            aws,
            json!({"enabled": true}),
            json!({"enabled": false}),
            json!({}),
            None,
        ),
        (
            "aws_kms_replica_key",
            json!({"enabled": true}),
            json!({"enabled": false}),
            json!({}),
            disable.clone(),
        ),
        (
            "awscc_kms_key",
            json!({"enabled": true}),
            json!({"enabled": false}),
            json!({}),
            disable.clone(),
        ),
        // Imported material.
        (
            external,
            material(json!("a"), json!(null)),
            material(json!("a"), json!("2027-01-01T00:00:00Z")),
            json!({}),
            disable.clone(),
        ),
        (
            external,
            material(json!("a"), json!("2027-01-01T00:00:00Z")),
            material(json!("a"), json!("2028-01-01T00:00:00Z")),
            json!({}),
            disable.clone(),
        ),
        (
            external,
            material(json!("a"), json!("2027-01-01T00:00:00Z")),
            material(json!("a"), json!(null)),
            json!({}),
            None,
        ),
        (
            external,
            material(json!("a"), json!("2027-01-01T00:00:00Z")),
            material(json!("a"), json!("")),
            json!({}),
            None,
        ),
        (
            external,
            material(json!("a"), json!(null)),
            material(json!("b"), json!(null)),
            json!({}),
            disable.clone(),
        ),
        (
            external,
            material(json!("a"), json!(null)),
            material(json!(null), json!(null)),
            json!({}),
            disable.clone(),
        ),
        (
            external,
            material(json!(null), json!(null)),
            material(json!("a"), json!(null)),
            json!({}),
            None,
        ),
        // Operations and dates.
        (
            azure,
            full(),
            opts(json!(["unwrapKey", "decrypt"])),
            json!({}),
            None,
        ),
        (
            azure,
            full(),
            opts(json!(["decrypt", "wrapKey"])),
            json!({}),
            disable.clone(),
        ),
        (
            azure,
            full(),
            opts(json!(["unwrapKey"])),
            json!({}),
            disable.clone(),
        ),
        (azure, full(), opts(json!([])), json!({}), disable.clone()),
        (azure, full(), opts(json!(null)), json!({}), disable.clone()),
        (
            azure,
            full(),
            opts(json!(["decrypt", null, "unwrapKey"])),
            json!({"key_opts": [false, true, false]}),
            disable.clone(),
        ),
        (
            azure,
            opts(json!(["sign"])),
            opts(json!(["verify"])),
            json!({}),
            None,
        ),
        (
            azure,
            opts(json!(["sign"])),
            opts(json!(["sign", "unwrapKey"])),
            json!({}),
            None,
        ),
        (
            azure,
            opts(json!("unwrapKey")),
            full(),
            json!({}),
            disable.clone(),
        ),
        (
            azure,
            dated(json!(null), json!(null)),
            dated(json!(null), json!("2027-01-01T00:00:00Z")),
            json!({}),
            disable.clone(),
        ),
        (
            azure,
            dated(json!(null), json!("2027-01-01T00:00:00Z")),
            dated(json!(null), json!("2028-01-01T00:00:00Z")),
            json!({}),
            disable.clone(),
        ),
        (
            azure,
            dated(json!(null), json!("2027-01-01T00:00:00Z")),
            dated(json!(null), json!(null)),
            json!({}),
            None,
        ),
        (
            azure,
            dated(json!(null), json!(null)),
            dated(json!("2027-01-01T00:00:00Z"), json!(null)),
            json!({}),
            disable.clone(),
        ),
        (
            hsm,
            dated(json!(null), json!(null)),
            dated(json!("2027-01-01T00:00:00Z"), json!(null)),
            json!({"versioned_id": true}),
            disable.clone(),
        ),
        // States.
        (
            google,
            state(json!("ENABLED")),
            state(json!("ENABLED")),
            json!({}),
            None,
        ),
        (
            google,
            state(json!("DISABLED")),
            state(json!("ENABLED")),
            json!({}),
            None,
        ),
        (
            google,
            state(json!("ENABLED")),
            state(json!("DISABLED")),
            json!({}),
            disable.clone(),
        ),
        (
            google,
            state(json!("DISABLED")),
            state(json!("DESTROY_SCHEDULED")),
            json!({}),
            delete.clone(),
        ),
        (
            google,
            state(json!("ENABLED")),
            state(json!("DESTROYED")),
            json!({}),
            delete.clone(),
        ),
        (
            google,
            state(json!("ENABLED")),
            state(json!("SHREDDED")),
            json!({}),
            delete.clone(),
        ),
        (
            google,
            state(json!("ENABLED")),
            state(json!(null)),
            json!({"state": true}),
            delete.clone(),
        ),
        (
            google,
            json!({"state": "ENABLED", "external_protection_level_options": [{"external_key_uri": "https://a"}]}),
            json!({"state": "ENABLED", "external_protection_level_options": [{"external_key_uri": "https://b"}]}),
            json!({}),
            disable.clone(),
        ),
        (
            google,
            state(json!("ENABLED")),
            state(json!("ENABLED")),
            json!({"external_protection_level_options": [{"external_key_uri": true}]}),
            disable,
        ),
    ];
    for (resource_type, before, after, unknown, expected) in table {
        let said = format!("{resource_type}: {before} -> {after} ({unknown})");
        assert_eq!(
            update(resource_type, before, after, unknown),
            expected,
            "{said}"
        );
    }
}

#[test]
fn a_key_that_the_plan_does_not_name_is_unknown() {
    let long = "a".repeat(5000);
    let table = [
        ("aws_kms_key", json!({}), "the plan has no `arn`"),
        ("aws_kms_key", json!({"arn": null}), "`arn` is not set"),
        ("aws_kms_key", json!({"arn": ""}), "`arn` is not set"),
        ("aws_kms_key", json!({"arn": [ARN]}), "`arn` is no text"),
        (
            "aws_kms_key",
            json!({"arn": long}),
            "`arn` is longer than 4096 bytes",
        ),
        (
            "aws_kms_key",
            Value::Null,
            "the plan does not say what was there before",
        ),
        ("aws_kms_key", json!("gone"), "the plan has no `arn`"),
        (
            "azurerm_key_vault",
            json!({"vault_uri": "https://kv.example.com/"}),
            "`vault_uri` is no vault's address: `https://kv.example.com/`",
        ),
        (
            "azurerm_key_vault",
            json!({"vault_uri": "https://kv-a.vault.azure.net/keys/k/"}),
            "`vault_uri` is no vault's address: `https://kv-a.vault.azure.net/keys/k/`",
        ),
        (
            "google_kms_crypto_key",
            json!({"id": "backups/disk"}),
            "`id` is no name of a Google key: `backups/disk`",
        ),
        (
            "google_kms_crypto_key",
            json!({"id": "projects/p-backups/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"}),
            "`id` is no name of a Google key: `projects/p-backups/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1`",
        ),
        (
            "azapi_resource",
            json!({"id": "/x"}),
            "the plan has no `type`",
        ),
        (
            "azapi_resource",
            json!({"id": "/x", "type": "microsoft.keyvault/managedHSMs@2023-07-01"}),
            "`azapi_resource` does not name the keys of `/x` (`microsoft.keyvault/managedHSMs@2023-07-01`)",
        ),
    ];
    for (resource_type, before, why) in table {
        let said = format!("{resource_type} {before}");
        let found = changes(
            resource_type,
            json!({"actions": ["delete"], "before": before, "after": null}),
        );
        assert_eq!(
            found,
            [(Action::Delete, Keys::Unknown(why.to_owned()))],
            "{said}"
        );
    }
}

#[test]
fn only_vaults_of_azures_interface_count() {
    let api = |words: &str, kind: &str| {
        changes(
            "azapi_resource",
            json!({"actions": [words], "before": {"id": "/x", "type": kind}, "after": {"type": kind}}),
        )
        .len()
    };
    assert_eq!(api("delete", "Microsoft.KeyVault/vaults@2023-07-01"), 1);
    assert_eq!(
        api("delete", "Microsoft.KeyVault/vaults/keys@2023-07-01"),
        1
    );
    assert_eq!(
        api("delete", "Microsoft.KeyVault/vaults/secrets@2023-07-01"),
        0
    );
    assert_eq!(
        api("delete", "Microsoft.Storage/storageAccounts@2023-01-01"),
        0
    );
    assert_eq!(api("update", "Microsoft.KeyVault/vaults@2023-07-01"), 0);
    assert_eq!(
        api("update", "Microsoft.KeyVault/vaults/keys@2023-07-01"),
        1
    );
}

#[test]
fn the_less_exact_id_stands_in_for_the_exact_one() {
    let (hsm, version) = (
        "azurerm_key_vault_managed_hardware_security_module_key",
        "google_kms_crypto_key_version",
    );
    for (resource_type, before, key) in [
        (hsm, json!({"id": "a", "versioned_id": "b"}), "b"),
        (hsm, json!({"id": "a", "versioned_id": null}), "a"),
        (version, json!({"id": "a", "name": "b"}), "b"),
        (version, json!({"id": "a"}), "a"),
    ] {
        let found = changes(
            resource_type,
            json!({"actions": ["delete"], "before": before}),
        );
        assert_eq!(found, [(Action::Delete, Keys::One(key.to_owned()))]);
    }
}

use std::collections::BTreeMap;

use super::*;
use crate::model::AwsRole;

static NO_ROLES: BTreeMap<KeyId, AwsRole> = BTreeMap::new();
const VERSION: &str = "0123456789abcdef0123456789abcdef";

fn with(environment: &dyn Fn(&str) -> Option<OsString>) -> Settings<'_> {
    Settings {
        ca_pem: None,
        environment,
        aws_roles: &NO_ROLES,
        gcp_endpoint: None,
        gcp_projects: &[],
    }
}

fn nothing(_name: &str) -> Option<OsString> {
    None
}

#[test]
fn every_provider_tells_its_endpoint_its_calls_and_its_rights() {
    let arn = |partition: &str, region: &str| {
        format!(
            "arn:{partition}:kms:{region}:111122223333:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
        )
    };
    let vault = |domain: &str| format!("https://payments.{domain}/keys/backup/{VERSION}");
    let table = [
        (
            arn("aws", "eu-west-1"),
            "https://kms.eu-west-1.amazonaws.com",
            "kms:DescribeKey",
        ),
        (
            arn("aws-cn", "cn-north-1"),
            "https://kms.cn-north-1.amazonaws.com.cn",
            "kms:DescribeKey",
        ),
        (
            vault("vault.azure.net"),
            "https://payments.vault.azure.net",
            "Key Vault Reader",
        ),
        (
            vault("managedhsm.azure.cn"),
            "https://payments.managedhsm.azure.cn",
            "Crypto Auditor",
        ),
        (
            "https://payments.vault.azure.net/keys/backup".to_owned(),
            "https://payments.vault.azure.net",
            "Key Vault Reader",
        ),
        (
            "projects/p-12345/locations/eu/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1".to_owned(),
            "https://cloudkms.googleapis.com",
            "cloudkms.cryptoKeyVersions.list",
        ),
    ];
    for (key, endpoint, right) in table {
        let explained = explain(&key, &with(&nothing)).unwrap();
        assert_eq!(explained.endpoint, endpoint, "{key}");
        assert!(explained.calls[0].right.contains(right), "{explained:?}");
        // Nothing that changes anything, and nothing that uses a key.
        for call in &explained.calls {
            let verb = call.call.split_whitespace().next().unwrap();
            assert!(
                [
                    "GET",
                    "kms:DescribeKey",
                    "kms:ListKeyRotations",
                    "kms:DescribeCustomKeyStores",
                    "kms:GetKeyLastUsage",
                    "sts:GetCallerIdentity",
                    "ListCryptoKeyVersions",
                    "GetCryptoKeyVersion",
                    "ListRetiredResources",
                    "GetCryptoKey"
                ]
                .contains(&verb),
                "{call:?}"
            );
        }
    }
}

#[test]
fn an_endpoint_of_ones_own_is_told_without_its_login() {
    let environment = |name: &str| {
        let url = "https://me:hunter2@kms.example/?key=hunter2";
        (name == "AWS_ENDPOINT_URL_KMS").then(|| OsString::from(url))
    };
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let explained = explain(arn, &with(&environment)).unwrap();
    assert_eq!(explained.endpoint, "https://kms.example");
}

#[test]
fn a_role_is_explained_with_every_key_that_is_asked_about_in_it() {
    let id = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let sibling = "mrk-0123456789abcdef0123456789abcdef";
    let arn = |region: &str, id: &str| format!("arn:aws:kms:{region}:111122223333:key/{id}");
    let role = |name: &str| {
        let role = AwsRole::read(&format!("arn:aws:iam::111122223333:role/{name}")).unwrap();
        role.with_external_id("hunter2").unwrap()
    };
    let roles = BTreeMap::from([
        (arn("eu-west-1", id).parse().unwrap(), role("audit")),
        (arn("us-east-1", sibling).parse().unwrap(), role("spread")),
    ]);
    let settings = Settings {
        aws_roles: &roles,
        ..with(&nothing)
    };
    let table = [
        (arn("eu-west-1", id), Some(("audit", "eu-west-1"))),
        (arn("us-east-1", sibling), Some(("spread", "us-east-1"))),
        (arn("ap-south-1", sibling), Some(("spread", "ap-south-1"))),
        (arn("us-east-1", id), None),
        (
            arn("eu-west-1", id).replace("111122223333", "999988887777"),
            None,
        ),
    ];
    for (key, expected) in table {
        let told = explain(&key, &settings).unwrap();
        let first = &told.calls[0].call;
        match expected {
            Some((role, region)) => assert_eq!(
                *first,
                format!("sts:AssumeRole of arn:aws:iam::111122223333:role/{role} in {region}")
            ),
            None => assert!(first.starts_with("kms:DescribeKey"), "{first}"),
        }
        assert!(!format!("{told:?}").contains("hunter2"));
    }
    let bare = |id: &str, region: &str| Target::AwsId {
        id: id.to_owned(),
        region: region.to_owned(),
    };
    let table = [
        (bare(id, "eu-west-1"), Some("audit")),
        (bare(id, "us-east-1"), None),
        (bare(sibling, "us-east-1"), Some("spread")),
        (bare(sibling, "eu-west-1"), Some("spread")),
    ];
    for (target, expected) in table {
        let found = role_of(&roles, &target).map(AwsRole::arn);
        let found = found.and_then(|arn| arn.rsplit('/').next());
        assert_eq!(found, expected, "{target:?}");
    }
}

#[test]
fn what_nobody_can_be_asked_about_says_why() {
    for key in [
        "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
        "alias/backup",
        VERSION,
        "kmip://server/7",
        "nonsense",
    ] {
        assert!(explain(key, &with(&nothing)).is_err(), "{key}");
    }
}

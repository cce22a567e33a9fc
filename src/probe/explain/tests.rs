use super::*;

const VERSION: &str = "0123456789abcdef0123456789abcdef";

fn with(environment: &dyn Fn(&str) -> Option<OsString>) -> Settings<'_> {
    Settings {
        ca_pem: None,
        environment,
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

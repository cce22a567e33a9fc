use Match::{Agrees, Different, Possible, Same};

use super::*;

const BARE_US: &str = "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766";
const BARE_EU: &str = "arn::kms:eu-west-1::key/5ce83906-6563-46b7-8045-11c20e3a5766";
const BARE_US_ACCOUNT: &str =
    "arn::kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766";
const BARE_OTHER_ACCOUNT: &str = "arn::kms::999999999999:key/5ce83906-6563-46b7-8045-11c20e3a5766";
const MRK_US: &str = "arn::kms:us-east-1::key/mrk-0123456789abcdef0123456789abcdef";
const MRK_EU: &str = "arn::kms:eu-west-1::key/mrk-0123456789abcdef0123456789abcdef";
const MRK_OTHER_ACCOUNT: &str = "arn::kms::999999999999:key/mrk-0123456789abcdef0123456789abcdef";
const ALIAS_ARN_EU: &str = "arn:aws:kms:eu-west-1:111122223333:alias/backup";
const UPPER_UUID: &str = "5CE83906-6563-46B7-8045-11C20E3A5766";
const UUID_LETTERS: &str = "5ce83906656346b7804511c20e3a5766";
const KMIP_UUID: &str = "kmip://hsm-a/5ce83906-6563-46b7-8045-11c20e3a5766";
const KMIP_HEX: &str = "kmip://hsm-a/0123456789abcdef0123456789abcdef";

fn check(a: &str, b: &str, expected: Match) {
    assert_eq!(read(a).compare(&read(b)), expected, "{a} {b}");
    assert_eq!(read(b).compare(&read(a)), expected, "{b} {a}");
}

#[test]
fn keys_of_aws() {
    for (a, b, expected) in [
        (ARN, ARN, Same),
        (MRK_ARN, MRK_ARN, Same),
        // Related, not same.
        (MRK_ARN, MRK_ARN_EU, Different),
        (ARN, MRK_ARN, Different),
        (ARN, &ARN.replace("us-east-1", "us-east-2"), Different),
        (ARN, &ARN.replace("111122223333", "999999999999"), Different),
        (ARN, &ARN.replace("arn:aws:", "arn:aws-cn:"), Different),
        (ARN, &ARN.replace(UUID, OTHER_UUID), Different),
        // A bare id, with what it states of its scope.
        (ARN, UUID, Agrees),
        (ARN, UPPER_UUID, Agrees),
        (ARN, BARE_US, Agrees),
        (ARN, BARE_US_ACCOUNT, Agrees),
        (ARN, BARE_EU, Different),
        (ARN, BARE_OTHER_ACCOUNT, Different),
        (ARN, OTHER_UUID, Different),
        (ARN, MRK, Different),
        (MRK_ARN, MRK, Agrees),
        (MRK_ARN, MRK_EU, Agrees),
        (MRK_ARN, MRK_OTHER_ACCOUNT, Different),
        (UUID, UUID, Agrees),
        (UUID, UPPER_UUID, Agrees),
        (UUID, BARE_US, Agrees),
        (UUID, OTHER_UUID, Different),
        (BARE_US, BARE_EU, Different),
        (BARE_US, BARE_OTHER_ACCOUNT, Agrees),
        (BARE_US_ACCOUNT, BARE_OTHER_ACCOUNT, Different),
        (MRK_US, MRK_EU, Agrees),
        (UUID, MRK, Different),
        // An alias is never compared textually.
        (ARN, "alias/backup", Possible),
        (ARN, ALIAS_ARN, Possible),
        (ARN, ALIAS_ARN_EU, Different),
        (
            ARN,
            &ALIAS_ARN.replace("111122223333", "999999999999"),
            Different,
        ),
        (
            ARN,
            &ALIAS_ARN.replace("arn:aws:", "arn:aws-cn:"),
            Different,
        ),
        (MRK_ARN, ALIAS_ARN_EU, Possible),
        (UUID, ALIAS_ARN, Possible),
        (BARE_US, ALIAS_ARN, Possible),
        (BARE_EU, ALIAS_ARN, Different),
        (BARE_OTHER_ACCOUNT, ALIAS_ARN, Different),
        (MRK_US, ALIAS_ARN_EU, Possible),
        ("alias/a", "alias/a", Possible),
        ("alias/a", "alias/b", Possible),
        (ALIAS_ARN, ALIAS_ARN, Possible),
        (ALIAS_ARN, ALIAS_ARN_EU, Possible),
        (
            ALIAS_ARN,
            &ALIAS_ARN.replace("111122223333", "999999999999"),
            Different,
        ),
    ] {
        check(a, b, expected);
    }
}

#[test]
fn keys_of_azure() {
    for (a, b, expected) in [
        (AZURE, AZURE, Same),
        (AZURE, &AZURE.to_uppercase(), Same),
        (AZURE, &AZURE.replace(HEX, OTHER_HEX), Different),
        (AZURE, &AZURE.replace("payments", "payment"), Different),
        (AZURE, &AZURE.replace("backup", "backup2"), Different),
        (AZURE, &AZURE.replace("azure.net", "azure.cn"), Different),
        (AZURE, &AZURE.replace(".vault.", ".managedhsm."), Different),
        // Without a version it means the latest at the time of asking.
        (AZURE, AZURE_KEY, Agrees),
        (
            AZURE,
            "https://payments.vault.azure.net/deletedkeys/backup",
            Agrees,
        ),
        (AZURE, &AZURE_KEY.replace("backup", "backup2"), Different),
        (AZURE_KEY, AZURE_KEY, Agrees),
        (
            AZURE_KEY,
            &AZURE_KEY.replace("backup", "backup2"),
            Different,
        ),
        (AZURE, HEX, Agrees),
        (AZURE, &HEX.to_uppercase(), Agrees),
        (AZURE, OTHER_HEX, Different),
        (AZURE_KEY, HEX, Possible),
        (HEX, HEX, Agrees),
        (HEX, &HEX.to_uppercase(), Agrees),
        (HEX, OTHER_HEX, Different),
    ] {
        check(a, b, expected);
    }
}

#[test]
fn keys_of_gcp() {
    let number_key = GCP_KEY.replace("payments", "4711");
    for (a, b, expected) in [
        (GCP, GCP, Same),
        (GCP, &format!("//cloudkms.googleapis.com/{GCP}"), Same),
        (GCP, &GCP.replace("Versions/3", "Versions/4"), Different),
        (GCP, &GCP.replace("Ring_1", "ring_1"), Different),
        (GCP, &GCP.replace("us-east1", "us"), Different),
        (GCP, &GCP.replace("payments", "billing"), Different),
        // A project's number and its id are aliases.
        (GCP, GCP_NUMBER, Possible),
        (GCP_NUMBER, GCP_NUMBER, Same),
        (GCP_NUMBER, &GCP_NUMBER.replace("4711", "4712"), Different),
        (
            GCP_NUMBER,
            &GCP.replace("Versions/3", "Versions/4"),
            Different,
        ),
        (GCP_NUMBER, &GCP.replace("us-east1", "us"), Different),
        // A key without a version is all its versions.
        (GCP, GCP_KEY, Agrees),
        (GCP, &number_key, Possible),
        (GCP, &GCP_KEY.replace("backup", "Backup"), Different),
        (GCP_KEY, GCP_KEY, Agrees),
        (GCP_KEY, &number_key, Possible),
        (GCP_KEY, &GCP_KEY.replace("Ring_1", "Ring_2"), Different),
    ] {
        check(a, b, expected);
    }
}

#[test]
fn keys_of_kmip() {
    for (a, b, expected) in [
        (KMIP, KMIP, Same),
        // The same identifier on two servers is two keys.
        (KMIP, "kmip://hsm-b/17", Different),
        (KMIP, "kmip://hsm-a/18", Different),
        (KMIP_UUID, &KMIP_UUID.replace("5ce", "5CE"), Different),
        (KMIP, "17", Agrees),
        (KMIP, "18", Possible),
        (KMIP_UUID, UUID, Agrees),
        (KMIP_UUID, UPPER_UUID, Possible),
        (KMIP_UUID, UUID_LETTERS, Possible),
        (KMIP_UUID, OTHER_UUID, Different),
        (KMIP_UUID, BARE_US, Agrees),
        (KMIP_HEX, HEX, Agrees),
        (KMIP_HEX, OTHER_HEX, Different),
        (KMIP, UUID, Different),
        (KMIP, "alias/17", Different),
        ("kmip://hsm-a/alias%2F17", "alias/17", Agrees),
    ] {
        check(a, b, expected);
    }
}

#[test]
fn keys_across_providers() {
    // What states its provider differs from everything that states another.
    let stating = [ARN, AZURE, AZURE_KEY, GCP, GCP_KEY, KMIP];
    for a in stating {
        for b in stating {
            if read(a).provider() != read(b).provider() {
                check(a, b, Different);
            }
        }
    }
    // A shape is only a hint, and an opaque text not even that.
    for (a, b, expected) in [
        (UUID, AZURE, Possible),
        (UUID, AZURE_KEY, Possible),
        (UUID, GCP, Possible),
        (UUID, GCP_KEY, Possible),
        (UUID, HEX, Possible),
        ("alias/x", AZURE, Possible),
        ("alias/x", AZURE_KEY, Possible),
        ("alias/x", GCP, Possible),
        ("alias/x", GCP_KEY, Possible),
        ("alias/x", HEX, Possible),
        (HEX, ARN, Possible),
        (HEX, GCP, Possible),
        (HEX, GCP_KEY, Possible),
    ] {
        check(a, b, expected);
    }
    for text in [
        ARN, UUID, ALIAS_ARN, AZURE, AZURE_KEY, HEX, GCP, GCP_KEY, KMIP, "other", "",
    ] {
        check("opaque", text, Possible);
    }
    check("opaque", "opaque", Agrees);
}

#[test]
fn related_keys() {
    let elsewhere = |from: &str, to: &str| key(&MRK_ARN_EU.replace(from, to));
    let us = key(MRK_ARN);
    for (other, expected) in [
        (key(MRK_ARN_EU), true),
        (us.clone(), false),
        (elsewhere("111122223333", "999999999999"), false),
        (elsewhere("arn:aws:", "arn:aws-cn:"), false),
        (elsewhere("mrk-0", "mrk-1"), false),
        (key(AZURE), false),
    ] {
        assert_eq!(us.is_related(&other), expected, "{other}");
        assert_eq!(other.is_related(&us), expected, "{other}");
        assert_eq!(us.unit().is_related(&other.unit()), expected, "{other}");
    }
    // Single-Region ids may be equal by chance or by import; they are not related.
    let other_region = key(&ARN.replace("us-east-1", "eu-west-1"));
    assert!(!key(ARN).is_related(&other_region));

    let aws = us.aws().unwrap();
    let sibling = aws.in_region("EU_WEST_1").unwrap();
    assert_eq!(sibling.to_string(), MRK_ARN_EU);
    assert_eq!(aws.in_region("eu-west-1"), Some(sibling));
    assert_eq!(aws.in_region("us-east-1").as_ref(), Some(aws));
    assert_eq!(aws.in_region("Europe"), None);
    assert!(aws.is_multi_region());
    let single = key(ARN);
    assert!(!single.aws().unwrap().is_multi_region());
    assert_eq!(single.aws().unwrap().in_region("eu-west-1"), None);
}

#[test]
fn completed_by_settings() {
    for (spelling, by, expected) in [
        (UUID, ARN, true),
        (UPPER_UUID, ARN, true),
        (BARE_US, ARN, true),
        (BARE_EU, ARN, false),
        (BARE_OTHER_ACCOUNT, ARN, false),
        (OTHER_UUID, ARN, false),
        (MRK, MRK_ARN, true),
        (MRK, MRK_ARN_EU, true),
        (MRK_US, MRK_ARN_EU, false),
        (HEX, AZURE, true),
        (&HEX.to_uppercase(), AZURE, true),
        (OTHER_HEX, AZURE, false),
        (AZURE_KEY, AZURE, false),
        (GCP_KEY, GCP, false),
        ("alias/backup", ARN, false),
        (ARN, ARN, false),
        (UUID, KMIP_UUID, false),
        ("17", KMIP, false),
    ] {
        assert_eq!(
            read(spelling).completed_by(&key(by)),
            expected,
            "{spelling} {by}"
        );
    }
}

#[test]
fn units_and_spellings() {
    use Provider::{Aws, Azure, Gcp, Kmip};
    let other_version = AZURE.replace(HEX, OTHER_HEX);
    let number_key = GCP_KEY.replace("payments", "4711");
    let rows: &[(&str, &str, &[Provider], Match)] = &[
        // Complete: the project does not matter.
        (ARN, ARN, &[], Same),
        (ARN, &ARN.replace(UUID, OTHER_UUID), &[Aws], Different),
        (MRK_ARN, MRK_ARN_EU, &[Aws], Different),
        (ARN, AZURE, &Provider::ALL, Different),
        (ARN, AZURE_KEY, &Provider::ALL, Different),
        (ARN, GCP, &Provider::ALL, Different),
        (ARN, GCP_KEY, &Provider::ALL, Different),
        (ARN, KMIP_UUID, &Provider::ALL, Different),
        (GCP, GCP, &[], Same),
        (GCP, GCP_NUMBER, &[], Possible),
        (GCP, ARN, &Provider::ALL, Different),
        (GCP, AZURE_KEY, &Provider::ALL, Different),
        (KMIP, KMIP, &[], Same),
        (KMIP, "kmip://hsm-b/17", &[Kmip], Different),
        (KMIP, ARN, &Provider::ALL, Different),
        (KMIP, AZURE_KEY, &Provider::ALL, Different),
        (KMIP, GCP_KEY, &Provider::ALL, Different),
        // A Key Vault key is deleted with all its versions.
        (AZURE, AZURE, &[], Same),
        (AZURE, &other_version, &[], Same),
        (AZURE, AZURE_KEY, &[], Same),
        (
            AZURE,
            &AZURE_KEY.replace("backup", "backup2"),
            &[Azure],
            Different,
        ),
        (AZURE, ARN, &Provider::ALL, Different),
        (AZURE, GCP_KEY, &Provider::ALL, Different),
        (AZURE, KMIP_HEX, &Provider::ALL, Different),
        // Incomplete, of the unit's own provider.
        (ARN, UUID, &[], Agrees),
        (ARN, BARE_EU, &[Aws], Different),
        (ARN, BARE_OTHER_ACCOUNT, &[Aws], Different),
        (ARN, OTHER_UUID, &[Aws], Different),
        (MRK_ARN, MRK, &[], Agrees),
        (MRK_ARN, MRK_EU, &[], Agrees),
        (ARN, "alias/x", &[], Possible),
        (ARN, ALIAS_ARN, &[], Possible),
        (ARN, ALIAS_ARN_EU, &[Aws], Different),
        (MRK_ARN, ALIAS_ARN_EU, &[], Possible),
        (AZURE, HEX, &[], Possible),
        (AZURE, OTHER_HEX, &[], Possible),
        (GCP, GCP_KEY, &[], Agrees),
        (GCP, &number_key, &[], Possible),
        (GCP, &GCP_KEY.replace("us-east1", "us"), &[Gcp], Different),
        // Incomplete, of another provider's shape: only where the project showed the unit's.
        (AZURE, UUID, &[], Different),
        (AZURE, UUID, &[Aws, Gcp, Kmip], Different),
        (AZURE, UUID, &[Azure], Possible),
        (AZURE, "alias/x", &[Aws], Different),
        (AZURE, "alias/x", &[Azure], Possible),
        (GCP, UUID, &[Aws], Different),
        (GCP, UUID, &[Gcp], Possible),
        (GCP, "alias/x", &[Aws], Different),
        (GCP, "alias/x", &[Gcp], Possible),
        (GCP, HEX, &[Azure], Different),
        (GCP, HEX, &[Gcp], Possible),
        (ARN, HEX, &[Azure], Different),
        (ARN, HEX, &[Aws], Possible),
        (ARN, UUID_LETTERS, &[], Possible),
        // KMIP has no name but the identifier.
        (KMIP_UUID, UUID, &[Kmip], Agrees),
        (KMIP_UUID, UUID, &[], Possible),
        (KMIP_UUID, UPPER_UUID, &[Kmip], Possible),
        (KMIP_UUID, UUID_LETTERS, &[], Possible),
        (KMIP_UUID, OTHER_UUID, &[Kmip], Different),
        (KMIP, UUID, &[Kmip], Different),
        (KMIP_HEX, HEX, &[Kmip], Agrees),
        (KMIP_HEX, HEX, &[Azure], Possible),
        (KMIP_HEX, OTHER_HEX, &[Kmip], Different),
        (KMIP, "alias/x", &[Kmip], Different),
        (KMIP, "17", &[Kmip], Agrees),
        (KMIP, "17", &[], Possible),
        (KMIP, "18", &[], Possible),
        (KMIP, "18", &[Kmip], Possible),
        // Opaque may be anything.
        (ARN, "opaque", &[], Possible),
        (ARN, "030gce02-586d-48d2-a966-05ea954fde0g", &[], Possible),
        (AZURE, "", &[], Possible),
        (GCP, "opaque", &[Aws], Possible),
        (
            AZURE,
            "https://payments.vault.azure.de/keys/backup",
            &[],
            Possible,
        ),
    ];
    for (of, spelling, shown, expected) in rows {
        let found = unit(of).compare(&read(spelling), shown);
        assert_eq!(found, *expected, "{of} {spelling} {shown:?}");
    }
}

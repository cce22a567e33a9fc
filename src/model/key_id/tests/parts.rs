use super::*;

#[test]
fn accessors() {
    let KeyId::Azure(version) = key(AZURE) else {
        panic!("not Azure");
    };
    assert_eq!(version.version(), HEX);
    assert_eq!(version.key().host(), "payments.vault.azure.net");
    assert_eq!(version.key().name(), "backup");
    assert!(!version.key().is_managed_hsm());
    assert_eq!(version.key().at_version("1"), None);
    assert_eq!(
        version.key().at_version(&HEX.to_uppercase()),
        Some(version.clone())
    );

    let KeyId::Gcp(version) = key(GCP) else {
        panic!("not Google");
    };
    assert_eq!(version.version(), 3);
    assert_eq!(version.key().to_string(), GCP_KEY);
    assert_eq!(version.key().at_version(0), None);
    assert_eq!(version.key().at_version(3), Some(version.clone()));
    let names = (version.key().project(), version.key().location());
    assert_eq!(names, ("payments", "us-east1"));
    let names = (version.key().ring(), version.key().name());
    assert_eq!(names, ("Ring_1", "backup"));

    let KeyId::Kmip(object) = key("kmip://hsm%20a/x%2Fy") else {
        panic!("not KMIP");
    };
    assert_eq!((object.server(), object.uid()), ("hsm a", "x/y"));

    let arn = key(ARN);
    let aws = arn.aws().unwrap();
    assert_eq!((aws.partition(), aws.region()), ("aws", "us-east-1"));
    assert_eq!((aws.account(), aws.id()), ("111122223333", UUID));
    assert_eq!(key(AZURE).aws(), None);
}

#[test]
fn providers() {
    for (text, provider) in [
        (ARN, Some(Provider::Aws)),
        (UUID, Some(Provider::Aws)),
        ("alias/x", Some(Provider::Aws)),
        (AZURE, Some(Provider::Azure)),
        (AZURE_KEY, Some(Provider::Azure)),
        (HEX, Some(Provider::Azure)),
        (GCP, Some(Provider::Gcp)),
        (GCP_KEY, Some(Provider::Gcp)),
        (KMIP, Some(Provider::Kmip)),
        ("17", None),
    ] {
        let spelling = read(text);
        assert_eq!(spelling.provider(), provider, "{text}");
        if let Some(key) = spelling.complete() {
            assert_eq!(Some(key.provider()), provider, "{text}");
            assert_eq!(Some(key.unit().provider()), provider, "{text}");
        }
    }
}

#[test]
fn regions_are_added_once() {
    for (text, region, expected) in [
        (
            UUID,
            "us-east-1",
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
        ),
        (
            UUID,
            "US_EAST_1",
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
        ),
        (UUID, "US-East-1", UUID),
        (UUID, "", UUID),
        (UUID, "global", UUID),
        (
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "eu-west-1",
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
        ),
        (ARN, "eu-west-1", ARN),
        ("alias/x", "eu-west-1", "alias/x"),
        (HEX, "eu-west-1", HEX),
        ("17", "eu-west-1", "17"),
    ] {
        let spelling = read(text).with_region(region);
        assert_eq!(spelling.to_string(), expected, "{text} {region}");
        assert_eq!(read(expected), spelling, "{text} {region}");
    }
}

#[test]
fn bare_identifiers_go_on_a_kmip_server() {
    for (text, expected) in [
        ("17", Some(KMIP)),
        (
            UUID,
            Some("kmip://hsm-a/5ce83906-6563-46b7-8045-11c20e3a5766"),
        ),
        // Identifiers are byte-exact: the case must survive the reading.
        (
            "5CE83906-6563-46B7-8045-11C20E3A5766",
            Some("kmip://hsm-a/5CE83906-6563-46B7-8045-11C20E3A5766"),
        ),
        (
            "0123456789ABCDEF0123456789ABCDEF",
            Some("kmip://hsm-a/0123456789ABCDEF0123456789ABCDEF"),
        ),
        ("a/b", Some("kmip://hsm-a/a%2Fb")),
        ("", None),
        (" 17", None),
        ("17\n", None),
        (ARN, None),
        (
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
            None,
        ),
        ("alias/x", None),
        (AZURE_KEY, None),
        (GCP_KEY, None),
        (KMIP, None),
    ] {
        let placed = read(text).kmip_on("hsm-a").map(|key| key.to_string());
        assert_eq!(placed.as_deref(), expected, "{text}");
    }
    assert_eq!(read("17").kmip_on(""), None);
    assert_eq!(read("17").kmip_on("a\n"), None);
}

#[test]
fn units() {
    for (text, expected) in [
        (ARN, Some(ARN)),
        (AZURE, Some(AZURE_KEY)),
        (AZURE_KEY, Some(AZURE_KEY)),
        (GCP, Some(GCP)),
        (KMIP, Some(KMIP)),
        (UUID, None),
        (ALIAS_ARN, None),
        (HEX, None),
        (GCP_KEY, None),
        ("17", None),
    ] {
        let named = units_named_by(&read(text));
        assert_eq!(
            named.as_ref().map(Unit::to_string).as_deref(),
            expected,
            "{text}"
        );
        assert_eq!(Unit::parse(text), named, "{text}");
        if let Some(key) = read(text).complete() {
            assert_eq!(named, Some(Unit::from_key(key)), "{text}");
            assert!(key.unit().contains(key), "{text}");
        }
    }
    let other_version = AZURE.replace(HEX, OTHER_HEX);
    assert!(unit(AZURE).contains(&key(&other_version)));
    assert!(!unit(MRK_ARN).contains(&key(MRK_ARN_EU)));
    assert!(!unit(GCP).contains(&key(GCP_NUMBER)));
    assert!(!unit(GCP).contains(&key(ARN)));
}

#[test]
fn an_endpoint_of_another_region_does_not_speak_for_a_key() {
    let key: KeyId = "arn:aws:kms:us-east-1:111122223333:key/0c8d3e15-47fa-4b92-8d60-e17b2a94f5c3"
        .parse()
        .unwrap();
    let key = key.aws().unwrap();
    for (endpoint, may) in [
        ("https://kms.us-east-1.amazonaws.com", true),
        ("https://kms.us-east-1.amazonaws.com/", true),
        ("kms.us-east-1.amazonaws.com:443", true),
        ("https://kms-fips.us-east-1.amazonaws.com", true),
        ("https://kms.eu-west-1.amazonaws.com", false),
        ("https://kms.cn-north-1.amazonaws.com.cn", false),
        (
            "https://vpce-0a1b-2c3d.kms.eu-west-1.vpce.amazonaws.com",
            false,
        ),
        ("http://127.0.0.1:4566", true),
        ("recorded", true),
    ] {
        assert_eq!(key.may_answer(endpoint), may, "{endpoint}");
    }
}

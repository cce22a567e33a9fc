use proptest::prelude::*;
use proptest::sample::subsequence;
use url::Url;

use super::*;

fn aws_id() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(UUID.to_owned()),
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        Just(MRK.to_owned()),
        "mrk-[0-9a-f]{32}",
    ]
}

/// Canonical ids over small sets of names, so that equal parts meet.
fn canonical() -> impl Strategy<Value = String> {
    let aws = (
        prop_oneof![Just("aws"), Just("aws-cn"), Just("aws-us-gov")],
        prop_oneof![Just("us-east-1"), Just("eu-west-1"), Just("us-gov-west-1")],
        prop_oneof![Just("111122223333".to_owned()), "[0-9]{12}"],
        aws_id(),
    )
        .prop_map(|(partition, region, account, id)| {
            format!("arn:{partition}:kms:{region}:{account}:key/{id}")
        });
    let azure = (
        prop_oneof![Just("abc".to_owned()), "[0-9a-z-]{3,24}"],
        prop_oneof![Just("vault.azure.net"), Just("managedhsm.azure.cn")],
        prop_oneof![Just("k".to_owned()), "[0-9a-z-]{1,127}"],
        prop_oneof![Just(HEX.to_owned()), "[0-9a-f]{32}"],
    )
        .prop_map(|(vault, suffix, name, version)| {
            format!("https://{vault}.{suffix}/keys/{name}/{version}")
        });
    let gcp = (
        prop_oneof![Just("payments"), Just("4711"), Just("example.com:pay")],
        prop_oneof![Just("global"), Just("us"), Just("us-east1")],
        prop_oneof![Just("r".to_owned()), "[a-zA-Z0-9_-]{1,63}"],
        prop_oneof![1..3_u64, 1..=u64::MAX],
    )
        .prop_map(|(project, location, name, version)| {
            format!(
                "projects/{project}/locations/{location}/keyRings/{name}/cryptoKeys/{name}\
                 /cryptoKeyVersions/{version}"
            )
        });
    let kmip = (
        prop_oneof![Just("hsm-a".to_owned()), "\\PC{1,20}"],
        prop_oneof![Just(UUID.to_owned()), Just(HEX.to_owned()), "\\PC{1,40}"],
    )
        .prop_filter_map("not clean", |(server, uid)| {
            KmipKey::new(&server, &uid).map(|key| key.to_string())
        });
    prop_oneof![aws, azure, gcp, kmip]
}

/// Texts of all forms: canonical, cut anywhere, altered in one place, bare, or anything.
fn spelled() -> impl Strategy<Value = String> {
    let altered =
        (canonical(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(text, at, c)| {
            let at = at.index(text.len());
            text.char_indices()
                .map(|(i, old)| if i == at { c } else { old })
                .collect()
        });
    let cut = (canonical(), any::<prop::sample::Index>()).prop_map(|(text, at)| {
        let at = at.index(text.len());
        text.get(..at).unwrap_or(&text).to_owned()
    });
    prop_oneof![
        canonical(),
        altered,
        cut,
        canonical().prop_map(|text| text.to_uppercase()),
        aws_id(),
        aws_id().prop_map(|id| format!("arn::kms:eu-west-1::key/{id}")),
        aws_id().prop_map(|id| format!("arn::kms::111122223333:key/{id}")),
        Just("alias/a".to_owned()),
        Just(ALIAS_ARN.to_owned()),
        Just(AZURE_KEY.to_owned()),
        Just(HEX.to_owned()),
        Just(GCP_KEY.to_owned()),
        "[a-z0-9]{1,3}",
        any::<String>(),
        "(https://|kmip://|arn:|projects/|alias/)[ -~]{0,60}",
    ]
}

fn shown() -> impl Strategy<Value = Vec<Provider>> {
    subsequence(Provider::ALL.to_vec(), 0..=4)
}

/// What is left of a key when a source gives less than all of it.
fn weaker(key: &KeyId) -> Vec<String> {
    match key {
        KeyId::Aws(key) => vec![
            key.id().to_owned(),
            key.id().to_uppercase().replace("MRK-", "mrk-"),
            format!("arn::kms:{}::key/{}", key.region(), key.id()),
            format!(
                "arn:{}:kms::{}:key/{}",
                key.partition(),
                key.account(),
                key.id()
            ),
            "alias/any".to_owned(),
            format!(
                "arn:{}:kms:{}:{}:alias/any",
                key.partition(),
                key.region(),
                key.account()
            ),
        ],
        KeyId::Azure(version) => vec![version.version().to_owned(), version.key().to_string()],
        KeyId::Gcp(version) => vec![version.key().to_string()],
        // A text that states another provider is not read as an identifier.
        KeyId::Kmip(key) => vec![key.uid().to_owned()]
            .into_iter()
            .filter(|uid| units_named_by(&read(uid)).is_none())
            .filter(|uid| !matches!(read(uid), Spelling::GcpKey(_)))
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn canonical_ids_round_trip(text in canonical()) {
        let key: KeyId = text.parse().unwrap();
        prop_assert_eq!(key.to_string(), text.clone());
        prop_assert!(is_clean(&text));
        prop_assert_eq!(read(&text), Spelling::Complete(key.clone()));
        let unit = key.unit();
        prop_assert_eq!(Unit::parse(&unit.to_string()), Some(unit.clone()));
        prop_assert!(unit.contains(&key));
    }

    #[test]
    fn any_text_reads_as_its_own_display(text in spelled()) {
        let spelling = read(&text);
        let shown = spelling.to_string();
        prop_assert_eq!(&read(&shown), &spelling);
        if spelling.provider().is_none() {
            prop_assert_eq!(shown, text);
        } else {
            prop_assert!(is_clean(&shown));
        }
        if let Some(unit) = units_named_by(&spelling) {
            prop_assert!(unit.compare(&spelling, &[]) == Match::Same);
            prop_assert_eq!(Unit::parse(&unit.to_string()), Some(unit));
        }
    }

    /// The split by hand never sees another host than a URL parser does.
    #[test]
    fn azure_hosts_are_those_of_the_url(
        vault in "[0-9A-Za-z.:@%\\\\#-]{1,12}",
        suffix in "(\\.vault\\.azure\\.net|\\.Vault\\.Azure\\.cn)[.:@/a-z]{0,2}(443)?",
        path in "/{0,2}(keys|Keys|deletedkeys|\\.\\.)/{1,2}[a-zA-Z0-9.%-]{1,3}[/?#@]{0,2}",
    ) {
        let text = format!("https://{vault}{suffix}{path}");
        if let Some(Unit::Azure(key)) = Unit::parse(&text) {
            let url = Url::parse(&text).unwrap();
            prop_assert_eq!(url.host_str(), Some(key.host()), "{}", text);
            prop_assert_eq!(url.port(), None, "{}", text);
            prop_assert_eq!((url.username(), url.password()), ("", None), "{}", text);
            let last = url.path().trim_end_matches('/').rsplit('/').next();
            let name = last.map(str::to_ascii_lowercase);
            prop_assert_eq!(name.as_deref(), Some(key.name()), "{}", text);
        }
    }

    #[test]
    fn comparing_is_symmetric_and_same_means_equal(a in spelled(), b in spelled()) {
        let (a, b) = (read(&a), read(&b));
        let found = a.compare(&b);
        prop_assert_eq!(found, b.compare(&a));
        // Equality of complete spellings is an equivalence, so `Same` is one.
        prop_assert_eq!(found == Match::Same, a == b && a.complete().is_some());
        prop_assert_ne!(a.compare(&a), Match::Different);
        prop_assert_ne!(b.compare(&b), Match::Different);
    }

    #[test]
    fn a_unit_is_no_stricter_than_its_keys(
        text in canonical(),
        spelling in spelled(),
        shown in shown(),
    ) {
        let (key, spelling) = (key(&text), read(&spelling));
        let unit = key.unit();
        let known = Spelling::Complete(key.clone());
        if spelling.compare(&known) != Match::Different {
            prop_assert_ne!(unit.compare(&spelling, &Provider::ALL), Match::Different);
        }
        if spelling.completed_by(&key) {
            prop_assert_eq!(spelling.compare(&known), Match::Agrees);
            prop_assert_ne!(unit.compare(&spelling, &shown), Match::Different);
        }
        // To know more providers of a project never rules a key out.
        if unit.compare(&spelling, &shown) != Match::Different {
            prop_assert_ne!(unit.compare(&spelling, &Provider::ALL), Match::Different);
        }
    }

    #[test]
    fn what_is_left_out_never_rules_a_key_out(text in canonical(), shown in shown()) {
        let key = key(&text);
        for weaker in weaker(&key) {
            let spelling = read(&weaker);
            prop_assert_ne!(key.unit().compare(&spelling, &shown), Match::Different, "{}", weaker);
            let known = Spelling::Complete(key.clone());
            prop_assert_ne!(spelling.compare(&known), Match::Different, "{}", weaker);
        }
    }

    #[test]
    fn related_keys_stay_in_one_account(a in canonical(), b in canonical()) {
        let (a, b) = (key(&a), key(&b));
        prop_assert_eq!(a.is_related(&b), b.is_related(&a));
        if a.is_related(&b) {
            let sibling = a.aws().unwrap().in_region(b.aws().unwrap().region()).unwrap();
            prop_assert_eq!(KeyId::Aws(sibling), b);
        }
    }
}

use super::*;

/// Each row: what is spelled, the form it is read as, its text.
fn check_rows(rows: &[(&str, &str, &str)]) {
    for (text, expected, canonical) in rows {
        let spelling = read(text);
        assert_eq!(form(&spelling), *expected, "{text}");
        assert_eq!(spelling.to_string(), *canonical, "{text}");
        assert_eq!(read(canonical), spelling, "{text}");
        let parsed = text.parse::<KeyId>();
        assert_eq!(parsed.ok().as_ref(), spelling.complete(), "{text}");
    }
}

/// As `check_rows` for what is kept verbatim.
fn check_verbatim(expected: &str, texts: &[&str]) {
    for text in texts {
        check_rows(&[(text, expected, text)]);
    }
}

#[test]
fn aws_spellings() {
    check_verbatim(
        "aws",
        &[
            ARN,
            MRK_ARN,
            "arn:aws-cn:kms:cn-northwest-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws-iso:kms:us-iso-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws-iso-b:kms:us-isob-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws-iso-e:kms:eu-isoe-west-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws-iso-f:kms:us-isof-south-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
        ],
    );
    check_verbatim(
        "aws id",
        &[
            UUID,
            MRK,
            "5CE83906-6563-46B7-8045-11C20E3A5766",
            "mrk-0123456789ABCDEF0123456789ABCDEF",
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn::kms::111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn::kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
        ],
    );
    check_verbatim(
        "aws alias",
        &[
            "alias/backup",
            "alias/aws/ebs",
            "alias/a:b/C_d-9",
            ALIAS_ARN,
            "arn:aws:kms:us-east-1:111122223333:alias/a:b/c",
        ],
    );
    check_rows(&[
        // Hex digits of either case; the rest of an ARN is exact.
        (
            "arn:aws:kms:us-east-1:111122223333:key/5CE83906-6563-46B7-8045-11C20E3A5766",
            "aws",
            ARN,
        ),
        (
            "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789ABCDEF0123456789ABCDEF",
            "aws",
            MRK_ARN,
        ),
        (
            "arn:aws:kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "aws id",
            "arn::kms:us-east-1::key/5ce83906-6563-46b7-8045-11c20e3a5766",
        ),
    ]);
}

#[test]
fn aws_look_alikes_are_opaque() {
    let long_alias = format!("alias/{}", "a".repeat(257));
    check_verbatim(
        "opaque",
        &[
            // Sample ids of Atlas' own documentation have letters that are not hex.
            "030gce02-586d-48d2-a966-05ea954fde0g",
            "arn:aws:kms:us-east-1:111122223333:key/030gce02-586d-48d2-a966-05ea954fde0g",
            "arn:aws-iso-z:kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:AWS:kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "ARN:aws:kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:s3:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:useast-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:US_EAST_1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us--east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:-us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-123:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1-:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1a:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-eäst-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1:11112222333:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1:1111222233334:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1:11112222333x:key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1:111122223333:5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms:us-east-1:111122223333:key/5ce83906-6563-46b7-8045-11c20e3a5766/x",
            "arn:aws:kms:us-east-1:111122223333:key/mrk-0123456789abcdef",
            "arn:aws:kms:us-east-1:111122223333:key/",
            "arn:aws:kms:us-east-1:111122223333:alias/",
            "arn:aws:kms:us-east-1::alias/backup",
            "arn:aws:kms:::key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn::kms:::key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "arn:aws:kms",
            "key/5ce83906-6563-46b7-8045-11c20e3a5766",
            "5ce83906-6563-46b7-8045-11c20e3a576",
            "5ce83906-6563-46b7-8045-11c20e3a57667",
            "5ce83906x6563-46b7-8045-11c20e3a5766",
            "{5ce83906-6563-46b7-8045-11c20e3a5766}",
            "mrk-0123456789abcdef0123456789abcde",
            "mrk-0123456789abcdef0123456789abcdeg",
            "MRK-0123456789abcdef0123456789abcdef",
            "alias/",
            "alias/a b",
            "alias/ä",
            "alias/a.b",
            &long_alias,
            // A key material id is no key id.
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ],
    );
}

#[test]
fn azure_spellings() {
    check_verbatim(
        "azure",
        &[
            AZURE,
            "https://abc.vault.azure.cn/keys/k/0123456789abcdef0123456789abcdef",
            "https://abc.vault.usgovcloudapi.net/keys/k/0123456789abcdef0123456789abcdef",
            "https://abc.managedhsm.azure.net/keys/k/0123456789abcdef0123456789abcdef",
            "https://abc.managedhsm.azure.cn/keys/k/0123456789abcdef0123456789abcdef",
            "https://abc.managedhsm.usgovcloudapi.net/keys/k/0123456789abcdef0123456789abcdef",
            // A vault may be named so.
            "https://vault.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef",
            "https://evil.vault.azure.net/keys/k/0123456789abcdef0123456789abcdef",
        ],
    );
    check_verbatim("azure key", &[AZURE_KEY]);
    check_verbatim("azure version", &[HEX, "0123456789ABCDEF0123456789ABCDEF"]);
    check_rows(&[
        (
            "HTTPS://Payments.Vault.Azure.NET/Keys/Backup/0123456789ABCDEF0123456789ABCDEF",
            "azure",
            AZURE,
        ),
        (
            "https://payments.vault.azure.net:443/keys/backup/0123456789abcdef0123456789abcdef",
            "azure",
            AZURE,
        ),
        (
            "https://payments.vault.azure.net:443//keys//backup///0123456789abcdef0123456789abcdef//",
            "azure",
            AZURE,
        ),
        (
            "https://payments.vault.azure.net/keys/backup/0123456789abcdef0123456789abcdef?api-version=7.4&x=%2f#y",
            "azure",
            AZURE,
        ),
        (
            "https://payments.vault.azure.net/keys/backup/",
            "azure key",
            AZURE_KEY,
        ),
        (
            "https://payments.vault.azure.net/deletedkeys/backup",
            "azure key",
            AZURE_KEY,
        ),
        (
            "https://payments.vault.azure.net/DeletedKeys/Backup?a=b",
            "azure key",
            AZURE_KEY,
        ),
    ]);
}

#[test]
fn azure_look_alikes_are_opaque() {
    let long_name = format!("https://abc.vault.azure.net/keys/{}", "n".repeat(128));
    check_verbatim(
        "opaque",
        &[
            "http://payments.vault.azure.net/keys/backup",
            "https:/payments.vault.azure.net/keys/backup",
            "https:///payments.vault.azure.net/keys/backup",
            "https:payments.vault.azure.net/keys/backup",
            "payments.vault.azure.net/keys/backup",
            // Hosts that only look like a key vault's.
            "https://payments.vault.azure.net.evil.example/keys/backup",
            "https://evilvault.azure.net/keys/backup",
            "https://paymentsvault.azure.net/keys/backup",
            "https://vault.azure.net/keys/backup",
            "https://.vault.azure.net/keys/backup",
            "https://a.payments.vault.azure.net/keys/backup",
            "https://payments.vault.azure.net./keys/backup",
            "https://payments.vault.azure.com/keys/backup",
            "https://payments.privatelink.vaultcore.azure.net/keys/backup",
            "https://evil.example/payments.vault.azure.net/keys/backup",
            "https://evil.example#.vault.azure.net/keys/backup",
            "https://evil.example?.vault.azure.net/keys/backup",
            "https://evil.example\\.vault.azure.net/keys/backup",
            "https://evil%2eexample.vault.azure.net/keys/backup",
            "https://payments%2evault.azure.net/keys/backup",
            "https://payments。vault.azure.net/keys/backup",
            "https://päyments.vault.azure.net/keys/backup",
            "https://pay\tments.vault.azure.net/keys/backup",
            "https://pay_ments.vault.azure.net/keys/backup",
            "https://user@payments.vault.azure.net/keys/backup",
            "https://user:pw@payments.vault.azure.net/keys/backup",
            "https://payments.vault.azure.net@evil.example/keys/backup",
            "https://payments.vault.azure.net:443@evil.example/keys/backup",
            "https://payments.vault.azure.net:8443/keys/backup",
            "https://payments.vault.azure.net:/keys/backup",
            "https://payments.vault.azure.net:443:443/keys/backup",
            // Names of vaults have 3 to 24 characters, of keys 1 to 127.
            "https://ab.vault.azure.net/keys/backup",
            "https://abcdefghijklmnopqrstuvwxy.vault.azure.net/keys/backup",
            &long_name,
            // Paths.
            "https://payments.vault.azure.net",
            "https://payments.vault.azure.net/",
            "https://payments.vault.azure.net/keys",
            "https://payments.vault.azure.net/keys/?a=/backup",
            "https://payments.vault.azure.net/secrets/backup",
            "https://payments.vault.azure.net/keys/back_up",
            "https://payments.vault.azure.net/keys/back%2dup",
            "https://payments.vault.azure.net/keys/backup#x",
            "https://payments.vault.azure.net/keys/backup?x\n",
            "https://payments.vault.azure.net/keys/backup? ",
            "https://payments.vault.azure.net/keys/../keys/backup",
            "https://payments.vault.azure.net/keys/./backup",
            "https://payments.vault.azure.net\\keys\\backup",
            "https://payments.vault.azure.net/keys/backup/0123456789abcdef0123456789abcde",
            "https://payments.vault.azure.net/keys/backup/0123456789abcdef0123456789abcdeg",
            "https://payments.vault.azure.net/keys/backup/0123456789abcdef0123456789abcdef/x",
            "https://payments.vault.azure.net/keys/backup/versions",
            "https://payments.vault.azure.net/deletedkeys/backup/0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdeg",
        ],
    );
}

#[test]
fn gcp_spellings() {
    let last = format!("{GCP_KEY}/cryptoKeyVersions/18446744073709551615");
    check_verbatim(
        "gcp",
        &[
            GCP,
            GCP_NUMBER,
            &last,
            "projects/example.com:pay/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
        ],
    );
    check_verbatim("gcp key", &[GCP_KEY]);
    let of_service = format!("//cloudkms.googleapis.com/{GCP}");
    let of_url = format!("https://cloudkms.googleapis.com/v1/{GCP}");
    let key_of_service = format!("//cloudkms.googleapis.com/{GCP_KEY}");
    check_rows(&[
        (&of_service, "gcp", GCP),
        (&of_url, "gcp", GCP),
        (&key_of_service, "gcp key", GCP_KEY),
    ]);
}

#[test]
fn gcp_look_alikes_are_opaque() {
    let long_ring = GCP.replace("Ring_1", &"r".repeat(64));
    let of_other_host = format!("https://cloudkms.googleapis.com.evil.example/v1/{GCP}");
    let without_api_version = format!("https://cloudkms.googleapis.com/{GCP}");
    let over_http = format!("http://cloudkms.googleapis.com/v1/{GCP}");
    let rows = [
        "projects/payments",
        "projects/payments/locations/us-east1/keyRings/Ring_1",
        "projects/payments/locations/us-east1/keyRings/Ring_1/cryptoKeys",
        "projects/payments/locations/us-east1/retiredResources/1",
        "/projects/payments/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup",
        "projects//locations/us-east1/keyRings/Ring_1/cryptoKeys/backup",
        "projects/-/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup",
        "projects/Payments/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup",
        "projects/04711/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup",
        "projects/1a/locations/us-east1/keyRings/Ring_1/cryptoKeys/backup",
        "projects/payments/locations/-/keyRings/Ring_1/cryptoKeys/backup",
        "projects/payments/locations/US/keyRings/Ring_1/cryptoKeys/backup",
        "projects/payments/Locations/us/keyRings/Ring_1/cryptoKeys/backup",
        "projects/payments/locations/us/keyrings/Ring_1/cryptoKeys/backup",
        "projects/payments/locations/us/keyRings/Ring.1/cryptoKeys/backup",
        &long_ring,
        &of_other_host,
        &without_api_version,
        &over_http,
    ];
    check_verbatim("opaque", &rows);
    for ending in [
        "/",
        "//cryptoKeyVersions/3",
        "/cryptoKeyVersions",
        "/cryptoKeyVersions/",
        "/cryptoKeyVersions/0",
        "/cryptoKeyVersions/03",
        "/cryptoKeyVersions/+3",
        "/cryptoKeyVersions/3:destroy",
        "/cryptoKeyVersions/3/",
        "/cryptoKeyVersions/latest",
        "/cryptoKeyVersions/18446744073709551616",
        "/cryptokeyversions/3",
    ] {
        check_verbatim("opaque", &[&format!("{GCP_KEY}{ending}")]);
    }
}

#[test]
fn kmip_spellings() {
    check_verbatim(
        "kmip",
        &[
            KMIP,
            "kmip://hsm-a/5ce83906-6563-46b7-8045-11c20e3a5766",
            "kmip://hsm-a/5CE83906-6563-46B7-8045-11C20E3A5766",
            "kmip://HSM.b_~/a%2Fb%3Fc%23d%25e%20f%C3%A4",
        ],
    );
    check_rows(&[
        ("kmip://hsm-a/%31%37", "kmip", KMIP),
        ("kmip://hsm-a/a:b@c", "kmip", "kmip://hsm-a/a%3Ab%40c"),
        ("kmip://hsm-a/a%2fb", "kmip", "kmip://hsm-a/a%2Fb"),
        ("kmip://hsm-a/ä", "kmip", "kmip://hsm-a/%C3%A4"),
    ]);
    check_verbatim(
        "opaque",
        &[
            "17",
            "kmip://",
            "kmip:///17",
            "kmip://hsm-a",
            "kmip://hsm-a/",
            "kmip://hsm-a/17/",
            "kmip://hsm-a/a/b",
            "kmip://hsm-a/a?b",
            "kmip://hsm-a/a#b",
            "kmip://hsm-a/a b",
            "kmip://hsm-a/%",
            "kmip://hsm-a/%2",
            "kmip://hsm-a/%zz",
            "kmip://hsm-a/%C3",
            "kmip://hsm-a/%0a",
            "kmip://hsm-a/%20a",
            "kmip://hsm-a/a%C2%A0",
            "KMIP://hsm-a/17",
        ],
    );
}

#[test]
fn nothing_is_trimmed_and_nothing_is_lost() {
    let mut rows = vec![
        String::new(),
        " ".to_owned(),
        "\0".to_owned(),
        "\u{feff}".to_owned(),
    ];
    for text in [
        ARN, UUID, ALIAS_ARN, AZURE, AZURE_KEY, HEX, GCP, GCP_KEY, KMIP,
    ] {
        for padding in [
            " ", "\n", "\t", "\0", "\u{7f}", "\u{a0}", "\u{feff}", "\u{202e}",
        ] {
            rows.push(format!("{text}{padding}"));
            rows.push(format!("{padding}{text}"));
        }
    }
    for text in &rows {
        let spelling = read(text);
        if text.starts_with("kmip://") && text.ends_with(['\u{feff}', '\u{202e}']) {
            // No white space and no control character, so part of the identifier; the canonical
            // text shows it encoded.
            assert_eq!(form(&spelling), "kmip", "{text:?}");
            assert!(spelling.to_string().is_ascii(), "{text:?}");
        } else {
            assert_eq!(spelling, Spelling::Opaque(text.clone()), "{text:?}");
        }
    }
}

#[test]
fn long_texts() {
    let uid = |n: usize| format!("kmip://s/{}", "u".repeat(n - "kmip://s/".len()));
    assert_eq!(form(&read(&uid(MAX_LEN))), "kmip");
    assert_eq!(form(&read(&uid(MAX_LEN + 1))), "opaque");
    // The canonical text counts, too: `:` becomes three bytes.
    let colons = format!("kmip://s/{}", ":".repeat(1000));
    assert_eq!(form(&read(&colons)), "opaque");
    assert_eq!(KmipKey::new("s", &":".repeat(1000)), None);

    let query = format!("{AZURE}?{}", "q".repeat(MAX_LEN));
    assert_eq!(form(&read(&query)), "opaque");

    let megabyte = "arn:aws:kms:".repeat(90_000);
    let spelling = read(&megabyte);
    assert_eq!(spelling, Spelling::Opaque(megabyte.clone()));
    assert_eq!(spelling.compare(&spelling), Match::Agrees);
    assert_eq!(spelling.compare(&read(&ARN.repeat(9_000))), Match::Possible);
    assert_eq!(spelling.compare(&read(KMIP)), Match::Possible);
    let error = megabyte.parse::<KeyId>().unwrap_err();
    assert!(error.to_string().len() < 1000);
}

#[test]
fn errors_name_what_is_missing() {
    for (text, why) in [
        (UUID, "give the key ARN"),
        (MRK, "give the key ARN"),
        (ALIAS_ARN, "alias"),
        (AZURE_KEY, "version"),
        (HEX, "vault"),
        (GCP_KEY, "cryptoKeyVersions"),
        ("", "empty"),
        ("a\n", "control characters"),
        (" a", "white space"),
        ("a", "kmip://SERVER/UID"),
    ] {
        let error = text.parse::<KeyId>().unwrap_err();
        assert!(error.why.contains(why), "{text}: {error}");
        assert!(!error.to_string().contains('\n'), "{text}: {error}");
    }
}

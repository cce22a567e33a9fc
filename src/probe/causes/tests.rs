use super::*;
use crate::model::Timestamp;

fn observed(key: &str, condition: Condition) -> Observation {
    Observation {
        key: key.parse().unwrap(),
        at: Timestamp::floor("2026-11-01T06:00:00Z").unwrap(),
        condition,
        native: None,
        endpoint: String::new(),
        identity: None,
        related: Vec::new(),
        stale_at: None,
    }
}

fn unknown(reason: UnknownReason) -> Condition {
    Condition::Unknown {
        reason,
        detail: Some(format!("told {}", reason.word())),
    }
}

fn vault(name: &str) -> String {
    format!("https://{name}.vault.azure.net/keys/a/{:032x}", 1)
}

fn arn(number: u32) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{number:08x}-0000-4000-8000-000000000000")
}

#[test]
fn what_could_not_be_told_is_grouped_by_cause_the_most_frequent_first() {
    let told = [
        observed(&vault("one"), unknown(UnknownReason::AccessDenied)),
        observed(&arn(1), unknown(UnknownReason::AccessDenied)),
        observed(&vault("three"), unknown(UnknownReason::AccessDenied)),
        observed(&vault("two"), unknown(UnknownReason::Unreachable)),
        observed(&vault("two"), unknown(UnknownReason::AccessDenied)),
        observed(&arn(2), Condition::Transient),
        observed(&arn(3), Condition::Enabled { expires: None }),
        observed(&arn(4), Condition::Disabled),
    ];
    let grouped = causes(&told);
    let short: Vec<_> = grouped
        .iter()
        .map(|cause| (cause.provider.word(), cause.word, cause.keys.len()))
        .collect();
    assert_eq!(
        short,
        [
            ("azure", "access-denied", 3),
            ("aws", "transient", 1),
            ("aws", "access-denied", 1),
            ("azure", "unreachable", 1),
        ]
    );
    assert_eq!(
        grouped[0].keys,
        [vault("one"), vault("three"), vault("two")]
    );
    assert_eq!(grouped[0].example.as_deref(), Some("told access-denied"));
    assert!(
        causes(&told[6..]).is_empty(),
        "what is settled needs no fix"
    );
}

/// Each provider's fix names what that provider calls it.
#[test]
fn every_cause_has_a_fix() {
    for provider in Provider::ALL {
        for reason in UnknownReason::ALL {
            assert!(fix(provider, reason).len() > 10, "{provider:?} {reason:?}");
        }
    }
    assert!(fix(Provider::Aws, UnknownReason::AccessDenied).contains("kms:DescribeKey"));
    assert!(fix(Provider::Azure, UnknownReason::AccessDenied).contains("Key Vault Reader"));
    assert!(fix(Provider::Azure, UnknownReason::WrongScope).contains("tenant"));
}

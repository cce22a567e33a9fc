//! Every state of the KMS developer guide's "Key states of AWS KMS keys" and every error of the
//! API reference's `DescribeKey` and of AWS's "Common errors", as bytes on a socket, and the
//! condition and reason that come out.

use serde_json::{Value, json};

use crate::emulator::aws::{Aws, Fault, Key};
use crate::support::aws::{arn, at, key, observe, short};

/// 2096-10-02T07:06:40.75Z, as KMS sends it: ahead of every answer.
const LATER: f64 = 4_000_000_000.75;
/// 2020-09-13T12:26:40Z: before every answer.
const EARLIER: f64 = 1_600_000_000.0;

/// What KMS shows of a key, by row, and the condition it stands for.
pub(crate) fn states() -> Vec<(&'static str, Value, &'static str)> {
    let store =
        json!({"KeyState": "Enabled", "CustomKeyStoreId": "cks-1", "Origin": "AWS_CLOUDHSM"});
    let imported = |state: &str, more: Value| {
        let mut metadata = json!({
            "KeyState": state, "Enabled": state == "Enabled",
            "Origin": "EXTERNAL", "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        });
        merge(&mut metadata, more);
        metadata
    };
    let dated =
        |valid_to: f64| json!({"ExpirationModel": "KEY_MATERIAL_EXPIRES", "ValidTo": valid_to});
    vec![
        ("Enabled", json!({}), "enabled"),
        (
            "Disabled",
            json!({"KeyState": "Disabled", "Enabled": false}),
            "disabled",
        ),
        (
            "PendingDeletion",
            json!({"KeyState": "PendingDeletion", "Enabled": false, "DeletionDate": LATER}),
            "pending-deletion 2096-10-02T07:06:40Z",
        ),
        (
            "PendingDeletion without a date",
            json!({"KeyState": "PendingDeletion", "Enabled": false}),
            "pending-deletion",
        ),
        (
            "PendingReplicaDeletion",
            json!({"KeyState": "PendingReplicaDeletion", "Enabled": false, "PendingDeletionWindowInDays": 7}),
            "pending-deletion",
        ),
        (
            "PendingReplicaDeletion with a date it should not have",
            json!({"KeyState": "PendingReplicaDeletion", "Enabled": false, "DeletionDate": LATER}),
            "pending-deletion",
        ),
        (
            "PendingImport",
            imported("PendingImport", json!({"ExpirationModel": null})),
            "material-missing",
        ),
        (
            "imported material without expiry",
            imported("Enabled", json!({})),
            "enabled",
        ),
        (
            "imported material that expires",
            imported("Enabled", dated(LATER)),
            "enabled 2096-10-02T07:06:40Z",
        ),
        (
            "imported material that has expired",
            imported("Enabled", dated(EARLIER)),
            "material-missing",
        ),
        (
            "DeleteImportedKeyMaterial while pending deletion",
            imported("PendingDeletion", json!({"DeletionDate": LATER})),
            "pending-deletion 2096-10-02T07:06:40Z",
        ),
        (
            "Unavailable",
            json!({"KeyState": "Unavailable", "Enabled": false, "CustomKeyStoreId": "cks-1", "Origin": "AWS_CLOUDHSM"}),
            "unavailable",
        ),
        (
            "PendingDeletion in a disconnected store",
            json!({"KeyState": "PendingDeletion", "Enabled": false, "DeletionDate": LATER,
                   "CustomKeyStoreId": "cks-1", "Origin": "AWS_CLOUDHSM"}),
            "pending-deletion 2096-10-02T07:06:40Z",
        ),
        (
            "CloudHSM key store",
            store.clone(),
            "unknown backing-key-unverified",
        ),
        (
            "external key store",
            json!({"CustomKeyStoreId": "cks-2", "Origin": "EXTERNAL_KEY_STORE"}),
            "unknown backing-key-unverified",
        ),
        (
            "external origin without a store id",
            json!({"Origin": "EXTERNAL_KEY_STORE"}),
            "unknown backing-key-unverified",
        ),
        (
            "disabled key of a CloudHSM store",
            json!({"KeyState": "Disabled", "Enabled": false, "CustomKeyStoreId": "cks-1", "Origin": "AWS_CLOUDHSM"}),
            "disabled",
        ),
        (
            "Creating",
            json!({"KeyState": "Creating", "Enabled": false}),
            "transient",
        ),
        (
            "Updating",
            json!({"KeyState": "Updating", "Enabled": false}),
            "enabled",
        ),
        (
            "a state nobody knows",
            json!({"KeyState": "Hibernating", "Enabled": false}),
            "unknown unrecognised-state",
        ),
        ("no state", json!({"KeyState": null}), "unknown malformed"),
        ("no origin", json!({"Origin": null}), "unknown malformed"),
        (
            "Enabled and not enabled",
            json!({"Enabled": false}),
            "unknown malformed",
        ),
        (
            "no Enabled at all",
            json!({"Enabled": null}),
            "unknown malformed",
        ),
        ("no ARN", json!({"Arn": null}), "unknown malformed"),
        (
            "another account's key of the same id",
            json!({"Arn": arn(1).replace("111122223333", "999988887777")}),
            "unknown malformed",
        ),
        (
            "another region's key of the same id",
            json!({"Arn": arn(1).replace("eu-west-1", "us-east-1")}),
            "unknown malformed",
        ),
        (
            "a date outside all calendars",
            json!({"ValidTo": 1e12}),
            "unknown malformed",
        ),
    ]
}

#[test]
fn every_state_on_the_wire_has_one_condition() {
    let kms = Aws::start();
    for (row, metadata, expected) in &states() {
        kms.put(&arn(1), Key::new(metadata.clone()));
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(short(&read.condition), *expected, "{row}: {read:?}");
        let state = match metadata.get("KeyState") {
            Some(state) => state.as_str(),
            None => Some("Enabled"),
        };
        if *row != "a date outside all calendars" {
            assert_eq!(read.native.as_deref(), state, "{row}: the word is kept");
        }
        assert_eq!(read.at, at(), "{row}");
        assert_eq!(read.endpoint, kms.url(), "{row}");
    }
}

/// How a question ends without an answer, by row, and the reason it stands for.
pub(crate) fn errors() -> Vec<(&'static str, Fault, &'static str)> {
    vec![
        (
            "gone?",
            Fault::exception(
                "NotFoundException",
                "Key 'arn:aws:kms:eu-west-1:111122223333:key/x' does not exist",
            ),
            "not-found",
        ),
        (
            "wrong endpoint",
            Fault::exception("NotFoundException", "Invalid arn us-east-2"),
            "wrong-scope",
        ),
        (
            "namespaced",
            Fault::exception("com.amazonaws.kms#NotFoundException", "Key does not exist"),
            "not-found",
        ),
        (
            "denied 1",
            Fault::exception(
                "AccessDeniedException",
                "User: arn:aws:iam::111122223333:user/u is not authorized to perform: kms:DescribeKey on resource: x because no identity-based policy allows the action",
            ),
            "access-denied",
        ),
        (
            "denied 2",
            Fault::exception(
                "AccessDeniedException",
                "User is not authorized because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            ),
            "access-denied",
        ),
        (
            "denied 3",
            Fault::exception(
                "AccessDeniedException",
                "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.",
            ),
            "access-denied",
        ),
        (
            "denied, status 403",
            Fault::with_status(403, "AccessDeniedException"),
            "access-denied",
        ),
        (
            "denied, told by header",
            Fault::HeaderException {
                status: 400,
                code: "AccessDeniedException:http://internal.amazon.com/".to_owned(),
            },
            "access-denied",
        ),
        (
            "disabled",
            Fault::exception("DisabledException", "x is disabled."),
            "unrecognised-state",
        ),
        (
            "pending deletion",
            Fault::exception("KMSInvalidStateException", "x is pending deletion."),
            "unrecognised-state",
        ),
        (
            "answer to decrypt",
            Fault::exception("DryRunOperationException", "dry run"),
            "malformed",
        ),
        (
            "asymmetric",
            Fault::exception("UnsupportedOperationException", "no"),
            "unsupported",
        ),
        (
            "expired",
            Fault::exception(
                "ExpiredTokenException",
                "The security token included in the request is expired",
            ),
            "credentials",
        ),
        (
            "unknown key id",
            Fault::exception(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
            "credentials",
        ),
        (
            "bad signature",
            Fault::exception(
                "InvalidSignatureException",
                "The request signature we calculated does not match",
            ),
            "credentials",
        ),
        (
            "no signature",
            Fault::exception(
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ),
            "credentials",
        ),
        (
            "half a signature",
            Fault::exception("IncompleteSignature", ""),
            "credentials",
        ),
        (
            "clock",
            Fault::exception("RequestExpired", ""),
            "credentials",
        ),
        (
            "region not enabled",
            Fault::with_status(403, "OptInRequired"),
            "wrong-scope",
        ),
        (
            "not subscribed",
            Fault::exception("SubscriptionRequiredException", ""),
            "wrong-scope",
        ),
        (
            "not an ARN",
            Fault::exception("InvalidArnException", ""),
            "wrong-scope",
        ),
        (
            "throttled for good",
            Fault::exception("ThrottlingException", "Rate exceeded"),
            "throttled",
        ),
        (
            "quota",
            Fault::exception("LimitExceededException", ""),
            "throttled",
        ),
        (
            "busy",
            Fault::with_status(503, "ServiceUnavailable"),
            "throttled",
        ),
        (
            "internal",
            Fault::with_status(500, "KMSInternalException"),
            "unreachable",
        ),
        (
            "dependency",
            Fault::with_status(500, "DependencyTimeoutException"),
            "unreachable",
        ),
        (
            "key unavailable",
            Fault::with_status(500, "KeyUnavailableException"),
            "unreachable",
        ),
        (
            "store gone",
            Fault::exception("CustomKeyStoreNotFoundException", ""),
            "backing-key-unverified",
        ),
        (
            "store broken",
            Fault::exception("CustomKeyStoreInvalidStateException", ""),
            "backing-key-unverified",
        ),
        (
            "HSM cluster",
            Fault::exception("CloudHsmClusterNotActiveException", ""),
            "backing-key-unverified",
        ),
        (
            "external proxy",
            Fault::exception("XksProxyUriUnreachableException", ""),
            "backing-key-unverified",
        ),
        (
            "a name nobody knows",
            Fault::exception("QuantumFluxException", ""),
            "malformed",
        ),
        (
            "not JSON",
            Fault::body(200, "<html>sign in</html>"),
            "malformed",
        ),
        (
            "cut JSON",
            Fault::body(200, "{\"KeyMetadata\":{\"KeyState\":\"Enabled\""),
            "malformed",
        ),
        ("two documents", Fault::body(200, "{}{}"), "malformed"),
        ("empty", Fault::body(200, ""), "malformed"),
        ("no metadata", Fault::body(200, "{}"), "malformed"),
        ("an array", Fault::body(200, "[]"), "malformed"),
        (
            "an error without a name",
            Fault::body(400, "{}"),
            "malformed",
        ),
        (
            "a gateway's page",
            Fault::body(502, "<html>bad gateway</html>"),
            "unreachable",
        ),
        (
            "a proxy's refusal",
            Fault::body(403, "<html>blocked</html>"),
            "malformed",
        ),
        ("reset in mid-body", Fault::Reset, "unreachable"),
        ("hung up", Fault::HangUp, "unreachable"),
    ]
}

#[test]
fn every_error_on_the_wire_has_one_reason() {
    let kms = Aws::start();
    for (row, fault, expected) in errors() {
        kms.put(&arn(1), Key::failing(fault.clone()));
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(
            short(&read.condition),
            format!("unknown {expected}"),
            "{row}: {read:?}"
        );
        match fault {
            Fault::Exception { code, .. } => {
                assert_eq!(read.native.as_deref(), code.rsplit('#').next(), "{row}");
            }
            Fault::HeaderException { .. } => {
                assert_eq!(
                    read.native.as_deref(),
                    Some("AccessDeniedException"),
                    "{row}"
                );
            }
            Fault::Body { .. }
            | Fault::Reset
            | Fault::HangUp
            | Fault::Trickle(_)
            | Fault::Silence => assert_eq!(read.native, None, "{row}"),
        }
        assert!(read.related.is_empty() && read.stale_at.is_none(), "{row}");
    }
}

#[test]
fn a_missing_key_and_a_key_of_another_region_differ() {
    let kms = Aws::start();
    assert_eq!(
        short(&observe(&kms.url(), &arn(7)).condition),
        "unknown not-found"
    );
    let log = kms.log();
    assert!(
        log.iter()
            .any(|request| request.region == "eu-west-1" && request.key == Some(arn(7)))
    );
    assert_eq!(observe(&kms.url(), &arn(7)).key, key(&arn(7)));
}

fn merge(into: &mut Value, more: Value) {
    for (name, value) in more.as_object().unwrap() {
        into[name] = value.clone();
    }
}

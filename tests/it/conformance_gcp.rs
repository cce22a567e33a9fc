//! Every state of the Cloud KMS API reference, everything else in an answer that qualifies it, and
//! every error of Google's error tables that can meet a read, as bytes on a socket, and the
//! condition and reason that come out.

use serde_json::{Value, json};

use snapkey::model::evidence::Observation;
use snapkey::model::{KeyId, Timestamp};

use crate::emulator::gcp::{Fault, GET_KEY, GET_VERSION, Gcp, Key, LIST};
use crate::support::aws::{at, limits, short};
use crate::support::gcp::{ask, name, observe, probe, version};

const LATER: &str = "2096-10-02T07:06:40.750Z";
const EARLIER: &str = "2020-09-13T12:26:40Z";

/// What Google shows of a version and of its key, by row, and the condition they stand for.
pub(crate) fn states() -> Vec<(&'static str, Value, Value, &'static str)> {
    let version = |version: Value, condition| (version, json!({}), condition);
    let under = |key: Value, condition| (json!({}), key, condition);
    let justified = |reasons: Value| json!({"keyAccessJustificationsPolicy": reasons});
    let rows: Vec<(&'static str, (Value, Value, &'static str))> = vec![
        ("ENABLED", version(json!({}), "enabled")),
        (
            "ENABLED in an HSM",
            version(json!({"protectionLevel": "HSM"}), "enabled"),
        ),
        (
            "ENABLED, imported",
            version(
                json!({"importJob": "projects/p/locations/l/keyRings/r/importJobs/j", "importTime": EARLIER}),
                "enabled",
            ),
        ),
        (
            "DISABLED",
            version(json!({"state": "DISABLED"}), "disabled"),
        ),
        (
            "DESTROY_SCHEDULED",
            version(
                json!({"state": "DESTROY_SCHEDULED", "destroyTime": LATER}),
                "pending-deletion 2096-10-02T07:06:40Z",
            ),
        ),
        (
            "DESTROY_SCHEDULED without a date",
            version(json!({"state": "DESTROY_SCHEDULED"}), "pending-deletion"),
        ),
        (
            "DESTROYED",
            version(
                json!({"state": "DESTROYED", "destroyTime": EARLIER, "destroyEventTime": EARLIER}),
                "destroyed",
            ),
        ),
        (
            "DESTROYED, not eligible for reimport",
            version(
                json!({"state": "DESTROYED", "reimportEligible": false}),
                "destroyed",
            ),
        ),
        (
            "DESTROYED, eligible for reimport",
            version(
                json!({"state": "DESTROYED", "destroyEventTime": EARLIER, "reimportEligible": true}),
                "material-missing",
            ),
        ),
        (
            "PENDING_IMPORT",
            version(json!({"state": "PENDING_IMPORT"}), "transient"),
        ),
        (
            "PENDING_GENERATION",
            version(
                json!({"state": "PENDING_GENERATION", "generateTime": null}),
                "transient",
            ),
        ),
        (
            "IMPORT_FAILED",
            version(
                json!({"state": "IMPORT_FAILED", "importFailureReason": "wrapped key is malformed"}),
                "unknown unsupported",
            ),
        ),
        (
            "GENERATION_FAILED",
            version(json!({"state": "GENERATION_FAILED"}), "unknown unsupported"),
        ),
        (
            "PENDING_EXTERNAL_DESTRUCTION",
            version(
                json!({"state": "PENDING_EXTERNAL_DESTRUCTION", "protectionLevel": "EXTERNAL"}),
                "destroyed",
            ),
        ),
        (
            "EXTERNAL_DESTRUCTION_FAILED",
            version(
                json!({"state": "EXTERNAL_DESTRUCTION_FAILED", "protectionLevel": "EXTERNAL_VPC"}),
                "destroyed",
            ),
        ),
        (
            "a state nobody knows",
            version(json!({"state": 11}), "unknown unrecognised-state"),
        ),
        (
            "a word nobody knows",
            version(
                json!({"state": "HIBERNATING"}),
                "unknown unrecognised-state",
            ),
        ),
        (
            "no state",
            version(json!({"state": null}), "unknown malformed"),
        ),
        ("state 0", version(json!({"state": 0}), "unknown malformed")),
        (
            "EXTERNAL",
            version(
                json!({"protectionLevel": "EXTERNAL", "externalProtectionLevelOptions": {"externalKeyUri": "https://ekm.example/1"}}),
                "unknown backing-key-unverified",
            ),
        ),
        (
            "EXTERNAL_VPC",
            version(
                json!({"protectionLevel": "EXTERNAL_VPC"}),
                "unknown backing-key-unverified",
            ),
        ),
        (
            "HSM_SINGLE_TENANT",
            version(
                json!({"protectionLevel": "HSM_SINGLE_TENANT"}),
                "unknown backing-key-unverified",
            ),
        ),
        (
            "a protection level nobody knows",
            version(
                json!({"protectionLevel": 6}),
                "unknown backing-key-unverified",
            ),
        ),
        (
            "SOFTWARE with settings of an external key",
            version(
                json!({"externalProtectionLevelOptions": {}}),
                "unknown backing-key-unverified",
            ),
        ),
        (
            "EXTERNAL and DISABLED",
            version(
                json!({"protectionLevel": "EXTERNAL", "state": "DISABLED"}),
                "disabled",
            ),
        ),
        (
            "no protection level",
            version(json!({"protectionLevel": null}), "unknown malformed"),
        ),
        (
            "ENABLED with a date",
            version(json!({"destroyTime": LATER}), "unknown malformed"),
        ),
        (
            "no access justifications at all",
            under(json!({}), "enabled"),
        ),
        (
            "no access reason at all",
            under(justified(json!({})), "disabled"),
        ),
        (
            "an empty list of access reasons",
            under(justified(json!({"allowedAccessReasons": []})), "disabled"),
        ),
        (
            "access by the customer",
            under(
                justified(
                    json!({"allowedAccessReasons": ["GOOGLE_INITIATED_SERVICE", "CUSTOMER_INITIATED_ACCESS"]}),
                ),
                "enabled",
            ),
        ),
        (
            "access by others only",
            under(
                justified(json!({"allowedAccessReasons": ["CUSTOMER_INITIATED_SUPPORT"]})),
                "unknown unsupported",
            ),
        ),
        (
            "an access reason nobody knows",
            under(
                justified(json!({"allowedAccessReasons": [12]})),
                "unknown unsupported",
            ),
        ),
        (
            "DISABLED, and no access reason",
            (
                json!({"state": "DISABLED"}),
                justified(json!({})),
                "disabled",
            ),
        ),
        (
            "DESTROYED, and no access reason",
            (
                json!({"state": "DESTROYED"}),
                justified(json!({})),
                "destroyed",
            ),
        ),
        (
            "another purpose",
            under(json!({"purpose": "ASYMMETRIC_SIGN"}), "unknown unsupported"),
        ),
        (
            "no purpose",
            under(json!({"purpose": null}), "unknown malformed"),
        ),
        (
            "a backend of its own",
            under(
                json!({"cryptoKeyBackend": "projects/p/locations/l/ekmConnections/c"}),
                "unknown backing-key-unverified",
            ),
        ),
        (
            "the project told by number",
            version(
                json!({"name": version_of("projects/payments", "projects/123456789012")}),
                "enabled",
            ),
        ),
        (
            "another project's version",
            version(
                json!({"name": version_of("payments", "elsewhere")}),
                "unknown malformed",
            ),
        ),
        (
            "another key's version",
            version(
                json!({"name": version_of("backup-1", "backup-2")}),
                "unknown malformed",
            ),
        ),
        (
            "no name",
            version(json!({"name": null}), "unknown malformed"),
        ),
        (
            "another key",
            under(
                json!({"name": name(1).replace("backup-1", "backup-2")}),
                "unknown malformed",
            ),
        ),
        (
            "a date outside all calendars",
            version(
                json!({"state": "DESTROY_SCHEDULED", "destroyTime": "0001-01-01T00:00:00Z"}),
                "unknown malformed",
            ),
        ),
        (
            "a date that is none",
            version(
                json!({"state": "DESTROY_SCHEDULED", "destroyTime": "soon"}),
                "unknown malformed",
            ),
        ),
        (
            "a state that is none",
            version(json!({"state": ["ENABLED"]}), "unknown malformed"),
        ),
    ];
    rows.into_iter()
        .map(|(row, (version, key, condition))| (row, version, key, condition))
        .collect()
}

fn version_of(from: &str, to: &str) -> String {
    version(1, 1).to_string().replace(from, to)
}

/// Puts one key for each row and asks about them all in one run.
fn ask_about(rows: Vec<Key>) -> (Gcp, Vec<Observation>) {
    let kms = Gcp::start();
    let told = ask_at(&kms, rows);
    (kms, told)
}

fn ask_at(kms: &Gcp, rows: Vec<Key>) -> Vec<Observation> {
    let numbers = 1..=u32::try_from(rows.len()).unwrap();
    for (number, key) in numbers.clone().zip(rows) {
        kms.put(&name(number), key);
    }
    let keys: Vec<KeyId> = numbers.map(|number| version(number, 1)).collect();
    let told = ask(&probe(&kms.url()), &keys, &limits());
    keys.iter()
        .map(|key| told.iter().find(|one| one.key == *key).unwrap().clone())
        .collect()
}

#[test]
fn every_state_on_the_wire_has_one_condition() {
    for words in [false, true] {
        let kms = Gcp::start();
        if words {
            kms.send_words();
        }
        // Rows that name a key name number 1.
        let own = |number: usize, value: &Value| -> Value {
            let text = value
                .to_string()
                .replace("backup-1", &format!("backup-{}", number + 1));
            serde_json::from_str(&text).unwrap()
        };
        let rows = states();
        let keys = rows.iter().enumerate();
        let keys =
            keys.map(|(no, (_, shown, key, _))| Key::new([own(no, shown)]).with(own(no, key)));
        let told = ask_at(&kms, keys.collect());
        assert_eq!(told.len(), rows.len());
        for ((row, shown, _, expected), read) in rows.iter().zip(told) {
            assert_eq!(short(&read.condition), *expected, "{row}: {read:?}");
            let ahead = (shown["destroyTime"] == LATER).then(|| Timestamp::floor(LATER).unwrap());
            assert_eq!(read.stale_at, ahead, "{row}");
            if let (Some(state), false) = (shown["state"].as_str(), expected.ends_with("malformed"))
            {
                assert_eq!(
                    read.native.as_deref(),
                    Some(state),
                    "{row}: the word is kept"
                );
            }
            assert_eq!((read.at, &read.endpoint), (at(), &kms.url()), "{row}");
            assert!(read.related.is_empty(), "{row}");
        }
    }
}

#[test]
fn a_state_that_came_as_a_number_is_kept_as_that_number() {
    let kms = Gcp::start();
    kms.put(&name(1), Key::new([json!({"state": 11})]));
    let read = observe(&kms.url(), &version(1, 1));
    assert_eq!(read.native.as_deref(), Some("11"));
}

/// How a question ends without an answer, by row, and the reason it stands for.
pub(crate) fn errors() -> Vec<(&'static str, Fault, &'static str)> {
    let error = Fault::error;
    let denied = |message: &str| Fault::error("PERMISSION_DENIED", message);
    let precondition = |message: &str| Fault::error("FAILED_PRECONDITION", message);
    vec![
        ("gone?", error("NOT_FOUND", "CryptoKey x not found."), "not-found"),
        ("hidden or denied", Fault::denied("cloudkms.cryptoKeyVersions.list"), "access-denied"),
        (
            "hidden or denied, in words only",
            denied("Permission 'cloudkms.cryptoKeyVersions.list' denied on resource 'projects/p' (or it may not exist)."),
            "access-denied",
        ),
        (
            "perimeter",
            denied("Request is prohibited by organization's policy.").because("SECURITY_POLICY_VIOLATED", "projects/1"),
            "access-denied",
        ),
        (
            "API switched off in the quota project",
            denied("Cloud Key Management Service (KMS) API has not been used in project 4711 before or it is disabled.")
                .because("SERVICE_DISABLED", "projects/4711"),
            "wrong-scope",
        ),
        (
            "API switched off, in words only",
            denied("Cloud Key Management Service (KMS) API has not been used in project 4711 before or it is disabled."),
            "wrong-scope",
        ),
        (
            "API switched off, the older wording",
            precondition("Google Cloud KMS API has not been used in this project before, or it is disabled."),
            "wrong-scope",
        ),
        (
            "quota project that may not be charged",
            denied("Caller does not have required permission to use project ops.").because("USER_PROJECT_DENIED", "projects/ops"),
            "wrong-scope",
        ),
        (
            "billing",
            denied("This API method requires billing to be enabled.").because("BILLING_DISABLED", "projects/4711"),
            "wrong-scope",
        ),
        ("project shut down", denied("Project 'payments' has been deleted."), "wrong-scope"),
        (
            "no such location",
            error("INVALID_ARGUMENT", "The request concerns location 'x', which is not served here."),
            "wrong-scope",
        ),
        (
            "scopes of the token",
            denied("Request had insufficient authentication scopes.").because("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "projects/4711"),
            "credentials",
        ),
        ("token refused", error("UNAUTHENTICATED", "Request had invalid authentication credentials."), "credentials"),
        ("quota", error("RESOURCE_EXHAUSTED", "Quota exceeded for 'Read requests per minute'."), "throttled"),
        ("unavailable", error("UNAVAILABLE", "The service is currently unavailable."), "unreachable"),
        ("deadline", error("DEADLINE_EXCEEDED", "Deadline exceeded."), "unreachable"),
        ("internal", error("INTERNAL", "Internal error encountered."), "unreachable"),
        ("unknown", error("UNKNOWN", "Unknown error."), "unreachable"),
        ("aborted", error("ABORTED", "try again"), "unreachable"),
        ("cancelled", error("CANCELLED", "cancelled"), "unreachable"),
        ("data loss", error("DATA_LOSS", "gone"), "unreachable"),
        ("unimplemented", error("UNIMPLEMENTED", "no such method"), "unsupported"),
        ("out of range", error("OUT_OF_RANGE", ""), "malformed"),
        (
            "disabled key",
            precondition("x is not enabled, current state is: DISABLED.").violating("KEY_DISABLED"),
            "unrecognised-state",
        ),
        (
            "destroyed key, in words only",
            precondition("x is not enabled, current state is: DESTROYED."),
            "unrecognised-state",
        ),
        ("external key gone", precondition("no").violating("EXTERNAL_NOT_FOUND"), "backing-key-unverified"),
        (
            "external key refused",
            precondition("no").violating("EXTERNAL_PERMISSION_DENIED"),
            "backing-key-unverified",
        ),
        ("external quota", precondition("EXTERNAL_RESOURCE_EXHAUSTED"), "backing-key-unverified"),
        ("another precondition", precondition("no"), "malformed"),
        ("an error nobody knows", Fault::Error {
            status: 418, code: "TEAPOT".to_owned(), message: "no".to_owned(), details: Vec::new(),
        }, "malformed"),
        ("an error without a name", Fault::body(404, r#"{"error":{"code":404,"message":"no"}}"#), "malformed"),
        ("a proxy's refusal", Fault::body(403, "<html>blocked</html>"), "malformed"),
        ("a proxy's not found", Fault::body(404, "<html>no such page</html>"), "malformed"),
        ("a gateway's throttling", Fault::body(429, "slow down"), "throttled"),
        ("a gateway's trouble", Fault::body(502, "<html>bad gateway</html>"), "unreachable"),
        ("a captive portal", Fault::body(200, "<html>log in</html>"), "malformed"),
        ("cut JSON", Fault::body(200, r#"{"cryptoKeyVersions":[{"name":"#), "malformed"),
        ("other JSON", Fault::body(200, r#"{"cryptoKeyVersions":"ENABLED"}"#), "malformed"),
        ("an empty body", Fault::body(200, ""), "malformed"),
        ("a bare list", Fault::body(200, "[]"), "malformed"),
        ("an empty object", Fault::body(200, "{}"), "not-found"),
        ("reset in mid-body", Fault::Reset, "unreachable"),
        ("hung up", Fault::HangUp, "unreachable"),
        ("no HTTP at all", Fault::Noise, "unreachable"),
    ]
}

#[test]
fn every_error_on_the_wire_has_one_reason() {
    // Who may not list looks at single versions: those are refused the same way.
    let refusing = |fault: &Fault| {
        let key = Key::in_state("ENABLED").failing(LIST, fault.clone());
        key.failing(GET_VERSION, fault.clone())
    };
    let rows = errors();
    let (_kms, told) = ask_about(rows.iter().map(|(_, fault, _)| refusing(fault)).collect());
    for ((row, fault, expected), read) in rows.into_iter().zip(told) {
        assert_eq!(
            short(&read.condition),
            format!("unknown {expected}"),
            "{row}: {read:?}"
        );
        match fault {
            Fault::Error { code, .. } if code != "TEAPOT" => {
                assert_eq!(read.native.as_deref(), Some(code.as_str()), "{row}");
            }
            Fault::Error { .. }
            | Fault::Body { .. }
            | Fault::Reset
            | Fault::HangUp
            | Fault::Noise
            | Fault::Trickle(_)
            | Fault::Silence => assert_eq!(read.native, None, "{row}"),
        }
        assert!(read.related.is_empty() && read.stale_at.is_none(), "{row}");
    }
}

#[test]
fn an_enabled_version_is_enabled_only_if_its_key_could_be_read() {
    let rows = errors();
    let under = |state: &'static str| {
        let broken =
            |(_, fault, _): &(_, Fault, _)| Key::in_state(state).failing(GET_KEY, fault.clone());
        ask_about(rows.iter().map(broken).collect()).1
    };
    let (enabled, disabled) = (under("ENABLED"), under("DISABLED"));
    for (((row, _, expected), enabled), disabled) in rows.iter().zip(enabled).zip(disabled) {
        // "Not found" contradicts the version that was just listed, and an empty object names
        // no key.
        let expected = match *expected {
            "not-found" => "malformed",
            other => other,
        };
        assert_eq!(
            short(&enabled.condition),
            format!("unknown {expected}"),
            "{row}: {enabled:?}"
        );
        assert_eq!(enabled.native.as_deref(), Some("ENABLED"), "{row}");
        assert_eq!(short(&disabled.condition), "disabled", "{row}");
    }
}

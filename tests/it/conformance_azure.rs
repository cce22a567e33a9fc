//! Every state of Key Vault's key attributes and soft-delete, and every error of its "REST API
//! error codes", as bytes on a TLS socket, and the condition and reason that come out.

use serde_json::{Value, json};

use crate::emulator::azure::{Azure, Fault, Key, Route, Version};
use crate::support::aws::{at, limits, short};
use crate::support::azure::{AT_ONCE, https, kid, name, observe_by, probes, version};

/// 2096-10-02T07:06:40Z: ahead of every answer.
const LATER: i64 = 4_000_000_000;
/// 2020-09-13T12:26:40Z: before every answer.
const EARLIER: i64 = 1_600_000_000;

/// What Key Vault shows of a key, by row, and the condition it stands for.
pub(crate) fn states() -> Vec<(&'static str, Key, &'static str)> {
    let of =
        |attributes: Value, jwk: Value| Key::of(vec![Version::new(&version(1), attributes, jwk)]);
    let attributes = |attributes: Value| of(attributes, json!({}));
    let operations = |named: Value| of(json!({}), json!({"key_ops": named}));
    let deleted = |over: Value| Key {
        deleted: Some(over),
        ..Key::enabled(&version(1))
    };
    vec![
        ("enabled", Key::enabled(&version(1)), "enabled"),
        (
            "disabled",
            attributes(json!({"enabled": false})),
            "disabled",
        ),
        (
            "will expire",
            attributes(json!({"exp": LATER})),
            "enabled 2096-10-02T07:06:40Z",
        ),
        (
            "expired",
            attributes(json!({"exp": EARLIER})),
            "unwrap-only",
        ),
        (
            "not yet valid",
            attributes(json!({"nbf": LATER})),
            "unwrap-only",
        ),
        (
            "within its dates",
            attributes(json!({"nbf": EARLIER})),
            "enabled",
        ),
        (
            "disabled and expired",
            attributes(json!({"enabled": false, "exp": EARLIER})),
            "disabled",
        ),
        (
            "unwrap and decrypt only",
            operations(json!(["unwrapKey", "decrypt"])),
            "enabled",
        ),
        (
            "wrap and unwrap",
            operations(json!(["wrapKey", "unwrapKey"])),
            "unwrap-only",
        ),
        (
            "no operation that unwraps",
            operations(json!(["sign", "verify"])),
            "disabled",
        ),
        (
            "operations left out",
            operations(Value::Null),
            "unknown malformed",
        ),
        (
            "external key of an HSM",
            attributes(json!({"externalKey": {"id": "key-1"}})),
            "unknown backing-key-unverified",
        ),
        (
            "no enabled",
            attributes(json!({"enabled": null})),
            "unknown malformed",
        ),
        (
            "a date outside all calendars",
            attributes(json!({"exp": 1_i64 << 50})),
            "unknown malformed",
        ),
        (
            "the answer is about another key",
            of(json!({}), json!({"kid": kid(9)})),
            "unknown malformed",
        ),
        (
            "soft-deleted",
            deleted(json!({})),
            "soft-deleted 2027-01-29T06:00:00Z",
        ),
        (
            "soft-deleted without a date",
            deleted(json!({"scheduledPurgeDate": null})),
            "soft-deleted",
        ),
        (
            "soft-deleted, purge protection",
            deleted(json!({"attributes": {"recoveryLevel": "Recoverable"}})),
            "soft-deleted 2027-01-29T06:00:00Z",
        ),
        (
            "the tombstone is another key's",
            deleted(json!({"recoveryId": "https://payments.vault.azure.net/deletedkeys/other"})),
            "unknown malformed",
        ),
    ]
}

#[test]
fn every_state_on_the_wire_has_one_condition() {
    let azure = Azure::start();
    let probes = probes(https(&azure), AT_ONCE);
    for (row, key, expected) in states() {
        azure.put(&name(1), key);
        let read = observe_by(&probes, &kid(1), &limits());
        assert_eq!(short(&read.condition), expected, "{row}: {read:?}");
        assert_eq!(read.at, at(), "{row}");
        assert_eq!(read.endpoint, "https://payments.vault.azure.net", "{row}");
        assert!(
            read.native.is_some() || expected.ends_with("malformed"),
            "{row}"
        );
    }
}

/// How a question ends without an answer, by row, and the condition it stands for.
pub(crate) fn errors() -> Vec<(&'static str, Fault, &'static str)> {
    let forbidden = |inner: &'static str| Fault::error(403, "Forbidden", Some(inner));
    let unauthorized = |message: &str| Fault::saying(401, "Unauthorized", None, message);
    vec![
        ("not there", Fault::not_found(), "unknown not-found"),
        (
            "disabled, told by refusal",
            forbidden("KeyDisabled"),
            "disabled",
        ),
        (
            "no role",
            forbidden("ForbiddenByRbac"),
            "unknown access-denied",
        ),
        (
            "no policy",
            forbidden("ForbiddenByPolicy"),
            "unknown access-denied",
        ),
        (
            "no permission",
            forbidden("AccessDenied"),
            "unknown access-denied",
        ),
        (
            "firewall",
            forbidden("ForbiddenByFirewall"),
            "unknown unreachable",
        ),
        (
            "private link only",
            forbidden("ForbiddenByConnection"),
            "unknown unreachable",
        ),
        (
            "firewall, older wording",
            Fault::saying(
                403,
                "Forbidden",
                None,
                "Client address is not authorized and caller is not a trusted service.",
            ),
            "unknown unreachable",
        ),
        (
            "a refusal nobody knows",
            forbidden("ForbiddenByMoon"),
            "unknown access-denied",
        ),
        (
            "foreign tenant",
            unauthorized("AKV10032: Invalid issuer. Expected one of https://sts.windows.net/t/"),
            "unknown wrong-scope",
        ),
        (
            "wrong audience",
            unauthorized("AKV10022: Invalid audience."),
            "unknown credentials",
        ),
        (
            "expired token",
            unauthorized("AKV10001: The token is expired."),
            "unknown credentials",
        ),
        (
            "validation stumbled",
            unauthorized("AKV10046: try again"),
            "unknown credentials",
        ),
        (
            "recoverable",
            Fault::error(409, "Conflict", Some("ObjectIsDeletedButRecoverable")),
            "soft-deleted",
        ),
        (
            "being deleted",
            Fault::error(409, "Conflict", Some("ObjectIsBeingDeleted")),
            "transient",
        ),
        (
            "being recovered",
            Fault::error(409, "Conflict", Some("ObjectIsBeingRecovered")),
            "transient",
        ),
        (
            "throttled for good",
            Fault::error(429, "Throttled", None),
            "unknown throttled",
        ),
        (
            "busy",
            Fault::error(503, "ServiceUnavailable", None),
            "unknown unreachable",
        ),
        (
            "internal",
            Fault::error(500, "InternalServerError", None),
            "unknown unreachable",
        ),
        (
            "version of the API",
            Fault::saying(
                400,
                "BadParameter",
                None,
                "The specified api-version is not supported",
            ),
            "unknown unsupported",
        ),
        (
            "bad request",
            Fault::error(400, "BadParameter", None),
            "unknown malformed",
        ),
        (
            "not JSON",
            Fault::body(200, "<html>sign in</html>"),
            "unknown malformed",
        ),
        (
            "cut JSON",
            Fault::body(200, "{\"value\":[{\"kid\""),
            "unknown malformed",
        ),
        ("empty", Fault::body(200, ""), "unknown malformed"),
        ("an object", Fault::body(200, "{}"), "unknown malformed"),
        ("an array", Fault::body(200, "[]"), "unknown malformed"),
        (
            "not found by a proxy",
            Fault::body(404, "<html>no such site</html>"),
            "unknown malformed",
        ),
        (
            "refused by a proxy",
            Fault::body(403, "<html>blocked</html>"),
            "unknown malformed",
        ),
        ("redirected", Fault::body(302, ""), "unknown malformed"),
        (
            "a gateway's page",
            Fault::body(502, "<html>bad gateway</html>"),
            "unknown unreachable",
        ),
        ("cut in mid-body", Fault::Cut, "unknown unreachable"),
        ("hung up", Fault::HangUp, "unknown unreachable"),
    ]
}

#[test]
fn every_error_on_the_wire_has_one_reason() {
    let azure = Azure::start();
    let probes = probes(https(&azure), AT_ONCE);
    for (row, fault, expected) in errors() {
        azure.put(&name(1), Key::failing(&version(1), &fault));
        let read = observe_by(&probes, &kid(1), &limits());
        assert_eq!(short(&read.condition), expected, "{row}: {read:?}");
        if let Fault::Error { code, inner, .. } = fault {
            assert_eq!(read.native.as_deref(), Some(inner.unwrap_or(code)), "{row}");
        }
        assert!(read.related.is_empty() && read.stale_at.is_none(), "{row}");
    }
}

/// The same errors in answer to the second question, about a key that the list calls enabled: none
/// of them leaves it enabled.
#[test]
fn a_key_that_cannot_be_shown_is_not_enabled() {
    let azure = Azure::start();
    let probes = probes(https(&azure), AT_ONCE);
    for (row, fault, expected) in errors() {
        let mut key = Key::enabled(&version(1));
        key.always.insert(Route::Show, fault);
        azure.put(&name(1), key);
        let read = observe_by(&probes, &kid(1), &limits());
        assert_eq!(short(&read.condition), expected, "{row}: {read:?}");
    }
}

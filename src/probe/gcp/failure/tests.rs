//! One row for each error of the Cloud KMS error tables and of Google's common error reasons that
//! can meet a read.

use super::*;
use crate::probe::text::LONGEST;
use UnknownReason as R;

fn error(code: &str, message: &str) -> Failure {
    Failure::Service(ServiceError {
        code: code.to_owned(),
        message: message.to_owned(),
        ..ServiceError::default()
    })
}

fn denied(reason: &str) -> Failure {
    Failure::Service(ServiceError {
        code: "PERMISSION_DENIED".to_owned(),
        message: "something about project 4711".to_owned(),
        reason: Some(reason.to_owned()),
        consumer: Some("projects/4711".to_owned()),
        ..ServiceError::default()
    })
}

fn violating(kind: &str, message: &str) -> Failure {
    Failure::Service(ServiceError {
        code: "FAILED_PRECONDITION".to_owned(),
        message: message.to_owned(),
        violations: vec![kind.to_owned()],
        ..ServiceError::default()
    })
}

#[test]
fn every_error_name_has_one_reason() {
    let table = [
        ("NOT_FOUND", R::NotFound),
        ("PERMISSION_DENIED", R::AccessDenied),
        ("UNAUTHENTICATED", R::Credentials),
        ("RESOURCE_EXHAUSTED", R::Throttled),
        ("UNAVAILABLE", R::Unreachable),
        ("DEADLINE_EXCEEDED", R::Unreachable),
        ("INTERNAL", R::Unreachable),
        ("UNKNOWN", R::Unreachable),
        ("ABORTED", R::Unreachable),
        ("CANCELLED", R::Unreachable),
        ("DATA_LOSS", R::Unreachable),
        ("INVALID_ARGUMENT", R::WrongScope),
        ("FAILED_PRECONDITION", R::Malformed),
        ("UNIMPLEMENTED", R::Unsupported),
        ("OUT_OF_RANGE", R::Malformed),
        ("ALREADY_EXISTS", R::Malformed),
        ("OK", R::Malformed),
        ("SOMETHING_NEW", R::Malformed),
    ];
    for (code, expected) in table {
        let failure = error(code, "");
        assert_eq!(read_failure(&failure).0, expected, "{code}");
        assert_eq!(failure.native().as_deref(), Some(code));
    }
}

#[test]
fn a_denial_is_of_the_key_of_the_project_or_of_the_token() {
    let by_reason = [
        ("IAM_PERMISSION_DENIED", R::AccessDenied),
        ("SECURITY_POLICY_VIOLATED", R::AccessDenied),
        ("ORG_RESTRICTION_VIOLATION", R::AccessDenied),
        ("SERVICE_DISABLED", R::WrongScope),
        ("SERVICE_NOT_VISIBLE", R::WrongScope),
        ("USER_PROJECT_DENIED", R::WrongScope),
        ("BILLING_DISABLED", R::WrongScope),
        ("CONSUMER_INVALID", R::WrongScope),
        ("CONSUMER_SUSPENDED", R::WrongScope),
        ("RESOURCE_PROJECT_INVALID", R::WrongScope),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", R::Credentials),
        ("ACCESS_TOKEN_EXPIRED", R::Credentials),
        ("CREDENTIALS_MISSING", R::Credentials),
        ("API_KEY_SERVICE_BLOCKED", R::Credentials),
        ("ACCOUNT_STATE_INVALID", R::Credentials),
    ];
    for (reason, expected) in by_reason {
        assert_eq!(read_failure(&denied(reason)).0, expected, "{reason}");
    }
    let by_text = [
        (
            "Permission 'cloudkms.cryptoKeyVersions.list' denied on resource \
             'projects/my-project/locations/global/keyRings/r/cryptoKeys/k' (or it may not exist).",
            R::AccessDenied,
        ),
        ("The caller does not have permission", R::AccessDenied),
        (
            "Denied on projects/my-project/locations/global",
            R::AccessDenied,
        ),
        (
            "Cloud Key Management Service (KMS) API has not been used in project 4711 before or it \
             is disabled. Enable it by visiting the console, then retry.",
            R::WrongScope,
        ),
        (
            "This API method requires billing to be enabled.",
            R::WrongScope,
        ),
        ("Project 'payments' has been deleted.", R::WrongScope),
        (
            "Caller does not have required permission to use project payments.",
            R::WrongScope,
        ),
        (
            "Request had insufficient authentication scopes.",
            R::Credentials,
        ),
        ("", R::AccessDenied),
    ];
    for (text, expected) in by_text {
        let failure = error("PERMISSION_DENIED", text);
        assert_eq!(read_failure(&failure).0, expected, "{text}");
    }
    // The project that is to be set up is named: it is rarely the key's.
    let (_, detail) = read_failure(&denied("SERVICE_DISABLED"));
    assert!(detail.unwrap().contains("projects/4711"));
}

#[test]
fn a_failed_precondition_says_that_something_stands_in_the_way() {
    let name = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1";
    let table = [
        (violating("KEY_DISABLED", ""), R::UnrecognisedState),
        (
            error(
                "FAILED_PRECONDITION",
                &format!("{name} is not enabled, current state is: DESTROYED."),
            ),
            R::UnrecognisedState,
        ),
        (violating("EXTERNAL_NOT_FOUND", ""), R::BackingKeyUnverified),
        (
            error("FAILED_PRECONDITION", "EXTERNAL_PERMISSION_DENIED: no"),
            R::BackingKeyUnverified,
        ),
        (
            violating("EXTERNAL_KEY_BLOCKED", ""),
            R::BackingKeyUnverified,
        ),
        (
            error(
                "FAILED_PRECONDITION",
                "Google Cloud KMS API has not been used in this project before",
            ),
            R::WrongScope,
        ),
        (error("FAILED_PRECONDITION", "something else"), R::Malformed),
    ];
    for (failure, expected) in table {
        assert_eq!(read_failure(&failure).0, expected, "{failure:?}");
    }
}

#[test]
fn no_answer_is_never_an_answer_about_the_key() {
    let page = |status| Failure::Foreign { status };
    let table = [
        (Failure::Unreachable("dns error".to_owned()), R::Unreachable),
        (Failure::TimedOut, R::Unreachable),
        (Failure::NoCredentials("none".to_owned()), R::Credentials),
        (Failure::NotSent("no such path".to_owned()), R::WrongScope),
        (Failure::Malformed("no JSON".to_owned()), R::Malformed),
        (page(404), R::Malformed),
        (page(403), R::Malformed),
        (page(302), R::Malformed),
        (page(429), R::Throttled),
        (page(502), R::Unreachable),
    ];
    for (failure, expected) in table {
        assert_eq!(read_failure(&failure).0, expected, "{failure:?}");
        assert_eq!(failure.native(), None);
        assert!(!failure.is_not_found(), "{failure:?}");
    }
}

#[test]
fn what_passes_is_asked_again_and_what_is_refused_is_asked_otherwise() {
    let table = [
        (error("UNAVAILABLE", ""), true, false),
        (error("RESOURCE_EXHAUSTED", ""), true, false),
        (Failure::Foreign { status: 503 }, true, false),
        (Failure::Unreachable(String::new()), true, false),
        (error("PERMISSION_DENIED", ""), false, true),
        (error("UNIMPLEMENTED", ""), false, true),
        (denied("SERVICE_DISABLED"), false, false),
        (error("NOT_FOUND", ""), false, false),
        (error("UNAUTHENTICATED", ""), false, false),
        (Failure::NotListed, false, false),
        (Failure::Foreign { status: 404 }, false, false),
    ];
    for (failure, again, otherwise) in table {
        assert_eq!(failure.may_pass(), again, "{failure:?}");
        assert_eq!(failure.is_refusal_of_the_call(), otherwise, "{failure:?}");
    }
}

#[test]
fn details_are_one_short_line_without_secrets() {
    let long_name = format!("projects/p/keyRings/{}/cryptoKeys/k", "r".repeat(63));
    let table = [
        ("two\nlines\r\n\tand \u{1b}[31mred", "two lines and [31mred"),
        ("a\u{202e}b", "a b"),
        (long_name.as_str(), long_name.as_str()),
        ("token ya29.a0AfB_byC-x_Yz012345!", "token [withheld]!"),
        ("refresh 1//0gAbCdEfGhIjKlMnOp", "refresh 1//[withheld]"),
        ("jwt eyJhbGciOiJSUzI1NiJ9.e30.c2ln", "jwt [withheld]"),
        (
            "key AIzaSyA0123456789abcdefghijklmnopqrs.",
            "key [withheld]",
        ),
        (
            "v1.16.0 of cloudkms.googleapis.com",
            "v1.16.0 of cloudkms.googleapis.com",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(redact(text), expected);
    }
    assert_eq!(redact(&"Zx9".repeat(30)), "[withheld]");
    assert_eq!(redact(&"word ".repeat(500)).chars().count(), LONGEST + 1);
}

#[test]
fn a_refused_login_is_told_without_its_text() {
    let failure = error("UNAUTHENTICATED", "token ya29.secret was sent by me");
    assert_eq!(
        read_failure(&failure),
        (
            R::Credentials,
            Some("the credentials were not accepted (UNAUTHENTICATED)".to_owned())
        )
    );
}

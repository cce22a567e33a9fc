use super::*;

fn body(code: &str, inner: Option<&str>, message: &str) -> Vec<u8> {
    let mut error = serde_json::json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = serde_json::json!({"code": inner});
    }
    serde_json::json!({"error": error}).to_string().into_bytes()
}

fn short(failure: &Failure) -> String {
    match failure.meaning() {
        Meaning::Missing => "missing".to_owned(),
        Meaning::State(condition) => condition.word().to_owned(),
        Meaning::Unknown(reason) => format!("unknown {}", reason.word()),
    }
}

/// Every row of Key Vault's "REST API error codes" and "Common error codes" that can meet a read,
/// and the five inner meanings of 403.
#[test]
fn every_error_has_one_meaning() {
    let not_found = "A key with (name/id) backup was not found in this key vault.";
    let table = [
        (404, "KeyNotFound", None, not_found, "missing"),
        (
            404,
            "KeyNotFound",
            None,
            "Deleted Key not found: backup",
            "missing",
        ),
        (
            409,
            "Conflict",
            Some("ObjectIsDeletedButRecoverable"),
            "",
            "soft-deleted",
        ),
        (
            409,
            "Conflict",
            Some("ObjectIsBeingDeleted"),
            "",
            "transient",
        ),
        (
            409,
            "Conflict",
            Some("ObjectIsBeingRecovered"),
            "",
            "transient",
        ),
        (
            409,
            "Conflict",
            Some("SomethingNew"),
            "",
            "unknown unrecognised-state",
        ),
        (
            403,
            "Forbidden",
            Some("KeyDisabled"),
            "Operation get is not allowed on a disabled key.",
            "disabled",
        ),
        (
            403,
            "Forbidden",
            None,
            "Operation get is not allowed on a disabled key.",
            "disabled",
        ),
        (
            403,
            "Forbidden",
            Some("ForbiddenByRbac"),
            "Caller is not authorized to perform action on resource.",
            "unknown access-denied",
        ),
        (
            403,
            "Forbidden",
            Some("ForbiddenByPolicy"),
            "",
            "unknown access-denied",
        ),
        (
            403,
            "Forbidden",
            Some("AccessDenied"),
            "The user does not have keys get permission on key vault",
            "unknown access-denied",
        ),
        (
            403,
            "Forbidden",
            Some("ForbiddenByFirewall"),
            "Client address is not authorized and caller is not a trusted service.",
            "unknown unreachable",
        ),
        (
            403,
            "Forbidden",
            Some("ForbiddenByConnection"),
            "Public network access is disabled",
            "unknown unreachable",
        ),
        (
            403,
            "Forbidden",
            None,
            "Client address is not authorized and caller is not a trusted service.",
            "unknown unreachable",
        ),
        (
            403,
            "Forbidden",
            None,
            "Connection is not an approved private link and caller was ignored because bypass is set",
            "unknown unreachable",
        ),
        (
            403,
            "Forbidden",
            Some("SomethingNew"),
            "",
            "unknown access-denied",
        ),
        (
            401,
            "Unauthorized",
            None,
            "AKV10000: Request is missing a Bearer or PoP token.",
            "unknown credentials",
        ),
        (
            401,
            "Unauthorized",
            None,
            "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/a/",
            "unknown wrong-scope",
        ),
        (
            401,
            "Unauthorized",
            None,
            "AKV10046: Unable to resolve the key used for signature validation.",
            "unknown credentials",
        ),
        (
            401,
            "Unauthorized",
            None,
            "AKV10022: Invalid audience.",
            "unknown credentials",
        ),
        (
            429,
            "Throttled",
            None,
            "Request was not processed because too many requests were received.",
            "unknown throttled",
        ),
        (408, "RequestTimeout", None, "", "unknown unreachable"),
        (500, "InternalServerError", None, "", "unknown unreachable"),
        (503, "ServiceUnavailable", None, "", "unknown unreachable"),
        (501, "NotImplemented", None, "", "unknown unsupported"),
        (
            400,
            "BadParameter",
            None,
            "The specified api-version is not supported",
            "unknown unsupported",
        ),
        (
            400,
            "BadParameter",
            None,
            "The request URI contains an invalid name",
            "unknown malformed",
        ),
        (418, "Teapot", None, "", "unknown malformed"),
    ];
    for (status, code, inner, message, expected) in table {
        let failure = read_error(status, &body(code, inner, message), None);
        assert_eq!(
            short(&failure),
            expected,
            "{status} {code} {inner:?}: {message}"
        );
        assert_eq!(failure.native().as_deref(), Some(inner.unwrap_or(code)));
        assert!(!failure.detail().is_empty());
    }
}

#[test]
fn what_is_not_in_the_services_words_says_nothing_of_the_key() {
    let table = [
        (404, "<html>no such site</html>", "unknown malformed"),
        (404, "{}", "unknown malformed"),
        (404, "{\"error\":\"KeyNotFound\"}", "unknown malformed"),
        (
            403,
            "<html>blocked by the proxy</html>",
            "unknown malformed",
        ),
        (302, "", "unknown malformed"),
        (401, "", "unknown malformed"),
        (429, "slow down", "unknown throttled"),
        (408, "", "unknown unreachable"),
        (502, "<html>bad gateway</html>", "unknown unreachable"),
    ];
    for (status, body, expected) in table {
        let failure = read_error(status, body.as_bytes(), None);
        assert_eq!(short(&failure), expected, "{status} {body}");
        assert!(!failure.is_missing());
    }
    for failure in [
        Failure::Unreachable("refused".to_owned()),
        Failure::NoSuchHost,
        Failure::TimedOut,
    ] {
        assert_eq!(short(&failure), "unknown unreachable");
    }
    assert_eq!(
        short(&Failure::NoCredentials(String::new())),
        "unknown credentials"
    );
    assert_eq!(short(&Failure::NoVault(String::new())), "unknown malformed");
}

#[test]
fn only_what_passes_is_asked_again() {
    let service = |status, message: &str| read_error(status, &body("Code", None, message), Some(7));
    for (failure, again) in [
        (service(429, ""), true),
        (service(500, ""), true),
        (service(503, ""), true),
        (service(401, "AKV10046: try again"), true),
        (service(401, "AKV10032: Invalid issuer"), false),
        (service(403, ""), false),
        (service(404, ""), false),
        (read_error(502, b"<html/>", None), true),
        (read_error(200, b"<html/>", None), false),
        (Failure::Unreachable(String::new()), true),
        (Failure::NoSuchHost, false),
        (Failure::TimedOut, false),
        (Failure::NoCredentials(String::new()), false),
        (Failure::NoVault(String::new()), false),
    ] {
        assert_eq!(failure.may_pass(), again, "{failure:?}");
    }
    assert_eq!(service(429, "").retry_after(), Some(7));
}

/// A refused list may be answered by the key itself; a wall in front of the vault may not.
#[test]
fn only_a_missing_right_is_worth_another_call() {
    let refused = |status, inner| read_error(status, &body("Forbidden", Some(inner), ""), None);
    for (failure, other) in [
        (refused(403, "ForbiddenByRbac"), true),
        (refused(403, "ForbiddenByPolicy"), true),
        (refused(403, "KeyDisabled"), true),
        (refused(403, "ForbiddenByFirewall"), false),
        (refused(403, "ForbiddenByConnection"), false),
        (refused(401, "X"), false),
        (refused(429, "X"), false),
        (read_error(403, b"<html/>", None), false),
    ] {
        assert_eq!(failure.is_refusal_of_the_call(), other, "{failure:?}");
    }
}

#[test]
fn a_refused_token_is_never_repeated() {
    let message = "AKV10032: Invalid issuer. Token eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2ln short";
    let failure = read_error(401, &body("Unauthorized", None, message), None);
    assert_eq!(
        failure.detail(),
        "the token is of another tenant than the vault (Unauthorized)"
    );
}

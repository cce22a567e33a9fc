//! What it means when AWS KMS answered with an error, or not at all. Pure.
//!
//! AWS sends HTTP 400 for a missing, a denied and a throttled key alike, so the exception's name
//! decides and the status only where there is no name. No error of any kind settles a key's
//! state: every one becomes `unknown` with a reason. Names are those of the KMS API reference
//! ("Errors" of each operation) and of AWS's "Common errors" page.

use crate::model::evidence::UnknownReason;

pub(super) use crate::probe::text::redact;

/// How a question ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The service answered with an exception.
    Service {
        code: String,
        message: Option<String>,
    },
    /// An answer without an exception name that is no answer of KMS either.
    Unparsable {
        status: u16,
        why: String,
    },
    /// No answer: name resolution, TLS, connection, a connection cut in the middle.
    Unreachable(String),
    TimedOut,
    /// Nothing was sent, because there is nothing to sign it with.
    NoCredentials(String),
    /// The call cannot be made as it stands.
    NotSent(String),
    /// Nothing was sent, because the role in which the key is to be asked about could not be
    /// taken on.
    NotAssumed {
        role: String,
        why: Box<Failure>,
    },
}

impl Failure {
    /// The provider's own word, verbatim but for what cannot be printed.
    pub(super) fn native(&self) -> Option<String> {
        match self {
            Self::Service { code, message: _ } => Some(redact(code)),
            Self::NotAssumed { role: _, why } => why.native(),
            Self::Unparsable { .. }
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::NoCredentials(_)
            | Self::NotSent(_) => None,
        }
    }

    /// The service says that it has no such call, or that this caller may not make it on this
    /// key: asking is pointless, and a question that is optional may be left unanswered.
    pub(super) fn is_refusal_of_the_call(&self) -> bool {
        match self {
            Self::Service { code, message } => matches!(
                read_code(code, message.as_deref()),
                UnknownReason::AccessDenied | UnknownReason::Unsupported
            ),
            Self::Unparsable { .. }
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::NoCredentials(_)
            | Self::NotSent(_)
            | Self::NotAssumed { .. } => false,
        }
    }
}

/// The reason of `unknown`, and a line on what happened.
pub(super) fn read_failure(failure: &Failure) -> (UnknownReason, Option<String>) {
    match failure {
        Failure::Service { code, message } => {
            let reason = read_code(code, message.as_deref());
            let detail = match (reason, message) {
                // AWS repeats the whole signed request in signature errors, the session token
                // among its headers: the name says enough.
                (UnknownReason::Credentials, _) => Some(format!(
                    "the credentials were not accepted ({})",
                    redact(code)
                )),
                (_, Some(message)) => Some(redact(message)),
                (_, None) => None,
            };
            (reason, detail)
        }
        Failure::Unparsable { status, why } => {
            // A gateway's or a load balancer's page, not an answer of the service.
            let reason = match *status {
                429 => UnknownReason::Throttled,
                500..=599 => UnknownReason::Unreachable,
                _ => UnknownReason::Malformed,
            };
            (
                reason,
                Some(format!("HTTP status {status}: {}", redact(why))),
            )
        }
        Failure::Unreachable(why) => (UnknownReason::Unreachable, Some(redact(why))),
        Failure::TimedOut => (
            UnknownReason::Unreachable,
            Some("no answer in time".to_owned()),
        ),
        Failure::NoCredentials(why) => (UnknownReason::Credentials, Some(redact(why))),
        Failure::NotSent(why) => (UnknownReason::WrongScope, Some(redact(why))),
        Failure::NotAssumed { role, why } => {
            let (reason, detail) = read_failure(why);
            let reason = match reason {
                // What STS says of a role says nothing of a key: it is neither missing nor
                // refused, nobody has asked about it.
                UnknownReason::NotFound
                | UnknownReason::AccessDenied
                | UnknownReason::UnrecognisedState
                | UnknownReason::BackingKeyUnverified
                | UnknownReason::Unsupported => UnknownReason::Credentials,
                UnknownReason::Credentials
                | UnknownReason::Throttled
                | UnknownReason::Unreachable
                | UnknownReason::WrongScope
                | UnknownReason::Malformed => reason,
            };
            let detail = detail.unwrap_or_else(|| reason.word().to_owned());
            (
                reason,
                Some(format!(
                    "the role `{}` could not be taken on: {detail}",
                    redact(role)
                )),
            )
        }
    }
}

fn read_code(code: &str, message: Option<&str>) -> UnknownReason {
    match code {
        // "Invalid arn REGION": the ARN's region is not the endpoint's. The key may well exist.
        "NotFoundException" | "NotFound" => {
            let addressing = message.is_some_and(|text| {
                let text = text.to_ascii_lowercase();
                text.contains("invalid arn") || text.contains("invalid keyid")
            });
            if addressing {
                UnknownReason::WrongScope
            } else {
                UnknownReason::NotFound
            }
        }
        "InvalidArnException"
        | "OptInRequired"
        | "SubscriptionRequiredException"
        | "RegionDisabledException" => UnknownReason::WrongScope,
        // One of its three texts covers "does not exist in this Region": existence is not proven
        // either way.
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" | "NotAuthorized" => {
            UnknownReason::AccessDenied
        }
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "RequestExpired"
        | "RequestInTheFuture"
        | "RequestTimeTooSkewed"
        | "AuthFailure" => UnknownReason::Credentials,
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "SlowDown" => UnknownReason::Throttled,
        "KMSInternalException"
        | "DependencyTimeoutException"
        | "KeyUnavailableException"
        | "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServerException"
        | "RequestTimeout"
        | "RequestTimeoutException" => UnknownReason::Unreachable,
        // The key exists, but which state it is in is not told: `DisabledException` covers
        // disabled and pending deletion, `KMSInvalidStateException` five more. `DescribeKey`
        // works in every state and is not documented to answer with either.
        "DisabledException" | "KMSInvalidStateException" => UnknownReason::UnrecognisedState,
        "CustomKeyStoreNotFoundException"
        | "CustomKeyStoreInvalidStateException"
        | "CloudHsmClusterNotActiveException" => UnknownReason::BackingKeyUnverified,
        xks if xks.starts_with("XksProxy") || xks.starts_with("XksKey") => {
            UnknownReason::BackingKeyUnverified
        }
        "UnsupportedOperationException"
        | "UnknownOperationException"
        | "InvalidAction"
        | "NotImplemented"
        | "NotImplementedException" => UnknownReason::Unsupported,
        // Answers to other questions (`InvalidKeyUsageException`, `IncorrectKeyException`,
        // `InvalidCiphertextException`, `DryRunOperationException`) and names nobody knows.
        _ => UnknownReason::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(code: &str, message: &str) -> Failure {
        Failure::Service {
            code: code.to_owned(),
            message: Some(message.to_owned()),
        }
    }

    /// Every error of the KMS API reference and of AWS's common errors that can meet a read.
    #[test]
    fn every_exception_has_one_reason() {
        use UnknownReason as R;
        let table = [
            (
                "NotFoundException",
                "Key 'arn:aws:kms:eu-west-1:111122223333:key/x' does not exist",
                R::NotFound,
            ),
            ("NotFoundException", "Invalid arn us-east-2", R::WrongScope),
            (
                "NotFoundException",
                "Alias arn:aws:kms:eu-west-1:111122223333:alias/a is not found.",
                R::NotFound,
            ),
            ("InvalidArnException", "arn is not valid", R::WrongScope),
            ("OptInRequired", "needs a subscription", R::WrongScope),
            (
                "SubscriptionRequiredException",
                "needs a subscription",
                R::WrongScope,
            ),
            ("DisabledException", "x is disabled.", R::UnrecognisedState),
            (
                "DisabledException",
                "x is pending deletion.",
                R::UnrecognisedState,
            ),
            (
                "KMSInvalidStateException",
                "x is pending import.",
                R::UnrecognisedState,
            ),
            ("InvalidKeyUsageException", "", R::Malformed),
            ("IncorrectKeyException", "", R::Malformed),
            ("InvalidCiphertextException", "", R::Malformed),
            ("DryRunOperationException", "", R::Malformed),
            ("UnsupportedOperationException", "", R::Unsupported),
            (
                "AccessDeniedException",
                "is not authorized to perform: kms:DescribeKey",
                R::AccessDenied,
            ),
            (
                "AccessDeniedException",
                "the resource does not exist in this Region",
                R::AccessDenied,
            ),
            (
                "AccessDeniedException",
                "The ciphertext refers to a customer master key that does not exist",
                R::AccessDenied,
            ),
            ("ExpiredTokenException", "", R::Credentials),
            ("ExpiredToken", "", R::Credentials),
            ("UnrecognizedClientException", "", R::Credentials),
            ("InvalidClientTokenId", "", R::Credentials),
            ("MissingAuthenticationToken", "", R::Credentials),
            ("IncompleteSignature", "", R::Credentials),
            ("SignatureDoesNotMatch", "", R::Credentials),
            ("InvalidSignatureException", "", R::Credentials),
            ("RequestExpired", "", R::Credentials),
            ("ThrottlingException", "", R::Throttled),
            ("LimitExceededException", "", R::Throttled),
            ("RequestLimitExceeded", "", R::Throttled),
            ("ServiceUnavailable", "", R::Throttled),
            ("KMSInternalException", "", R::Unreachable),
            ("DependencyTimeoutException", "", R::Unreachable),
            ("KeyUnavailableException", "", R::Unreachable),
            (
                "CustomKeyStoreNotFoundException",
                "",
                R::BackingKeyUnverified,
            ),
            (
                "CustomKeyStoreInvalidStateException",
                "",
                R::BackingKeyUnverified,
            ),
            (
                "CloudHsmClusterNotActiveException",
                "",
                R::BackingKeyUnverified,
            ),
            (
                "XksProxyUriUnreachableException",
                "",
                R::BackingKeyUnverified,
            ),
            ("SomethingNewException", "", R::Malformed),
        ];
        for (code, message, expected) in table {
            let (reason, _) = read_failure(&service(code, message));
            assert_eq!(reason, expected, "{code}: {message}");
            assert_eq!(service(code, message).native().as_deref(), Some(code));
        }
    }

    #[test]
    fn no_answer_is_unreachable_whatever_stood_in_the_way() {
        use UnknownReason as R;
        let page = |status| Failure::Unparsable {
            status,
            why: "expected `{`".to_owned(),
        };
        let table = [
            (Failure::Unreachable("dns error".to_owned()), R::Unreachable),
            (Failure::TimedOut, R::Unreachable),
            (Failure::NoCredentials("none".to_owned()), R::Credentials),
            (Failure::NotSent("no region".to_owned()), R::WrongScope),
            (page(200), R::Malformed),
            (page(403), R::Malformed),
            (page(429), R::Throttled),
            (page(502), R::Unreachable),
        ];
        for (failure, expected) in table {
            assert_eq!(read_failure(&failure).0, expected, "{failure:?}");
            assert_eq!(failure.native(), None);
        }
    }

    #[test]
    fn only_a_refused_call_may_be_left_unanswered() {
        assert!(service("AccessDeniedException", "").is_refusal_of_the_call());
        assert!(service("UnsupportedOperationException", "").is_refusal_of_the_call());
        for code in [
            "ThrottlingException",
            "ExpiredTokenException",
            "NotFoundException",
            "Odd",
        ] {
            assert!(!service(code, "").is_refusal_of_the_call(), "{code}");
        }
        assert!(!Failure::TimedOut.is_refusal_of_the_call());
    }

    /// "Not found" above all: after a deadline it would prove that the key is gone.
    #[test]
    fn no_refusal_of_a_role_says_anything_of_a_key() {
        use UnknownReason as R;
        let refused = |why| Failure::NotAssumed {
            role: "arn:aws:iam::111122223333:role/audit".to_owned(),
            why: Box::new(why),
        };
        let table = [
            (service("AccessDenied", "not authorized"), R::Credentials),
            (service("NotFoundException", "no such"), R::Credentials),
            (service("UnsupportedOperationException", ""), R::Credentials),
            (service("DisabledException", ""), R::Credentials),
            (service("XksProxyOdd", ""), R::Credentials),
            (service("ExpiredTokenException", ""), R::Credentials),
            (service("RegionDisabledException", ""), R::WrongScope),
            (service("ThrottlingException", ""), R::Throttled),
            (service("ValidationError", ""), R::Malformed),
            (Failure::TimedOut, R::Unreachable),
            (Failure::NoCredentials("none".to_owned()), R::Credentials),
        ];
        for (why, expected) in table {
            let native = why.native();
            let failure = refused(why);
            let (reason, detail) = read_failure(&failure);
            assert_eq!(reason, expected, "{failure:?}");
            assert!(detail.unwrap().contains(":role/audit"), "{failure:?}");
            assert_eq!(failure.native(), native);
            assert!(!failure.is_refusal_of_the_call(), "{failure:?}");
        }
    }

    #[test]
    fn a_signature_error_never_repeats_the_request() {
        let message = "The Canonical String for this request should have been\n'POST\n/\n\n\
            x-amz-security-token:short\n";
        let (_, detail) = read_failure(&service("InvalidSignatureException", message));
        assert_eq!(
            detail.as_deref(),
            Some("the credentials were not accepted (InvalidSignatureException)")
        );
    }
}

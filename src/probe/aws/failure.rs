//! What it means when AWS KMS answered with an error, or not at all. Pure.
//!
//! AWS sends HTTP 400 for a missing, a denied and a throttled key alike, so the exception's name
//! decides and the status only where there is no name. No error of any kind settles a key's
//! state: every one becomes `unknown` with a reason. Names are those of the KMS API reference
//! ("Errors" of each operation) and of AWS's "Common errors" page.

use crate::model::evidence::UnknownReason;

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
}

impl Failure {
    /// The provider's own word, verbatim but for what cannot be printed.
    pub(super) fn native(&self) -> Option<String> {
        match self {
            Self::Service { code, message: _ } => Some(redact(code)),
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
            | Self::NotSent(_) => false,
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
        "InvalidArnException" | "OptInRequired" | "SubscriptionRequiredException" => {
            UnknownReason::WrongScope
        }
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

/// The longest detail, in characters.
const LONGEST: usize = 300;

/// Foreign text for a message: one line, printable, of bounded length, and without anything that
/// looks like an access key id, a secret key, a token or a signature.
pub(super) fn redact(text: &str) -> String {
    let mut line = String::new();
    let mut word = String::new();
    // What lies far past the limit is not printed; the margin keeps a long secret in one piece.
    for c in text.chars().take(LONGEST * 8) {
        if is_token_char(c) {
            word.push(c);
            continue;
        }
        push_word(&mut line, &mut word);
        let shown = if is_unprintable(c) { ' ' } else { c };
        if !(shown == ' ' && line.ends_with(' ')) {
            line.push(shown);
        }
    }
    push_word(&mut line, &mut word);
    let line = line.trim();
    if line.chars().count() > LONGEST {
        let mut short: String = line.chars().take(LONGEST).collect();
        short.push('…');
        short
    } else {
        line.to_owned()
    }
}

/// Spaces, control characters, and the invisible ones that turn the direction of writing.
fn is_unprintable(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Characters of base64, of hex and of AWS key ids: a run of them is one possible secret.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_')
}

fn push_word(line: &mut String, word: &mut String) {
    if looks_secret(word) {
        line.push_str("[withheld]");
    } else {
        line.push_str(word);
    }
    word.clear();
}

/// 40 characters is a secret access key; signatures and tokens are longer. The longest public
/// word of a key ARN is the 32 hex digits of a multi-Region id.
fn looks_secret(word: &str) -> bool {
    word.len() >= 40
        || ["AKIA", "ASIA"].iter().any(|prefix| {
            word.match_indices(prefix).any(|(start, _)| {
                word[start..]
                    .chars()
                    .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
                    .count()
                    >= 16
            })
        })
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

    #[test]
    fn details_are_one_short_line_without_secrets() {
        let secret = "Zx9".repeat(14);
        let table = [
            ("plain words".to_owned(), "plain words".to_owned()),
            (
                "two\nlines\r\n\tand \u{1b}[31mred".to_owned(),
                "two lines and [31mred".to_owned(),
            ),
            ("a\u{202e}b".to_owned(), "a b".to_owned()),
            (format!("token {secret}!"), "token [withheld]!".to_owned()),
            (
                "by Credential=AKIAQQQQQQQQQQQQQQQQ/2026".to_owned(),
                "by [withheld]".to_owned(),
            ),
            (
                "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
                    .to_owned(),
                "arn:aws:kms:eu-west-1:111122223333:key/mrk-0123456789abcdef0123456789abcdef"
                    .to_owned(),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(redact(&text), expected);
        }
        assert_eq!(redact(&"word ".repeat(500)).chars().count(), LONGEST + 1);
    }
}

//! What it means when Google Cloud KMS answered with an error, or not at all. Pure.
//!
//! The name of the error (`google.rpc.Code`) decides, and within `PERMISSION_DENIED` the reason
//! that Google gives (`google.rpc.ErrorInfo`): one name stands for a missing permission, a key
//! whose existence is hidden, and a project whose API is switched off. No error of any kind
//! settles a key's state: every one becomes `unknown` with a reason.

use crate::model::evidence::UnknownReason;
use crate::probe::text::one_line;

/// How a question ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The service answered with an error of its own.
    Service(ServiceError),
    /// An error status with a body that is none of the service's: a gateway's page, a proxy's.
    Foreign {
        status: u16,
    },
    /// The whole list of the key's versions has none of this number.
    NotListed,
    /// An answer that cannot be taken apart, or contradicts itself.
    Malformed(String),
    /// No answer: name resolution, TLS, connection, a connection cut in the middle.
    Unreachable(String),
    TimedOut,
    /// Nothing was sent, because there is no token to send.
    NoCredentials(String),
    /// The call cannot be made as it stands.
    NotSent(String),
}

/// A `google.rpc.Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServiceError {
    /// `NOT_FOUND`, `PERMISSION_DENIED`.
    pub code: String,
    pub message: String,
    /// `ErrorInfo.reason`: `SERVICE_DISABLED`, `IAM_PERMISSION_DENIED`.
    pub reason: Option<String>,
    /// The project that the call was charged to (`ErrorInfo.metadata`, `consumer`).
    pub consumer: Option<String>,
    /// `PreconditionFailure.violations[].type`: `KEY_DISABLED`.
    pub violations: Vec<String>,
}

impl Failure {
    /// The provider's own word, verbatim but for what cannot be printed.
    pub(super) fn native(&self) -> Option<String> {
        match self {
            Self::Service(error) => Some(redact(&error.code)),
            Self::Foreign { .. }
            | Self::NotListed
            | Self::Malformed(_)
            | Self::Unreachable(_)
            | Self::TimedOut
            | Self::NoCredentials(_)
            | Self::NotSent(_) => None,
        }
    }

    /// This caller may not make this call, or the service has none such: another call that asks
    /// the same may be allowed.
    pub(super) fn is_refusal_of_the_call(&self) -> bool {
        match read_failure(self).0 {
            UnknownReason::AccessDenied | UnknownReason::Unsupported => true,
            UnknownReason::NotFound
            | UnknownReason::Credentials
            | UnknownReason::Throttled
            | UnknownReason::Unreachable
            | UnknownReason::WrongScope
            | UnknownReason::Malformed
            | UnknownReason::UnrecognisedState
            | UnknownReason::BackingKeyUnverified => false,
        }
    }

    /// Whether asking again may help: the service is busy, or the way to it was cut.
    pub(super) fn may_pass(&self) -> bool {
        match read_failure(self).0 {
            UnknownReason::Throttled | UnknownReason::Unreachable => true,
            UnknownReason::NotFound
            | UnknownReason::AccessDenied
            | UnknownReason::Credentials
            | UnknownReason::WrongScope
            | UnknownReason::Malformed
            | UnknownReason::UnrecognisedState
            | UnknownReason::BackingKeyUnverified
            | UnknownReason::Unsupported => false,
        }
    }

    /// The service knows no such key, or none that it would tell this caller of.
    pub(super) fn is_not_found(&self) -> bool {
        match self {
            Self::Service(error) => error.code == "NOT_FOUND",
            Self::Foreign { .. }
            | Self::NotListed
            | Self::Malformed(_)
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
        Failure::Service(error) => read_service_error(error),
        Failure::Foreign { status } => {
            let reason = match *status {
                429 => UnknownReason::Throttled,
                500..=599 => UnknownReason::Unreachable,
                _ => UnknownReason::Malformed,
            };
            let why = format!("HTTP status {status} without an error of Cloud KMS");
            (reason, Some(why))
        }
        Failure::NotListed => (
            UnknownReason::NotFound,
            Some("the key has no version of this number".to_owned()),
        ),
        Failure::Malformed(why) => (UnknownReason::Malformed, Some(redact(why))),
        Failure::Unreachable(why) => (UnknownReason::Unreachable, Some(redact(why))),
        Failure::TimedOut => (
            UnknownReason::Unreachable,
            Some("no answer in time".to_owned()),
        ),
        Failure::NoCredentials(why) => (UnknownReason::Credentials, Some(redact(why))),
        Failure::NotSent(why) => (UnknownReason::WrongScope, Some(redact(why))),
    }
}

fn read_service_error(error: &ServiceError) -> (UnknownReason, Option<String>) {
    let reason = match error.code.as_str() {
        // Also a wrong spelling of project, location or key ring; also a version that was
        // deleted. Never proof of destruction.
        "NOT_FOUND" => UnknownReason::NotFound,
        "PERMISSION_DENIED" => read_denial(error),
        "UNAUTHENTICATED" => UnknownReason::Credentials,
        "RESOURCE_EXHAUSTED" => UnknownReason::Throttled,
        "UNAVAILABLE" | "DEADLINE_EXCEEDED" | "INTERNAL" | "UNKNOWN" | "ABORTED" | "CANCELLED"
        | "DATA_LOSS" => UnknownReason::Unreachable,
        "FAILED_PRECONDITION" => read_precondition(error),
        // A location or project that there is not, or one that another endpoint serves.
        "INVALID_ARGUMENT" => match error.reason.as_deref() {
            Some("API_KEY_INVALID") => UnknownReason::Credentials,
            Some(_) | None => UnknownReason::WrongScope,
        },
        "UNIMPLEMENTED" => UnknownReason::Unsupported,
        // Answers to other questions (`ALREADY_EXISTS`, `OUT_OF_RANGE`) and names nobody knows.
        _ => UnknownReason::Malformed,
    };
    let detail = match (reason, error.consumer.as_deref()) {
        (UnknownReason::Credentials, _) => {
            format!(
                "the credentials were not accepted ({})",
                redact(&error.code)
            )
        }
        (UnknownReason::WrongScope, Some(consumer)) => redact(&format!(
            "calls are charged to {consumer}, which is not set up for it: {}",
            error.message
        )),
        (_, _) => redact(&error.message),
    };
    (reason, (!detail.is_empty()).then_some(detail))
}

/// `PERMISSION_DENIED` of the key, of the caller's project, or of the token.
fn read_denial(error: &ServiceError) -> UnknownReason {
    match error.reason.as_deref() {
        // "Permission '…' denied on resource '…' (or it may not exist)": existence is hidden on
        // purpose.
        Some(
            "IAM_PERMISSION_DENIED" | "SECURITY_POLICY_VIOLATED" | "ORG_RESTRICTION_VIOLATION",
        ) => {
            return UnknownReason::AccessDenied;
        }
        // The project that the calls are charged to (the quota project, or the credential's own),
        // which is often not the key's: its API is switched off, its billing is, or the caller
        // may not charge it.
        Some(
            "SERVICE_DISABLED"
            | "SERVICE_NOT_VISIBLE"
            | "USER_PROJECT_DENIED"
            | "BILLING_DISABLED"
            | "CONSUMER_INVALID"
            | "CONSUMER_SUSPENDED"
            | "RESOURCE_PROJECT_INVALID",
        ) => return UnknownReason::WrongScope,
        Some(reason)
            if reason.starts_with("ACCESS_TOKEN_")
                || reason.starts_with("API_KEY_")
                || reason.starts_with("ACCOUNT_STATE_")
                || reason == "CREDENTIALS_MISSING" =>
        {
            return UnknownReason::Credentials;
        }
        Some(_) | None => {}
    }
    let message = error.message.to_ascii_lowercase();
    let names_permission =
        message.contains("permission '") || message.contains("or it may not exist");
    if message.contains("insufficient authentication scopes") {
        UnknownReason::Credentials
    } else if names_permission {
        UnknownReason::AccessDenied
    } else if is_of_the_callers_project(&message) {
        UnknownReason::WrongScope
    } else {
        UnknownReason::AccessDenied
    }
}

/// Texts about the project that is charged, from before Google gave reasons; any refusal that
/// speaks of a project or of billing, rather than of a permission, is about the set-up.
fn is_of_the_callers_project(message: &str) -> bool {
    message.contains("has not been used in project")
        || message.contains("billing")
        || message
            .split_whitespace()
            .any(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()) == "project")
}

/// `FAILED_PRECONDITION`: the version exists, and something stands in the way of using it.
fn read_precondition(error: &ServiceError) -> UnknownReason {
    let says = |what: &str| {
        error.violations.iter().any(|of| of.contains(what)) || error.message.contains(what)
    };
    if says("EXTERNAL_") {
        UnknownReason::BackingKeyUnverified
    } else if says("KEY_") || error.message.contains("current state is") {
        // Which state is told in a sentence only; reading a version answers in every state and is
        // not documented to fail so.
        UnknownReason::UnrecognisedState
    } else if is_of_the_callers_project(&error.message.to_ascii_lowercase()) {
        // The older wording of an API that is switched off.
        UnknownReason::WrongScope
    } else {
        UnknownReason::Malformed
    }
}

/// Foreign text for a message: one line, printable, of bounded length, and without anything that
/// looks like a token, a private key or an API key of Google's.
pub(super) fn redact(text: &str) -> String {
    one_line(text, is_token_char, looks_secret)
}

/// Characters of tokens, of base64 and of the parts of a resource name. The slash is not among
/// them: it keeps the parts of a name apart, of which none is longer than 63.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_' | '-' | '.' | '~')
}

/// How Google's secrets begin (access token, refresh token behind its `1//`, JWT, API key, client
/// secret), and anything longer than a part of a resource name can be.
fn looks_secret(word: &str) -> bool {
    word.len() > 63
        || (word.len() >= 16
            && ["ya29.", "0g", "eyJ", "AIza", "GOCSPX-"]
                .iter()
                .any(|start| word.starts_with(start)))
}

#[cfg(test)]
mod tests;

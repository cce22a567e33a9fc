//! What can go wrong with an answer of Cloud KMS, errors in the service's own words included.

use std::time::Duration;

use serde_json::{Value, json};

/// One way in which an answer does not come about.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// An error as the service words it.
    Error {
        status: u16,
        code: String,
        message: String,
        details: Vec<Value>,
    },
    /// This body instead of the answer, whole.
    Body { status: u16, body: String },
    /// The answer cut after half of its announced length, and the connection reset.
    Reset,
    /// The connection closed without a byte.
    HangUp,
    /// Bytes that are no HTTP, and the connection closed.
    Noise,
    /// The answer, one byte at a time, with a pause before each.
    Trickle(Duration),
    /// No answer at all.
    Silence,
}

impl Fault {
    /// With the HTTP status that belongs to the code.
    pub(crate) fn error(code: &str, message: &str) -> Self {
        let status = match code {
            "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
            "UNAUTHENTICATED" => 401,
            "PERMISSION_DENIED" => 403,
            "NOT_FOUND" => 404,
            "ABORTED" | "ALREADY_EXISTS" => 409,
            "RESOURCE_EXHAUSTED" => 429,
            "CANCELLED" => 499,
            "UNIMPLEMENTED" => 501,
            "UNAVAILABLE" => 503,
            "DEADLINE_EXCEEDED" => 504,
            _ => 500,
        };
        Self::Error {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            details: Vec::new(),
        }
    }

    /// The refusal of a caller that lacks a permission, or from whom the key is hidden.
    pub(crate) fn denied(permission: &str) -> Self {
        let message =
            format!("Permission '{permission}' denied on resource 'x' (or it may not exist).");
        Self::error("PERMISSION_DENIED", &message).because("IAM_PERMISSION_DENIED", "projects/4711")
    }

    /// Adds Google's reason, and the project that the call is charged to.
    pub(crate) fn because(self, reason: &str, consumer: &str) -> Self {
        self.detailed(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
            "metadata": {"service": "cloudkms.googleapis.com", "consumer": consumer},
        }))
    }

    pub(crate) fn violating(self, kind: &str) -> Self {
        self.detailed(json!({
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
            "violations": [{"type": kind, "subject": "x", "description": ""}],
        }))
    }

    fn detailed(mut self, detail: Value) -> Self {
        if let Self::Error { details, .. } = &mut self {
            details.push(detail);
        }
        self
    }

    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Body {
            status,
            body: body.to_owned(),
        }
    }
}

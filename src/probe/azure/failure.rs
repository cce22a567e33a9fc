//! What it means when Key Vault or Managed HSM answered with an error, or not at all. Pure.
//!
//! The body of an error is `{"error":{"code","message","innererror":{"code"}}}`, and the inner code
//! is the telling one: status 403 has five meanings (Key Vault, "REST API error codes", "Common
//! error codes"). The service checks the network first, then the caller, then whether the key is
//! there; so only a 404 in its own words says anything about the key, and not that it is gone.

use serde::Deserialize;

use crate::model::evidence::{Condition, UnknownReason};
use crate::probe::text::redact;

/// How a question ended without the answer that it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The service answered with an error of its own.
    Service(ServiceError),
    /// An answer that is not in the service's words: a gateway's page, cut or foreign JSON.
    Unparsable {
        status: u16,
        why: String,
    },
    /// No answer: TLS, connection, a connection cut in the middle.
    Unreachable(String),
    /// The name of the vault has no address.
    NoSuchHost,
    TimedOut,
    /// Nothing was sent, because there is no token to send it with.
    NoCredentials(String),
    /// What answered does not behave like a Key Vault, so no token was sent.
    NoVault(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServiceError {
    pub status: u16,
    pub code: String,
    pub inner: Option<String>,
    pub message: String,
    /// Seconds, where the service asked to wait.
    pub retry_after: Option<u64>,
}

/// What a failure says of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Not there under this address: soft-deleted, purged, in flight between the two, or never
    /// there. `/deletedkeys` must be asked.
    Missing,
    /// The error itself says what state the key is in.
    State(Condition),
    Unknown(UnknownReason),
}

#[derive(Deserialize)]
struct WireError {
    error: WireDetail,
}

#[derive(Deserialize)]
struct WireDetail {
    code: String,
    message: Option<String>,
    innererror: Option<WireInner>,
}

#[derive(Deserialize)]
struct WireInner {
    code: Option<String>,
}

/// Reads an answer whose status is not 200.
pub(super) fn read_error(status: u16, body: &[u8], retry_after: Option<u64>) -> Failure {
    match serde_json::from_slice::<WireError>(body) {
        Ok(WireError { error }) => Failure::Service(ServiceError {
            status,
            code: error.code,
            inner: error.innererror.and_then(|inner| inner.code),
            message: error.message.unwrap_or_default(),
            retry_after,
        }),
        // A gateway that is too busy says so as the service does.
        Err(_) if status == 429 => Failure::Service(ServiceError {
            status,
            code: "TooManyRequests".to_owned(),
            retry_after,
            ..ServiceError::default()
        }),
        Err(error) => Failure::Unparsable {
            status,
            why: format!("no error of Key Vault: {error}"),
        },
    }
}

impl Failure {
    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::Service(error) => error.meaning(),
            Self::Unparsable { status, why: _ } => Meaning::Unknown(match *status {
                408 | 500..=599 => UnknownReason::Unreachable,
                _ => UnknownReason::Malformed,
            }),
            Self::Unreachable(_) | Self::NoSuchHost | Self::TimedOut => {
                Meaning::Unknown(UnknownReason::Unreachable)
            }
            Self::NoCredentials(_) => Meaning::Unknown(UnknownReason::Credentials),
            Self::NoVault(_) => Meaning::Unknown(UnknownReason::Malformed),
        }
    }

    /// The service's own word, verbatim but for what cannot be printed: the inner code where
    /// there is one.
    pub(super) fn native(&self) -> Option<String> {
        match self {
            Self::Service(error) => Some(redact(error.word())),
            Self::Unparsable { .. }
            | Self::Unreachable(_)
            | Self::NoSuchHost
            | Self::TimedOut
            | Self::NoCredentials(_)
            | Self::NoVault(_) => None,
        }
    }

    /// A line on what happened and, where it is not plain, what it means.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Service(error) => error.detail(),
            Self::Unparsable { status, why } => format!("HTTP status {status}: {}", redact(why)),
            Self::Unreachable(why) | Self::NoCredentials(why) | Self::NoVault(why) => redact(why),
            Self::NoSuchHost => "its host name has no address: the vault may be deleted, in a \
                private DNS zone, in another cloud, or misspelled"
                .to_owned(),
            Self::TimedOut => "no answer in time".to_owned(),
        }
    }

    /// The key is not under the address that was asked.
    pub(super) fn is_missing(&self) -> bool {
        self.meaning() == Meaning::Missing
    }

    /// Whether the same question may be answered a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Service(error) => {
                matches!(error.status, 408 | 429 | 500..=599) || error.says("AKV10046")
            }
            Self::Unparsable { status, why: _ } => matches!(*status, 408 | 500..=599),
            Self::Unreachable(_) => true,
            Self::NoSuchHost | Self::TimedOut | Self::NoCredentials(_) | Self::NoVault(_) => false,
        }
    }

    /// Seconds that the service asked to wait.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Service(error) => error.retry_after,
            Self::Unparsable { .. }
            | Self::Unreachable(_)
            | Self::NoSuchHost
            | Self::TimedOut
            | Self::NoCredentials(_)
            | Self::NoVault(_) => None,
        }
    }

    /// The refusal may be of this one call and not of another about the same key: a caller with
    /// `keys/get` may lack `keys/list`, and roles of a Managed HSM are given for single keys.
    pub(super) fn is_refusal_of_the_call(&self) -> bool {
        match self {
            Self::Service(error) => {
                error.status == 403
                    && matches!(
                        error.meaning(),
                        Meaning::Unknown(UnknownReason::AccessDenied) | Meaning::State(_)
                    )
            }
            Self::Unparsable { .. }
            | Self::Unreachable(_)
            | Self::NoSuchHost
            | Self::TimedOut
            | Self::NoCredentials(_)
            | Self::NoVault(_) => false,
        }
    }
}

impl ServiceError {
    fn word(&self) -> &str {
        self.inner.as_deref().unwrap_or(&self.code)
    }

    fn says(&self, text: &str) -> bool {
        self.message.contains(text) || self.code.contains(text)
    }

    fn meaning(&self) -> Meaning {
        let unknown = Meaning::Unknown;
        match self.status {
            400 if self.is_about_the_version() => unknown(UnknownReason::Unsupported),
            // The token is of another tenant than the vault.
            401 if self.says("AKV10032") || self.says("Invalid issuer") => {
                unknown(UnknownReason::WrongScope)
            }
            401 => unknown(UnknownReason::Credentials),
            403 => self.refusal(),
            404 => Meaning::Missing,
            409 => match self.word() {
                // Told to who would reuse the name: the key is there to be recovered.
                "ObjectIsDeletedButRecoverable" => {
                    Meaning::State(Condition::SoftDeleted { purge: None })
                }
                "ObjectIsBeingDeleted" | "ObjectIsBeingRecovered" => {
                    Meaning::State(Condition::Transient)
                }
                _ => unknown(UnknownReason::UnrecognisedState),
            },
            429 => unknown(UnknownReason::Throttled),
            501 => unknown(UnknownReason::Unsupported),
            408 | 500..=599 => unknown(UnknownReason::Unreachable),
            _ => unknown(UnknownReason::Malformed),
        }
    }

    /// The five inner meanings of 403. Older answers have no inner code, but the same texts.
    fn refusal(&self) -> Meaning {
        match self.inner.as_deref() {
            Some("KeyDisabled") => Meaning::State(Condition::Disabled),
            Some("ForbiddenByFirewall" | "ForbiddenByConnection") => {
                Meaning::Unknown(UnknownReason::Unreachable)
            }
            Some("ForbiddenByRbac" | "ForbiddenByPolicy" | "AccessDenied") => {
                Meaning::Unknown(UnknownReason::AccessDenied)
            }
            Some(_) | None => {
                if self.says("not allowed on a disabled key") {
                    Meaning::State(Condition::Disabled)
                } else if self.is_of_the_network() {
                    Meaning::Unknown(UnknownReason::Unreachable)
                } else {
                    Meaning::Unknown(UnknownReason::AccessDenied)
                }
            }
        }
    }

    fn is_of_the_network(&self) -> bool {
        self.says("Client address is not authorized")
            || self.says("Public network access is disabled")
            || self.says("approved private link")
    }

    fn is_about_the_version(&self) -> bool {
        self.message.to_ascii_lowercase().contains("api-version")
            || self.code == "UnsupportedApiVersion"
    }

    fn detail(&self) -> String {
        let message = redact(&self.message);
        let word = redact(self.word());
        let also = match self.word() {
            _ if self.status == 403 && self.refusal() == NETWORK => {
                "the vault's network rules refuse the address that asks, which says nothing about \
                 the key nor about what Atlas may do"
            }
            // Texts about tokens repeat parts of them.
            _ if self.status == 401 => {
                return match self.meaning() {
                    Meaning::Unknown(UnknownReason::WrongScope) => {
                        format!("the token is of another tenant than the vault ({word})")
                    }
                    Meaning::Missing | Meaning::State(_) | Meaning::Unknown(_) => {
                        format!("the token was not accepted ({word})")
                    }
                };
            }
            _ => return if message.is_empty() { word } else { message },
        };
        if message.is_empty() {
            also.to_owned()
        } else {
            format!("{also}: {message}")
        }
    }
}

const NETWORK: Meaning = Meaning::Unknown(UnknownReason::Unreachable);

#[cfg(test)]
mod tests;

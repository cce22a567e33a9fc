//! Between Google's client and the pure halves: credentials, its errors and wire types turned
//! into snapkey's own.

use std::error::Error as _;

use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::error::rpc::StatusDetails;
use google_cloud_gax::error::{CredentialsError, Error};
use google_cloud_kms_v1::model;

use super::failure::{Failure, ServiceError, redact};
use super::read::{Key, Retired, Version};
use crate::model::Timestamp;

/// Asks for a token once, so that a login that cannot be had is told as such, and once.
pub(super) async fn log_in(credentials: &Credentials) -> Result<(), Failure> {
    match credentials.headers(Default::default()).await {
        Ok(_headers) => Ok(()),
        Err(error) => Err(no_token(&error)),
    }
}

/// Google's own file of credentials, or the metadata server of the machine. Nothing of the
/// error's own text is kept: it may quote the file.
pub(super) fn default_credentials() -> Result<Credentials, Failure> {
    google_cloud_auth::credentials::Builder::default()
        .build()
        .map_err(|error| {
            let what = if error.is_loading() {
                "the file with Google credentials cannot be opened"
            } else if error.is_parsing() || error.is_missing_field() {
                "the file with Google credentials is malformed"
            } else if error.is_unknown_type() || error.is_not_supported() {
                "the type of the Google credentials is not supported"
            } else {
                "there are no Google credentials"
            };
            Failure::NoCredentials(what.to_owned())
        })
}

/// Service accounts say who they are; of a person's own credentials nothing is known.
pub(super) async fn who_asks() -> Option<String> {
    let signer = google_cloud_auth::credentials::Builder::default()
        .build_signer()
        .ok()?;
    let email = signer.client_email().await.ok()?;
    Some(redact(&email)).filter(|email| !email.is_empty())
}

/// A token endpoint's error is kept as the word of its protocol (RFC 6749, section 5.2) only.
fn no_token(error: &CredentialsError) -> Failure {
    const WORDS: [&str; 7] = [
        "invalid_grant",
        "invalid_rapt",
        "invalid_client",
        "invalid_scope",
        "invalid_request",
        "unauthorized_client",
        "access_denied",
    ];
    let text = chain(error);
    let why = match WORDS.iter().find(|word| text.contains(*word)) {
        Some(word) => format!("no token for the Google credentials: {word}"),
        None if error.is_transient() => {
            "no token for the Google credentials: neither their issuer nor a metadata server \
             answers (`gcloud auth application-default login` leaves a file with credentials)"
                .to_owned()
        }
        None => "there are no Google credentials that give a token".to_owned(),
    };
    Failure::NoCredentials(why)
}

/// Sorts an error of Google's client.
pub(super) fn failure_of(error: &Error) -> Failure {
    if error.is_authentication() {
        let credentials = error.source().and_then(|cause| cause.downcast_ref());
        return match credentials {
            Some(error) => no_token(error),
            None => Failure::NoCredentials("no token for the Google credentials".to_owned()),
        };
    }
    if let Some(status) = error.status() {
        let http = error.http_status_code().unwrap_or_default();
        // Without a known name it is `UNKNOWN`, which stands for HTTP 500.
        if status.code.name() == "UNKNOWN" && http != 500 {
            return Failure::Foreign { status: http };
        }
        return Failure::Service(service_error(status));
    }
    if let Some(status) = error.http_status_code() {
        return Failure::Foreign { status };
    }
    if error.is_deserialization() {
        return Failure::Malformed(format!("the answer cannot be read: {}", chain(error)));
    }
    if error.is_binding() || error.is_serialization() {
        return Failure::NotSent(chain(error));
    }
    Failure::Unreachable(chain(error))
}

fn service_error(status: &google_cloud_gax::error::rpc::Status) -> ServiceError {
    let mut own = ServiceError {
        code: status.code.name().to_owned(),
        message: status.message.clone(),
        ..ServiceError::default()
    };
    for detail in &status.details {
        // Of a foreign enum that grows, only what is looked at.
        if let StatusDetails::ErrorInfo(info) = detail {
            own.reason = Some(info.reason.clone());
            own.consumer = info.metadata.get("consumer").cloned();
        } else if let StatusDetails::PreconditionFailure(failure) = detail {
            let types = failure.violations.iter().map(|of| of.r#type.clone());
            own.violations.extend(types);
        }
    }
    own
}

/// An error's causes in one line, outermost first, without the URL that was asked: it is long, and
/// known.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = without_url(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let text = without_url(&cause.to_string());
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    redact(&line)
}

fn without_url(text: &str) -> String {
    let url = text.split_once(" for url (").and_then(|(before, rest)| {
        let (_url, after) = rest.split_once(')')?;
        Some(format!("{before}{after}"))
    });
    url.unwrap_or_else(|| text.to_owned())
}

/// A word of an enum, or the number that stands for one that this client does not know.
macro_rules! word {
    ($value:expr) => {
        match ($value.name(), $value.value()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(number)) => number.to_string(),
            (None, None) => String::new(),
        }
    };
}

pub(super) fn own_version(version: model::CryptoKeyVersion) -> Result<Version, String> {
    let failure_reason = [
        version.import_failure_reason,
        version.generation_failure_reason,
        version.external_destruction_failure_reason,
    ]
    .into_iter()
    .find(|reason| !reason.is_empty());
    Ok(Version {
        state: word!(version.state),
        protection_level: word!(version.protection_level),
        external_options: version.external_protection_level_options.is_some(),
        destroy_time: date(version.destroy_time.map(|at| at.seconds()), "destroyTime")?,
        destroy_event_time: date(
            version.destroy_event_time.map(|at| at.seconds()),
            "destroyEventTime",
        )?,
        reimport_eligible: version.reimport_eligible,
        failure_reason,
        name: version.name,
    })
}

pub(super) fn own_key(key: model::CryptoKey) -> Key {
    Key {
        purpose: word!(key.purpose),
        allowed_access_reasons: key.key_access_justifications_policy.map(|policy| {
            let reasons = policy.allowed_access_reasons.iter();
            reasons.map(|reason| word!(reason)).collect()
        }),
        backend: key.crypto_key_backend,
        name: key.name,
    }
}

pub(super) fn own_retired(retired: model::RetiredResource) -> Result<Retired, String> {
    Ok(Retired {
        delete_time: date(retired.delete_time.map(|at| at.seconds()), "deleteTime")?,
        original_resource: retired.original_resource,
    })
}

/// Fractions of a second are dropped: every one of these dates is one to act before.
fn date(seconds: Option<i64>, field: &str) -> Result<Option<Timestamp>, String> {
    seconds
        .map(|seconds| {
            Timestamp::from_unix(seconds)
                .ok_or_else(|| format!("its `{field}` is outside the years 1970 to 9999"))
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_asked_is_not_told_again() {
        let table = [
            (
                "error sending request for url (http://127.0.0.1:1/v1/a?b=c): client error",
                "error sending request: client error",
            ),
            ("error for url (cut", "error for url (cut"),
            ("tcp connect error", "tcp connect error"),
        ];
        for (text, expected) in table {
            assert_eq!(without_url(text), expected);
        }
    }

    #[test]
    fn numbers_and_words_of_enums_are_told_as_they_came() {
        use model::crypto_key_version::CryptoKeyVersionState as State;
        let table = [
            (State::from(1), "ENABLED"),
            (State::from(10), "EXTERNAL_DESTRUCTION_FAILED"),
            (State::from(11), "11"),
            (State::from("ENABLED"), "ENABLED"),
            (State::from("HIBERNATING"), "HIBERNATING"),
        ];
        for (state, expected) in table {
            assert_eq!(word!(state), expected);
        }
    }
}

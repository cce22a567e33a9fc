//! Between the official client and the pure halves: the transport with its guard, the client's
//! errors and headers turned into snapkey's own.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, RetryOptions, Transport};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use chrono::{DateTime, Utc};
use futures::StreamExt;

use super::failure::{Failure, read_error};
use crate::model::Timestamp;
use crate::probe::text::redact;

/// Far above any answer about a key: a page holds 25 versions.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

const DATE: HeaderName = HeaderName::from_static("date");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");

/// An HTTPS client with the system's certificate authorities and, beside them, private ones.
/// Proxies are those of the environment. There is no way to turn verification off.
///
/// # Errors
/// When `ca_pem` holds no certificate that can be used.
pub(super) fn https(ca_pem: Option<&[u8]>) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .https_only(true)
        .connect_timeout(Duration::from_secs(8));
    if let Some(pem) = ca_pem {
        let authorities = reqwest::Certificate::from_pem_bundle(pem).map_err(|error| {
            format!(
                "the certificate authority of `ca_file` is unusable: {}",
                chain(&error)
            )
        })?;
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| chain(&error))
}

/// A client for one vault. Retries are the caller's, who paces them.
pub(super) fn key_client(
    host: &str,
    http: &reqwest::Client,
    credential: Arc<dyn TokenCredential>,
    api_version: Option<&str>,
) -> Result<KeyClient, Failure> {
    let mut options = KeyClientOptions::default();
    if let Some(api_version) = api_version {
        options.api_version = api_version.to_owned();
    }
    options.client_options.retry = RetryOptions::none();
    options.client_options.transport = Some(Transport::new(Arc::new(OneVault {
        http: http.clone(),
        host: host.to_owned(),
    })));
    // The challenge that a server answers with decides what the token is asked for: a server that
    // is no vault of this domain must not get one.
    options.verify_challenge_resource = Some(true);
    KeyClient::new(&format!("https://{host}"), credential, Some(options))
        .map_err(|error| Failure::NoVault(chain(&error)))
}

/// Sends only GETs, and only to one vault: whatever a `nextLink` says, the token goes nowhere
/// else. Bodies are bounded.
struct OneVault {
    http: reqwest::Client,
    host: String,
}

impl fmt::Debug for OneVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneVault")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for OneVault {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        let own = url.scheme() == "https"
            && url.host_str() == Some(&self.host)
            && url.port_or_known_default() == Some(443);
        if request.method() != Method::Get || !own {
            return Err(Error::with_message(
                ErrorKind::Other,
                format!("only GETs go to `{}`, and to nowhere else", self.host),
            ));
        }
        let (status, headers, body) = self.http.execute_request(request).await?.deconstruct();
        let mut read = 0_usize;
        let bounded = body.map(move |part| {
            let part = part?;
            read = read.saturating_add(part.len());
            if read > LARGEST_BODY {
                return Err(Error::with_message(
                    ErrorKind::DataConversion,
                    format!("the answer is larger than {LARGEST_BODY} bytes"),
                ));
            }
            Ok(part)
        });
        Ok(AsyncRawResponse::new(status, headers, Box::pin(bounded)))
    }
}

/// The service's clock.
pub(super) fn date_of(headers: &Headers) -> Option<Timestamp> {
    let text = headers.get_optional_str(&DATE)?;
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from(date.with_timezone(&Utc)))
}

/// Sorts an error of the client.
pub(super) fn failure_of(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::HttpResponse {
            status,
            error_code: _,
            raw_response,
        } => {
            let status = u16::from(*status);
            match raw_response {
                Some(raw) => {
                    let wait = raw.headers().get_optional_str(&RETRY_AFTER);
                    // As a date it is no reason to wait longer than the usual pause.
                    let wait = wait.and_then(|text| text.trim().parse().ok());
                    read_error(status, raw.body().as_ref(), wait)
                }
                None => read_error(status, b"", None),
            }
        }
        ErrorKind::Connection | ErrorKind::Io => {
            let text = chain(error);
            if ["dns error", "failed to lookup address", "no record found"]
                .iter()
                .any(|sign| text.contains(sign))
            {
                Failure::NoSuchHost
            } else {
                Failure::Unreachable(text)
            }
        }
        ErrorKind::DataConversion => Failure::Unparsable {
            status: 200,
            why: chain(error),
        },
        // The text of a credential may repeat what a helper printed: the credential's owner says
        // what happened.
        ErrorKind::Credential => Failure::NoCredentials("no token could be had".to_owned()),
        ErrorKind::Other => Failure::NoVault(chain(error)),
    }
}

/// An error's causes in one line, outermost first.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        source = cause.source();
    }
    redact(&line)
}

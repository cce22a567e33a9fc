//! Where Google Cloud KMS is asked: the service itself, or what `[gcp] endpoint` names instead (a
//! private endpoint, a regional one, an emulator on this machine). Pure.

use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

/// The service's own address (Cloud KMS REST reference, "Service endpoint").
const SERVICE: &str = "https://cloudkms.googleapis.com";

/// An address that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    plain: bool,
}

/// Why nothing is asked at an address. Never quotes one that holds a login.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    #[error("`{0}` is no URL such as https://cloudkms.googleapis.com")]
    Malformed(String),
    #[error("`{0}` is not https, and plain http is for this machine's own addresses only")]
    Plain(String),
    #[error("the URL holds a login, a query or a fragment, which no endpoint has")]
    NotBare,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            url: SERVICE.to_owned(),
            plain: false,
        }
    }
}

impl Endpoint {
    /// Without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Plain http, and so an emulator on this machine: it is asked anonymously, because a token
    /// for the real service is not for it.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(text.chars().take(200).collect());
        // Before anything is quoted: what stands before an `@` may be a password.
        if text.contains(['@', '?', '#']) {
            return Err(EndpointError::NotBare);
        }
        let url = Url::parse(text).map_err(|_no_url| malformed())?;
        let plain = match (url.scheme(), url.host()) {
            (_, None) => return Err(malformed()),
            ("https", Some(_)) => false,
            ("http", Some(host)) if is_loopback(&host) => true,
            ("http", Some(_)) => return Err(EndpointError::Plain(text.to_owned())),
            (_, Some(_)) => return Err(malformed()),
        };
        Ok(Self {
            url: url.as_str().trim_end_matches('/').to_owned(),
            plain,
        })
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let table = [
            ("https://cloudkms.googleapis.com", false),
            ("https://cloudkms.googleapis.com/", false),
            ("https://cloudkms.europe-west3.rep.googleapis.com", false),
            ("https://kms.internal.example:8443/google", false),
            ("https://127.0.0.1:8443", false),
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9:8080/", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
        ];
        for (text, plain) in table {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.is_plain(), plain, "{text}");
            assert_eq!(endpoint.url(), text.trim_end_matches('/'));
        }
        assert!(!Endpoint::default().is_plain());
        assert_eq!(Endpoint::default(), SERVICE.parse().unwrap());
    }

    #[test]
    fn what_may_not_be_asked_is_refused() {
        let malformed = |text: &str| EndpointError::Malformed(text.to_owned());
        let plain = |text: &str| EndpointError::Plain(text.to_owned());
        let table = [
            ("", malformed("")),
            (
                "cloudkms.googleapis.com",
                malformed("cloudkms.googleapis.com"),
            ),
            ("ftp://127.0.0.1", malformed("ftp://127.0.0.1")),
            ("unix:/run/kms", malformed("unix:/run/kms")),
            ("http://kms.example", plain("http://kms.example")),
            ("http://10.0.0.1:8080", plain("http://10.0.0.1:8080")),
            (
                "http://localhost.example",
                plain("http://localhost.example"),
            ),
            (
                "http://127.0.0.1.example",
                plain("http://127.0.0.1.example"),
            ),
            ("https://me:hunter2@kms.example", EndpointError::NotBare),
            ("http://127.0.0.1@kms.example", EndpointError::NotBare),
            ("https://kms.example?key=hunter2", EndpointError::NotBare),
            ("https://kms.example#hunter2", EndpointError::NotBare),
        ];
        for (text, expected) in table {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error, expected, "{text}");
        }
    }
}

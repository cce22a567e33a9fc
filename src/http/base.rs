//! The base URL of a root: what is accepted, and how a path is put behind it.

use url::{Host, Url};

use super::settings::SetupError;

/// An accepted base URL.
#[derive(Clone, Debug)]
pub(super) struct Base {
    /// Without a slash at its end.
    text: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) loopback: bool,
    pub(super) plain: bool,
}

impl Base {
    pub(super) fn read(text: &str) -> Result<Self, SetupError> {
        let url =
            Url::parse(text.trim()).map_err(|_malformed| SetupError::BaseUrl("it is no URL"))?;
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => {
                return Err(SetupError::BaseUrl(
                    "it begins neither https:// nor http://",
                ));
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SetupError::BaseUrl("it holds a user name or a password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(SetupError::BaseUrl("it has a query or a fragment"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(SetupError::BaseUrl("it has no host"));
        };
        let loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let host = host.to_string();
        if plain && !loopback {
            return Err(SetupError::Plain(host));
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            host,
            port,
            loopback,
            plain,
        })
    }

    /// `path_and_query` begins with `/`. `None`: it does not.
    pub(super) fn join(&self, path_and_query: &str) -> Option<Url> {
        // Without the slash the path would go on with the host name.
        path_and_query
            .starts_with('/')
            .then(|| Url::parse(&format!("{}{path_and_query}", self.text)).ok())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_that_are_taken() {
        let table = [
            (
                "https://cloud.mongodb.com",
                "https://cloud.mongodb.com/api/x?a=b",
                false,
            ),
            (
                "https://cloud.mongodbgov.com/",
                "https://cloud.mongodbgov.com/api/x?a=b",
                false,
            ),
            (
                " https://om.example.com:8443/mms/ ",
                "https://om.example.com:8443/mms/api/x?a=b",
                false,
            ),
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/api/x?a=b",
                true,
            ),
            ("http://127.9.9.9", "http://127.9.9.9/api/x?a=b", true),
            ("http://[::1]:8080", "http://[::1]:8080/api/x?a=b", true),
            (
                "http://localhost:8080",
                "http://localhost:8080/api/x?a=b",
                true,
            ),
            ("https://localhost", "https://localhost/api/x?a=b", true),
            // The parser's reading of the address counts, not its spelling.
            ("http://2130706433", "http://127.0.0.1/api/x?a=b", true),
        ];
        for (text, joined, loopback) in table {
            let base = Base::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(base.join("/api/x?a=b").unwrap().as_str(), joined, "{text}");
            assert_eq!(base.loopback, loopback, "{text}");
        }
    }

    #[test]
    fn base_urls_that_are_refused() {
        for text in [
            "",
            "cloud.mongodb.com",
            "ftp://cloud.mongodb.com",
            "https://",
            "https://user:hunter2@cloud.mongodb.com",
            "https://hunter2@cloud.mongodb.com",
            "https://cloud.mongodb.com/?token=hunter2",
            "https://cloud.mongodb.com/#hunter2",
            "http://cloud.mongodb.com",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://[::ffff:10.0.0.1]",
            "http://[fe80::1]",
        ] {
            let error = Base::read(text).expect_err(text).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_path_never_changes_the_host() {
        let base = Base::read("https://cloud.mongodb.com").unwrap();
        for path in ["", "api", "@evil.example", ".evil.example/", ":8443/"] {
            assert!(base.join(path).is_none(), "{path}");
        }
        for path in ["//evil.example/", "/@evil.example", "/\\evil.example"] {
            let host = base.join(path).unwrap().host_str().map(str::to_owned);
            assert_eq!(host.as_deref(), Some("cloud.mongodb.com"), "{path}");
        }
    }
}

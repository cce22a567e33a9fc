//! How snapkey makes itself known to an inventory source. The public id may be told and recorded;
//! the secret may only be sent.

use std::fmt;

/// A text that no error, log or output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Credentials of an inventory source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Atlas service account: OAuth 2.0 client credentials.
    ServiceAccount {
        client_id: String,
        client_secret: Secret,
    },
    /// Programmatic API key of Atlas, Cloud Manager or Ops Manager: HTTP digest.
    ApiKey { public: String, private: Secret },
}

impl Login {
    /// The public id: all of a login that is ever recorded.
    pub fn identity(&self) -> &str {
        match self {
            Self::ServiceAccount {
                client_id,
                client_secret: _,
            } => client_id,
            Self::ApiKey { public, private: _ } => public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_shows_its_public_id_alone() {
        let logins = [
            Login::ServiceAccount {
                client_id: "mdb_sa_id_1".to_owned(),
                client_secret: Secret::new("hunter2"),
            },
            Login::ApiKey {
                public: "abcdefgh".to_owned(),
                private: Secret::new("hunter2"),
            },
        ];
        for login in logins {
            let shown = format!("{login:?} {login:#?}");
            assert!(shown.contains(login.identity()), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

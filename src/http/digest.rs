//! HTTP digest with an API key. The arithmetic is `diqwest`'s; here one challenge serves all
//! requests until the server wants another.

use std::time::Duration;

use diqwest::session::CachedContextGuard;
use diqwest::{DigestAuthCredentials, DigestAuthSession, WithDigestAuth};
use reqwest::{RequestBuilder, Response};
use tokio::sync::Mutex;

use super::answer::Failure;
use super::settings::Timeouts;
use super::trouble::Trouble;
use crate::model::Secret;

pub(super) struct Digest {
    session: DigestAuthSession,
    /// Whether somebody has asked; held by the first while it asks, so that the others find its
    /// challenge instead of fetching one each.
    asked: Mutex<bool>,
}

impl Digest {
    pub(super) fn new(public: &str, private: &Secret) -> Self {
        Self {
            session: DigestAuthSession::new(public, private.expose()),
            asked: Mutex::new(false),
        }
    }

    /// Sends with the challenge at hand; a 401 to that fetches a new one and sends once more.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        timeouts: &Timeouts,
    ) -> Result<Response, Trouble> {
        let first = {
            let asked = self.asked.lock().await;
            (!*asked).then_some(asked)
        };
        let sent = self.exchange(&request).await;
        if let Some(mut asked) = first {
            // Whatever came of it: a server that is silent must not be waited for in turn.
            *asked = true;
        }
        sent.map_err(|error| match error {
            diqwest::error::Error::Reqwest(error) => Trouble::of(error, timeouts),
            diqwest::error::Error::AuthHeaderMissing => Trouble {
                failure: Failure::Login("the challenge was renewed meanwhile".to_owned()),
                settled: false,
            },
            diqwest::error::Error::DigestAuth(_)
            | diqwest::error::Error::ToStr(_)
            | diqwest::error::Error::InvalidHeaderValue(_)
            | diqwest::error::Error::RequestBuilderNotCloneable
            | diqwest::error::Error::LockPoisoned
            | diqwest::error::Error::MissingHost => Trouble {
                failure: Failure::Login(
                    "the server's challenge is none that a digest can answer".to_owned(),
                ),
                settled: true,
            },
        })
    }

    async fn exchange(&self, request: &RequestBuilder) -> Result<Response, diqwest::error::Error> {
        const TRIES: usize = 3;
        let key = Key(&self.session);
        for _ in 1..TRIES {
            match request.send_digest_auth(key).await {
                // Between two looks at the challenge another request dropped it.
                Err(diqwest::error::Error::AuthHeaderMissing) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                sent => return sent,
            }
        }
        request.send_digest_auth(key).await
    }
}

/// The session as it is, but for challenges with another algorithm than MD5: the session forgets
/// the algorithm, and would have every second request refused.
#[derive(Clone, Copy)]
struct Key<'s>(&'s DigestAuthSession);

impl DigestAuthCredentials for Key<'_> {
    fn username(&self) -> &str {
        self.0.username()
    }

    fn password(&self) -> &str {
        self.0.password()
    }

    fn cached_context<'h>(
        &self,
        host: &'h str,
    ) -> diqwest::error::Result<Option<CachedContextGuard<'_, 'h>>> {
        self.0.cached_context(host)
    }

    fn store_context(&self, host: &str, challenge: &str) -> diqwest::error::Result<()> {
        if is_md5(challenge) {
            self.0.store_context(host, challenge)
        } else {
            Ok(())
        }
    }

    fn clear_context(&self, host: &str) -> diqwest::error::Result<()> {
        self.0.clear_context(host)
    }
}

/// MD5 is also what a challenge means that names no algorithm (RFC 7616, section 3.3).
fn is_md5(challenge: &str) -> bool {
    let named = challenge.split(',').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .to_ascii_lowercase()
            .ends_with("algorithm")
            .then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    named.is_none_or(|named| named == "md5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_md5_challenges_are_kept() {
        let table = [
            (r#"Digest realm="r", nonce="n", qop="auth""#, true),
            (
                r#"Digest realm="r", nonce="n", algorithm=MD5, qop="auth""#,
                true,
            ),
            (r#"Digest algorithm="md5", realm="r", nonce="n""#, true),
            (r#"Digest realm="r", nonce="n", algorithm=MD5-sess"#, false),
            (r#"Digest realm="r", nonce="n", algorithm=SHA-256"#, false),
        ];
        for (challenge, kept) in table {
            assert_eq!(is_md5(challenge), kept, "{challenge}");
        }
    }
}

//! The access token of a service account (OAuth 2.0 client credentials): fetched once for all
//! requests, renewed in time, revoked at the end. An account has 100 live tokens at most, each
//! for an hour, so none may be left behind
//! (<https://www.mongodb.com/docs/atlas/api/service-accounts-overview/>).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::answer::Failure;
use super::client::Wire;
use super::refusal::word;
use super::trouble::Trouble;
use super::{body, retry};
use crate::model::{Secret, Timestamp};

/// Bytes of an answer of the token service.
const MAX_ANSWER: u64 = 64 * 1024;
/// A token is not used in the last part of its life: a request takes time to arrive.
const MARGIN: i64 = 60;
/// What is assumed where the answer does not say how long the token lives.
const USUAL_LIFE: i64 = 3600;
/// A token this young is not the reason for a 401. Without this bound, every path that the
/// account may not see would use up one of its tokens.
const YOUNG: i64 = 60;
/// How long the end of a run may wait for the revocation.
const FAREWELL: Duration = Duration::from_secs(10);

pub(super) struct Bearer {
    client_id: String,
    client_secret: Secret,
    state: Mutex<State>,
    /// How often the token service was asked; read before waiting for the lock, it tells whether
    /// somebody else asked meanwhile.
    rounds: AtomicU64,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Why the last round brought no token.
    trouble: Option<LoginTrouble>,
}

#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: Secret,
    issued: Timestamp,
    /// Not to be used from then on.
    until: Timestamp,
    /// Tells one token from the next.
    round: u64,
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub(super) struct LoginTrouble {
    pub(super) text: String,
    /// Asking again would bring the same.
    pub(super) settled: bool,
    pub(super) wait_asked: Option<Duration>,
}

impl From<LoginTrouble> for Trouble {
    fn from(trouble: LoginTrouble) -> Self {
        Self {
            failure: Failure::Login(trouble.text),
            settled: trouble.settled,
        }
    }
}

/// The answer to a login. No `Debug`: it holds the token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds; a number, which some services write as a text.
    expires_in: Option<serde_json::Value>,
}

/// The error answer (RFC 6749, section 5.2).
#[derive(Default, Deserialize)]
struct Denied {
    error: Option<serde_json::Value>,
    #[serde(default)]
    error_description: String,
}

impl Bearer {
    pub(super) fn new(client_id: String, client_secret: Secret) -> Self {
        Self {
            client_id,
            client_secret,
            state: Mutex::default(),
            rounds: AtomicU64::new(0),
        }
    }

    /// The token for the next request. Whoever comes while one is being fetched gets what comes
    /// of that, a failure too.
    pub(super) async fn token(&self, wire: &Wire) -> Result<Token, LoginTrouble> {
        let round = self.rounds.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(token) = &state.token
            && (wire.clock)() < token.until
        {
            return Ok(token.clone());
        }
        if let Some(trouble) = &state.trouble
            && (trouble.settled || self.rounds.load(Ordering::SeqCst) != round)
        {
            return Err(trouble.clone());
        }
        let fetched = self.fetch(wire).await;
        self.rounds.fetch_add(1, Ordering::SeqCst);
        state.token = fetched.as_ref().ok().cloned();
        state.trouble = fetched.as_ref().err().cloned();
        fetched
    }

    /// Whether a request that was refused with `used` may succeed with another token: there is
    /// one already, or the next call of [`Self::token`] will fetch one.
    pub(super) async fn renew(&self, wire: &Wire, used: &Token) -> bool {
        let given_up = {
            let mut state = self.state.lock().await;
            match &state.token {
                Some(current) if current.round != used.round => return true,
                None => return true,
                Some(current) if (wire.clock)().since(current.issued) < YOUNG => return false,
                Some(_) => state.token.take(),
            }
        };
        if let Some(token) = given_up {
            // The 401 may have had another reason, and the token may still count.
            let _left_to_expire = self.revoke(wire, &token).await;
        }
        true
    }

    /// Revokes the token that is left. The text says why one stays behind.
    pub(super) async fn close(self, wire: &Wire) -> Option<String> {
        let token = self.state.lock().await.token.take()?;
        let revoked = tokio::time::timeout(FAREWELL, self.revoke(wire, &token));
        let cause = match revoked.await {
            Ok(Ok(())) => return None,
            Ok(Err(cause)) => cause,
            Err(_elapsed) => format!("no answer within {} s", FAREWELL.as_secs()),
        };
        Some(format!(
            "the access token of `{}` could not be revoked and stays valid for up to an hour: {cause}",
            self.client_id
        ))
    }

    async fn revoke(&self, wire: &Wire, token: &Token) -> Result<(), String> {
        let form = [
            ("token", token.text.expose()),
            ("token_type_hint", "access_token"),
        ];
        let request = self
            .post(wire, "/api/oauth/revoke")
            .map_err(|trouble| trouble.text)?;
        match request.form(&form).send().await {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => Err(format!("status {}", response.status().as_u16())),
            Err(error) => Err(Trouble::of(error, &wire.timeouts).failure.to_string()),
        }
    }

    /// RFC 6749, section 2.3.1: id and secret are encoded like a form before they become a
    /// user name and a password.
    fn post(&self, wire: &Wire, path: &str) -> Result<RequestBuilder, LoginTrouble> {
        let encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let url = wire.base.join(path).ok_or_else(|| LoginTrouble {
            text: format!("`{path}` fits behind no base URL"),
            settled: true,
            wait_asked: None,
        })?;
        Ok(wire.http.post(url).basic_auth(
            encoded(&self.client_id),
            Some(encoded(self.client_secret.expose())),
        ))
    }

    async fn fetch(&self, wire: &Wire) -> Result<Token, LoginTrouble> {
        let trouble = |failure: &Failure, settled| LoginTrouble {
            text: format!("asking for an access token: {failure}"),
            settled,
            wait_asked: None,
        };
        let asked = (wire.clock)();
        let response = self
            .post(wire, "/api/oauth/token")?
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await
            .map_err(|error| {
                let Trouble { failure, settled } = Trouble::of(error, &wire.timeouts);
                trouble(&failure, settled)
            })?;
        let status = response.status().as_u16();
        let wait_asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| retry::retry_after(value.to_str().ok()?, asked));
        let body = body::read(response, MAX_ANSWER, &wire.timeouts)
            .await
            .map_err(|Trouble { failure, settled }| trouble(&failure, settled))?;
        if status != 200 {
            return Err(self.denied(status, &body, wait_asked));
        }
        let Ok(granted) = serde_json::from_slice::<Granted>(&body) else {
            return Err(LoginTrouble {
                text: "asking for an access token: status 200 without a token".to_owned(),
                settled: false,
                wait_asked: None,
            });
        };
        let seconds =
            |value: &serde_json::Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let life = granted.expires_in.as_ref().and_then(seconds);
        let life = life.unwrap_or(USUAL_LIFE).max(0);
        Ok(Token {
            text: Secret::new(granted.access_token),
            issued: asked,
            until: asked.saturating_add(life - MARGIN.min(life / 10)),
            round: self.rounds.load(Ordering::SeqCst),
        })
    }

    /// What a refusal by the token service means.
    fn denied(&self, status: u16, body: &[u8], wait_asked: Option<Duration>) -> LoginTrouble {
        let denied: Denied = serde_json::from_slice(body).unwrap_or_default();
        let error = denied
            .error
            .as_ref()
            .and_then(|error| error.as_str())
            .and_then(word);
        let id = &self.client_id;
        let said = error.map_or(String::new(), |error| format!(" `{error}`"));
        let limit = denied
            .error_description
            .to_ascii_lowercase()
            .contains("limit");
        let text = match status {
            403 if limit => format!(
                "the service account `{id}` has used up its 100 live access tokens, each valid for \
                 an hour: wait until some expire, and look for a program that revokes none"
            ),
            400 | 401 | 403 => format!(
                "the service account `{id}` was refused with status {status}{said}: its id or \
                 secret is wrong, or the secret has expired"
            ),
            404 => {
                "status 404 for an access token: this base URL knows no service accounts, which \
                    only Atlas has"
                    .to_owned()
            }
            _ => format!("asking for an access token: status {status}{said}"),
        };
        LoginTrouble {
            text,
            settled: !matches!(status, 429 | 500 | 502 | 503 | 504),
            wait_asked,
        }
    }
}

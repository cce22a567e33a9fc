//! Who asks: HTTP digest with nonces that go stale, OAuth tokens that are counted, and how each
//! refuses.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use md5::{Digest, Md5};
use serde_json::json;

use super::answer::Answer;
use super::wire::Message;

pub(crate) const REALM: &str = "MMS Public API";
/// Live tokens of one service account.
pub(crate) const MOST_TOKENS: usize = 100;

/// How a request said who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    None,
    Digest,
    Bearer,
    Basic,
}

/// The one credential of each kind, and what was handed out under it.
#[derive(Debug)]
pub(crate) struct Logins {
    pub(crate) api_key: (String, String),
    pub(crate) service_account: (String, String),
    /// Requests that one nonce serves.
    pub(crate) nonce_uses: usize,
    /// Requests that one token serves: it may be revoked by others at any time.
    pub(crate) token_uses: usize,
    /// Seconds.
    pub(crate) token_life: i64,
    nonces: BTreeMap<String, BTreeSet<String>>,
    tokens: BTreeMap<String, Token>,
    handed_out: usize,
}

#[derive(Debug)]
struct Token {
    until: DateTime<Utc>,
    uses: usize,
}

impl Default for Logins {
    fn default() -> Self {
        let owned = |(name, secret): (&str, &str)| (name.to_owned(), secret.to_owned());
        Self {
            api_key: owned(super::API_KEY),
            service_account: owned(super::SERVICE_ACCOUNT),
            nonce_uses: usize::MAX,
            token_uses: usize::MAX,
            token_life: 3600,
            nonces: BTreeMap::new(),
            tokens: BTreeMap::new(),
            handed_out: 0,
        }
    }
}

impl Logins {
    pub(super) fn kind(message: &Message) -> Auth {
        let header = message.header("authorization").unwrap_or_default();
        match header.split(' ').next().unwrap_or_default() {
            "Digest" => Auth::Digest,
            "Bearer" => Auth::Bearer,
            "Basic" => Auth::Basic,
            _ => Auth::None,
        }
    }

    /// Whether the request may go on.
    pub(super) fn admit(&mut self, message: &Message, now: DateTime<Utc>) -> Result<(), Answer> {
        let header = message.header("authorization").unwrap_or_default();
        match Self::kind(message) {
            Auth::Digest => self.digest(message, header),
            Auth::Bearer => self.bearer(header, now),
            Auth::None | Auth::Basic => Err(self.challenge(false)),
        }
    }

    fn challenge(&mut self, stale: bool) -> Answer {
        self.handed_out += 1;
        let nonce = hex(&format!("nonce {}", self.handed_out));
        let told = format!(
            "Digest realm=\"{REALM}\", domain=\"\", nonce=\"{nonce}\", algorithm=MD5, \
             qop=\"auth\", stale={stale}"
        );
        self.nonces.insert(nonce, BTreeSet::new());
        Answer::unauthorized().with("WWW-Authenticate", &told)
    }

    /// RFC 7616 with MD5 and `qop=auth`: the response must be right, the nonce known and not used
    /// up, and no count be used twice.
    fn digest(&mut self, message: &Message, header: &str) -> Result<(), Answer> {
        let fields = fields(header.trim_start_matches("Digest "));
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let (user, password) = &self.api_key;
        let expected = digest_response(&Digested {
            user,
            realm: REALM,
            password,
            method: &message.method,
            uri: field("uri"),
            nonce: field("nonce"),
            nc: field("nc"),
            cnonce: field("cnonce"),
        });
        let right = field("username") == user
            && field("realm") == REALM
            && field("qop") == "auth"
            && field("uri") == message.target
            && field("response") == expected;
        if !right {
            return Err(self.challenge(false));
        }
        let most = self.nonce_uses;
        let fresh = self
            .nonces
            .get_mut(field("nonce"))
            .is_some_and(|used| used.len() < most && used.insert(field("nc").to_owned()));
        if fresh {
            Ok(())
        } else {
            Err(self.challenge(true))
        }
    }

    fn bearer(&mut self, header: &str, now: DateTime<Utc>) -> Result<(), Answer> {
        let token = self.tokens.get_mut(header.trim_start_matches("Bearer "));
        let most = self.token_uses;
        match token {
            Some(token) if token.until > now && token.uses < most => {
                token.uses += 1;
                Ok(())
            }
            _ => Err(Answer::unauthorized().with(
                "WWW-Authenticate",
                "Bearer realm=\"MMS Public API\", error=\"invalid_token\"",
            )),
        }
    }

    /// Tokens that are neither revoked nor expired.
    pub(super) fn live_tokens(&self, now: DateTime<Utc>) -> usize {
        let live = |token: &&Token| token.until > now;
        self.tokens.values().filter(live).count()
    }

    /// Hands out tokens that nobody revokes, as forgetful runs before this one did.
    pub(super) fn litter(&mut self, tokens: usize, now: DateTime<Utc>) {
        for _ in 0..tokens {
            self.hand_out(now);
        }
    }

    fn hand_out(&mut self, now: DateTime<Utc>) -> String {
        self.handed_out += 1;
        let no = self.handed_out;
        let token = format!("{}.{}", super::TOKEN_MARK, hex(&format!("token {no}")));
        let until = now + TimeDelta::seconds(self.token_life);
        self.tokens.insert(token.clone(), Token { until, uses: 0 });
        token
    }

    /// `POST /api/oauth/token` and `/api/oauth/revoke`.
    pub(super) fn oauth(&mut self, message: &Message, now: DateTime<Utc>) -> Answer {
        let (id, secret) = &self.service_account;
        let expected = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        if message.header("authorization") != Some(&expected) {
            return Answer::json(401, &json!({"error": "invalid_client"}));
        }
        let form = form(&message.body);
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if message.target == "/api/oauth/revoke" {
            // An unknown token is revoked already (RFC 7009).
            self.tokens.remove(field("token"));
            return Answer::json(200, &json!({}));
        }
        if field("grant_type") != "client_credentials" {
            return Answer::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        if self.live_tokens(now) >= MOST_TOKENS {
            let told = "Access Token limit reached for this client. Revoke a token and try again.";
            return Answer::json(
                403,
                &json!({"error": "access_denied", "error_description": told}),
            );
        }
        let token = self.hand_out(now);
        let life = self.token_life;
        Answer::json(
            200,
            &json!({"access_token": token, "expires_in": life, "token_type": "Bearer"}),
        )
    }
}

/// What a digest is made of.
pub(super) struct Digested<'a> {
    pub(super) user: &'a str,
    pub(super) realm: &'a str,
    pub(super) password: &'a str,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
}

pub(super) fn digest_response(of: &Digested<'_>) -> String {
    let who = hex(&format!("{}:{}:{}", of.user, of.realm, of.password));
    let what = hex(&format!("{}:{}", of.method, of.uri));
    let (nonce, nc, cnonce) = (of.nonce, of.nc, of.cnonce);
    hex(&format!("{who}:{nonce}:{nc}:{cnonce}:auth:{what}"))
}

fn hex(text: &str) -> String {
    format!("{:x}", Md5::digest(text.as_bytes()))
}

/// `name="value", name=value`: values in quotes may hold commas.
pub(super) fn fields(text: &str) -> BTreeMap<String, String> {
    let mut quoted = false;
    let parts = text.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| {
            let value = value.trim().trim_matches('"');
            (name.trim().to_owned(), value.to_owned())
        })
        .collect()
}

/// The pairs of a form or a query, decoded.
pub(super) fn form(bytes: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

//! The client of one root: asks until there is an answer that stands.

use std::sync::Arc;

use reqwest::header::ACCEPT;
use reqwest::{Certificate, RequestBuilder, Url, redirect};

use super::answer::{Answer, Ask, Failure};
use super::attempt::{Attempt, Head};
use super::base::Base;
use super::bearer::{Bearer, Token};
use super::digest::Digest;
use super::pace::{Pace, project_of};
use super::settings::{Clock, Retries, Settings, SetupError, Stop, Timeouts};
use super::trouble::Trouble;
use super::{refusal, retry};
use crate::model::{Login, Timestamp};

/// What every service calls snapkey by.
const USER_AGENT: &str = concat!("snapkey/", env!("CARGO_PKG_VERSION"));

/// Asks one root. [`Client::close`] must be called in the end: a token that nobody revokes stays
/// valid for an hour, and an account may have 100 of them.
pub struct Client {
    wire: Wire,
    login: LoggedIn,
    pace: Pace,
    retries: Retries,
    max_body: u64,
    stop: Stop,
}

/// What it takes to send anything to the root.
pub(super) struct Wire {
    pub(super) http: reqwest::Client,
    pub(super) base: Base,
    pub(super) timeouts: Timeouts,
    pub(super) clock: Clock,
}

enum LoggedIn {
    Bearer(Bearer),
    Digest(Digest),
}

/// What a request was sent with, as far as it can be renewed.
enum Used {
    Token(Token),
    Challenge,
}

impl Client {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// The base URL or the private authority cannot be used, or the system has no trusted
    /// authorities at all.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let base = Base::read(&settings.base_url)?;
        let http = http_client(&base, settings.ca_pem.as_deref(), &settings.timeouts)?;
        let login = match settings.login {
            Login::ServiceAccount {
                client_id,
                client_secret,
            } => LoggedIn::Bearer(Bearer::new(client_id, client_secret)),
            Login::ApiKey { public, private } => LoggedIn::Digest(Digest::new(&public, &private)),
        };
        Ok(Self {
            wire: Wire {
                http,
                base,
                timeouts: settings.timeouts,
                clock: Arc::clone(&settings.clock),
            },
            login,
            pace: Pace::new(settings.in_flight),
            retries: settings.retries,
            max_body: settings.max_body,
            stop: settings.stop,
        })
    }

    /// Revokes the access token, if there is one. Returns what a person should be told when that
    /// did not work; it changes nothing about what was learned.
    #[must_use = "a token that was not revoked is worth a notice"]
    pub async fn close(self) -> Option<String> {
        match self.login {
            LoggedIn::Bearer(bearer) => bearer.close(&self.wire).await,
            LoggedIn::Digest(_) => None,
        }
    }

    fn now(&self) -> Timestamp {
        (self.wire.clock)()
    }

    async fn ask(&self, path_and_query: &str, accept: &str) -> Answer {
        let Some(url) = self.wire.base.join(path_and_query) else {
            let failure = Failure::Unreachable("the path does not begin with `/`".to_owned());
            return self.answer(None, None, Err(failure));
        };
        let project = project_of(path_and_query);
        let mut waits = self.retries.backoff();
        let mut head = None;
        loop {
            let attempt = self.attempt(&url, accept, project).await;
            head = attempt.head.or(head);
            let Some(wait) = retry::wait(&attempt, waits.next(), &self.retries) else {
                let refused = matches!(attempt.status(), Some(429 | 503));
                let asked = attempt.wait_asked.filter(|_| refused);
                return self.answer(head, asked.map(|asked| asked.as_secs()), attempt.body);
            };
            if attempt.status() == Some(429) {
                self.pace.pause(project, wait);
            }
            tracing::debug!(
                path = path_and_query,
                status = attempt.status(),
                failure = attempt.body.as_ref().err().map(Failure::to_string),
                wait_ms = wait.as_millis(),
                "asking again"
            );
            tokio::time::sleep(wait).await;
        }
    }

    fn answer(
        &self,
        head: Option<Head>,
        retry_after: Option<u64>,
        body: Result<Vec<u8>, Failure>,
    ) -> Answer {
        let (body, failure) = match body {
            Ok(body) => (body, None),
            Err(failure) => (Vec::new(), Some(failure)),
        };
        Answer {
            status: head.map(|head| head.status),
            date: head.and_then(|head| head.date),
            local_at: self.now(),
            retry_after,
            body,
            failure,
        }
    }

    async fn attempt(&self, url: &Url, accept: &str, project: &str) -> Attempt {
        let _turn = self.pace.turn(project).await;
        let whole = self.wire.timeouts.whole;
        let attempt = tokio::time::timeout(whole, self.exchange(url, accept))
            .await
            .unwrap_or_else(|_elapsed| Attempt::failed(Trouble::timed_out(whole)));
        if attempt.head.is_some_and(|head| head.used_up) {
            self.pace.pause(project, self.retries.refill);
        }
        attempt
    }

    /// Sends once, and once more if another login may help.
    async fn exchange(&self, url: &Url, accept: &str) -> Attempt {
        let request = || self.wire.http.get(url.clone()).header(ACCEPT, accept);
        let (attempt, used) = self.send(request()).await;
        let Some(used) = used else {
            return attempt;
        };
        if attempt.status() == Some(401) && self.renew(&attempt, &used).await {
            return self.send(request()).await.0;
        }
        attempt
    }

    /// Whether a 401 may have come of a login that is no longer good.
    async fn renew(&self, attempt: &Attempt, used: &Used) -> bool {
        if attempt.body.as_deref().is_ok_and(refusal::lacks_role) {
            return false;
        }
        match (&self.login, used) {
            (LoggedIn::Bearer(bearer), Used::Token(token)) => bearer.renew(&self.wire, token).await,
            // Any other 401 has already been answered with a new challenge.
            (LoggedIn::Digest(_), _) => attempt.head.is_some_and(|head| head.stale),
            (LoggedIn::Bearer(_), Used::Challenge) => false,
        }
    }

    async fn send(&self, request: RequestBuilder) -> (Attempt, Option<Used>) {
        let timeouts = &self.wire.timeouts;
        let (sent, used) = match &self.login {
            LoggedIn::Bearer(bearer) => match bearer.token(&self.wire).await {
                Ok(token) => {
                    let sent = request.bearer_auth(token.text.expose()).send().await;
                    let sent = sent.map_err(|error| Trouble::of(error, timeouts));
                    (sent, Used::Token(token))
                }
                Err(trouble) => {
                    let attempt = Attempt {
                        wait_asked: trouble.wait_asked,
                        ..Attempt::failed(trouble.into())
                    };
                    return (attempt, None);
                }
            },
            LoggedIn::Digest(digest) => (digest.send(request, timeouts).await, Used::Challenge),
        };
        let attempt = match sent {
            Ok(response) => Attempt::take(response, self.max_body, timeouts, self.now()).await,
            Err(trouble) => Attempt::failed(trouble),
        };
        (attempt, Some(used))
    }
}

impl Ask for Client {
    async fn get(&self, path_and_query: &str, accept: &str) -> Answer {
        tokio::select! {
            biased;
            () = self.stop.stopped() => self.answer(None, None, Err(Failure::Stopped)),
            answer = self.ask(path_and_query, accept) => answer,
        }
    }
}

fn http_client(
    base: &Base,
    ca_pem: Option<&[u8]>,
    timeouts: &Timeouts,
) -> Result<reqwest::Client, SetupError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .https_only(!base.plain)
        .connect_timeout(timeouts.connect)
        .read_timeout(timeouts.idle)
        .referer(false);
    if base.loopback {
        // What is on this machine is never a proxy's business.
        builder = builder.no_proxy();
    }
    if base.host == "localhost" {
        // The name may be sent in the clear to, so it must mean what it says.
        let loopback = [
            (std::net::Ipv4Addr::LOCALHOST, base.port).into(),
            (std::net::Ipv6Addr::LOCALHOST, base.port).into(),
        ];
        builder = builder.resolve_to_addrs("localhost", &loopback);
    }
    if base.plain {
        // Nothing is verified here, so the system's authorities need not be read.
        builder = builder.tls_certs_only([]);
    } else if let Some(pem) = ca_pem {
        let authorities = Certificate::from_pem_bundle(pem)
            .map_err(|_malformed| SetupError::Authority("it is no PEM".to_owned()))?;
        if authorities.is_empty() {
            return Err(SetupError::Authority(
                "it holds no PEM certificate".to_owned(),
            ));
        }
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        if ca_pem.is_some() && !base.plain {
            SetupError::Authority(cause.to_string())
        } else {
            SetupError::Client(cause.to_string())
        }
    })
}

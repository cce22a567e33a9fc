//! Stories of a client and a server on loopback that does what the test says.

mod bounds;
mod keys;
mod repeats;
mod server;
mod tls;
mod tokens;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::{Answer, Ask, Client, Retries, Settings, Timeouts};
use crate::model::{Login, Secret, Timestamp};

use server::{Reply, Request, Server};

/// Stands in every secret of these tests, and in no text that a person may see.
const MARK: &str = "hunter2";
const JSON: &str = "application/vnd.atlas.2023-01-01+json";
const GROUPS: &str = "/api/atlas/v2/groups?pageNum=1&itemsPerPage=500";

fn key() -> Login {
    Login::ApiKey {
        public: "abcdefgh".to_owned(),
        private: Secret::new(format!("{MARK}-private")),
    }
}

fn account() -> Login {
    Login::ServiceAccount {
        client_id: "mdb_sa_id_1".to_owned(),
        client_secret: Secret::new(format!("{MARK}+/ secret")),
    }
}

/// A wall clock that only moves when it is told to.
#[derive(Clone)]
struct HandClock(Arc<AtomicI64>);

impl HandClock {
    fn new() -> Self {
        let start = Timestamp::floor("2026-11-01T02:00:00Z").unwrap();
        Self(Arc::new(AtomicI64::new(start.unix())))
    }

    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Settings for a test: attempts follow each other at once, and nobody waits long.
fn settings(base_url: &str, login: Login) -> Settings {
    settings_at(base_url, login, &HandClock::new())
}

fn settings_at(base_url: &str, login: Login, clock: &HandClock) -> Settings {
    let clock = clock.clone();
    let mut settings = Settings::new(base_url, login, Arc::new(move || clock.now()));
    settings.timeouts = Timeouts {
        connect: Duration::from_secs(20),
        idle: Duration::from_secs(20),
        whole: Duration::from_secs(60),
    };
    settings.retries = Retries {
        first: Duration::from_millis(1),
        refill: Duration::from_millis(1),
        ..Retries::default()
    };
    settings.in_flight = NonZeroUsize::new(16).unwrap();
    settings
}

fn client(settings: Settings) -> Client {
    Client::new(settings).unwrap_or_else(|error| panic!("{error}"))
}

/// Asks once, and sees to it that the answer shows no secret.
async fn get(client: &Client, path: &str) -> Answer {
    let answer = client.get(path, JSON).await;
    let shown = format!("{answer:?}");
    assert!(!shown.contains(MARK), "{shown}");
    answer
}

/// What a server with digest does about the login; `None`: it is right.
fn challenge(request: &Request, nonce: &str) -> Option<Reply> {
    challenge_in(request, nonce, "MD5")
}

fn challenge_in(request: &Request, nonce: &str, algorithm: &str) -> Option<Reply> {
    let login = request.header("authorization");
    let fresh = format!("nonce=\"{nonce}\"");
    if login.contains(&fresh) && login.contains("username=\"abcdefgh\"") {
        return None;
    }
    let stale = !login.is_empty();
    Some(Reply::error(401, "UNEXPECTED_ERROR").with(
        "WWW-Authenticate",
        &format!(
            "Digest realm=\"MMS Public API\", domain=\"\", {fresh}, algorithm={algorithm}, \
                 qop=\"auth\", stale={stale}"
        ),
    ))
}

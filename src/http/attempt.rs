//! What one attempt brought: the head of an answer, its body to the end or why there is none.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};

use super::answer::Failure;
use super::settings::Timeouts;
use super::trouble::Trouble;
use super::{body, retry};
use crate::model::Timestamp;

/// One attempt, over and done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// `None`: nothing came back.
    pub(super) head: Option<Head>,
    /// How long the service asks to be left alone.
    pub(super) wait_asked: Option<Duration>,
    pub(super) body: Result<Vec<u8>, Failure>,
    /// Asking again would bring the same, whatever the failure.
    pub(super) settled: bool,
}

/// What the head of an answer tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The service's clock.
    pub(super) date: Option<Timestamp>,
    /// No call is left of those that this project has.
    pub(super) used_up: bool,
    /// The login was right, but its nonce is no longer taken.
    pub(super) stale: bool,
}

impl Attempt {
    pub(super) fn failed(trouble: Trouble) -> Self {
        Self {
            head: None,
            wait_asked: None,
            body: Err(trouble.failure),
            settled: trouble.settled,
        }
    }

    /// Takes in a whole answer. `now` stands in for the service's clock where it tells none.
    pub(super) async fn take(
        response: Response,
        max_body: u64,
        timeouts: &Timeouts,
        now: Timestamp,
    ) -> Self {
        let headers = response.headers();
        let date = text(headers, DATE.as_str()).and_then(retry::http_date);
        let head = Head {
            status: response.status().as_u16(),
            date,
            used_up: text(headers, "ratelimit-remaining").is_some_and(|left| left.trim() == "0"),
            stale: headers.get_all(WWW_AUTHENTICATE).iter().any(is_stale),
        };
        let wait_asked = text(headers, RETRY_AFTER.as_str())
            .and_then(|value| retry::retry_after(value, date.unwrap_or(now)));
        let body = body::read(response, max_body, timeouts).await;
        let settled = body.as_ref().is_err_and(|trouble| trouble.settled);
        let body = match body {
            Ok(body) if head.status == 200 && body.trim_ascii().is_empty() => Err(Failure::Empty),
            // Maintenance pages and proxies that want a login answer 200 as well.
            Ok(body) if head.status == 200 && !body::is_json(&body) => Err(Failure::NotJson),
            Ok(body) => Ok(body),
            Err(trouble) => Err(trouble.failure),
        };
        Self {
            head: Some(head),
            wait_asked,
            body,
            settled,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        self.head.map(|head| head.status)
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `stale=true` of a digest challenge, quoted or not (RFC 7616, section 3.3).
fn is_stale(challenge: &reqwest::header::HeaderValue) -> bool {
    challenge.to_str().is_ok_and(|challenge| {
        challenge.split(',').any(|part| {
            part.trim().split_once('=').is_some_and(|(name, value)| {
                name.trim().to_ascii_lowercase().ends_with("stale")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("true")
            })
        })
    })
}

//! Which failures pass, and how long to wait for that: pure, so that it can be read as a table.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::answer::Failure;
use super::attempt::Attempt;
use super::settings::Retries;
use crate::model::Timestamp;

/// Atlas asks for 10, 20 and 40 seconds where a 429 names no time of its own
/// (<https://www.mongodb.com/docs/atlas/api/api-rate-limit/>).
const WITHOUT_A_TIME: u32 = 10;

/// How long to wait before the next attempt. `None`: this one stands. `proposed` is the backoff's
/// turn, `None` when the attempts are used up.
pub(super) fn wait(
    attempt: &Attempt,
    proposed: Option<Duration>,
    retries: &Retries,
) -> Option<Duration> {
    // A nonce that other requests used up while this one renewed it.
    let stale = attempt.head.is_some_and(|head| head.stale);
    if attempt.settled || !(stale || passes(attempt.status(), attempt.body.as_ref().err())) {
        return None;
    }
    let proposed = proposed?;
    match attempt.wait_asked {
        // Whoever wakes others up at a full second wakes all of them up at the same one.
        Some(asked) => (asked <= retries.patience).then(|| asked.saturating_add(proposed)),
        None if attempt.status() == Some(429) => Some(proposed.saturating_mul(WITHOUT_A_TIME)),
        None => Some(proposed),
    }
}

/// Whether the same question may have an answer a little later.
fn passes(status: Option<u16>, failure: Option<&Failure>) -> bool {
    match failure {
        Some(
            Failure::TimedOut(_)
            | Failure::Unreachable(_)
            | Failure::Cut(_)
            | Failure::NotJson
            | Failure::Empty
            | Failure::Login(_),
        ) => true,
        Some(Failure::TooLarge(_) | Failure::Stopped) => false,
        None => matches!(status, Some(429 | 500 | 502 | 503 | 504)),
    }
}

/// The value of a `Retry-After` header, in seconds or as a date; `now` is the server's clock where
/// it told one. A date that has passed is no wait.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are a very long wait, not none.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = http_date(value)?;
    Some(Duration::from_secs(
        u64::try_from(until.since(now)).unwrap_or(0),
    ))
}

/// The three forms of a date that RFC 9110, section 5.6.7, has recipients accept.
pub(super) fn http_date(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    let read: DateTime<Utc> = DateTime::parse_from_rfc2822(value)
        .map(|date| date.with_timezone(&Utc))
        .or_else(|_| NaiveDateTime::parse_from_str(value, "%A, %d-%b-%y %H:%M:%S GMT").map(utc))
        .or_else(|_| NaiveDateTime::parse_from_str(value, "%a %b %e %H:%M:%S %Y").map(utc))
        .ok()?;
    Timestamp::from_unix(read.timestamp())
}

fn utc(date: NaiveDateTime) -> DateTime<Utc> {
    date.and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::attempt::Head;

    fn at(text: &str) -> Timestamp {
        Timestamp::floor(text).unwrap()
    }

    #[test]
    fn retry_after_in_seconds_or_as_a_date() {
        let now = at("2026-11-01T08:49:00Z");
        let table = [
            ("0", Some(0)),
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 01 Nov 2026 08:49:37 GMT", Some(37)),
            ("Sunday, 01-Nov-26 08:49:37 GMT", Some(37)),
            ("Sun Nov  1 08:49:37 2026", Some(37)),
            ("Sun, 01 Nov 2026 08:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 01 Nov 1926 08:49:37 GMT", None),
        ];
        for (value, seconds) in table {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(value, now), expected, "{value}");
        }
    }

    fn answered(status: u16, wait_asked: Option<u64>) -> Attempt {
        Attempt {
            head: Some(Head {
                status,
                ..Head::default()
            }),
            wait_asked: wait_asked.map(Duration::from_secs),
            body: Ok(Vec::new()),
            settled: false,
        }
    }

    fn failed(failure: Failure, settled: bool) -> Attempt {
        Attempt {
            body: Err(failure),
            settled,
            ..answered(200, None)
        }
    }

    #[test]
    fn what_is_sent_again_and_after_how_long() {
        let text = String::new;
        let table = [
            // (attempt, seconds to wait when the backoff proposes two)
            (answered(200, None), None),
            (answered(204, None), None),
            (answered(302, Some(1)), None),
            (answered(400, Some(1)), None),
            (answered(401, None), None),
            (answered(403, None), None),
            (answered(404, None), None),
            (answered(406, None), None),
            (answered(410, None), None),
            (answered(429, None), Some(20)),
            (answered(429, Some(0)), Some(2)),
            (answered(429, Some(30)), Some(32)),
            (answered(429, Some(120)), Some(122)),
            (answered(429, Some(121)), None),
            (answered(429, Some(u64::MAX)), None),
            (answered(500, None), Some(2)),
            (answered(501, None), None),
            (answered(502, None), Some(2)),
            (answered(503, Some(5)), Some(7)),
            (answered(504, None), Some(2)),
            (failed(Failure::TimedOut(60), false), Some(2)),
            (failed(Failure::Unreachable(text()), false), Some(2)),
            (failed(Failure::Unreachable(text()), true), None),
            (failed(Failure::Cut(text()), false), Some(2)),
            (failed(Failure::NotJson, false), Some(2)),
            (failed(Failure::Login(text()), false), Some(2)),
            (failed(Failure::Login(text()), true), None),
            (failed(Failure::TooLarge(1), true), None),
            (failed(Failure::Stopped, true), None),
        ];
        let retries = Retries::default();
        for (attempt, seconds) in table {
            let proposed = Some(Duration::from_secs(2));
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(wait(&attempt, proposed, &retries), expected, "{attempt:?}");
            assert_eq!(wait(&attempt, None, &retries), None, "{attempt:?}");
        }
    }
}

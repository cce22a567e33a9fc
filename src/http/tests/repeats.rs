//! What is asked again, how often, and what is waited for.

use futures::future::join;

use super::*;
use crate::http::Failure;

/// A server that lets the login pass and does to the n-th request what `replies` says; the last
/// one counts for all that follow.
fn scripted(replies: Vec<Reply>) -> Server {
    let mut turn = 0;
    Server::start(move |request| {
        if let Some(refused) = challenge(request, "n1") {
            return refused;
        }
        turn += 1;
        replies[(turn - 1).min(replies.len() - 1)].clone()
    })
}

/// The requests that carried a login.
fn logged_in(server: &Server) -> usize {
    let mut log = server.log();
    log.retain(|request| !request.header("authorization").is_empty());
    log.len()
}

fn passing() -> Vec<Reply> {
    let mut passing: Vec<Reply> = [429, 500, 502, 503, 504]
        .map(|status| Reply::error(status, "BUSY"))
        .to_vec();
    passing.extend([
        Reply::Cut,
        Reply::HangUp,
        Reply::body(200, "<html>Please log in</html>"),
        Reply::body(200, "{\"results\": []"),
        Reply::body(200, ""),
    ]);
    passing
}

#[tokio::test]
async fn a_failure_that_passes_leaves_no_trace() {
    for fault in passing() {
        let server = scripted(vec![Reply::ok(), fault.clone(), fault.clone(), Reply::ok()]);
        let client = client(settings(&server.url(), key()));
        assert_eq!(get(&client, "/first").await.status, Some(200));
        let answer = get(&client, GROUPS).await;
        assert_eq!(
            (answer.status, answer.failure),
            (Some(200), None),
            "{fault:?}"
        );
        assert_eq!(answer.body, b"{\"results\": []}", "{fault:?}");
        assert_eq!(logged_in(&server), 4, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failure_that_does_not_pass_is_the_answer_after_four_attempts() {
    for fault in passing() {
        let server = scripted(vec![fault.clone()]);
        let client = client(settings(&server.url(), key()));
        let answer = get(&client, GROUPS).await;
        assert_eq!(logged_in(&server), 4, "{fault:?}");
        let (status, failure) = match &fault {
            Reply::Whole {
                status: 200, body, ..
            } if body.is_empty() => (Some(200), Some(Failure::Empty)),
            Reply::Whole { status: 200, .. } => (Some(200), Some(Failure::NotJson)),
            Reply::Whole { status, .. } => (Some(*status), None),
            Reply::Cut | Reply::HangUp | Reply::Silence => {
                assert!(
                    matches!(answer.failure, Some(Failure::Cut(_))),
                    "{answer:?}"
                );
                let head = matches!(fault, Reply::Cut).then_some(200);
                // The challenge of the login was no answer to the question.
                (head, answer.failure.clone())
            }
        };
        assert_eq!(
            (answer.status, &answer.failure),
            (status, &failure),
            "{fault:?}"
        );
        assert!(answer.body.is_empty() || failure.is_none());
    }
}

#[tokio::test]
async fn what_will_not_change_is_asked_once() {
    let mut settled: Vec<Reply> = [400, 403, 404, 406, 409, 410, 501]
        .map(|status| Reply::error(status, "NO").with("Retry-After", "1"))
        .to_vec();
    settled.push(Reply::error(401, "USER_UNAUTHORIZED"));
    settled.push(Reply::body(204, ""));
    for fault in settled {
        let server = scripted(vec![Reply::ok(), fault.clone()]);
        let client = client(settings(&server.url(), key()));
        get(&client, "/first").await;
        let answer = get(&client, GROUPS).await;
        let Reply::Whole { status, body, .. } = &fault else {
            unreachable!("all are whole");
        };
        assert_eq!(answer.status, Some(*status));
        assert_eq!(answer.failure, None, "{fault:?}");
        assert_eq!(
            (&answer.body, answer.retry_after),
            (body, None),
            "{fault:?}"
        );
        // A 401 to a challenge at hand is met with a new one.
        let expected = if *status == 401 { 3 } else { 2 };
        assert_eq!(logged_in(&server), expected, "{fault:?}");
    }
}

#[tokio::test]
async fn a_refusal_that_is_followed_by_silence_keeps_its_status() {
    let server = scripted(vec![Reply::error(503, "BUSY"), Reply::HangUp]);
    let client = client(settings(&server.url(), key()));
    let answer = get(&client, GROUPS).await;
    assert_eq!(answer.status, Some(503));
    assert!(
        matches!(answer.failure, Some(Failure::Cut(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = scripted(vec![Reply::Silence]);
    let mut settings = settings(&server.url(), key());
    settings.timeouts.idle = Duration::from_millis(50);
    let client = client(settings);
    let answer = get(&client, GROUPS).await;
    assert_eq!(
        (answer.status, answer.failure),
        (None, Some(Failure::TimedOut(0)))
    );
    assert_eq!(logged_in(&server), 4);
}

#[tokio::test]
async fn nobody_at_the_address() {
    let gone = scripted(vec![Reply::ok()]);
    let url = gone.url();
    drop(gone);
    let client = client(settings(&url, key()));
    let answer = get(&client, GROUPS).await;
    assert_eq!(answer.status, None);
    let text = answer.failure.unwrap().to_string();
    assert!(
        text.starts_with("cannot connect: ") && text.contains("refused"),
        "{text}"
    );
}

#[tokio::test]
async fn the_clocks_of_both_sides_are_told() {
    let server = Server::start(|request| {
        let reply = challenge(request, "n1").unwrap_or_else(Reply::ok);
        reply.with("Date", "Sun, 01 Nov 2026 01:57:00 GMT")
    });
    let clock = HandClock::new();
    let client = client(settings_at(&server.url(), key(), &clock));
    let answer = get(&client, GROUPS).await;
    assert_eq!(answer.date, Timestamp::floor("2026-11-01T01:57:00Z").ok());
    assert_eq!(answer.local_at, clock.now());
}

#[tokio::test]
async fn a_wait_beyond_patience_is_not_begun() {
    let table = [
        ("3600", 3600),
        // By the server's clock, which its answer tells.
        ("Sun, 01 Nov 2026 09:10:00 GMT", 600),
        ("99999999999999999999999", u64::MAX),
    ];
    for status in [429, 503] {
        for (value, seconds) in table {
            let busy = Reply::error(status, "RATE_LIMITED")
                .with("Retry-After", value)
                .with("Date", "Sun, 01 Nov 2026 09:00:00 GMT");
            let server = scripted(vec![busy]);
            let client = client(settings(&server.url(), key()));
            let answer = get(&client, GROUPS).await;
            assert_eq!(answer.status, Some(status));
            assert_eq!(answer.retry_after, Some(seconds), "{value}");
            assert_eq!(logged_in(&server), 1, "{value}");
        }
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_waited() {
    let busy = Reply::error(429, "RATE_LIMITED").with("Retry-After", "1");
    let server = scripted(vec![busy, Reply::ok()]);
    let client = client(settings(&server.url(), key()));
    let begun = std::time::Instant::now();
    assert_eq!(get(&client, GROUPS).await.status, Some(200));
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

/// The pause would last an hour: the second request for the project is stopped in it, after the
/// other project was answered.
#[tokio::test]
async fn a_project_without_calls_left_pauses_alone() {
    let server = scripted(vec![Reply::ok().with("Ratelimit-Remaining", "0")]);
    let mut settings = settings(&server.url(), key());
    settings.retries.refill = Duration::from_secs(3600);
    let stop = settings.stop.clone();
    let client = client(settings);
    let (paused, other) = ("/api/groups/a/clusters", "/api/groups/b/clusters");
    assert_eq!(get(&client, paused).await.status, Some(200));
    let (again, ()) = join(get(&client, "/api/groups/a/events"), async {
        assert_eq!(get(&client, other).await.status, Some(200));
        stop.stop();
    })
    .await;
    assert_eq!(again.failure, Some(Failure::Stopped));
    assert_eq!(server.count("/api/groups/a/events"), 0);
}

#[tokio::test]
async fn a_stopped_run_waits_for_nothing() {
    // In a request, in a backoff, and before anything is begun.
    let busy = Reply::error(503, "BUSY").with("Retry-After", "100");
    for fault in [Reply::Silence, busy] {
        let (told, arrived) = std::sync::mpsc::channel();
        let server = Server::start(move |request| {
            challenge(request, "n1").unwrap_or_else(|| {
                told.send(()).unwrap();
                fault.clone()
            })
        });
        let settings = settings(&server.url(), key());
        let stop = settings.stop.clone();
        let client = client(settings);
        let waiting = std::thread::spawn(move || {
            arrived.recv().unwrap();
            stop.stop();
        });
        let answer = get(&client, GROUPS).await;
        assert_eq!(
            (answer.status, answer.failure),
            (None, Some(Failure::Stopped))
        );
        waiting.join().unwrap();
        assert_eq!(get(&client, "/later").await.failure, Some(Failure::Stopped));
        assert_eq!(server.count("/later"), 0);
    }
}

#[tokio::test]
async fn every_request_says_who_asks_and_for_what() {
    let server = scripted(vec![Reply::ok()]);
    let client = client(settings(&server.url(), key()));
    get(&client, GROUPS).await;
    for request in server.log() {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("GET", GROUPS)
        );
        assert_eq!(request.header("accept"), JSON);
        assert!(request.header("accept-encoding").contains("gzip"));
        let agent = concat!("snapkey/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), agent);
    }
}

//! Logging in as a service account: one access token at a time, and none left behind.

use std::sync::mpsc;

use futures::future::join_all;
use futures::poll;

use super::*;
use crate::http::Failure;

const TOKEN: &str = "/api/oauth/token";
const REVOKE: &str = "/api/oauth/revoke";

/// The n-th token, for an hour.
fn granted(number: usize) -> Reply {
    granted_for(number, "3600")
}

fn granted_for(number: usize, life: &str) -> Reply {
    Reply::body(
        200,
        format!(
            "{{\"access_token\": \"{MARK}-token-{number}\", \"expires_in\": {life}, \
             \"token_type\": \"Bearer\"}}"
        ),
    )
}

/// A token service that numbers its tokens, and an API that `judge` speaks for: it gets the
/// number of the token that came.
fn atlas(mut judge: impl FnMut(&Request, usize) -> Reply + Send + 'static) -> Server {
    let mut newest = 0;
    Server::start(move |request| match request.path.as_str() {
        TOKEN => {
            newest += 1;
            granted(newest)
        }
        REVOKE => Reply::body(200, ""),
        _ => {
            let login = request.header("authorization");
            let number = login.strip_prefix(&format!("Bearer {MARK}-token-"));
            match number.and_then(|number| number.parse().ok()) {
                Some(number) => judge(request, number),
                None => Reply::error(401, "UNEXPECTED_ERROR"),
            }
        }
    })
}

#[tokio::test]
async fn sixteen_requests_share_one_token_and_it_is_revoked() {
    let (release, released) = mpsc::channel();
    let server = Server::start(move |request| match request.path.as_str() {
        TOKEN => {
            released.recv().unwrap();
            granted(1)
        }
        _ => Reply::ok(),
    });
    let client = client(settings(&server.url(), account()));
    let mut asking = Box::pin(join_all((0..16).map(|_| get(&client, GROUPS))));
    // All sixteen are waiting for a token before there is one.
    assert!(poll!(&mut asking).is_pending());
    release.send(()).unwrap();
    for answer in asking.await {
        assert_eq!(answer.status, Some(200));
    }
    assert_eq!((server.count(TOKEN), server.count(GROUPS)), (1, 16));
    assert_eq!(client.close().await, None);
    let log = server.log();
    let (login, logout) = (&log[0], &log[17]);
    // `mdb_sa_id_1:hunter2%2B%2F+secret`: form encoding first, then Basic.
    let basic = "Basic bWRiX3NhX2lkXzE6aHVudGVyMiUyQiUyRitzZWNyZXQ=";
    assert_eq!(login.header("authorization"), basic);
    assert_eq!(
        (login.method.as_str(), login.body.as_str()),
        ("POST", "grant_type=client_credentials")
    );
    assert_eq!(
        (logout.path.as_str(), logout.header("authorization")),
        (REVOKE, basic)
    );
    assert_eq!(
        logout.body,
        format!("token={MARK}-token-1&token_type_hint=access_token")
    );
    let bearer = format!("Bearer {MARK}-token-1");
    assert!(
        log[1..17]
            .iter()
            .all(|request| request.header("authorization") == bearer)
    );
}

#[tokio::test]
async fn a_token_is_replaced_shortly_before_it_ends() {
    let server = atlas(|_, _| Reply::ok());
    let clock = HandClock::new();
    let client = client(settings_at(&server.url(), account(), &clock));
    for (forward, tokens) in [(0, 1), (3539, 1), (1, 2), (3500, 2), (40, 3)] {
        clock.forward(forward);
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
        assert_eq!(server.count(TOKEN), tokens, "{forward}");
    }
}

#[tokio::test]
async fn the_service_says_how_long_a_token_lives() {
    // (life, seconds for which it is used)
    let table = [
        ("3600", 3540),
        ("7200", 7140),
        ("100", 90),
        ("\"1000\"", 940),
        ("null", 3540),
        ("\"soon\"", 3540),
        ("0", 0),
        ("-5", 0),
    ];
    for (life, used) in table {
        let server = Server::start(move |request| match request.path.as_str() {
            TOKEN => granted_for(1, life),
            _ => Reply::ok(),
        });
        let clock = HandClock::new();
        let client = client(settings_at(&server.url(), account(), &clock));
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
        if used > 0 {
            clock.forward(used - 1);
            assert_eq!(get(&client, GROUPS).await.status, Some(200));
            assert_eq!(server.count(TOKEN), 1, "{life}");
            clock.forward(1);
        }
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
        assert_eq!(server.count(TOKEN), 2, "{life}");
    }
}

#[tokio::test]
async fn a_token_that_ends_early_is_replaced_once_for_all() {
    let clock = HandClock::new();
    let mut good = true;
    let server = atlas(move |request, number| {
        good &= request.path != "/end";
        if number == 1 && !good {
            Reply::error(401, "UNAUTHORIZED")
        } else {
            Reply::ok()
        }
    });
    let client = client(settings_at(&server.url(), account(), &clock));
    assert_eq!(get(&client, GROUPS).await.status, Some(200));
    clock.forward(120);
    assert_eq!(get(&client, "/end").await.status, Some(200));
    let answers = join_all((0..16).map(|_| get(&client, GROUPS))).await;
    assert!(answers.iter().all(|answer| answer.status == Some(200)));
    // The old one may be alive after all, and would count.
    assert_eq!((server.count(TOKEN), server.count(REVOKE)), (2, 1));
    assert_eq!(client.close().await, None);
    assert_eq!(server.count(REVOKE), 2);
}

/// A credential without a role gets 401 from some paths, however good its token: asking for a new
/// one each time would use up the account's hundred tokens.
#[tokio::test]
async fn paths_that_are_always_refused_do_not_eat_tokens() {
    let server = atlas(|_, _| Reply::error(401, "UNEXPECTED_ERROR"));
    let clock = HandClock::new();
    let client = client(settings_at(&server.url(), account(), &clock));
    for _ in 0..100 {
        assert_eq!(get(&client, GROUPS).await.status, Some(401));
        clock.forward(6);
    }
    let (got, revoked) = (server.count(TOKEN), server.count(REVOKE));
    assert!(got <= 11 && got == revoked + 1, "{got} {revoked}");

    // Where the service says that it is the role, not even one is spent.
    let server = atlas(|_, _| Reply::error(401, "USER_UNAUTHORIZED"));
    let client = super::client(settings_at(&server.url(), account(), &clock));
    for _ in 0..10 {
        assert_eq!(get(&client, GROUPS).await.status, Some(401));
        clock.forward(300);
    }
    assert_eq!(server.count(TOKEN), 1);
}

#[tokio::test]
async fn a_refused_account_is_refused_once() {
    let limit =
        "{\"error\": \"access_denied\", \"error_description\": \"Access Token limit reached\"}";
    let other = "{\"error\": \"invalid_client\", \"error_description\": \"hunter2\"}";
    let table = [
        (
            400,
            other,
            "its id or secret is wrong, or the secret has expired",
        ),
        (
            401,
            other,
            "`mdb_sa_id_1` was refused with status 401 `invalid_client`",
        ),
        (
            401,
            "<html>hunter2",
            "`mdb_sa_id_1` was refused with status 401:",
        ),
        (403, other, "was refused with status 403 `invalid_client`"),
        (403, limit, "has used up its 100 live access tokens"),
        (404, "", "this base URL knows no service accounts"),
        (302, "", "status 302"),
    ];
    for (status, body, words) in table {
        let server =
            Server::start(move |_| Reply::body(status, body).with("Location", "/api/oauth/other"));
        let client = client(settings(&server.url(), account()));
        for answer in join_all((0..16).map(|_| get(&client, GROUPS))).await {
            let Some(Failure::Login(text)) = &answer.failure else {
                panic!("{answer:?}");
            };
            assert!(text.contains(words), "{text}");
            assert_eq!(answer.status, None);
        }
        assert_eq!(server.log().len(), 1, "{status}");
        assert_eq!(client.close().await, None);
    }
}

#[tokio::test]
async fn a_token_service_that_stumbles_is_asked_again() {
    let faults = [
        Reply::error(429, "RATE_LIMITED").with("Retry-After", "0"),
        Reply::error(503, "BUSY"),
        Reply::Cut,
        Reply::HangUp,
        Reply::body(200, "{}"),
        Reply::body(200, "<html>"),
    ];
    for fault in faults {
        let mut turn = 0;
        let again = fault.clone();
        let server = Server::start(move |request| {
            turn += usize::from(request.path == TOKEN);
            match (request.path.as_str(), turn) {
                (TOKEN, 1) => again.clone(),
                (TOKEN, _) => granted(1),
                _ => Reply::ok(),
            }
        });
        let client = client(settings(&server.url(), account()));
        assert_eq!(get(&client, GROUPS).await.status, Some(200), "{fault:?}");
        assert_eq!(server.count(TOKEN), 2, "{fault:?}");
    }
    let server = Server::start(|_| Reply::error(503, "BUSY"));
    let client = client(settings(&server.url(), account()));
    let answer = get(&client, GROUPS).await;
    let text = "no login: asking for an access token: status 503";
    assert_eq!(
        (
            answer.status,
            answer.failure.map(|why| why.to_string()).as_deref()
        ),
        (None, Some(text))
    );
    assert_eq!(server.count(TOKEN), 4);
    assert_eq!(server.count(GROUPS), 0);
}

#[tokio::test]
async fn who_waits_for_a_token_gets_the_failure_too() {
    let (release, released) = mpsc::channel();
    let server = Server::start(move |_| {
        released.recv().unwrap();
        Reply::error(503, "BUSY")
    });
    let mut settings = settings(&server.url(), account());
    settings.retries.attempts = 1;
    let client = client(settings);
    let mut asking = Box::pin(join_all((0..16).map(|_| get(&client, GROUPS))));
    assert!(poll!(&mut asking).is_pending());
    release.send(()).unwrap();
    for answer in asking.await {
        assert!(
            matches!(answer.failure, Some(Failure::Login(_))),
            "{answer:?}"
        );
    }
    assert_eq!(server.log().len(), 1);
    // The next one is not told an old story.
    release.send(()).unwrap();
    get(&client, GROUPS).await;
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn a_token_that_stays_behind_is_a_notice() {
    for fault in [
        Reply::error(503, "BUSY"),
        Reply::HangUp,
        Reply::body(302, ""),
    ] {
        let server = Server::start(move |request| match request.path.as_str() {
            TOKEN => granted(1),
            REVOKE => fault.clone(),
            _ => Reply::ok(),
        });
        let client = client(settings(&server.url(), account()));
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
        let notice = client.close().await.unwrap();
        assert!(notice.starts_with("the access token of `mdb_sa_id_1` could not be revoked"));
        assert!(!notice.contains(MARK), "{notice}");
    }
}

#[tokio::test]
async fn a_run_that_was_stopped_still_revokes() {
    let server = atlas(|_, _| Reply::ok());
    let settings = settings(&server.url(), account());
    let stop = settings.stop.clone();
    let client = client(settings);
    assert_eq!(get(&client, GROUPS).await.status, Some(200));
    stop.stop();
    assert_eq!(client.close().await, None);
    assert_eq!(server.count(REVOKE), 1);
}

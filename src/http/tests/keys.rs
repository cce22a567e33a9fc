//! Logging in with an API key: HTTP digest.

use std::sync::Mutex;

use futures::future::join_all;

use super::*;

/// The value of a parameter in the login of a request.
fn parameter(request: &Request, name: &str) -> String {
    let login = request.header("authorization").replace('"', "");
    let login = login.trim_start_matches("Digest ").to_owned();
    let value = login
        .split(", ")
        .find_map(|part| part.strip_prefix(&format!("{name}=")));
    value.unwrap_or_default().to_owned()
}

fn without_login(server: &Server) -> usize {
    let mut log = server.log();
    log.retain(|request| request.header("authorization").is_empty());
    log.len()
}

#[tokio::test]
async fn one_challenge_serves_all_requests() {
    let server = Server::start(|request| challenge(request, "n1").unwrap_or_else(Reply::ok));
    let client = client(settings(&server.url(), key()));
    for _ in 0..5 {
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
    }
    assert_eq!((without_login(&server), server.count(GROUPS)), (1, 6));
    let counts: Vec<String> = server.log()[1..]
        .iter()
        .map(|request| parameter(request, "nc"))
        .collect();
    assert!(counts.is_sorted_by(|a, b| a < b), "{counts:?}");
    assert_eq!(parameter(&server.log()[5], "uri"), GROUPS);
}

#[tokio::test]
async fn requests_that_begin_together_share_the_challenge() {
    let server = Server::start(|request| challenge(request, "n1").unwrap_or_else(Reply::ok));
    let client = client(settings(&server.url(), key()));
    let answers = join_all((0..16).map(|_| get(&client, GROUPS))).await;
    assert!(answers.iter().all(|answer| answer.status == Some(200)));
    assert_eq!(without_login(&server), 1);
}

#[tokio::test]
async fn a_nonce_that_goes_stale_is_replaced() {
    let served = Arc::new(Mutex::new(0));
    let server = Server::start(move |request| {
        let mut served = served.lock().unwrap();
        // A nonce is good for five requests.
        let refused = challenge(request, &format!("n{}", *served / 5));
        *served += usize::from(refused.is_none());
        refused.unwrap_or_else(Reply::ok)
    });
    let client = client(settings(&server.url(), key()));
    for _ in 0..23 {
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
    }
    assert_eq!(without_login(&server), 5);
}

/// Two servers behind one address that do not know each other's nonces.
#[tokio::test]
async fn a_fresh_nonce_that_is_called_stale_gets_a_second_chance() {
    let mut asked = 0;
    let server = Server::start(move |request| {
        asked += 1;
        let nonce = if asked < 3 { asked } else { 3 };
        challenge(request, &format!("n{nonce}")).unwrap_or_else(Reply::ok)
    });
    let client = client(settings(&server.url(), key()));
    assert_eq!(get(&client, GROUPS).await.status, Some(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stale_nonces_under_way_cost_no_request_its_answer() {
    let served = Arc::new(Mutex::new(0));
    let server = Server::start(move |request| {
        let mut served = served.lock().unwrap();
        let refused = challenge(request, &format!("n{}", *served / 40));
        *served += usize::from(refused.is_none());
        refused.unwrap_or_else(Reply::ok)
    });
    let client = Arc::new(client(settings(&server.url(), key())));
    let asking = (0..400).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { get(&client, GROUPS).await })
    });
    for answer in join_all(asking).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, Some(200), "{answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_not_insisted_on() {
    let server = Server::start(|_| {
        let challenge = "Digest realm=\"MMS Public API\", nonce=\"n1\", qop=\"auth\", stale=false";
        Reply::error(401, "UNEXPECTED_ERROR").with("WWW-Authenticate", challenge)
    });
    let client = client(settings(&server.url(), key()));
    let answer = get(&client, GROUPS).await;
    assert_eq!(answer.status, Some(401));
    assert_eq!(server.count(GROUPS), 2);
}

#[tokio::test]
async fn a_challenge_that_no_digest_answers() {
    for challenge in [
        "Basic realm=\"x\"",
        "Digest realm=\"x\", nonce=\"n\", algorithm=X-9",
    ] {
        let server = Server::start(|_| {
            Reply::error(401, "UNEXPECTED_ERROR").with("WWW-Authenticate", challenge)
        });
        let client = client(settings(&server.url(), key()));
        let answer = get(&client, GROUPS).await;
        let text = answer.failure.unwrap().to_string();
        assert!(
            text.starts_with("no login: the server's challenge"),
            "{text}"
        );
        assert_eq!(server.count(GROUPS), 1);
    }
    let silent = Server::start(|_| Reply::error(401, "UNEXPECTED_ERROR"));
    let client = client(settings(&silent.url(), key()));
    assert_eq!(get(&client, GROUPS).await.status, Some(401));
}

#[tokio::test]
async fn another_algorithm_is_answered_with_a_challenge_each() {
    let server =
        Server::start(|request| challenge_in(request, "n1", "SHA-256").unwrap_or_else(Reply::ok));
    let client = client(settings(&server.url(), key()));
    for _ in 0..3 {
        assert_eq!(get(&client, GROUPS).await.status, Some(200));
    }
    assert_eq!((without_login(&server), server.count(GROUPS)), (3, 6));
    assert!(server.log()[5].header("authorization").contains("SHA-256"));
}

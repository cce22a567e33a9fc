//! Size, redirects, proxies: what a server or a network may not make of a request.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::http::{Failure, SetupError};

const CAP: u64 = 100_000;

fn serving(reply: Reply) -> Server {
    Server::start(move |request| challenge(request, "n1").unwrap_or_else(|| reply.clone()))
}

/// A JSON text of a length.
fn list(length: usize) -> Vec<u8> {
    let mut text = vec![b' '; length];
    text[0] = b'[';
    text[length - 1] = b']';
    text
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    for chunk in body.chunks(5000) {
        sent.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        sent.extend(chunk);
        sent.extend(b"\r\n");
    }
    sent.extend(b"0\r\n\r\n");
    sent
}

#[tokio::test]
async fn no_answer_is_larger_than_its_bound() {
    let cap = usize::try_from(CAP).unwrap();
    for (length, taken) in [(cap, true), (cap + 1, false), (100 * cap, false)] {
        let body = list(length);
        let replies = [
            Reply::body(200, body.clone()),
            Reply::body(200, chunked(&body)).with("Transfer-Encoding", "chunked"),
            Reply::body(200, gzip(&body)).with("Content-Encoding", "gzip"),
        ];
        for reply in replies {
            let server = serving(reply);
            let mut settings = settings(&server.url(), key());
            settings.max_body = CAP;
            let client = client(settings);
            let answer = get(&client, GROUPS).await;
            assert_eq!(answer.status, Some(200));
            if taken {
                assert_eq!((answer.body.len(), answer.failure), (length, None));
            } else {
                assert_eq!(
                    (answer.body.len(), answer.failure),
                    (0, Some(Failure::TooLarge(CAP)))
                );
            }
            // Too large stays too large.
            assert_eq!(server.count(GROUPS), 2);
        }
    }
}

#[tokio::test]
async fn a_damaged_gzip_is_no_body() {
    let whole = gzip(&list(5000));
    let cut = whole[..whole.len() / 2].to_vec();
    for body in [cut, b"no gzip at all".to_vec()] {
        let server = serving(Reply::body(200, body).with("Content-Encoding", "gzip"));
        let client = client(settings(&server.url(), key()));
        let answer = get(&client, GROUPS).await;
        assert!(
            matches!(answer.failure, Some(Failure::Cut(_))),
            "{answer:?}"
        );
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = Server::start(|_| Reply::ok());
    for status in [301, 302, 307, 308] {
        let to = format!("{}/api", elsewhere.url());
        let server = serving(Reply::body(status, "").with("Location", &to));
        let client = client(settings(&server.url(), key()));
        let answer = get(&client, GROUPS).await;
        assert_eq!(
            (answer.status, answer.failure.clone()),
            (Some(status), None)
        );
    }
    assert!(elsewhere.log().is_empty());
}

#[tokio::test]
async fn a_path_that_is_none_is_not_sent() {
    let server = serving(Reply::ok());
    let client = client(settings(&server.url(), key()));
    for path in ["", "api", "@127.0.0.2/"] {
        let answer = get(&client, path).await;
        assert_eq!(answer.status, None);
        assert!(answer.failure.is_some());
    }
    let answer = client.get(GROUPS, "a\r\nX-Smuggled: b").await;
    assert_eq!(answer.status, None);
    assert!(server.log().is_empty());
}

#[test]
fn credentials_are_not_sent_in_the_clear() {
    for login in [key(), account()] {
        let refused = Client::new(settings("http://atlas.example", login));
        let Err(error) = refused else {
            panic!("taken");
        };
        assert!(matches!(error, SetupError::Plain(_)));
        assert_eq!(
            error.to_string(),
            "`http://atlas.example` would send credentials in the clear: only a loopback address \
             may do without https"
        );
    }
}

/// The environment can only be set for a new process: this test runs itself in one.
#[test]
fn a_proxy_is_used_but_not_for_loopback_nor_against_no_proxy() {
    const ROLE: &str = "SNAPKEY_TEST_PROXIED";
    #[expect(
        clippy::disallowed_methods,
        reason = "the role of a test process, not a setting"
    )]
    let role = std::env::var_os(ROLE);
    let run = |url: &str| {
        let mut settings = settings(url, key());
        settings.retries.attempts = 1;
        let client = client(settings);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(get(&client, GROUPS))
    };
    if role.is_some() {
        let near = Server::start(|request| challenge(request, "n1").unwrap_or_else(Reply::ok));
        assert_eq!(run(&near.url()).status, Some(200));
        for host in ["https://proxied.invalid", "https://direct.invalid"] {
            let answer = run(host);
            assert!(
                matches!(answer.failure, Some(Failure::Unreachable(_))),
                "{answer:?}"
            );
        }
        return;
    }
    let proxy = Server::start(|_| Reply::body(403, ""));
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("http::tests::bounds::a_proxy_is_used_but_not_for_loopback_nor_against_no_proxy")
        .env_remove("REQUEST_METHOD")
        .env_remove("no_proxy")
        .env_remove("https_proxy")
        .env_remove("http_proxy")
        .env("HTTPS_PROXY", proxy.url())
        .env("HTTP_PROXY", proxy.url())
        .env("NO_PROXY", "direct.invalid")
        .env(ROLE, "1")
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    let log = proxy.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(
        (log[0].method.as_str(), log[0].path.as_str()),
        ("CONNECT", "proxied.invalid:443")
    );
}

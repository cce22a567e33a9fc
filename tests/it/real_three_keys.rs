//! `fixtures/check` against an AWS emulator that others wrote: its bundle, moved to today and to
//! the emulator's own keys, no recorded answers; the binary asks by itself.

use std::path::Path;

use snapkey::model::Timestamp;

use crate::real_aws::{Emulator, World, tools};
use crate::support::cmd::{Place, Ran, copy, fixture, ran};
use crate::support::proxy::Proxy;

/// The instant that the fixture is about.
const THEN: &str = "2026-11-01T03:00:00Z";

/// The fixture's keys and what they are called in the emulator.
const KEYS: [(&str, &str); 5] = [
    ("4a9d2c61-0f38-4b7e-9c15-d27e80b6f341", "enabled"),
    ("7c1e5f08-6b2a-4d93-8e47-15a09c3bd862", "disabled"),
    ("b05f7e93-2d14-4c68-a3b9-680d4f21ce57", "rescued"),
    ("1d6b3e50-94c7-4f2a-b8d1-3e7f05a2c916", "imported"),
    ("e82c90a4-57d3-4b16-90fe-c41a6d8b7325", "expiring"),
];

/// Moves every RFC 3339 time of a text by the same number of seconds.
fn moved(text: &str, seconds: i64) -> String {
    const LENGTH: usize = "2026-11-01T03:00:00Z".len();
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let time = rest
            .get(..LENGTH)
            .and_then(|time| Timestamp::floor(time).ok());
        let taken = match time {
            Some(time) => {
                out.push_str(&time.saturating_add(seconds).to_string());
                LENGTH
            }
            None => {
                let next = rest.chars().next().unwrap();
                out.push(next);
                next.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

fn rewrite(folder: &Path, change: &dyn Fn(&str) -> String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rewrite(&path, change);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, change(&text)).unwrap();
        }
    }
}

#[test]
fn three_keys_of_a_real_server() {
    let tools = tools();
    let ministack = Emulator::ministack(&tools);
    let world = World::make(&tools, &ministack);
    let proxy = Proxy::start(ministack.address).unwrap();

    let place = Place::new();
    let bundle = place.path().join("bundle");
    copy(&fixture("check/bundle"), &bundle);
    #[expect(clippy::disallowed_methods, reason = "the evidence has to be of today")]
    let now = Timestamp::from(chrono::Utc::now());
    let seconds = now.since(Timestamp::floor(THEN).unwrap());
    rewrite(&bundle, &|text| {
        let text = moved(text, seconds);
        KEYS.iter().fold(text, |text, (fixture, made)| {
            let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{fixture}");
            text.replace(&arn, &world.arn(made))
        })
    });
    let run = |words: &[&str]| -> Ran {
        let mut command = place.command();
        command
            .args(words)
            .env("AWS_ENDPOINT_URL_KMS", proxy.url())
            .env("AWS_ENDPOINT_URL_STS", proxy.url())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", world.auditor.access_key_id())
            .env("AWS_SECRET_ACCESS_KEY", world.auditor.secret_access_key());
        ran(command.output().unwrap())
    };
    let ingested = run(&["ingest", "bundle"]);
    assert_eq!(ingested.code, 0, "{}", ingested.stderr);
    let cases = [
        ("enabled", "held", "enabled", 1),
        ("disabled", "safe", "disabled", 0),
        ("rescued", "unknown", "disabled", 3),
    ];
    for (made, verdict, condition, code) in cases {
        let checked = run(&["--format", "json", "check", &world.arn(made)]);
        let document: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
        assert_eq!(document["verdict"], verdict, "{document:#}");
        assert_eq!(document["key"]["condition"], condition, "{document:#}");
        assert_eq!(checked.code, code, "{made}");
    }
    let audited = run(&["audit", "--summary"]);
    assert!(audited.code == 1 || audited.code == 3, "{}", audited.stderr);
    let calls = proxy.calls();
    assert!(calls.len() >= 8, "{calls:?}");
    for call in &calls {
        let reads = [
            "TrentService.DescribeKey",
            "TrentService.ListKeyRotations",
            "GetCallerIdentity",
        ];
        assert!(reads.contains(&call.as_str()), "{call}");
    }
    println_cases(cases.len(), calls.len());
}

/// The number of cases, for whoever reads the log.
#[expect(
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a test's log"
)]
fn println_cases(cases: usize, calls: usize) {
    println!("{cases} keys answered by the server, {calls} calls, all of them reading");
}

//! What bounds the asking of Google Cloud KMS: time, the login, the budget of reads; and that no
//! observation repeats a secret.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use google_cloud_auth::credentials::{Credentials, user_account};
use serde_json::json;
use snapkey::model::KeyId;
use snapkey::model::evidence::{Condition, UnknownReason};
use snapkey::probe::Limits;

use crate::emulator::gcp::{Fault, GET_KEY, GET_VERSION, Gcp, Key, LIST, LOGIN, TOKEN};
use crate::support::aws::{at, limits, runtime, short};
use crate::support::gcp::{ask, name, observe, observe_within, probe, told, version};

#[test]
fn an_answer_that_does_not_come_in_time_is_unreachable() {
    let limits = Limits {
        call: Duration::from_millis(300),
        ..limits()
    };
    for fault in [Fault::Silence, Fault::Trickle(Duration::from_millis(20))] {
        let kms = Gcp::start();
        kms.put(
            &name(1),
            Key::in_state("ENABLED").failing(LIST, fault.clone()),
        );
        kms.put(
            &name(2),
            Key::in_state("ENABLED").failing(GET_KEY, fault.clone()),
        );
        for key in [1, 2] {
            let read = observe_within(&kms.url(), &version(key, 1), &limits);
            assert_eq!(short(&read.condition), "unknown unreachable", "{fault:?}");
        }
    }
    // Pauses between attempts are part of that time.
    let kms = Gcp::start();
    let busy = Fault::error("UNAVAILABLE", "later");
    kms.put(&name(1), Key::in_state("ENABLED").failing(LIST, busy));
    let patient = probe(&kms.url()).with_first_pause(Duration::from_secs(60));
    let read = ask(&patient, &[version(1, 1)], &limits);
    assert_eq!(told(&read), ["1 unknown unreachable"]);
    assert_eq!(kms.count(LIST), 1);
}

#[test]
fn nobody_listening_is_unreachable_and_says_why() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let read = observe(&url, &version(1, 1));
    let Condition::Unknown { reason, detail } = read.condition else {
        panic!("{read:?}");
    };
    assert_eq!(reason, UnknownReason::Unreachable);
    assert!(detail.as_deref().unwrap().contains("refused"), "{detail:?}");
}

/// The credentials of a person, as `gcloud auth application-default login` leaves them, with the
/// emulator as their issuer.
fn person(kms: &Gcp) -> Credentials {
    let json = json!({
        "type": "authorized_user",
        "client_id": "client.apps.example",
        "client_secret": "GOCSPX-hunter2hunter2",
        "refresh_token": "1//0gHunter2Hunter2Hunter2",
        "quota_project_id": "ops",
    });
    user_account::Builder::new(json)
        .with_token_uri(format!("{}/token", kms.url()))
        .build()
        .unwrap()
}

#[test]
fn a_login_is_made_once_and_its_token_sent() {
    let kms = Gcp::start();
    kms.put(&name(1), Key::in_state("ENABLED"));
    let read = runtime().block_on(async {
        let probe = probe(&kms.url()).with_credentials(person(&kms));
        probe.probe_each(&[version(1, 1)], &limits(), &at).await
    });
    assert_eq!(told(&read), ["1 enabled"]);
    assert_eq!(kms.count(LOGIN), 1);
    for request in kms.log() {
        if request.operation != LOGIN {
            assert_eq!(
                request.authorization,
                Some(format!("Bearer {TOKEN}")),
                "{request:?}"
            );
        }
    }
}

#[test]
fn without_a_login_nothing_is_asked_and_it_is_looked_for_once() {
    let refused = Fault::body(
        400,
        r#"{"error":"invalid_grant","error_description":"Token 1//0gHunter2Hunter2Hunter2 has been revoked."}"#,
    );
    let table = [
        (refused, "invalid_grant"),
        (
            Fault::body(200, "<html>log in</html>"),
            "no Google credentials",
        ),
        (Fault::Silence, "in time"),
    ];
    for (fault, expected) in table {
        let kms = Gcp::start();
        kms.fail_login(fault.clone());
        (1..=10).for_each(|number| kms.put(&name(number), Key::in_state("ENABLED")));
        let keys: Vec<KeyId> = (1..=10).map(|number| version(number, 1)).collect();
        let limits = Limits {
            call: Duration::from_millis(500),
            ..limits()
        };
        let start = Instant::now();
        let read = runtime().block_on(async {
            let probe = probe(&kms.url()).with_credentials(person(&kms));
            probe.probe_each(&keys, &limits, &at).await
        });
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "once, not for each key"
        );
        assert_eq!(read.len(), 10);
        for observation in read {
            assert_eq!(
                short(&observation.condition),
                "unknown credentials",
                "{fault:?}"
            );
            let text = format!("{observation:?}");
            assert!(text.contains(expected), "{text}");
            assert!(!text.to_lowercase().contains("hunter2"), "{text}");
        }
        assert_eq!(kms.log().len(), kms.count(LOGIN), "nothing but the login");
    }
}

#[test]
fn a_budget_of_reads_is_kept_and_spread() {
    let kms = Gcp::start();
    (1..=12).for_each(|number| kms.put(&name(number), Key::in_state("ENABLED")));
    let keys: Vec<KeyId> = (1..=12).map(|number| version(number, 1)).collect();
    let probe = probe(&kms.url()).with_reads_a_minute(NonZeroU32::new(600));
    // 24 reads: 10 at once, the others 60/590 s apart.
    assert!(probe.least_time(12) >= Duration::from_millis(2400));
    let start = Instant::now();
    let read = ask(&probe, &keys, &limits());
    assert_eq!(read.len(), 12);
    assert!(
        start.elapsed() >= Duration::from_millis(1400),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_second_attempt_takes_its_turn_like_the_first() {
    let kms = Gcp::start();
    let busy = || Some(Fault::error("UNAVAILABLE", "later"));
    kms.put(
        &name(1),
        Key::in_state("DISABLED").failing_first(LIST, vec![busy(), busy()]),
    );
    let probe = probe(&kms.url()).with_reads_a_minute(NonZeroU32::new(120));
    let start = Instant::now();
    // Three reads: two at once, the third 60/118 s later.
    assert_eq!(
        told(&ask(&probe, &[version(1, 1)], &limits())),
        ["1 disabled"]
    );
    assert!(
        start.elapsed() >= Duration::from_millis(480),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn no_observation_repeats_a_secret() {
    let leak = format!("Bearer {TOKEN} and AIzaSyHunter2Hunter2Hunter2Hunter2Hunter2");
    for fault in [
        Fault::error("PERMISSION_DENIED", &leak),
        Fault::error("UNAUTHENTICATED", &leak),
        Fault::error("NOT_FOUND", &leak),
        Fault::denied("x").because("SERVICE_DISABLED", &leak),
        Fault::body(200, &leak),
        Fault::body(200, &json!({"cryptoKeyVersions": leak}).to_string()),
        Fault::body(403, &leak),
    ] {
        let kms = Gcp::start();
        let key = Key::in_state("ENABLED").failing(LIST, fault.clone());
        kms.put(&name(1), key.failing(GET_VERSION, fault.clone()));
        kms.put(&name(2), Key::in_state("ENABLED").failing(GET_KEY, fault));
        for key in [1, 2] {
            let text = format!("{:?}", observe(&kms.url(), &version(key, 1)));
            assert!(!text.contains(TOKEN) && !text.contains("Hunter2"), "{text}");
        }
    }
}

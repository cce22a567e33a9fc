//! What bounds a run of probes (concurrency, quota, deadline, interruption), who it says asked, and
//! that it never repeats a secret.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use snapkey::probe::{Limits, Stopped, Target};

use crate::emulator::aws::{Aws, Fault, Key};
use crate::support::aws::{
    SECRET, TOKEN, arn, config, key, limits, observe, run, run_until, short, targets,
};

const DESCRIBE: &str = "TrentService.DescribeKey";
const AUDITOR: &str = "arn:aws:sts::111122223333:assumed-role/auditor";

#[test]
fn the_identity_is_told_without_the_session_and_never_waited_for_in_vain() {
    let kms = Aws::start();
    kms.put(&arn(1), Key::in_state("Enabled"));
    assert_eq!(
        observe(&kms.url(), &arn(1)).identity.as_deref(),
        Some(AUDITOR)
    );

    for fault in [
        Fault::exception("AccessDenied", "no"),
        Fault::body(200, "<html/>"),
        Fault::HangUp,
    ] {
        kms.fail_identity(fault);
        let read = observe(&kms.url(), &arn(1));
        assert_eq!(short(&read.condition), "enabled");
        assert_eq!(read.identity, None);
    }

    // An identity that never comes holds up the handing on, not the asking.
    kms.fail_identity(Fault::Silence);
    let limits = Limits {
        in_flight: NonZeroUsize::new(2).unwrap(),
        deadline: Some(Duration::from_millis(1500)),
        ..limits()
    };
    (0..20).for_each(|digit| kms.put(&arn(digit), Key::in_state("Enabled")));
    let (answers, summary) = run(config(&kms.url()), targets(0..20), &limits);
    assert_eq!(summary.stopped, Some(Stopped::Deadline));
    assert_eq!((answers.len(), summary.not_asked.len()), (20, 0));
    assert!(
        answers
            .iter()
            .all(|answer| answer.observations[0].identity.is_none())
    );
}

#[test]
fn no_more_are_asked_at_once_than_allowed_and_as_many_as_allowed() {
    let kms = Aws::start();
    kms.set_latency(Duration::from_millis(20));
    (0..64).for_each(|digit| kms.put(&arn(digit), Key::in_state("Enabled")));
    let limits = Limits {
        in_flight: NonZeroUsize::new(8).unwrap(),
        ..limits()
    };
    let (answers, summary) = run(config(&kms.url()), targets(0..64), &limits);
    assert_eq!((answers.len(), summary.answered), (64, 64));
    // The identity is asked beside the keys.
    assert!(
        (8..=9).contains(&kms.most_at_once()),
        "{}",
        kms.most_at_once()
    );
}

#[test]
fn a_quota_is_kept() {
    let kms = Aws::start();
    (0..80).for_each(|digit| kms.put(&arn(digit), Key::in_state("Enabled")));
    let limits = Limits {
        in_flight: NonZeroUsize::new(80).unwrap(),
        per_second: NonZeroU32::new(60),
        ..limits()
    };
    let start = Instant::now();
    let (answers, _) = run(config(&kms.url()), targets(0..80), &limits);
    assert_eq!(answers.len(), 80);
    // 32 at once, the other 48 at 60 a second.
    assert!(
        start.elapsed() >= Duration::from_millis(750),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn an_interrupted_run_keeps_what_it_learned_and_invents_nothing() {
    let kms = Aws::start();
    (0..40).for_each(|digit| kms.put(&arn(digit), Key::in_state("Enabled")));
    (3..40).for_each(|digit| kms.put(&arn(digit), Key::failing(Fault::Silence)));
    let learned = || async {
        while kms.count(DESCRIBE) < 7 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (answers, summary) = run_until(config(&kms.url()), targets(0..40), &limits(), learned());
    assert_eq!(summary.stopped, Some(Stopped::Cancelled));
    assert_eq!(answers.len(), 3);
    assert_eq!(summary.not_asked, targets(3..40));
    assert!(
        answers
            .iter()
            .all(|answer| short(&answer.observations[0].condition) == "enabled")
    );
    assert_eq!(kms.count(DESCRIBE), 7, "nothing more is asked");
}

#[test]
fn keys_of_other_providers_are_listed_and_not_observed() {
    let kms = Aws::start();
    let other = key("projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1");
    let (answers, summary) = run(
        config(&kms.url()),
        vec![Target::Key(other.clone())],
        &limits(),
    );
    assert!(answers.is_empty());
    assert_eq!(summary.unsupported, [other]);
    assert!(kms.log().is_empty(), "nobody asks who asks about nothing");
}

/// Credentials that cannot be had, with a secret in the reason.
#[derive(Debug)]
struct Refusing(AtomicUsize);

impl ProvideCredentials for &'static Refusing {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        self.0.fetch_add(1, Ordering::SeqCst);
        Provided::ready(Err(CredentialsError::provider_error(format!(
            "helper said: hunter2 {SECRET}"
        ))))
    }
}

#[test]
fn without_credentials_nothing_is_asked_and_they_are_looked_for_once() {
    static REFUSING: Refusing = Refusing(AtomicUsize::new(0));
    let kms = Aws::start();
    let without = config(&kms.url())
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(&REFUSING))
        .build();
    let (answers, _) = run(without, targets(0..30), &limits());
    assert_eq!(answers.len(), 30);
    for answer in answers {
        let [observation] = answer.observations.as_slice() else {
            panic!("{answer:?}");
        };
        assert_eq!(short(&observation.condition), "unknown credentials");
        let text = format!("{observation:?}");
        assert!(
            !text.contains("hunter2") && !text.contains(SECRET),
            "{text}"
        );
    }
    assert_eq!(REFUSING.0.load(Ordering::SeqCst), 1);
    assert!(kms.log().is_empty());
}

#[test]
fn no_observation_repeats_a_secret() {
    let leaks = format!(
        "The Canonical String should have been 'POST\n/\nx-amz-security-token:{TOKEN}\n' by {SECRET}"
    );
    for code in [
        "InvalidSignatureException",
        "AccessDeniedException",
        "OddException",
    ] {
        for fault in [
            Fault::exception(code, &leaks),
            Fault::Body {
                status: 200,
                body: format!("{{\"{leaks}"),
            },
            Fault::exception(&format!("{code}{SECRET}"), &leaks),
        ] {
            let kms = Aws::start();
            kms.put(&arn(1), Key::failing(fault));
            let text = format!("{:?}", observe(&kms.url(), &arn(1)));
            assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
        }
    }
}

#[test]
fn the_endpoint_is_told_without_user_and_query() {
    let kms = Aws::start();
    kms.put(&arn(1), Key::in_state("Enabled"));
    let url = kms.url().replace("http://", "http://user:hunter2@") + "/kms?token=hunter2";
    let read = observe(&url, &arn(1));
    assert_eq!(short(&read.condition), "enabled");
    assert_eq!(read.endpoint, kms.url() + "/kms");
}

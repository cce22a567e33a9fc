//! Probing as a whole, several providers in one run: none waits for another, a deadline keeps what
//! was learned, and what cannot be asked is listed.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::json;
use snapkey::probe::aws::AwsProbe;
use snapkey::probe::{Answer, Limits, Probes, Stopped, Summary, Target, Wait, probe_all};

use crate::emulator::aws::{Aws, Key as AwsKey};
use crate::emulator::azure::{Azure, Fault, Key, Version};
use crate::support::aws::{arn, at, config, limits, runtime, short, targets};
use crate::support::azure::{AT_ONCE, https, name, probes as azure_probes, run, target, version};

/// Both services, asked with the settings of the tests.
fn probes(kms: &Aws, azure: &Azure) -> Probes {
    let mut probes = azure_probes(https(azure), AT_ONCE);
    probes.aws = AwsProbe::from_config(config(&kms.url()));
    probes
}

fn in_vault(vault: &str, number: usize) -> String {
    format!("https://{vault}.vault.azure.net/keys/k{number}")
}

fn words(answers: &[Answer]) -> Vec<String> {
    answers
        .iter()
        .flat_map(|answer| &answer.observations)
        .map(|observation| short(&observation.condition))
        .collect()
}

#[test]
fn a_mixed_run_answers_for_every_key_and_asks_once_for_versions_of_one() {
    let (kms, azure) = (Aws::start(), Azure::start());
    let mut asked = targets(0..40);
    for number in 0..40 {
        kms.put(&arn(number), AwsKey::in_state("Enabled"));
    }
    for number in 0..20 {
        let versions = (1..=5).map(|v| {
            let attributes = json!({"enabled": v != 5});
            Version::new(&version(v), attributes, json!({}))
        });
        azure.put(&name(number), Key::of(versions.collect()));
        asked.extend((1..=5).map(|v| target(&format!("{}/{}", name(number), version(v)))));
    }
    asked.push(target("kmip://server/7"));
    asked.push(target(
        "projects/p-12345/locations/eu/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
    ));
    let (answers, summary) = run(&probes(&kms, &azure), asked, &limits());
    assert_eq!((answers.len(), summary.answered), (140, 140));
    assert_eq!(summary.unsupported.len(), 2);
    let told = words(&answers);
    assert_eq!(
        told.iter().filter(|word| *word == "enabled").count(),
        40 + 80
    );
    assert_eq!(told.iter().filter(|word| *word == "disabled").count(), 20);
    // One list a key, one look at each version that it calls enabled.
    for number in 0..20 {
        assert_eq!(azure.count(&format!("/keys/k{number}/versions")), 1);
    }
    let authorized = azure
        .log()
        .iter()
        .filter(|request| request.authorized)
        .count();
    assert_eq!(authorized, 20 + 80);
    // Who asked AWS is not who asked Azure.
    for answer in &answers {
        let aws = answer.target.provider().word() == "aws";
        assert_eq!(answer.observations[0].identity.is_some(), aws, "{answer:?}");
    }
}

#[test]
fn a_slow_vault_holds_up_neither_aws_nor_another_vault_and_a_deadline_keeps_what_was_learned() {
    let (kms, azure) = (Aws::start(), Azure::start());
    let mut asked = targets(0..30);
    for number in 0..30 {
        kms.put(&arn(number), AwsKey::in_state("Enabled"));
    }
    for number in 0..30 {
        let slow = in_vault("slow", number);
        azure.put(&slow, Key::failing(&version(1), &Fault::Silence));
        asked.push(target(&format!("{slow}/{}", version(1))));
        let quick = in_vault("orders", number);
        azure.put(&quick, Key::enabled(&version(1)));
        asked.push(target(&format!("{quick}/{}", version(1))));
    }
    let limits = Limits {
        in_flight: NonZeroUsize::new(4).unwrap(),
        call: Duration::from_secs(60),
        deadline: Some(Duration::from_secs(8)),
        ..limits()
    };
    let probes = probes(&kms, &azure);
    let waits = std::sync::Arc::clone(&probes.waits);
    let mut answers = Vec::new();
    let mut seen = Vec::new();
    let summary: Summary = runtime().block_on(async {
        let mut on_answer = |answer: Answer| {
            seen.extend(waits.now());
            answers.push(answer);
        };
        let never = std::future::pending();
        probe_all(asked, &probes, &limits, &at, &mut on_answer, never).await
    });
    assert_eq!(summary.stopped, Some(Stopped::Deadline));
    assert_eq!(words(&answers), vec!["enabled"; 60]);
    assert_eq!(summary.not_asked.len(), 30);
    assert!(summary.not_asked.iter().all(|left| match left {
        Target::Key(key) => key.to_string().starts_with("https://slow."),
        Target::AwsId { .. } | Target::AzureKey(_) => false,
    }));
    // The vault that does not answer never had all the places.
    let silent = azure.log();
    let silent = silent.iter().filter(|request| request.authorized);
    let silent = silent
        .filter(|request| request.host.starts_with("slow."))
        .count();
    assert!(silent <= 4, "{silent}");
    assert!(seen.iter().any(|(_, wait, _)| *wait == Wait::Answer));
    assert!(waits.now().is_empty(), "nothing waits when the run is over");
}

#[test]
fn no_more_are_asked_at_once_than_allowed() {
    let azure = Azure::start();
    azure.set_latency(Duration::from_millis(20));
    let mut asked = Vec::new();
    for number in 0..24 {
        azure.put(
            &name(number),
            Key::of(vec![Version::new(
                &version(1),
                json!({"enabled": false}),
                json!({}),
            )]),
        );
        asked.push(target(&format!("{}/{}", name(number), version(1))));
    }
    let limits = Limits {
        in_flight: NonZeroUsize::new(6).unwrap(),
        ..limits()
    };
    let (answers, _) = run(&azure_probes(https(&azure), AT_ONCE), asked, &limits);
    assert_eq!(answers.len(), 24);
    assert!(
        (2..=6).contains(&azure.most_at_once()),
        "{}",
        azure.most_at_once()
    );
}

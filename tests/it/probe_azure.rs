//! What probing does around one key of Key Vault: which question follows from which answer,
//! retries, paging, timeouts, TLS, and that it only ever reads, from the one vault.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use snapkey::model::Spelling;
use snapkey::model::evidence::{Condition, UnknownReason};
use snapkey::probe::azure::AzureProbe;
use snapkey::probe::{Limits, Target};

use crate::emulator::azure::{Azure, Fault, Key, OBJECT, Route, TENANT, Version, jwt};
use crate::support::aws::{limits, short};
use crate::support::azure::{
    AT_ONCE, Given, https, https_trusting, kid, name, observe, observe_by, probes, probes_with,
    run, target, version,
};

const LIST: &str = "/keys/k1/versions";
const DELETED: &str = "/deletedkeys/k1";

fn detail(condition: &Condition) -> String {
    let Condition::Unknown { reason: _, detail } = condition else {
        panic!("{condition:?}");
    };
    detail.clone().unwrap_or_default()
}

#[test]
fn not_found_is_concluded_from_both_places_asked_twice() {
    let azure = Azure::start();
    let read = observe(&azure, &kid(1));
    assert_eq!(short(&read.condition), "unknown not-found");
    assert_eq!((azure.count(LIST), azure.count(DELETED)), (2, 2));

    // A service that lists nothing instead of answering 404.
    let azure = Azure::start();
    azure.set_empty_lists();
    let read = observe(&azure, &kid(1));
    assert_eq!(short(&read.condition), "unknown not-found");
    assert_eq!((azure.count(LIST), azure.count(DELETED)), (2, 2));
}

/// While a key is being deleted or recovered, both places may say 404 for a while.
#[test]
fn a_key_in_flight_is_found_after_the_pause() {
    let in_flight = |key: Key, routes: &[Route]| Key {
        next: routes
            .iter()
            .map(|route| (*route, Fault::not_found()))
            .collect(),
        ..key
    };
    let deleted = || Key {
        deleted: Some(json!({})),
        ..Key::enabled(&version(1))
    };
    let table = [
        (
            in_flight(Key::enabled(&version(1)), &[Route::List]),
            "enabled",
        ),
        (
            in_flight(Key::enabled(&version(1)), &[Route::Show]),
            "enabled",
        ),
        (
            in_flight(deleted(), &[Route::Deleted]),
            "soft-deleted 2027-01-29T06:00:00Z",
        ),
    ];
    for (key, expected) in table {
        let azure = Azure::start();
        azure.put(&name(1), key.clone());
        let read = observe(&azure, &kid(1));
        assert_eq!(short(&read.condition), expected, "{:?}", key.next);
    }
}

#[test]
fn who_may_not_see_deleted_keys_cannot_tell_that_a_key_is_gone() {
    let azure = Azure::start();
    let mut key = Key::enabled(&version(1));
    key.always.insert(Route::List, Fault::not_found());
    key.always.insert(
        Route::Deleted,
        Fault::error(403, "Forbidden", Some("ForbiddenByRbac")),
    );
    azure.put(&name(1), key);
    let read = observe(&azure, &kid(1));
    assert_eq!(short(&read.condition), "unknown access-denied");
}

#[test]
fn a_refused_list_is_answered_by_the_key_itself() {
    let azure = Azure::start();
    let refused = || Fault::error(403, "Forbidden", Some("ForbiddenByPolicy"));
    let mut key = Key::of(vec![
        Version::new(&version(1), json!({}), json!({})),
        Version::new(&version(2), json!({"enabled": false}), json!({})),
    ]);
    key.always.insert(Route::List, refused());
    azure.put(&name(1), key);
    let probes = probes(https(&azure), AT_ONCE);
    let second = format!("{}/{}", name(1), version(2));
    assert_eq!(
        short(&observe_by(&probes, &kid(1), &limits()).condition),
        "enabled"
    );
    assert_eq!(
        short(&observe_by(&probes, &second, &limits()).condition),
        "disabled"
    );
    // Gone, as far as the key itself tells: then the deleted keys are asked.
    let third = format!("{}/{}", name(1), version(3));
    let read = observe_by(&probes, &third, &limits());
    assert_eq!(short(&read.condition), "unknown not-found");
    assert_eq!(azure.count(DELETED), 2);
}

#[test]
fn a_version_that_is_not_among_the_others_is_no_sign_of_deletion() {
    let azure = Azure::start();
    azure.put(&name(1), Key::enabled(&version(1)));
    let missing = format!("{}/{}", name(1), version(7));
    let (answers, _) = run(
        &probes(https(&azure), AT_ONCE),
        vec![target(&kid(1)), target(&missing)],
        &limits(),
    );
    let told: Vec<String> = answers
        .iter()
        .map(|answer| short(&answer.observations[0].condition))
        .collect();
    assert_eq!(told, ["enabled", "unknown not-found"]);
    assert!(detail(&answers[1].observations[0].condition).contains("1 versions and not this one"));
    assert_eq!(azure.count(LIST), 1, "one list for all versions");
    assert_eq!(azure.count(DELETED), 0);
}

fn many(versions: usize) -> Key {
    let one = |number| {
        Version::new(
            &version(number),
            json!({"enabled": number % 2 == 1}),
            json!({}),
        )
    };
    Key::of((1..=versions).map(one).collect())
}

#[test]
fn as_many_pages_are_read_as_it_takes() {
    let azure = Azure::start();
    azure.put(&name(1), many(60));
    for (number, pages, expected) in [(1, 1, "enabled"), (26, 2, "disabled"), (60, 3, "disabled")] {
        let before = azure.count(LIST);
        let read = observe(&azure, &format!("{}/{}", name(1), version(number)));
        assert_eq!(short(&read.condition), expected, "{number}");
        assert_eq!(azure.count(LIST) - before, pages, "{number}");
    }
    // A page that stumbles is asked again from where the list was.
    let mut key = many(60);
    key.next
        .push_back((Route::List, Fault::error(500, "InternalServerError", None)));
    azure.put(&name(1), key);
    let before = azure.count(LIST);
    let read = observe(&azure, &format!("{}/{}", name(1), version(60)));
    assert_eq!(short(&read.condition), "disabled");
    assert_eq!(azure.count(LIST) - before, 4);
}

#[test]
fn a_list_that_goes_on_elsewhere_is_not_followed() {
    for next in [
        "https://orders.vault.azure.net/keys/k1/versions?api-version=7.4",
        "https://evil.example/keys/k1/versions?api-version=7.4",
        "http://payments.vault.azure.net/keys/k1/versions?api-version=7.4",
        "https://payments.vault.azure.net:8443/keys/k1/versions?api-version=7.4",
        "https://payments.vault.azure.net/keys/other/versions?api-version=7.4",
        "/deletedkeys/k1?api-version=7.4",
    ] {
        let azure = Azure::start();
        let mut key = Key::enabled(&version(1));
        let body = json!({"value": [], "nextLink": next}).to_string();
        key.always.insert(Route::List, Fault::body(200, &body));
        azure.put(&name(1), key);
        let read = observe(&azure, &kid(1));
        assert_eq!(short(&read.condition), "unknown malformed", "{next}");
        let list = |path: &str| path.starts_with("/keys/k1/versions?");
        for request in azure.log() {
            assert_eq!(request.host, "payments.vault.azure.net", "{next}");
            assert!(list(&request.path), "{next}: {request:?}");
        }
        assert_eq!(azure.count(LIST), 1, "{next}");
    }
}

#[test]
fn a_list_without_an_end_is_given_up() {
    let azure = Azure::start();
    let mut key = Key::enabled(&version(1));
    let next = format!("{}/versions?api-version=7.4&$skiptoken=1", name(1));
    let body = json!({"value": [], "nextLink": next}).to_string();
    key.always.insert(Route::List, Fault::body(200, &body));
    azure.put(&name(1), key);
    let read = observe(&azure, &kid(1));
    assert_eq!(short(&read.condition), "unknown malformed");
    assert!(detail(&read.condition).contains("does not end"));
}

#[test]
fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let throttled = || Fault::error(429, "Throttled", None);
    let internal = || Fault::error(500, "InternalServerError", None);
    let denied = || Fault::error(403, "Forbidden", Some("ForbiddenByFirewall"));
    let table: Vec<(Vec<Fault>, &str, usize)> = vec![
        (vec![throttled(), internal()], "enabled", 3),
        (
            vec![throttled(), throttled(), throttled()],
            "unknown throttled",
            3,
        ),
        (
            vec![internal(), Fault::HangUp, internal()],
            "unknown unreachable",
            3,
        ),
        (vec![Fault::Cut], "enabled", 2),
        (vec![denied()], "unknown unreachable", 1),
        (vec![Fault::body(200, "<html/>")], "unknown malformed", 1),
    ];
    for (faults, expected, calls) in table {
        let azure = Azure::start();
        let mut key = Key::enabled(&version(1));
        key.next = faults
            .iter()
            .map(|fault| (Route::List, fault.clone()))
            .collect();
        azure.put(&name(1), key);
        let read = observe(&azure, &kid(1));
        assert_eq!(short(&read.condition), expected, "{faults:?}");
        assert_eq!(azure.count(LIST), calls, "{faults:?}");
    }
}

/// The time for one call bounds everything, and the reason is what the service last said.
#[test]
fn an_answer_that_does_not_come_in_time_has_the_reason_of_the_last_one() {
    let limits = Limits {
        call: Duration::from_millis(400),
        ..limits()
    };
    let patient = Fault::Error {
        status: 429,
        code: "Throttled",
        inner: None,
        message: String::new(),
        headers: "retry-after: 60\r\n",
    };
    for (fault, expected) in [
        (patient, "unknown throttled"),
        (Fault::Silence, "unknown unreachable"),
        (
            Fault::Trickle(Duration::from_millis(20)),
            "unknown unreachable",
        ),
    ] {
        let azure = Azure::start();
        let probes = probes(https(&azure), AT_ONCE);
        azure.put(&name(1), Key::failing(&version(1), &fault));
        let start = Instant::now();
        let read = observe_by(&probes, &kid(1), &limits);
        assert_eq!(short(&read.condition), expected, "{fault:?}");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    }
}

#[test]
fn a_vault_that_cannot_be_reached_says_why() {
    let reads = |http: reqwest::Client, kid: &str| {
        let read = observe_by(&probes(http, AT_ONCE), kid, &limits());
        assert_eq!(short(&read.condition), "unknown unreachable", "{kid}");
        detail(&read.condition)
    };
    let azure = Azure::start();
    // Another authority than the one that signed the vault's certificate.
    let other = Azure::start();
    let foreign = reads(https_trusting(&azure, other.ca_pem()), &kid(1));
    assert!(foreign.to_lowercase().contains("certificate"), "{foreign}");
    assert!(
        azure.log().is_empty(),
        "nothing is sent to who is not trusted"
    );

    let nowhere = "https://nosuch.vault.azure.net/keys/k1/00000000000000000000000000000001";
    let nxdomain = reads(https(&azure), nowhere);
    assert!(nxdomain.contains("no address"), "{nxdomain}");

    let http = https(&azure);
    drop(azure);
    let refused = reads(http, &kid(1));
    assert!(refused.contains("refused"), "{refused}");
}

/// The challenge decides what a token is asked for: a server that names another domain gets none.
#[test]
fn a_vault_that_asks_for_a_token_of_another_domain_gets_none() {
    let bearer = |resource: &str| {
        format!("Bearer authorization=\"https://login.microsoftonline.com/t\", {resource}")
    };
    for challenge in [
        bearer("resource=\"https://management.azure.com\""),
        bearer("resource=\"https://vault.azure.cn\""),
        // The client's own check takes these: they are suffixes of the host.
        bearer("resource=\"https://azure.net\""),
        bearer("scope=\"https://net/.default\""),
        bearer(""),
        "Basic realm=\"sign in\"".to_owned(),
    ] {
        let azure = Azure::start();
        azure.put(&name(1), Key::enabled(&version(1)));
        azure.set_challenge(&challenge);
        let read = observe(&azure, &kid(1));
        assert_eq!(short(&read.condition), "unknown malformed", "{challenge}");
        let log = azure.log();
        assert!(!log.is_empty(), "{challenge}");
        assert!(log.iter().all(|request| !request.authorized), "{challenge}");
    }
}

#[test]
fn every_cloud_and_both_services_are_asked_under_their_own_names() {
    let azure = Azure::start();
    let probes = probes(https(&azure), AT_ONCE);
    for domain in [
        "vault.azure.net",
        "vault.azure.cn",
        "vault.usgovcloudapi.net",
        "managedhsm.azure.net",
        "managedhsm.azure.cn",
        "managedhsm.usgovcloudapi.net",
    ] {
        let base = format!("https://payments.{domain}");
        azure.put(&format!("{base}/keys/k1"), Key::enabled(&version(1)));
        let kid = format!("{base}/keys/k1/{}", version(1));
        let read = observe_by(&probes, &kid, &limits());
        assert_eq!(short(&read.condition), "enabled", "{domain}");
        assert_eq!(read.endpoint, base);
    }
}

/// A clock that lags must not make an expired key look valid: the vault's own counts too.
#[test]
fn the_vaults_clock_counts_where_the_machines_is_off() {
    let azure = Azure::start();
    let probes = probes(https(&azure), AT_ONCE);
    let expiring = Version::new(&version(1), json!({"exp": 1_793_600_000}), json!({}));
    azure.put(&name(1), Key::of(vec![expiring]));
    assert_eq!(
        short(&observe_by(&probes, &kid(1), &limits()).condition),
        "enabled 2026-11-02T06:13:20Z"
    );
    azure.set_date("Wed, 04 Nov 2026 06:00:00 GMT");
    assert_eq!(
        short(&observe_by(&probes, &kid(1), &limits()).condition),
        "unwrap-only"
    );
}

#[test]
fn only_reading_calls_are_ever_made() {
    let azure = Azure::start();
    azure.put(&name(1), many(30));
    azure.put(
        &name(2),
        Key {
            deleted: Some(json!({})),
            ..Key::enabled(&version(1))
        },
    );
    let mut asked: Vec<Target> = (1..=3).map(|number| target(&kid(number))).collect();
    asked.push(whole(&name(1)));
    let (answers, summary) = run(&probes(https(&azure), AT_ONCE), asked, &limits());
    assert_eq!((answers.len(), summary.answered), (4, 4));
    for request in azure.log() {
        assert_eq!(request.method, "GET", "{request:?}");
        let path = request.path.split('?').next().unwrap();
        assert!(
            path.starts_with("/keys/k") || path.starts_with("/deletedkeys/k"),
            "{request:?}"
        );
        assert!(request.path.contains("api-version="), "{request:?}");
    }
}

fn whole(url: &str) -> Target {
    let Spelling::AzureKey(key) = Spelling::read(url) else {
        panic!("`{url}` has a version");
    };
    Target::AzureKey(key)
}

#[test]
fn a_key_without_a_version_is_every_version_that_the_vault_names() {
    let azure = Azure::start();
    azure.put(&name(1), many(30));
    azure.put(
        &name(2),
        Key {
            deleted: Some(json!({})),
            ..Key::enabled(&version(1))
        },
    );
    azure.put(
        &name(4),
        Key::failing(&version(1), &Fault::error(403, "Forbidden", None)),
    );
    let probes = probes(https(&azure), AT_ONCE);
    let ask = |number| {
        let (mut answers, _) = run(&probes, vec![whole(&name(number))], &limits());
        let answer = answers.remove(0);
        let told: Vec<String> = answer
            .observations
            .iter()
            .map(|observation| short(&observation.condition))
            .collect();
        (told, answer.unresolved.map(|(reason, _)| reason))
    };
    let (told, unresolved) = ask(1);
    assert_eq!((told.len(), unresolved), (30, None));
    assert_eq!(told.iter().filter(|word| *word == "enabled").count(), 15);
    let soft_deleted = vec!["soft-deleted 2027-01-29T06:00:00Z".to_owned()];
    assert_eq!(ask(2), (soft_deleted, None));
    assert_eq!(ask(3), (Vec::new(), Some(UnknownReason::NotFound)));
    // Deleted between the list and the look at the version.
    let mut fleeting = Key::enabled(&version(1));
    fleeting.always.insert(Route::Show, Fault::not_found());
    azure.put(&name(5), fleeting);
    assert_eq!(ask(5), (vec!["unknown not-found".to_owned()], None));
    assert_eq!(ask(4), (Vec::new(), Some(UnknownReason::AccessDenied)));
}

#[test]
fn the_identity_is_that_of_the_token() {
    let azure = Azure::start();
    azure.put(&name(1), Key::enabled(&version(1)));
    assert_eq!(observe(&azure, &kid(1)).identity, None, "an opaque token");
    let probe = AzureProbe::with(https(&azure), Arc::new(Given(jwt())), AT_ONCE);
    let read = observe_by(&probes_with(probe), &kid(1), &limits());
    assert_eq!(read.identity, Some(format!("{TENANT}/{OBJECT}")));
}

#[test]
fn no_observation_repeats_a_token() {
    let azure = Azure::start();
    let leaks = format!("you sent Bearer {}", jwt());
    for fault in [
        Fault::saying(401, "Unauthorized", None, &leaks),
        Fault::saying(403, "Forbidden", None, &leaks),
        Fault::saying(418, "Teapot", None, &leaks),
        Fault::body(200, &format!("{{\"{leaks}")),
    ] {
        azure.put(&name(1), Key::failing(&version(1), &fault));
        let text = format!("{:?}", observe(&azure, &kid(1)));
        for part in jwt().split('.').filter(|part| part.len() > 12) {
            assert!(!text.contains(part), "{text}");
        }
    }
}

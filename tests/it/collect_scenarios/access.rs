//! Who may read what, and what happens to those who may not; what must not be sent, written or told.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::json;

use super::{CURRENT, SPARE, estate, only_read, orders, taken};
use crate::emulator::atlas::estate::{Cluster, Form, Project, Role, id};
use crate::emulator::atlas::login::MOST_TOKENS;
use crate::emulator::atlas::{Atlas, Fault, MARK, Request, SERVICE_ACCOUNT};
use crate::support::atlas::{Login, Machine, enabled, files, hours_ago};

/// Project Read Only sees neither restore jobs nor the compliance policy: assumptions, no gaps,
/// whether Atlas says 401 or 403.
#[test]
fn a_read_only_credential_is_enough() {
    for status in [403, 401] {
        for login in [Login::ServiceAccount, Login::ApiKey] {
            let atlas = Atlas::start(estate([orders()]));
            atlas.change(|estate| estate.projects[0].role = Role::ReadOnly);
            atlas.world().quirks.role_status = status;
            let machine = Machine::of(&atlas, login);
            machine.place.write("keys.ndjson", &enabled(&[SPARE]));
            machine.take_in("bundle");
            machine.ingest("keys.ndjson", 0);
            let safe = machine.check(SPARE);
            assert_eq!(
                safe.said(),
                "safe 0",
                "{status} {login:?} {}",
                safe.document
            );
            let assumed = safe.kinds("assumptions");
            for kind in [
                "no-downloads",
                "no-restore-running",
                "schedule-window-is-longest",
            ] {
                assert!(assumed.contains(&kind), "{status} {login:?} {assumed:?}");
            }
            let manifest = machine.manifest("bundle");
            let requests = manifest["requests"].as_array().unwrap();
            let refused = requests.iter().filter(|r| r["status"] == status);
            assert!(refused.count() >= 2, "{manifest}");
            only_read(&atlas);
        }
    }
    // The same with every right: nothing needs to be assumed.
    let atlas = Atlas::start(estate([orders()]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.place.write("keys.ndjson", &enabled(&[SPARE]));
    machine.take_in("bundle");
    machine.ingest("keys.ndjson", 0);
    let safe = machine.check(SPARE);
    assert_eq!(safe.said(), "safe 0", "{}", safe.document);
    assert_eq!(safe.kinds("assumptions"), Vec::<&str>::new());
}

/// A project that is listed and refuses everything: nothing is safe, the rest can be judged.
#[test]
fn a_refused_project_is_a_gap() {
    let mut closed = Project::new(2, "closed");
    closed.role = Role::Nothing;
    let atlas = Atlas::start(estate([orders(), closed]));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    machine
        .place
        .write("keys.ndjson", &enabled(&[CURRENT, SPARE]));
    let collected = machine.collect("bundle", &[]);
    assert_eq!(collected.code, 3, "{}", collected.stderr);
    assert!(collected.stderr.contains(&id(1, 2)), "{}", collected.stderr);
    machine.ingest("bundle", 3);
    machine.ingest("keys.ndjson", 0);
    let spare = machine.check(SPARE);
    assert_eq!(spare.said(), "unknown 3", "{}", spare.document);
    assert!(spare.kinds("doubts").contains(&"project-incomplete"));
    let (_, rows) = machine.json(&["snapshots"]);
    assert_eq!(rows["snapshots"][0]["verdict"], "restorable", "{rows}");
    let (_, projects) = machine.json(&["projects"]);
    assert_eq!(projects["projects"][0]["complete"], true, "{projects}");
    assert_eq!(projects["projects"][1]["complete"], false, "{projects}");
    only_read(&atlas);
}

/// Secrets in every field in which the API may send one, and those of the login: none gets to
/// disk or out, at the most talkative.
#[test]
fn no_secret_is_written_or_told() {
    for login in [Login::ServiceAccount, Login::ApiKey] {
        let atlas = Atlas::start(estate([orders()]));
        atlas.world().quirks.secrets = true;
        atlas.change(|estate| {
            let main = estate.projects[0].cluster_mut("main");
            main.jobs = vec![json!({"id": id(10, 1), "deliveryType": "download",
                "snapshotId": id(3, 1), "finishedAt": hours_ago(1)})];
        });
        // One list fails, so that errors are told, too.
        let events = format!("/api/atlas/v2/groups/{}/flexClusters", id(1, 1));
        let name = format!("GET {events}?pageNum=1&itemsPerPage=500");
        atlas.fail(&name, 0, usize::MAX, Fault::Status(500, "UNEXPECTED_ERROR"));
        let machine = Machine::of(&atlas, login);
        let mut told = String::new();
        for words in [
            &["-vvvv", "collect", "atlas", "--out", "bundle"][..],
            &["-vvvv", "ingest", "bundle"],
            &["-vvvv", "ingest", "atlas"],
            &["-vvvv", "audit", "--no-probe"],
            &[
                "-vvvv",
                "--format",
                "json",
                "check",
                CURRENT,
                "--refresh",
                "--no-probe",
            ],
        ] {
            let ran = machine.run(words);
            assert!([0, 1, 3].contains(&ran.code), "{words:?}: {}", ran.stderr);
            told.push_str(&ran.stdout);
            told.push_str(&ran.stderr);
        }
        assert!(!told.contains(MARK), "{login:?}: {}", around(&told));
        assert!(!told.contains("response=\""), "{login:?}: a digest is told");
        let written = files(machine.place.path());
        assert!(written.len() > 10, "{written:?}");
        for file in written {
            let bytes = std::fs::read(&file).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains(MARK),
                "{}: {}",
                file.display(),
                around(&text)
            );
        }
        let manifest = machine.manifest("bundle").to_string();
        assert!(manifest.contains("restoreJobs"), "{manifest}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = machine.path("bundle").metadata().unwrap().permissions();
            assert_eq!(mode.mode() & 0o777, 0o700);
        }
        only_read(&atlas);
    }
}

/// What stands before the first secret.
fn around(text: &str) -> String {
    let at = text.find(MARK).unwrap_or(0);
    text[..at]
        .chars()
        .rev()
        .take(200)
        .collect::<Vec<_>>()
        .iter()
        .rev()
        .collect()
}

/// The profiles of the Atlas CLI: with its secrets in the file, with its secrets in the keyring,
/// and one that is not there.
#[test]
fn profiles_of_the_atlas_cli_are_found() {
    let atlas = Atlas::start(estate([orders()]));
    let mut machine = Machine::bare();
    machine.set("MONGODB_ATLAS_BASE_URL", &atlas.url());
    let (client, secret) = SERVICE_ACCOUNT;
    let config = format!(
        "version = 2\n\n[default]\nauth_type = \"service_account\"\norg_id = \"{}\"\n\n[written]\n\
         auth_type = \"service_account\"\nclient_id = \"{client}\"\nclient_secret = \"{secret}\"\n",
        id(0, 1)
    );
    let file = machine.place.write(".config/atlascli/config.toml", &config);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, private).unwrap();
    }
    let in_keyring = machine.collect("a", &[]);
    assert_eq!(in_keyring.code, 2, "{}", in_keyring.stderr);
    for word in ["keyring", "default", "MONGODB_ATLAS_CLIENT_SECRET"] {
        assert!(in_keyring.stderr.contains(word), "{}", in_keyring.stderr);
    }
    let missing = machine.collect("a", &["--profile", "nosuch"]);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    for word in ["nosuch", "default", "written"] {
        assert!(missing.stderr.contains(word), "{}", missing.stderr);
    }
    assert!(atlas.log().is_empty(), "{:?}", atlas.log());
    assert!(!machine.path("a").exists(), "a folder for nothing");
    let written = machine.collect("a", &["--profile", "written"]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    assert_eq!(machine.manifest("a")["identity"], client);
    only_read(&atlas);
}

/// Without any login nothing is asked; without encryption none goes out to other machines.
#[test]
fn nothing_is_sent_where_it_must_not_be() {
    let atlas = Atlas::start(estate([orders()]));
    let mut machine = Machine::bare();
    machine.set("MONGODB_ATLAS_BASE_URL", &atlas.url());
    let nobody = machine.collect("a", &[]);
    assert_eq!(nobody.code, 2, "{}", nobody.stderr);
    assert!(atlas.log().is_empty());
    let mut machine = Machine::of(&atlas, Login::ApiKey);
    for url in ["http://192.0.2.1:9", "http://atlas.example"] {
        machine.set("MONGODB_ATLAS_BASE_URL", url);
        let started = Instant::now();
        let plain = machine.collect("a", &[]);
        assert_eq!(plain.code, 2, "{url}: {}", plain.stderr);
        assert!(plain.stderr.contains("https"), "{url}: {}", plain.stderr);
        assert!(started.elapsed() < Duration::from_secs(15), "{url}");
    }
    machine.set("MONGODB_ATLAS_BASE_URL", &atlas.url());
    let offline = machine.run(&["--offline", "collect", "atlas", "--out", "a"]);
    assert_eq!(offline.code, 2, "{}", offline.stderr);
    assert!(atlas.log().is_empty(), "{:?}", atlas.log());
}

/// Everything that recordings of the service show and a client may stumble over, at once: the
/// bundle is complete all the same.
#[test]
fn oddities_change_nothing() {
    for login in [Login::ServiceAccount, Login::ApiKey] {
        let mut project = orders();
        project.cluster_mut("main").snapshots =
            (1..=600).map(|n| taken(n, 30, 100, CURRENT)).collect();
        project
            .clusters
            .push(Cluster::new(2, "wide", Form::Sharded).with(taken(700, 30, 100, CURRENT)));
        project
            .clusters
            .push(Cluster::new(3, "small", Form::Flex).with(taken(800, 30, 100, CURRENT)));
        let atlas = Atlas::start(estate([project]));
        {
            let mut world = atlas.world();
            world.quirks.uncounted = true;
            world.quirks.host = "http://localhost:8080".to_owned();
            world.quirks.deprecated = true;
            world.quirks.rate_left = Some(1199);
            world.quirks.clock = TimeDelta::minutes(2);
            // More than are under way at once: whoever renews the login gets to use it.
            world.logins.nonce_uses = 9;
        }
        let machine = Machine::of(&atlas, login);
        machine.place.write("keys.ndjson", &enabled(&[SPARE]));
        machine.take_in("bundle");
        machine.ingest("keys.ndjson", 0);
        let (_, rows) = machine.json(&["snapshots"]);
        let rows = rows["snapshots"].as_array().unwrap();
        let dedicated = rows.iter().filter(|row| row["cluster"] != "small");
        assert_eq!(dedicated.count(), 601, "{login:?}");
        let spare = machine.check(SPARE);
        assert_eq!(spare.said(), "safe 0", "{login:?}: {}", spare.document);
        if login == Login::ApiKey {
            let refused = |r: &&Request| r.status == Some(401);
            let renewed = atlas.log().iter().filter(refused).count();
            assert!(renewed >= 2, "no nonce went stale");
        }
        only_read(&atlas);
    }
}

/// Refusals of the whole run, each told in words that say what to do.
#[test]
fn a_refused_login_says_why() {
    type Set = fn(&Atlas);
    let cases: [(&str, Login, Set, &[&str]); 5] = [
        (
            "address",
            Login::ServiceAccount,
            |atlas| atlas.world().quirks.address_refused = true,
            &["access list"],
        ),
        (
            "wrong secret",
            Login::ServiceAccount,
            |atlas| atlas.world().logins.service_account.1 = "other".to_owned(),
            &["service account"],
        ),
        (
            "wrong key",
            Login::ApiKey,
            |atlas| atlas.world().logins.api_key.1 = "other".to_owned(),
            &["credential"],
        ),
        (
            "too many tokens",
            Login::ServiceAccount,
            |atlas| atlas.world().litter(MOST_TOKENS),
            &["100"],
        ),
        (
            "askew",
            Login::ServiceAccount,
            |atlas| atlas.world().quirks.clock = TimeDelta::minutes(-9),
            &["clock"],
        ),
    ];
    for (name, login, set, words) in cases {
        let atlas = Atlas::start(estate([orders()]));
        set(&atlas);
        let machine = Machine::of(&atlas, login);
        machine
            .place
            .write("keys.ndjson", &enabled(&[CURRENT, SPARE]));
        let collected = machine.collect("bundle", &[]);
        assert!(
            [2, 3, 4].contains(&collected.code),
            "{name}: {}",
            collected.stderr
        );
        let told = collected.stderr.to_lowercase().replace('_', " ");
        for word in words {
            assert!(told.contains(word), "{name}: {}", collected.stderr);
        }
        assert!(
            !collected.stderr.contains(MARK),
            "{name}: {}",
            collected.stderr
        );
        if machine.path("bundle/manifest.json").exists() {
            machine.ingest("bundle", 3);
            machine.ingest("keys.ndjson", 0);
            let spare = machine.check(SPARE);
            assert_eq!(spare.said(), "unknown 3", "{name}: {}", spare.document);
        }
    }
}

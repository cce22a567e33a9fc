//! Who may read what, and what happens to those who may not; what must not be sent, written or told.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::json;

use super::{CURRENT, SPARE, estate, only_read, orders, replica_set, taken};
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

/// What is a default for commands about one project would make the rest of the estate vanish.
#[test]
fn defaults_of_the_profile_narrow_nothing() {
    let mut foreign = Project::new(2, "foreign");
    foreign.org = id(0, 2);
    let atlas = Atlas::start(estate([orders(), foreign]));
    let mut machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.set("MONGODB_ATLAS_ORG_ID", &id(0, 1));
    machine.set("MONGODB_ATLAS_PROJECT_ID", &id(1, 1));
    machine.place.write(
        if cfg!(target_os = "macos") {
            "Library/Application Support/atlascli/config.toml"
        } else {
            ".config/atlascli/config.toml"
        },
        &format!(
            "[default]\norg_id = '{}'\nproject_id = '{}'\n",
            id(0, 1),
            id(1, 1)
        ),
    );
    let (code, collected) = machine.json(&["collect", "atlas", "--out", "bundle"]);
    assert_eq!(
        (code, &collected["projects"]),
        (0, &2.into()),
        "{collected}"
    );
    let manifest = machine.manifest("bundle");
    assert_eq!(manifest["scope"], json!({"all_visible": true}));
}

/// A private authority is that of `snapkey.toml`, else that of the profile; one that cannot be
/// used is named, and nothing is asked.
#[test]
fn an_authority_that_cannot_be_used_ends_the_run() {
    let atlas = Atlas::start(estate([orders()]));
    let mut machine = Machine::of(&atlas, Login::ServiceAccount);
    machine.set("MONGODB_ATLAS_OPS_MANAGER_CA_CERTIFICATE", "theirs.pem");
    let refused = machine.collect("bundle", &[]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let told = "cannot read `ops_manager_ca_certificate` `theirs.pem`";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    machine
        .place
        .write("snapkey.toml", "ca_file = \"ours.pem\"\n");
    let refused = machine.collect("bundle", &[]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    let told = "cannot read `ca_file` `";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(refused.stderr.contains("ours.pem"), "{}", refused.stderr);
    assert!(!machine.path("bundle").exists());
    assert!(atlas.log().is_empty());
}

/// An import that leaves projects incomplete says which, and what each lacks; files that are no
/// bundle never complete one, and that is nothing to be told.
#[test]
fn incomplete_projects_are_named_when_they_are_ingested() {
    let projects = (1..=5).map(|no| Project::new(no, &format!("team-{no}")));
    let mut projects: Vec<Project> = projects.collect();
    for project in &mut projects[..4] {
        project.role = Role::Nothing;
    }
    projects[0].role = Role::ReadOnly;
    let mut stuck = replica_set(1, "stuck");
    stuck.no_snapshots = Some((404, "CLUSTER_NOT_FOUND"));
    stuck.schedule = None;
    projects[0].clusters.push(stuck);
    let atlas = Atlas::start(estate(projects));
    let machine = Machine::of(&atlas, Login::ServiceAccount);
    assert_eq!(machine.collect("bundle", &[]).code, 3);
    let ran = machine.run(&["ingest", "bundle"]);
    assert_eq!(ran.code, 3);
    let told: Vec<&str> = ran.stderr.lines().collect();
    let [told] = told.as_slice() else {
        panic!("not one notice: {}", ran.stderr);
    };
    let begins = format!(
        "warning: 4 projects are incomplete, and no key of theirs is `safe`: `{}` (team-1): no backup \
         schedule of cluster `stuck`: answered 404 ",
        id(1, 1)
    );
    assert!(told.starts_with(&begins), "{told}");
    assert!(told.contains(", and 1 more gap; `"), "{told}");
    assert!(
        told.contains(&format!("`{}` (team-3): no ", id(1, 3))),
        "{told}"
    );
    assert!(!told.contains("team-4"), "{told}");
    assert!(told.ends_with(", and 1 more project"), "{told}");
    let quiet = machine.run(&["--quiet", "ingest", "bundle"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (3, ""));

    let row = r#"{"id": "66aa00020000000000000001", "name": "main", "clusterType": "REPLICASET"}"#;
    let page = format!(r#"{{"results": [{row}], "totalCount": 1}}"#);
    let page = machine.place.write("loose/clusters.json", &page);
    let loose = ["--store", "loose.db", "ingest", "--project", "p"];
    let ran = machine.run(&[&loose[..], &[page.to_str().unwrap()]].concat());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

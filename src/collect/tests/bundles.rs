//! What is written: private, whole or not at all, and without secrets.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::world::{Reply, World, cluster, paged, plan};
use crate::collect::{CollectError, Plan};
use crate::http::Failure;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        }
        found.push(path);
    }
}

fn all_files(world: &World) -> Vec<PathBuf> {
    let mut found = vec![world.out()];
    files(&world.out(), &mut found);
    found
}

#[cfg(unix)]
#[test]
fn nobody_but_the_owner_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    for made_before in [false, true] {
        let world = World::small();
        if made_before {
            fs::create_dir(world.out()).unwrap();
            fs::set_permissions(world.out(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        world.stop_after(5);
        world.run(plan()).unwrap_err();
        let half = all_files(&world);
        world.go_on();
        world.run(super::world::resumed()).unwrap();
        for path in half.into_iter().chain(all_files(&world)) {
            let Ok(meta) = fs::metadata(&path) else {
                continue;
            };
            let expected = if meta.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(
                meta.permissions().mode() & 0o777,
                expected,
                "{}",
                path.display()
            );
        }
    }
}

/// What every planted secret has in common.
const MARK: &str = "hunter2";

#[test]
fn no_secret_of_any_answer_reaches_the_disk() {
    let names = [
        "secretAccessKey",
        "secret",
        "serviceAccountKey",
        "accessKeyID",
        "clientID",
        "deliveryUrl",
        "downloadUrl",
        "token",
        "access_token",
        "clientSecret",
        "privateKey",
        "password",
        "sessionToken",
        "apiKey",
        "Authorization",
    ];
    let secret = |no: usize| format!("{MARK}-{no:02}-kY9+/Zq==");
    // In every object of every answer, as a text, in a list, and in an object.
    let plant = |body: &mut Value| {
        fn each(value: &mut Value, plant: &dyn Fn(&mut Map<String, Value>)) {
            match value {
                Value::Object(members) => {
                    members.values_mut().for_each(|member| each(member, plant));
                    plant(members);
                }
                Value::Array(items) => items.iter_mut().for_each(|item| each(item, plant)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        each(body, &|members| {
            for (no, name) in names.iter().enumerate() {
                let value = match no % 3 {
                    0 => json!(secret(no)),
                    1 => json!([secret(no), {"a": secret(no)}]),
                    _ => json!({"a": {"b": [secret(no)]}}),
                };
                members.insert((*name).to_owned(), value);
            }
            members.insert(
                "href".to_owned(),
                json!(format!("https://h/x?token={}", secret(0))),
            );
        });
    };
    let world = World::new();
    world
        .groups(&["p1"])
        .project("p1", &[cluster("a", "SHARDED")]);
    world.on(
        &paged("/groups/p1/clusters/a/backup/restoreJobs", 1),
        [Reply::error(403, "ROLE")],
    );
    world.change_bodies(plant);
    let collected = world.collect();
    assert_eq!(collected.gaps, []);
    let mut read = 0;
    for path in all_files(&world).iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        read += 1;
        let found = bytes
            .windows(MARK.len())
            .any(|window| window == MARK.as_bytes());
        assert!(!found, "{}", path.display());
    }
    assert!(read > 8);
    let settings = fs::read_to_string(world.out().join("pages/0002.json")).unwrap();
    assert!(settings.contains("customerMasterKeyID"), "{settings}");
}

#[test]
fn what_is_no_json_is_told_and_not_kept() {
    let world = World::small();
    world.on(
        "/groups/p1/clusters/a/backup/schedule",
        [Reply::Body(
            503,
            format!("<html>{MARK}</html>").into_bytes(),
        )],
    );
    let collected = world.collect();
    assert_eq!(collected.gaps.len(), 1);
    let told = collected.gaps[0].to_string();
    assert!(
        told.starts_with("backup schedule of cluster `a` in project `p1`: answered 503: the service failed (GET /api/atlas/v2/groups/p1/"),
        "{told}"
    );
    let manifest = world.manifest();
    let requests = manifest["requests"].as_array().unwrap();
    let schedule = requests
        .iter()
        .find(|r| r["path"].as_str().unwrap().ends_with("schedule"));
    assert_eq!(schedule.unwrap()["status"], 503);
    assert!(schedule.unwrap()["file"].is_null());
}

#[test]
fn an_answer_without_a_date_has_the_collectors() {
    let world = World::small();
    world.drop_dates();
    assert!(world.collect().is_complete());
    for request in world.manifest()["requests"].as_array().unwrap() {
        assert!(request["at"].is_string() && request["at"] == request["local_at"]);
    }
}

#[test]
fn a_disk_that_takes_no_more_is_an_error_that_says_what_was_not_done() {
    // The folder of pages goes while the second request is answered.
    let world = World::small();
    let body = json!({"results": [{"id": "p1"}]}).to_string().into_bytes();
    world.on(
        &paged("/groups", 1),
        [Reply::After(
            |out| fs::remove_dir_all(out.join("pages")).unwrap(),
            body,
        )],
    );
    let error = world.run(plan()).unwrap_err();
    assert!(matches!(error, CollectError::Write { .. }) && !error.is_usage());
    let told = error.to_string();
    assert!(
        told.starts_with("the bundle is not finished: cannot write `"),
        "{told}"
    );
    assert!(told.ends_with("bundle/pages/0001.json`"), "{told}");
    assert_eq!(world.manifest()["requests"], json!([]));

    // No folder can be made below a file.
    let world = World::small();
    fs::write(world.out(), "a file").unwrap();
    let error = world.run(plan()).unwrap_err();
    assert!(matches!(error, CollectError::Write { .. }), "{error}");
    assert_eq!(world.asked(), [""; 0]);
}

#[test]
fn without_a_login_the_run_ends_and_can_be_gone_on_with() {
    let world = World::small();
    let settings = "/groups/p1/encryptionAtRest";
    let login = Failure::Login("too many live tokens".to_owned());
    world.on(settings, [Reply::Failed(None, login)]);
    let error = world.run(plan()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bundle is not finished: no login: too many live tokens"
    );
    world.project("p1", &[cluster("a", "REPLICASET")]);
    world.forget_log();
    assert!(world.run(super::world::resumed()).unwrap().is_complete());
    assert_eq!(world.asked()[0], settings);
}

#[test]
fn what_cannot_be_asked_is_refused_before_anything_is_made() {
    use crate::model::Scope;
    let url = |text: &str| Plan {
        base_url: text.to_owned(),
        ..plan()
    };
    let scope = |scope| Plan { scope, ..plan() };
    let table = [
        (url("cloud.mongodb.com"), "is no address"),
        (
            url("https://me:hunter2@cloud.mongodb.com"),
            "carries credentials",
        ),
        (
            url("https://cloud.mongodb.com/?token=hunter2"),
            "carries a query",
        ),
        (scope(Scope::Org("..".to_owned())), "cannot be the id"),
        (
            scope(Scope::Projects(vec!["p1".to_owned(), String::new()])),
            "cannot be the id",
        ),
    ];
    for (plan, why) in table {
        let world = World::small();
        let error = world.run(plan).unwrap_err();
        assert!(
            error.is_usage() && error.to_string().contains(why),
            "{error}"
        );
        assert!(!error.to_string().contains(MARK), "{error}");
        assert!(!world.out().exists());
    }
}

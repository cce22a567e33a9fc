//! The commands of `docs/atlas.md`, run as they stand there.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;

use super::{CURRENT, estate, orders};
use crate::emulator::atlas::Atlas;
use crate::emulator::atlas::estate::{Role, id};
use crate::emulator::aws::{Aws, Key};
use crate::support::atlas::{Login, Machine};
use crate::support::cmd::{Ran, ran, repository};

/// The lines of the document that start so, without that.
fn lines(start: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("docs/atlas.md")).unwrap();
    let found = text.lines().filter_map(|line| line.strip_prefix(start));
    found
        .map(|line| line.trim().replace("ORG", &id(0, 1)))
        .collect()
}

/// Runs a line of a shell, which finds `snapkey` and no login but the machine's.
fn shell(machine: &Machine, line: &str) -> Ran {
    let folder = Path::new(env!("CARGO_BIN_EXE_snapkey")).parent().unwrap();
    let like = machine.command(&[]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line])
        .current_dir(machine.place.path())
        .env_clear()
        .envs(
            like.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    ran(shell.output().unwrap())
}

fn world() -> (Atlas, Aws) {
    let kms = Aws::start();
    kms.put(CURRENT, Key::in_state("Enabled"));
    (Atlas::start(estate([orders()])), kms)
}

#[test]
fn the_nightly_run_does_what_is_said_of_it() {
    let (atlas, kms) = world();
    let mut machine = Machine::of(&atlas, Login::ServiceAccount).with_aws(&kms);
    let home = machine.path("var");
    let here = |line: &str| line.replace("/var/lib/snapkey", home.to_str().unwrap());
    let [store] = lines("SNAPKEY_STORE=").try_into().unwrap();
    machine.set("SNAPKEY_STORE", &here(&store));
    let [job] = lines("15 2 * * *  snapkey  ").try_into().unwrap();
    let job = here(&job).replace(r"\%", "%");
    let night = shell(&machine, &job);
    assert_eq!(night.code, 0, "{job}: {night:?}");
    assert!(night.stdout.contains("restorable"), "{night:?}");
    assert!(home.join("snapkey.db").is_file());
    // The key is disabled, and the alarm goes off.
    kms.put(CURRENT, Key::in_state("Disabled"));
    std::fs::remove_dir_all(home.join("in")).unwrap();
    let night = shell(&machine, &job);
    assert_eq!(night.code, 1, "{night:?}");
    // A list is refused: neither yes nor no.
    kms.put(CURRENT, Key::in_state("Enabled"));
    std::fs::remove_dir_all(home.join("in")).unwrap();
    atlas.change(|estate| estate.projects[0].role = Role::Nothing);
    machine.set("SNAPKEY_STORE", home.join("new.db").to_str().unwrap());
    let night = shell(&machine, &job);
    assert_eq!(night.code, 3, "{night:?}");
}

#[test]
fn two_machines_need_only_what_is_said_of_them() {
    let (atlas, kms) = world();
    let here = Machine::of(&atlas, Login::ServiceAccount);
    let there = Machine::bare().with_aws(&kms);
    let steps = lines("here$ ");
    let [collect, transfer] = steps.as_slice() else {
        panic!("{steps:?}");
    };
    let collected = shell(&here, collect);
    assert_eq!(collected.code, 0, "{collect}: {collected:?}");
    let folder = transfer.split(' ').nth(2).unwrap();
    let to = there.path("in");
    std::fs::create_dir(&to).unwrap();
    let mut copy = Command::new("cp");
    let copied = copy.arg("-r").arg(here.path(folder)).arg(to).status();
    assert!(copied.unwrap().success());
    drop(atlas);
    let [audit] = lines("there$ ").try_into().unwrap();
    let audited = shell(&there, &audit);
    assert_eq!(audited.code, 0, "{audit}: {audited:?}");
}

//! Bundles with a flaw, a lie about their files, or of another kind: each is told, leaves a gap,
//! and takes nothing from what the store held before.

use serde_json::Value;

use crate::support::evidence::{CHECK_AS_OF, Copied, HELD, SAFE, UNKNOWN, base, unharmed};
use crate::support::stored;

/// A falsified copy of `fixtures/check`, its exit code and what is said.
type Falsified = (&'static str, fn(&Copied), i32, &'static [&'static str]);

const SNAPSHOTS: &str = "bundle/pages/orders-orders-prod-snapshots.json";

#[test]
fn a_bundle_with_a_flaw_is_a_bundle_with_a_gap() {
    let table: &[Falsified] = &[
        (
            "a file that is not there",
            |copy| std::fs::remove_file(copy.folder.join(SNAPSHOTS)).unwrap(),
            3,
            &[
                "orders-orders-prod-snapshots.json",
                "is missing",
                "requests[3]",
            ],
        ),
        (
            "a file outside the folder",
            |copy| {
                std::fs::rename(copy.folder.join(SNAPSHOTS), copy.folder.join("page.json"))
                    .unwrap();
                copy.request("orders-prod/backup/snapshots", |r| {
                    r["file"] = "../page.json".into()
                });
            },
            3,
            &["../page.json", "outside the bundle"],
        ),
        (
            "a file by its whole path",
            |copy| {
                let whole = copy.folder.join(SNAPSHOTS);
                let whole = whole.to_str().unwrap().to_owned();
                copy.request("orders-prod/backup/snapshots", |r| r["file"] = whole.into());
            },
            3,
            &["outside the bundle"],
        ),
        #[cfg(unix)]
        (
            "a file that is a link",
            |copy| {
                let page = copy.folder.join(SNAPSHOTS);
                let elsewhere = copy.place.path().join("elsewhere.json");
                std::fs::rename(&page, &elsewhere).unwrap();
                std::os::unix::fs::symlink(&elsewhere, &page).unwrap();
            },
            3,
            &["orders-orders-prod-snapshots.json", "a link"],
        ),
        (
            "the page of another cluster",
            |copy| {
                let other = copy
                    .folder
                    .join("bundle/pages/billing-billing-prod-snapshots.json");
                std::fs::copy(other, copy.folder.join(SNAPSHOTS)).unwrap();
            },
            3,
            &[
                "orders-orders-prod-snapshots.json",
                "another project or cluster",
            ],
        ),
        (
            "a page cut in the middle",
            |copy| {
                let page = std::fs::read(copy.folder.join(SNAPSHOTS)).unwrap();
                copy.write(SNAPSHOTS, &page[..page.len() / 2]);
            },
            3,
            &["orders-orders-prod-snapshots.json", "cut off"],
        ),
        (
            "an id that comes twice with different facts",
            |copy| {
                copy.edit(SNAPSHOTS, |page| {
                    let mut twin = page["results"][1].clone();
                    twin["expiresAt"] = "2026-11-02T00:00:00Z".into();
                    page["results"].as_array_mut().unwrap().push(twin);
                });
            },
            3,
            &["one id twice"],
        ),
        (
            "an empty row",
            |copy| {
                copy.edit(SNAPSHOTS, |page| {
                    page["results"]
                        .as_array_mut()
                        .unwrap()
                        .push(serde_json::json!({}));
                });
            },
            3,
            &["results[2]", "id"],
        ),
        (
            "clocks that differ",
            |copy| {
                copy.request("orders-prod/backup/snapshots", |r| {
                    r["local_at"] = "2026-11-01T02:41:00Z".into();
                });
            },
            3,
            &["clock-skew", "requests[3]"],
        ),
        (
            "an answer from tomorrow",
            |copy| {
                copy.request("orders-prod/backup/snapshots", |r| {
                    r["at"] = "2126-11-01T02:41:00Z".into();
                });
            },
            3,
            &["requests[3]", "ahead of now"],
        ),
        (
            "a request that is no object",
            |copy| {
                copy.edit("bundle/manifest.json", |manifest| {
                    manifest["requests"][3] = 7.into();
                });
            },
            3,
            &["requests[3]"],
        ),
    ];
    for (name, falsify, code, says) in table {
        let copy = Copied::of("check");
        falsify(&copy);
        let (exit, read) = copy.place.json(&["ingest", copy.arg()]);
        assert_eq!(exit, *code, "{name}: {read:#}");
        let said = format!("{}{}", read["rejected"], read["gaps"]);
        for word in *says {
            assert!(said.contains(word), "{name}: no {word} in {said}");
        }
        for key in [HELD, SAFE, UNKNOWN] {
            let (exit, check) = copy.place.json(&["--as-of", CHECK_AS_OF, "check", key]);
            assert_ne!(exit, 0, "{name}: {check:#}");
            assert_ne!(check["verdict"], "safe", "{name}");
        }
        // On top of the whole bundle nothing of it is lost.
        let place = base();
        place.run(&["ingest", copy.arg()]);
        unharmed(&place, name);
    }
}

/// A falsified copy of `fixtures/check`, and what is said of it.
type Refused = (&'static str, fn(&Copied), &'static str);

#[test]
fn a_bundle_that_is_none_is_refused_and_nothing_of_it_is_kept() {
    let table: &[Refused] = &[
        (
            "another format",
            |copy| {
                copy.edit("bundle/manifest.json", |m| {
                    m["format"] = "snapkey-bundle/2".into()
                })
            },
            "snapkey-bundle/2",
        ),
        (
            "no format",
            |copy| copy.edit("bundle/manifest.json", |m| m["format"] = Value::Null),
            "format",
        ),
        (
            "another source",
            |copy| copy.edit("bundle/manifest.json", |m| m["source"] = "tapes".into()),
            "tapes",
        ),
    ];
    for (name, falsify, says) in table {
        let copy = Copied::of("check");
        falsify(&copy);
        let place = base();
        let before = stored::read(&place.path().join("snapkey.db"));
        let ran = place.run(&["ingest", copy.arg()]);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (2, ""),
            "{name}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains(says), "{name}: {}", ran.stderr);
        let after = stored::read(&place.path().join("snapkey.db"));
        assert_eq!(before, after, "{name}");
    }
}

#[test]
fn sources_that_disagree_on_a_key_hold_both() {
    let place = base();
    let other = HELD.replace("4a9d2c61", "4a9d2c62");
    let copy = Copied::of("check");
    copy.edit(SNAPSHOTS, |page| {
        page["results"][1]["masterKeyUUID"] = other.as_str().into()
    });
    let ran = place.run(&["ingest", copy.arg()]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for key in [HELD, other.as_str()] {
        let (code, check) = place.json(&["--as-of", CHECK_AS_OF, "check", key]);
        assert_eq!((code, &check["verdict"]), (1, &"held".into()), "{key}");
    }
    let (code, audit) = place.json(&["--as-of", CHECK_AS_OF, "audit"]);
    assert_eq!(code, 1);
    let conflict = |finding: &Value| finding["code"] == "key-id-conflict";
    assert!(
        audit["findings"].as_array().unwrap().iter().any(conflict),
        "{audit:#}"
    );
}

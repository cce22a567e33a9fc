//! Evidence with one lie in it: whatever it is, no key becomes `safe` that was not, and no snapshot
//! `restorable` that was not.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::cmd::{Place, fixture};
use crate::support::evidence::{self, CHECK_AS_OF, Copied, HELD, SAFE, UNKNOWN, passed};

const MANIFEST: &str = "bundle/manifest.json";
const ORDERS: &str = "bundle/pages/orders-orders-prod-snapshots.json";
const CLUSTERS: &str = "bundle/pages/orders-clusters.json";
const SETTINGS: &str = "bundle/pages/orders-settings.json";
const SCHEDULE: &str = "bundle/pages/orders-orders-prod-schedule.json";

type Lie = (&'static str, fn(&Copied));

/// Lies about what was read. After each of them no key at all may be safe.
const LIES: &[Lie] = &[
    ("an error body said to be a 200", |copy| {
        copy.edit(ORDERS, |page| {
            *page = json!({"error": 500, "errorCode": "UNEXPECTED_ERROR", "detail": "x"});
        });
    }),
    ("an error in an envelope said to be a 200", |copy| {
        copy.edit(ORDERS, |page| {
            *page = json!({"status": 503, "content": {"results": []}})
        });
    }),
    ("an error body with rows", |copy| {
        copy.edit(ORDERS, |page| {
            *page = json!({"error": 500, "errorCode": "X", "results": []});
        });
    }),
    ("a page without its rows", |copy| {
        copy.edit(ORDERS, |page| *page = json!({}))
    }),
    ("rows that are null", |copy| {
        copy.edit(ORDERS, |page| page["results"] = Value::Null)
    }),
    ("rows that are an object", |copy| {
        copy.edit(ORDERS, |page| page["results"] = json!({}))
    }),
    ("a bare array for a page", |copy| {
        copy.edit(ORDERS, |page| *page = page["results"].clone());
    }),
    ("an empty file", |copy| copy.write(ORDERS, "")),
    ("a page of one project for that of another", |copy| {
        let other = copy.folder.join("bundle/pages/sandbox-clusters.json");
        std::fs::copy(other, copy.folder.join(CLUSTERS)).unwrap();
    }),
    ("the project list for a list of snapshots", |copy| {
        let other = copy.folder.join("bundle/pages/groups.json");
        std::fs::copy(other, copy.folder.join(ORDERS)).unwrap();
    }),
    ("the cluster list for a list of snapshots", |copy| {
        std::fs::copy(copy.folder.join(CLUSTERS), copy.folder.join(ORDERS)).unwrap();
    }),
    ("the settings of another project", |copy| {
        copy.request("1/encryptionAtRest", |r| {
            r["file"] = "pages/groups.json".into()
        });
    }),
    ("a renamed cluster", |copy| {
        copy.edit(CLUSTERS, |page| {
            page["results"][0]["name"] = "orders-prod-2".into()
        });
    }),
    ("a cluster that is sharded after all", |copy| {
        copy.edit(CLUSTERS, |page| {
            page["results"][0]["clusterType"] = "SHARDED".into()
        });
    }),
    ("a row that is sharded after all", |copy| {
        copy.edit(ORDERS, |page| {
            page["results"][0]["type"] = "shardedCluster".into()
        });
    }),
    ("the second page for the first", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["path"] = r["path"]
                .as_str()
                .unwrap()
                .replace("pageNum=1", "pageNum=2")
                .into();
        });
    }),
    ("a page that is full", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["path"] = r["path"].as_str().unwrap().replace("=500", "=2").into();
        });
    }),
    ("a page size of none", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["path"] = r["path"].as_str().unwrap().replace("=500", "=0").into();
        });
    }),
    ("a page size that nobody gives", |copy| {
        let rows: Vec<Value> = (0..500)
            .map(|n| {
                json!({"id": format!("6ae54ba06a6323f345c7{n:04x}"), "status": "queued",
                "type": "replicaSet", "createdAt": "2026-10-31T02:00:00Z",
                "expiresAt": "2026-12-31T02:00:00Z", "masterKeyUUID": HELD})
            })
            .collect();
        copy.edit(ORDERS, |page| page["results"] = rows.into());
        copy.request("orders-prod/backup/snapshots", |r| {
            r["path"] = r["path"].as_str().unwrap().replace("=500", "=1000").into();
        });
    }),
    ("a filter", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["path"] = format!("{}&completed=true", r["path"].as_str().unwrap()).into();
        });
    }),
    ("a list of the living alone", |copy| {
        copy.request("1/clusters", |r| {
            r["path"] = r["path"]
                .as_str()
                .unwrap()
                .replace("=true", "=false")
                .into();
        });
    }),
    ("an old version of the cluster list", |copy| {
        copy.request("1/clusters", |r| {
            r["accept"] = "application/vnd.atlas.2023-02-01+json".into();
        });
    }),
    ("a status of 206", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| r["status"] = 206.into());
    }),
    ("a status in words", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["status"] = "200".into()
        });
    }),
    ("no status", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["status"] = Value::Null
        });
    }),
    ("a 404 that was said once", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["status"] = 404.into();
            r["file"] = Value::Null;
        });
    }),
    ("a first pass said to be the second", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| r["pass"] = 2.into());
    }),
    ("a third pass", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| r["pass"] = 3.into());
    }),
    ("no file", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| r["file"] = Value::Null);
    }),
    ("a list from last night", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["at"] = "2026-10-31T02:35:10Z".into();
            r["local_at"] = "2026-10-31T02:35:10Z".into();
        });
    }),
    ("a list from after the question", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["at"] = "2026-11-01T03:00:01Z".into();
            r["local_at"] = "2026-11-01T03:00:01Z".into();
        });
    }),
    ("no time", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| r["at"] = Value::Null);
    }),
    ("a time without a zone", |copy| {
        copy.request("orders-prod/backup/snapshots", |r| {
            r["at"] = "2026-11-01T02:35:10".into()
        });
    }),
    ("settings from after the lists", |copy| {
        copy.request("1/encryptionAtRest", |r| {
            r["at"] = "2026-11-01T02:50:00Z".into();
            r["local_at"] = "2026-11-01T02:50:00Z".into();
        });
    }),
    ("a project list of another scope", |copy| {
        copy.edit(MANIFEST, |m| {
            m["scope"] = json!({"org": "65f0b1c2d3e4a59687780000"})
        });
    }),
    ("one more project", |copy| {
        copy.edit("bundle/pages/groups.json", |page| {
            let rows = page["results"].as_array_mut().unwrap();
            rows.push(json!({"id": "65f0b1c2d3e4a5968778a004", "name": "x"}));
        });
    }),
    ("a project without an id", |copy| {
        copy.edit("bundle/pages/groups.json", |page| {
            page["results"]
                .as_array_mut()
                .unwrap()
                .push(json!({"name": "x"}));
        });
    }),
    ("settings without a block", |copy| {
        copy.edit(SETTINGS, |page| *page = json!({}))
    }),
    ("a schedule of another cluster", |copy| {
        copy.edit(SCHEDULE, |page| page["clusterName"] = "billing-prod".into());
    }),
    ("an empty schedule", |copy| {
        copy.edit(SCHEDULE, |page| *page = json!({}))
    }),
];

#[test]
fn no_lie_about_what_was_read_makes_a_key_safe() {
    let whole = passed(&Place::new(), &fixture("check"), CHECK_AS_OF).unwrap();
    assert_eq!(whole.safe, BTreeSet::from([SAFE.to_owned()]));
    let mut wrong = Vec::new();
    for (name, lie) in LIES {
        let copy = Copied::of("check");
        lie(&copy);
        let Some(lied) = passed(&copy.place, &copy.folder, CHECK_AS_OF) else {
            continue;
        };
        if !lied.safe.is_empty() || !lied.restorable.is_subset(&whole.restorable) {
            wrong.push(format!("{name}: {lied:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_estate_that_has_aged_passes_nothing() {
    let place = Place::new();
    place.run(&["ingest", fixture("check").to_str().unwrap()]);
    for (as_of, inventory, checked) in [
        ("2026-11-01T03:35:00Z", true, true),
        ("2026-11-01T03:35:01Z", true, false),
        ("2026-11-02T02:35:00Z", true, false),
        ("2026-11-02T02:36:00Z", false, false),
        ("2027-11-02T02:35:01Z", false, false),
        // Before anything was read.
        ("2026-11-01T02:34:59Z", false, false),
        ("2020-01-01T00:00:00Z", false, false),
    ] {
        let (code, check) = place.json(&["--as-of", as_of, "check", SAFE]);
        assert_eq!(check["verdict"] == "safe", checked, "{as_of}: {check:#}");
        assert_eq!(code == 0, checked, "{as_of}");
        let (_, audit) = place.json(&["--as-of", as_of, "audit"]);
        let safe = audit["summary"]["keys"]["safe"].as_u64().unwrap();
        assert_eq!(safe > 0, inventory, "{as_of}");
        if !inventory {
            let restorable = audit["summary"]["snapshots"]["restorable"]
                .as_u64()
                .unwrap();
            assert_eq!(restorable, 0, "{as_of}");
        }
    }
}

/// Key answers on top of `fixtures/check` about the key of its one restorable `HELD` snapshot:
/// whether that may still be restorable.
#[test]
fn an_answer_that_says_less_than_enabled_restores_nothing() {
    let at = "2026-11-01T02:45:00Z";
    let table = [
        (json!({"key": HELD, "condition": "enabled", "at": at}), true),
        (
            json!({"key": HELD, "condition": "ENABLED", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "Enabled", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": " enabled", "at": at}),
            false,
        ),
        (json!({"key": HELD, "condition": "usable", "at": at}), false),
        (json!({"key": HELD, "condition": 1, "at": at}), false),
        (
            json!({"key": HELD, "condition": ["enabled"], "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "enabled", "deadline": at, "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "enabled", "deadline": "2026-11-01T02:59:00Z", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "enabled", "deadline": "soon", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "enabled", "deadline": "2026-10-01T00:00:00Z", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "unknown", "reason": "enabled", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "unknown", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "transient", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "disabled", "native": "Enabled", "at": at}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "pending-deletion", "at": at}),
            false,
        ),
        // At the second of the answer that says `enabled`: the worse counts.
        (
            json!({"key": HELD, "condition": "disabled", "at": "2026-11-01T02:40:00Z"}),
            false,
        ),
        (
            json!({"key": HELD, "condition": "disabled", "at": "2026-11-01T02:40:00.9Z"}),
            false,
        ),
        // Before it: the newer counts.
        (
            json!({"key": HELD, "condition": "disabled", "at": "2026-11-01T02:39:59Z"}),
            true,
        ),
        (
            json!({"key": HELD, "condition": "destroyed", "at": "2026-11-01T02:39:59Z"}),
            true,
        ),
        // In another offset: 02:45 in UTC.
        (
            json!({"key": HELD, "condition": "disabled", "at": "2026-11-01T08:15:00+05:30"}),
            false,
        ),
        // No key, or no time: rejected, and the old answer stands.
        (
            json!({"key": HELD, "condition": "disabled", "at": "2126-11-01T02:39:59Z"}),
            true,
        ),
        (
            json!({"key": "alias/orders", "condition": "disabled", "at": at}),
            true,
        ),
    ];
    for (answer, stands) in table {
        let place = Place::new();
        place.run(&["ingest", fixture("check").to_str().unwrap()]);
        let ran = place.feed(&["ingest", "-"], answer.to_string().as_bytes());
        assert!([0, 2, 3].contains(&ran.code), "{answer}: {}", ran.stderr);
        let (_, list) = place.json(&["--as-of", CHECK_AS_OF, "snapshots", "--key", HELD]);
        let rows = list["snapshots"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{answer}");
        let verdict = &rows[0]["verdict"];
        assert_eq!(verdict == "restorable", stands, "{answer}: {verdict}");
        let (_, check) = place.json(&["--as-of", CHECK_AS_OF, "check", HELD]);
        assert_eq!(check["verdict"], "held", "{answer}");
    }
}

/// Inventory lines on top of `fixtures/check` that may need the safe key: it is safe no more.
#[test]
fn a_line_that_may_need_a_key_makes_it_unsafe() {
    let at = "2026-11-01T02:45:00Z";
    let line = |more: Value| {
        let mut line = json!({"kind": "snapshot", "system": "tapes", "project": "vault",
            "cluster": "v", "id": "one", "status": "completed",
            "created_at": "2026-10-01T00:00:00Z", "keys": [SAFE], "at": at});
        for (name, value) in more.as_object().unwrap() {
            line[name] = value.clone();
        }
        line
    };
    let uuid = SAFE.rsplit('/').next().unwrap();
    let table = [
        line(json!({})),
        line(json!({"keys": SAFE})),
        line(json!({"keys": [uuid]})),
        line(json!({"keys": [uuid.to_uppercase()]})),
        line(json!({"keys": [format!(" {SAFE}")]})),
        line(json!({"keys": ["none", SAFE]})),
        line(json!({"keys": [SAFE.replace("key/", "key/mrk-")]})),
        line(json!({"keys": null})),
        line(json!({"keys": []})),
        line(json!({"keys": 7})),
        line(json!({"keys": ["???"]})),
        line(json!({"keys": ["NONE"]})),
        line(json!({"keys": ["x".repeat(100_000)]})),
        line(json!({"expires_at": "2026-10-31T00:00:00Z"})),
        line(json!({"expires_at": "2026-10-31T00:00:00Z", "keep": true})),
        line(json!({"expires_at": "2026-10-31T00:00:00Z", "keep": "yes"})),
        line(json!({"expires_at": "never"})),
        line(json!({"status": "queued", "keys": null})),
        line(json!({"status": "COMPLETED"})),
        line(json!({"status": 7})),
        line(json!({"status": null})),
        line(json!({"kind": "current-key"})),
        line(json!({"kind": "pit-window"})),
        line(json!({"kind": "download"})),
        line(json!({"kind": "restore-job"})),
        line(json!({"kind": "restore-job", "status": "COMPLETED"})),
    ];
    let mut wrong = Vec::new();
    for line in table {
        let place = Place::new();
        place.run(&["ingest", fixture("check").to_str().unwrap()]);
        let ran = place.feed(&["ingest", "-"], line.to_string().as_bytes());
        assert!([0, 2, 3].contains(&ran.code), "{line}: {}", ran.stderr);
        let (_, check) = place.json(&["--as-of", CHECK_AS_OF, "check", SAFE]);
        if check["verdict"] == "safe" {
            let line: String = line.to_string().chars().take(300).collect();
            wrong.push(format!("{line}\n{}{}", ran.stdout, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_key_that_is_unknown_stays_so_when_its_list_is_told_later() {
    // Its one snapshot expired at 02:00 and the list of 02:35:30 still shows it. A second bundle
    // that shows it no longer proves it gone only if it was read later, and whole.
    let copy = Copied::of("check");
    copy.edit("bundle/pages/billing-billing-prod-snapshots.json", |page| {
        let rows = page["results"].as_array_mut().unwrap();
        rows.retain(|row| row["id"] != "6add62a09d724f7488e76013");
        assert_eq!(rows.len(), 1);
    });
    let shift = |copy: &Copied, minutes: u32| {
        copy.edit(MANIFEST, |manifest| {
            for request in manifest["requests"].as_array_mut().unwrap() {
                for time in ["at", "local_at"] {
                    let text = request[time].as_str().unwrap();
                    let later = text.replace(":35:", &format!(":{minutes}:"));
                    request[time] = later.into();
                }
            }
        });
    };
    for (minutes, verdict) in [(34, "unknown"), (35, "unknown"), (50, "safe")] {
        let place = Place::new();
        place.run(&["ingest", fixture("check").to_str().unwrap()]);
        let later = Copied::of("check");
        crate::support::cmd::copy(&copy.folder, &later.folder);
        shift(&later, minutes);
        let ran = place.run(&["ingest", later.arg()]);
        assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
        let (_, check) = place.json(&["--as-of", CHECK_AS_OF, "check", UNKNOWN]);
        assert_eq!(check["verdict"], verdict, "at :{minutes}: {check:#}");
    }
}

/// A list of three pages, read twice: an unneeded key is safe only while every page is there, in
/// both passes, and is the page that it is said to be.
#[test]
fn a_list_of_several_pages_proves_nothing_unless_all_are_there_twice() {
    let unneeded = evidence::arn(77);
    let answer = json!({"key": unneeded, "condition": "enabled", "at": "2026-11-01T02:40:00Z"});
    let check = |lie: &dyn Fn(&Path, &mut Vec<Value>)| {
        let place = Place::new();
        let bundle = place.path().join("bundle");
        evidence::write_bundle(
            &bundle,
            "65f0b1c2d3e4a5968778b001",
            1_200,
            "2026-11-01T02:35:00Z",
        );
        let mut manifest = evidence::read(&bundle.join("manifest.json"));
        lie(&bundle, manifest["requests"].as_array_mut().unwrap());
        std::fs::write(bundle.join("manifest.json"), manifest.to_string()).unwrap();
        let ran = place.run(&["ingest", "bundle"]);
        assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
        assert_eq!(
            place
                .feed(&["ingest", "-"], answer.to_string().as_bytes())
                .code,
            0
        );
        let (code, check) = place.json(&["--as-of", CHECK_AS_OF, "check", &unneeded]);
        (code, check["verdict"].as_str().unwrap().to_owned())
    };
    let is = |request: &Value, page: u32, pass: u32| {
        let path = request["path"].as_str().unwrap();
        path.contains(&format!("pageNum={page}&")) && request["pass"] == pass
    };
    assert_eq!(check(&|_, _| {}), (0, "safe".to_owned()));
    for page in 1..=3 {
        for pass in 1..=2 {
            let told = format!("page {page} of pass {pass}");
            let unknown = (3, "unknown".to_owned());
            let left_out = check(&|_, requests| requests.retain(|r| !is(r, page, pass)));
            assert_eq!(left_out, unknown, "{told} left out");
            let failed = check(&|_, requests| {
                let found = requests.iter_mut().find(|r| is(r, page, pass)).unwrap();
                found["status"] = 500.into();
            });
            assert_eq!(failed, unknown, "{told} failed");
            let other = check(&|_, requests| {
                let found = requests.iter_mut().find(|r| is(r, page, pass)).unwrap();
                found["file"] = format!("pages/snapshots-{}.json", page % 3 + 1).into();
            });
            assert_eq!(other, unknown, "{told} is another");
        }
        let other = check(&|_, requests| {
            for request in requests.iter_mut() {
                if is(request, page, 1) || is(request, page, 2) {
                    let other = if page == 1 { 2 } else { 1 };
                    request["file"] = format!("pages/snapshots-{other}.json").into();
                }
            }
        });
        assert_eq!(
            other,
            (3, "unknown".to_owned()),
            "page {page} is another in both passes"
        );
    }
    let once = check(&|_, requests| {
        for request in requests.iter_mut() {
            request.as_object_mut().unwrap().remove("pass");
        }
    });
    assert_eq!(once, (3, "unknown".to_owned()), "no pass is the second");
    let aged = check(&|_, requests| {
        let found = requests.iter_mut().find(|r| is(r, 2, 2)).unwrap();
        found["at"] = "2026-11-01T01:59:59Z".into();
        found["local_at"] = "2026-11-01T01:59:59Z".into();
    });
    assert_eq!(
        aged,
        (3, "unknown".to_owned()),
        "one page is older than an hour"
    );
    let changed = check(&|bundle, requests| {
        let mut page = evidence::read(&bundle.join("pages/snapshots-2.json"));
        page["results"][0]["id"] = "65f0b1c2d3e4a5968778b0ffffffffff".into();
        std::fs::write(bundle.join("pages/again.json"), page.to_string()).unwrap();
        let found = requests.iter_mut().find(|r| is(r, 2, 2)).unwrap();
        found["file"] = "pages/again.json".into();
    });
    assert_eq!(changed, (3, "unknown".to_owned()), "the list moved");
}

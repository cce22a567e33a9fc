//! `fixtures/check`: one bundle, three keys, three answers; and whatever single request is taken
//! out of the bundle, no key is safe.

use serde_json::Value;

use crate::support::cmd::{Place, copy, fixture};
use crate::support::evidence::{CHECK_AS_OF as AS_OF, HELD, SAFE, UNKNOWN, base};

fn check(place: &Place, key: &str) -> (i32, Value) {
    place.json(&["--offline", "--as-of", AS_OF, "check", key])
}

#[test]
fn three_keys_three_answers() {
    let place = base();
    for (key, verdict, code) in [
        (HELD, "held", 1),
        (SAFE, "safe", 0),
        (UNKNOWN, "unknown", 3),
    ] {
        let (exit, document) = check(&place, key);
        assert_eq!(document["verdict"], verdict, "{document:#}");
        assert_eq!(
            (exit, document["exit_code"].as_i64()),
            (code, Some(i64::from(code))),
            "{key}"
        );
    }
}

#[test]
fn without_any_one_request_no_key_is_safe() {
    let whole = std::fs::read_to_string(fixture("check/bundle/manifest.json")).unwrap();
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let n = whole["requests"].as_array().unwrap().len();
    assert!(n >= 10, "only {n} requests");
    for left_out in 0..n {
        let place = Place::new();
        let folder = place.path().join("evidence");
        copy(&fixture("check"), &folder);
        let mut manifest = whole.clone();
        let requests = manifest["requests"].as_array_mut().unwrap();
        let request = requests.remove(left_out);
        std::fs::write(folder.join("bundle/manifest.json"), manifest.to_string()).unwrap();
        let ran = place.run(&["ingest", folder.to_str().unwrap()]);
        assert!(
            ran.code == 0 || ran.code == 3,
            "{}: {}",
            request["path"],
            ran.stderr
        );
        for key in [HELD, SAFE, UNKNOWN] {
            let (code, document) = check(&place, key);
            assert_ne!(
                document["verdict"], "safe",
                "without {}: {key}",
                request["path"]
            );
            assert_ne!(code, 0, "without {}: {key}", request["path"]);
        }
    }
}

//! How lists end: pages until a short one, a second pass where there are several, and services
//! that page badly or not at all.

use serde_json::{Value, json};

use super::world::{Reply, World, gaps, paged, snapshots};
use crate::http::Failure;

const LIST: &str = "/groups/p1/clusters/a/backup/snapshots";

/// Requests for the list, as page and pass.
fn asked(world: &World) -> Vec<(u32, u64)> {
    let manifest = world.manifest();
    let requests = manifest["requests"].as_array().unwrap().iter();
    requests
        .filter_map(|request| {
            let path = request["path"].as_str().unwrap();
            let rest = path.strip_prefix(&format!("/api/atlas/v2{LIST}?pageNum="))?;
            let page = rest.split('&').next().unwrap().parse().unwrap();
            Some((page, request["pass"].as_u64().unwrap_or(1)))
        })
        .collect()
}

#[test]
fn pages_end_at_a_short_one_and_several_are_read_twice() {
    // (rows of the pages, requests)
    type Row<'a> = (&'a [u32], &'a [(u32, u64)]);
    let table: [Row<'_>; 4] = [
        (&[0], &[(1, 1)]),
        (&[499], &[(1, 1)]),
        (&[500, 0], &[(1, 1), (2, 1), (1, 2), (2, 2)]),
        (
            &[500, 500, 3],
            &[(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2)],
        ),
    ];
    for (sizes, expected) in table {
        let world = World::small();
        let mut from = 0;
        for (page, size) in (1..).zip(sizes) {
            world.on(&paged(LIST, page), [Reply::rows(&snapshots(from, *size))]);
            from += size;
        }
        let collected = world.collect();
        assert_eq!(gaps(&collected), [], "{sizes:?}");
        assert_eq!(asked(&world), expected, "{sizes:?}");
    }
}

#[test]
fn lists_that_cannot_be_trusted_are_named() {
    let full = || snapshots(0, 500);
    let rows = |rows: &[Value]| vec![Reply::rows(rows)];
    let failed = |status, failure| vec![Reply::Failed(status, failure)];
    let next = |rows: &[Value]| {
        vec![Reply::ok(
            &json!({"links": [{"rel": "next", "href": "http://elsewhere/?pageNum=7"}], "results": rows}),
        )]
    };
    // (name, answers to pages 1, 2 and 3, how the gap is told)
    type Row = (&'static str, [Vec<Reply>; 3], Option<&'static str>);
    let table: Vec<Row> = vec![
        (
            "two passes that differ",
            [
                rows(&full()),
                vec![
                    Reply::rows(&snapshots(500, 2)),
                    Reply::rows(&snapshots(501, 2)),
                ],
                vec![],
            ],
            Some("moved while it was read: two passes show different rows"),
        ),
        (
            "a row on two pages",
            [rows(&full()), rows(&snapshots(499, 2)), vec![]],
            Some("moved while it was read: two passes show different rows"),
        ),
        (
            "every page the same",
            [rows(&full()), rows(&full()), rows(&full())],
            Some("page 2: is the same as the page before: the service does not page"),
        ),
        (
            "a page that fails",
            [
                rows(&full()),
                vec![Reply::error(500, "UNEXPECTED_ERROR")],
                vec![],
            ],
            Some("page 2: answered 500 UNEXPECTED_ERROR"),
        ),
        (
            "a second pass that fails",
            [
                rows(&full()),
                vec![Reply::rows(&[]), Reply::Failed(None, Failure::TimedOut(30))],
                vec![],
            ],
            Some("second pass, page 2: no answer within 30 s"),
        ),
        (
            "a body cut off",
            [
                failed(Some(200), Failure::Cut("unexpected end".to_owned())),
                vec![],
                vec![],
            ],
            Some("the answer broke off: unexpected end"),
        ),
        (
            "no page at all",
            [vec![Reply::ok(&json!({"id": "x"}))], vec![], vec![]],
            Some("answered 200, and the answer has no `results`"),
        ),
        (
            "an error with rows",
            [
                vec![Reply::ok(&json!({"results": [], "errorCode": "X"}))],
                vec![],
                vec![],
            ],
            Some("answered 200, and the answer says of itself that it is an error"),
        ),
        (
            "an array",
            [vec![Reply::ok(&json!([1]))], vec![], vec![]],
            Some("answered 200, and the answer cannot be read as a page"),
        ),
        (
            "an error with status 200",
            [
                vec![Reply::Body(
                    200,
                    br#"{"error":403,"errorCode":"X","reason":"r"}"#.to_vec(),
                )],
                vec![],
                vec![],
            ],
            Some(
                "answered 403 X: the credential lacks a role for this, or its API access list does not have this machine's address",
            ),
        ),
        (
            "fewer than asked for, and rows behind",
            [
                next(&snapshots(0, 100)),
                next(&snapshots(100, 100)),
                rows(&[]),
            ],
            Some(
                "has rows behind a page that was not full: the service gives fewer than it is asked for",
            ),
        ),
        (
            "a lying next link",
            [next(&snapshots(0, 3)), rows(&[]), vec![]],
            None,
        ),
        (
            "a clock that is off",
            [
                vec![Reply::Dated(
                    -301,
                    json!({"results": []}).to_string().into_bytes(),
                )],
                vec![],
                vec![],
            ],
            Some(
                "was answered more than five minutes away from this machine's clock (`clock-skew`)",
            ),
        ),
        (
            "a clock that is a little off",
            [
                vec![Reply::Dated(
                    300,
                    json!({"results": []}).to_string().into_bytes(),
                )],
                vec![],
                vec![],
            ],
            None,
        ),
        (
            "once wrong, then right",
            [
                vec![Reply::ok(&json!({})), Reply::rows(&[])],
                vec![],
                vec![],
            ],
            None,
        ),
        (
            "rows without an id",
            [rows(&[json!({"type": "replicaSet"})]), vec![], vec![]],
            Some("has 1 rows that cannot be used"),
        ),
    ];
    for (name, pages, expected) in table {
        let world = World::small();
        for (page, replies) in (1..).zip(pages) {
            if !replies.is_empty() {
                world.on(&paged(LIST, page), replies);
            }
        }
        let collected = world.collect();
        let expected: Vec<(String, String)> = expected
            .map(|told| (LIST.to_owned(), told.to_owned()))
            .into_iter()
            .collect();
        assert_eq!(gaps(&collected), expected, "{name}");
    }
}

#[test]
fn what_a_failed_list_showed_is_kept() {
    let world = World::small();
    world.pages(LIST, &[&snapshots(0, 500)]);
    world.on(
        &paged(LIST, 2),
        [Reply::Failed(Some(502), Failure::Cut("reset".to_owned()))],
    );
    let collected = world.collect();
    assert_eq!(
        gaps(&collected),
        [(
            LIST.to_owned(),
            "page 2: the answer broke off: reset".to_owned()
        )]
    );
    let manifest = world.manifest();
    let requests = manifest["requests"].as_array().unwrap().iter();
    let of_list: Vec<_> = requests
        .filter(|request| {
            request["path"]
                .as_str()
                .unwrap()
                .contains("/backup/snapshots")
        })
        .map(|request| {
            (
                request["status"].clone(),
                request["file"].is_string(),
                request["failure"].clone(),
            )
        })
        .collect();
    assert_eq!(
        of_list,
        [
            (json!(200), true, Value::Null),
            (json!(502), false, json!("the answer broke off: reset")),
        ]
    );
}

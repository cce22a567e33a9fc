//! What is no plan is refused, and says what it is and how to make one.

use std::io::{self, Read};

use serde_json::json;

use super::{fixture, plan_with};
use crate::terraform::{PlanError, read, read_within};

fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes, "p").unwrap_err();
    assert!(error.is_usage(), "{error}");
    error.to_string()
}

#[test]
fn what_is_no_plan_says_what_it_is() {
    let deep = format!(
        r#"{{"format_version":"1.2","configuration":{}{},"resource_changes":[]}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("{}".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    let table: [(&[u8], &str); 24] = [
        (b"", "`p` is empty"),
        (b"PK\x03\x04\x14\0\x08\0", "`p` is the binary plan file"),
        (&utf16, "`p` is UTF-16"),
        (b"\xfe\xff\0{\0}", "`p` is UTF-16"),
        (b"{\0}\0", "`p` is UTF-16"),
        (b"\0{\0}", "`p` is UTF-16"),
        (b"Terraform will perform the following actions:\n", "`p` is not JSON: expected value"),
        (b"[command]/usr/bin/terraform show -json plan\n{}", "`p` is not JSON: line 1, column "),
        (
            b"{\"@level\":\"info\",\"@message\":\"Terraform 1.9.8\",\"type\":\"version\"}\n{\"@level\":\"info\"}\n",
            "`p` is the log of `plan -json`",
        ),
        (b"{\"format_version\":\"1.0\",\"values\":{\"root_module\":{}}}", "`p` is a state"),
        (
            b"{\"version\":4,\"serial\":7,\"lineage\":\"x\",\"resources\":[]}",
            "`p` is a state",
        ),
        (b"{\"format_version\":\"1.0\"}", "neither `resource_changes` nor `planned_values`"),
        (b"{\"resource_changes\":[]}", "it has no `format_version`"),
        (b"{\"format_version\":1.2,\"resource_changes\":[]}", "it has no `format_version`"),
        (b"{}", "it has no `format_version`"),
        (b"{\"format_version\":\"2.0\",\"resource_changes\":[]}", "format version `2.0`, and only 0 and 1"),
        (b"{\"format_version\":\"10.0\",\"resource_changes\":[]}", "format version `10.0`"),
        (b"{\"format_version\":\"1.2\",\"resource_changes\":[", "`p` is cut off"),
        (b"  ", "`p` is cut off"),
        (b"{\"format_version\":\"1.2\",\"resource_changes\":[]} {}", "not JSON: trailing characters"),
        (b"{\"format_version\":\"1.2\",\"resource_changes\":{}}", "not JSON: line 1, column "),
        (b"{\"format_version\":\"1.2\",\"resource_changes\":[\"hunter2\"]}", "not JSON: line 1, column "),
        (b"{\"resource_changes\":[],\"resource_changes\":[]}", "or has it twice"),
        (deep.as_bytes(), "recursion limit exceeded"),
    ];
    for (bytes, says) in table {
        let said = refusal(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        assert!(said.contains(says), "{shown}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn the_hint_names_the_command() {
    for bytes in [
        b"".as_slice(),
        b"PK\x03\x04",
        b"{\0}\0",
        b"plan",
        b"{\"format_version\":\"1.0\"}",
    ] {
        let said = refusal(bytes);
        assert!(said.contains("`terraform show -json PLANFILE"), "{said}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let plan = fixture("aws_kms_key/delete-root.json");
    let marked = format!("\u{feff}{plan}");
    assert_eq!(
        read(marked.as_bytes(), "p").unwrap(),
        read(plan.to_string().as_bytes(), "p").unwrap()
    );
}

#[test]
fn a_plan_cut_anywhere_is_refused() {
    for path in ["aws_kms_key/replace-nested.json", "plan/deferred.json"] {
        let whole = fixture(path).to_string();
        for length in 0..whole.len() {
            let said = refusal(&whole.as_bytes()[..length]);
            assert!(
                said.contains("cut off") || said.contains("is empty"),
                "{length}: {said}"
            );
        }
        read(whole.as_bytes(), "p").unwrap();
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    for twice in [
        r#""type":"aws_s3_bucket","type":"aws_kms_key""#,
        r#""mode":"data","mode":"managed","type":"aws_kms_key""#,
        r#""type":"aws_kms_key","change":{},"change":{}"#,
        r#""address":"a","address":"b""#,
    ] {
        let said = refusal(
            format!(r#"{{"format_version":"1.2","resource_changes":[{{{twice}}}]}}"#).as_bytes(),
        );
        assert!(said.contains("twice"), "{said}");
    }
}

#[test]
fn a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let plan = plan_with(&json!([])).to_string();
    let size = u64::try_from(plan.len()).unwrap();
    read_within(plan.as_bytes(), "p", size).unwrap();
    let error = read_within(plan.as_bytes(), "p", size - 1).unwrap_err();
    assert!(matches!(error, PlanError::TooLarge { .. }), "{error}");
    assert!(error.is_usage());

    // What never ends is given up.
    let error = read_within(io::repeat(b' '), "p", 3 << 20).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`p` is larger than 3 MiB, and was not read"
    );
}

#[test]
fn a_read_that_fails_is_not_the_fault_of_the_plan() {
    struct Broken(&'static [u8]);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::other("the disk is gone"));
            }
            self.0.read(buffer)
        }
    }

    for start in [b"".as_slice(), b"{\"format_version\":"] {
        let error = read(Broken(start), "p").unwrap_err();
        assert!(
            matches!(error, PlanError::Io { .. }) && !error.is_usage(),
            "{error}"
        );
        assert_eq!(error.to_string(), "could not read `p`");
    }
}

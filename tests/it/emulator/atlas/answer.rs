//! What is answered before any fault is done to it: objects, pages and errors in the service's
//! wire format.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Quirks;

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// An answer with a body of this media type.
    pub(super) fn new(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", media.to_owned())],
            body: body.into(),
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// In the version that was asked for, as `Content-Type` repeats it.
    pub(super) fn versioned(version: &str, body: &Value) -> Self {
        let media = format!("application/vnd.atlas.{version}+json;charset=utf-8");
        Self::new(200, &media, body.to_string())
    }

    /// An error as the API words it; `parameters` mixes texts and numbers.
    pub(super) fn error(status: u16, code: &str, detail: &str, parameters: Value) -> Self {
        let body = json!({
            "detail": detail,
            "error": status,
            "errorCode": code,
            "parameters": parameters,
            "reason": reason(status),
        });
        Self::json(status, &body).with("X-Error-Code", code)
    }

    /// The body of every 401, pretty-printed: challenge, wrong key and missing role look the same.
    pub(super) fn unauthorized() -> Self {
        let body = json!({
            "error": 401,
            "reason": reason(401),
            "detail": "You are not authorized for this resource.",
            "errorCode": "UNEXPECTED_ERROR",
        });
        Self::new(401, "application/json", format!("{body:#}"))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// What stands on every answer.
    #[must_use]
    pub(super) fn stamped(mut self, now: DateTime<Utc>, quirks: &Quirks) -> Self {
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        self.headers.push(("date", date));
        if quirks.deprecated {
            self = self
                .with("Deprecation", "Fri, 1 Jan 2027 00:00:00 GMT")
                .with("Sunset", "Thu, 1 Jul 2027 00:00:00 GMT");
        }
        if let Some(left) = quirks.rate_left {
            self = self
                .with("Ratelimit-Limit", "1200")
                .with("Ratelimit-Remaining", &left.to_string());
        }
        self
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        410 => "Gone",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// A part of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// From 1.
    pub(super) number: usize,
    pub(super) size: usize,
    pub(super) count: bool,
}

/// A page of a list of so many rows in its frame. `at` is the list's path with its query but for
/// paging; only the rows on the page are made.
pub(super) fn page(
    count: usize,
    row: impl Fn(usize) -> Value,
    page: Page,
    at: &str,
    quirks: &Quirks,
) -> Value {
    let from = count.min((page.number - 1).saturating_mul(page.size));
    let to = count.min(from.saturating_add(page.size));
    let link = |rel: &str, number: usize| {
        let joint = if at.contains('?') { '&' } else { '?' };
        let size = page.size;
        let href = format!(
            "{}{at}{joint}pageNum={number}&itemsPerPage={size}",
            quirks.host
        );
        json!({"href": href, "rel": rel})
    };
    let counted = page.count && !quirks.uncounted;
    let mut links = vec![link("self", page.number)];
    if counted && to < count {
        links.push(link("next", page.number + 1));
    }
    if page.number > 1 {
        links.push(link("previous", page.number - 1));
    }
    let total = if counted { count } else { 0 };
    let rows: Vec<Value> = (from..to).map(row).collect();
    json!({"links": links, "results": rows, "totalCount": total})
}

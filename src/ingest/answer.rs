//! One answer of the API as a document: a page whose frame is known before its rows are handed
//! out, an object (out of its envelope, if it came in one), or an error.

use std::io::{self, Read};

use super::node::Node;
use super::owner::Owner;
use super::split::{Item, Splitter};
use super::wire::PageFrame;

/// A document other than a page.
#[derive(Debug, PartialEq)]
pub(super) enum Document {
    /// `{"error": …, "errorCode": …}`, or an envelope with a status other than 200.
    Error {
        status: u16,
        code: Option<String>,
    },
    Object(Node),
    /// Neither object nor array, or nothing at all.
    Scalar,
}

/// What stands at the start of a paged answer.
pub(super) enum PageOpen {
    /// Rows follow. The frame is complete as far as `links` go.
    Rows(Box<PageFrame>),
    Array,
    Other(Document),
}

/// Opens a page. Whose it is may stand behind its rows: then the answer is opened `again` and
/// skimmed first.
pub(super) fn open_page<R: Read, A: Read>(
    splitter: &mut Splitter<R>,
    again: impl FnOnce() -> io::Result<A>,
) -> Result<PageOpen, String> {
    match splitter.next_item().map_err(|cut| cut.to_string())? {
        Some(Item::Page { head }) => {
            let mut frame = PageFrame::default();
            frame.head(head);
            if !frame.linked {
                frame = skim(again().map_err(|error| error.to_string())?);
            }
            Ok(PageOpen::Rows(Box::new(frame)))
        }
        Some(Item::Array) => Ok(PageOpen::Array),
        Some(Item::Value(bytes)) => Ok(PageOpen::Other(classify(Node::read(bytes)?))),
        None => Ok(PageOpen::Other(Document::Scalar)),
    }
}

/// The frame of the page that a stream starts with, as far as it can be read.
pub(super) fn skim(input: impl Read) -> PageFrame {
    let mut frame = PageFrame::default();
    let Ok(mut splitter) = Splitter::new(input) else {
        return frame;
    };
    if let Ok(Some(Item::Page { head })) = splitter.next_item() {
        frame.head(head);
    }
    while let Ok(Some(_)) = splitter.next_row() {}
    if let Ok(tail) = splitter.tail() {
        frame.tail(tail);
    }
    frame
}

/// Reads an answer that is one object.
pub(super) fn document(input: impl Read) -> Result<Document, String> {
    let text = |cut: super::split::Cut| cut.to_string();
    let mut splitter = Splitter::new(input).map_err(text)?;
    let document = match splitter.next_item().map_err(text)? {
        Some(Item::Value(bytes)) => classify(Node::read(bytes)?),
        Some(Item::Page { .. }) => return Err("is a page where an object is expected".to_owned()),
        Some(Item::Array) => return Err("is an array where an object is expected".to_owned()),
        None => return Ok(Document::Scalar),
    };
    if splitter.next_item().map_err(text)?.is_some() {
        return Err("holds more than one document".to_owned());
    }
    Ok(document)
}

/// Takes a document out of its envelope and tells errors apart.
pub(super) fn classify(node: Node) -> Document {
    if !matches!(node, Node::Object(_)) {
        return Document::Scalar;
    }
    if let Some(error) = error_of(&node) {
        return error;
    }
    let status = node.get("status").and_then(Node::as_status);
    let (Some(status), Some(content)) = (status, node.get("content")) else {
        return Document::Object(node);
    };
    if status != 200 {
        let code = content.get("errorCode").and_then(Node::as_text);
        return Document::Error {
            status,
            code: code.map(str::to_owned),
        };
    }
    match content {
        Node::Object(_) => error_of(content).unwrap_or_else(|| Document::Object(content.clone())),
        Node::Null | Node::Bool(_) | Node::Number(_) | Node::Text(_) | Node::List(_) => {
            Document::Scalar
        }
    }
}

/// An error body: `error` is the status and `errorCode` a word ("Error" of the Atlas API).
fn error_of(node: &Node) -> Option<Document> {
    let status = node.get("error").and_then(Node::as_status)?;
    let code = node.get("errorCode").and_then(Node::as_text);
    if code.is_none() && !node.has("reason") && !node.has("detail") {
        return None;
    }
    Some(Document::Error {
        status,
        code: code.map(str::to_owned),
    })
}

/// Who an object's own `links` say it belongs to; `None` if they contradict each other.
pub(super) fn owner_of(node: &Node) -> Option<Owner<'_>> {
    let mut owner = Owner::default();
    let links = node
        .get("links")
        .and_then(Node::as_list)
        .unwrap_or_default();
    for link in links {
        if let Some(href) = link.get("href").and_then(Node::as_text)
            && !owner.merge(Owner::of(href))
        {
            return None;
        }
    }
    Some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_apart() {
        let error = |status, code: Option<&str>| Document::Error {
            status,
            code: code.map(str::to_owned),
        };
        let object = |json: &str| Document::Object(Node::read(json.as_bytes()).unwrap());
        let table = [
            (
                r#"{"error":404,"errorCode":"CLUSTER_NOT_FOUND"}"#,
                error(404, Some("CLUSTER_NOT_FOUND")),
            ),
            (r#"{"error":401,"reason":"Unauthorized"}"#, error(401, None)),
            (
                r#"{"status":404,"content":{"errorCode":"X"}}"#,
                error(404, Some("X")),
            ),
            (
                r#"{"status":200,"content":{"error":500,"errorCode":"X"}}"#,
                error(500, Some("X")),
            ),
            (r#"{"status":200,"content":{"a":1}}"#, object(r#"{"a":1}"#)),
            (
                r#"{"status":"completed","id":"s"}"#,
                object(r#"{"status":"completed","id":"s"}"#),
            ),
            (r#"{"error":7}"#, object(r#"{"error":7}"#)),
            ("{}", object("{}")),
            ("null", Document::Scalar),
            ("", Document::Scalar),
        ];
        for (json, expected) in table {
            assert_eq!(document(json.as_bytes()).unwrap(), expected, "{json}");
        }
        for json in ["[]", r#"{"results":[]}"#, "{}{}", "{", r#"{"a":tru}"#] {
            assert!(document(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn whose_a_page_is_is_known_before_its_rows() {
        for json in [
            r#"{"links":[{"rel":"self","href":"/api/atlas/v2/groups/g/clusters"}],"results":[{"id":"c"}]}"#,
            r#"{"results":[{"id":"c"}],"links":[{"rel":"self","href":"/api/atlas/v2/groups/g/clusters"}]}"#,
        ] {
            let mut splitter = Splitter::new(json.as_bytes()).unwrap();
            let PageOpen::Rows(frame) = open_page(&mut splitter, || Ok(json.as_bytes())).unwrap()
            else {
                panic!("{json}");
            };
            assert_eq!(frame.owner.group.as_deref(), Some("g"));
            assert!(splitter.next_row().unwrap().is_some());
        }
    }
}

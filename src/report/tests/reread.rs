//! Every format read back by somebody else's parser: the shape of what was written, and the texts
//! in it. A document that is not valid ends the test.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else a parser finds in a document is a failure"
)]

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use quick_xml::events::Event as Xml;
use serde_json::Value;

use super::*;

/// What somebody else's parser makes of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    /// Rows, elements, members: whatever the names in them.
    pub(super) shape: Vec<String>,
    /// The texts, as they were before they were escaped for the format.
    pub(super) texts: Vec<String>,
}

pub(super) fn reread(style: Style, text: &str) -> Document {
    let mut document = Document::default();
    match style {
        Style::Plain(Format::Table) => {
            document.shape = text.lines().map(|_| String::new()).collect();
            document.texts.push(text.to_owned());
        }
        Style::Plain(Format::Csv) => csv(text, &mut document),
        Style::Plain(Format::Json) | Style::Sarif | Style::Cbom => {
            json_value(&json(text), &mut document);
        }
        Style::Markdown => markdown(text, &mut document),
        Style::Junit => xml(text, &mut document),
        Style::Github => {
            for line in text.lines() {
                annotation(line, &mut document);
            }
        }
        Style::Prometheus => prometheus(text, &mut document),
    }
    document
}

fn csv(text: &str, document: &mut Document) {
    assert!(text.ends_with("\r\n"), "{text}");
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record.unwrap();
        document.shape.push(record.len().to_string());
        document.texts.extend(record.iter().map(str::to_owned));
    }
}

fn json_value(value: &Value, document: &mut Document) {
    match value {
        Value::String(text) => document.texts.push(text.clone()),
        Value::Array(all) => {
            document.shape.push("[".to_owned());
            for value in all {
                json_value(value, document);
            }
            document.shape.push("]".to_owned());
        }
        Value::Object(members) => {
            for (name, value) in members {
                document.shape.push(name.clone());
                json_value(value, document);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn xml(text: &str, document: &mut Document) {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut open = 0_usize;
    loop {
        let event = reader.read_event().unwrap();
        match &event {
            Xml::Start(tag) | Xml::Empty(tag) => {
                open += usize::from(matches!(event, Xml::Start(_)));
                let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                document.shape.push(name);
                for attribute in tag.attributes() {
                    let attribute = attribute.unwrap();
                    let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
                    document.shape.push(key);
                    let raw = String::from_utf8(attribute.value.to_vec()).unwrap();
                    assert!(!raw.contains('<'), "{raw}");
                    let value = quick_xml::escape::unescape(&raw).unwrap();
                    document.texts.push(value.into_owned());
                }
            }
            Xml::End(_) => open -= 1,
            // A text comes in pieces, parted by the references in it.
            Xml::Text(text) => document.texts.push(text.decode().unwrap().into_owned()),
            Xml::GeneralRef(name) => {
                let name = format!("&{};", name.decode().unwrap());
                let text = quick_xml::escape::unescape(&name).unwrap().into_owned();
                let before = document.texts.last_mut().unwrap();
                before.push_str(&text);
            }
            Xml::Decl(_) => {}
            Xml::Eof => break,
            Xml::CData(_) | Xml::Comment(_) | Xml::PI(_) | Xml::DocType(_) => panic!("{event:?}"),
        }
    }
    assert_eq!(open, 0, "{text}");
}

/// As the runner of GitHub Actions reads a line.
fn annotation(line: &str, document: &mut Document) {
    let rest = line.strip_prefix("::").expect(line);
    let (head, data) = rest.split_once("::").expect(line);
    let (command, properties) = head.split_once(' ').expect(line);
    assert!(["error", "warning", "notice"].contains(&command), "{line}");
    document.shape.push(command.to_owned());
    let decoded = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%3A", ":")
            .replace("%2C", ",")
            .replace("%25", "%")
    };
    for property in properties.split(',') {
        let (name, value) = property.split_once('=').expect(line);
        document.shape.push(name.to_owned());
        document.texts.push(decoded(value));
    }
    document.texts.push(decoded(data));
}

/// Only what snapkey means to write: anything else came out of a name.
fn markdown(text: &str, document: &mut Document) {
    let mut cells = None;
    let mut inside = String::new();
    // All that a renderer may see in a text, but for finer quotation marks.
    let options = Options::all().difference(Options::ENABLE_SMART_PUNCTUATION);
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(tag) => {
                match &tag {
                    Tag::Table(columns) => cells = Some((columns.len(), 0)),
                    Tag::TableRow | Tag::TableHead => cells = cells.map(|(all, _)| (all, 0)),
                    Tag::TableCell => cells = cells.map(|(all, at)| (all, at + 1)),
                    Tag::Paragraph
                    | Tag::Heading { .. }
                    | Tag::List(None)
                    | Tag::Item
                    | Tag::Strong => {}
                    strange => panic!("{strange:?} in {text}"),
                }
                if !matches!(tag, Tag::Strong) {
                    document.shape.push(format!("{tag:?}"));
                    document.texts.push(std::mem::take(&mut inside));
                }
            }
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => {
                let (all, at) = cells.unwrap();
                assert_eq!(all, at, "{text}");
            }
            Event::End(TagEnd::Table) => cells = None,
            Event::End(_) => {}
            Event::Code(code) => inside.push_str(&code),
            Event::Text(words) => {
                for c in words.chars() {
                    let harmless = c.is_alphanumeric() || " -,.;:()'\"?!…".contains(c);
                    assert!(harmless, "{c:?} in {words}");
                }
                inside.push_str(&words);
            }
            strange => panic!("{strange:?} in {text}"),
        }
    }
    document.texts.push(inside);
}

/// The text format: a comment or a sample a line.
fn prometheus(text: &str, document: &mut Document) {
    assert!(text.ends_with('\n'), "{text}");
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            document.shape.push(comment.to_owned());
            continue;
        }
        let end = line.find(['{', ' ']).expect(line);
        let (name, mut rest) = line.split_at(end);
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        assert!(name.chars().all(legal), "{line}");
        document.shape.push(name.to_owned());
        if let Some(labels) = rest.strip_prefix('{') {
            rest = labels;
            while !rest.starts_with('}') {
                let (label, value) = rest.split_once("=\"").expect(line);
                document.shape.push(label.to_owned());
                let mut text = String::new();
                let mut chars = value.char_indices();
                let end = loop {
                    match chars.next().expect(line) {
                        (_, '\\') => match chars.next().expect(line).1 {
                            'n' => text.push('\n'),
                            c @ ('\\' | '"') => text.push(c),
                            strange => panic!("{strange} in {line}"),
                        },
                        (at, '"') => break at + 1,
                        (_, c) => text.push(c),
                    }
                };
                document.texts.push(text);
                rest = value.get(end..).unwrap();
                rest = rest.strip_prefix(',').unwrap_or(rest);
            }
            rest = rest.strip_prefix('}').expect(line);
        }
        let number = rest.strip_prefix(' ').expect(line);
        number.parse::<f64>().expect(line);
    }
}

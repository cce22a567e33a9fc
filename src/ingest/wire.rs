//! The frame around rows as it comes over the wire: strings borrowed where they can be, `links`
//! read for the owner that they name, and what stands before and after `results` in a page.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::owner::Owner;
use super::path::{self, Request};

/// A string, borrowed from the row unless it holds an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Str<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct AsStr;
        impl<'de> Visitor<'de> for AsStr {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        input.deserialize_str(AsStr)
    }
}

/// Whether an array has any element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NonEmpty(pub(super) bool);

impl<'de> Deserialize<'de> for NonEmpty {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct AnyElement;
        impl<'de> Visitor<'de> for AnyElement {
            type Value = NonEmpty;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<NonEmpty, A::Error> {
                let mut any = false;
                while rows.next_element::<IgnoredAny>()?.is_some() {
                    any = true;
                }
                Ok(NonEmpty(any))
            }
        }
        input.deserialize_seq(AnyElement)
    }
}

/// What a `links` array says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Links<'a> {
    /// The only link, unread: most rows have one, and it is mostly like that of the row before.
    pub(super) only: Option<Cow<'a, str>>,
    /// What several links name.
    several: Option<Owner<'a>>,
    /// Two links name different owners.
    pub(super) torn: bool,
    /// The `self` link.
    pub(super) itself: Option<Cow<'a, str>>,
    /// There is a `next` link.
    pub(super) next: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Links<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct EachLink;
        impl<'de> Visitor<'de> for EachLink {
            type Value = Links<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of links")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
                let mut links = Links::default();
                while let Some(link) = rows.next_element::<Link<'de>>()? {
                    links.take(link);
                }
                Ok(links)
            }
        }
        input.deserialize_seq(EachLink)
    }
}

impl<'a> Links<'a> {
    fn take(&mut self, link: Link<'a>) {
        let Some(href) = link.href else { return };
        match link.rel.as_deref() {
            Some("next") => self.next = true,
            Some("self") => self.itself = Some(href.clone()),
            Some(_) | None => {}
        }
        self.add(href);
    }

    /// Takes in one more link.
    pub(super) fn add(&mut self, href: Cow<'a, str>) {
        let mut owner = match (self.several.take(), self.only.take()) {
            (None, None) => {
                self.only = Some(href);
                return;
            }
            (Some(owner), _) => owner,
            (None, Some(only)) => owner_of(only),
        };
        self.torn |= !owner.merge(owner_of(href));
        self.several = Some(owner);
    }

    /// Whom the links name.
    pub(super) fn owner(&self) -> Owner<'_> {
        match (&self.several, &self.only) {
            (Some(owner), _) => owner.clone(),
            (None, Some(only)) => Owner::of(only),
            (None, None) => Owner::default(),
        }
    }
}

fn owner_of(href: Cow<'_, str>) -> Owner<'_> {
    match href {
        Cow::Borrowed(href) => Owner::of(href),
        Cow::Owned(href) => Owner::of(&href).into_owned(),
    }
}

struct Link<'a> {
    rel: Option<Cow<'a, str>>,
    href: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Link<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct OneLink;
        impl<'de> Visitor<'de> for OneLink {
            type Value = Link<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a link")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut link = Link {
                    rel: None,
                    href: None,
                };
                while let Some(Str(name)) = map.next_key()? {
                    match name.as_ref() {
                        "rel" => link.rel = map.next_value::<Option<Str<'de>>>()?.map(|s| s.0),
                        "href" => link.href = map.next_value::<Option<Str<'de>>>()?.map(|s| s.0),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(link)
            }
        }
        input.deserialize_map(OneLink)
    }
}

/// What a page says besides its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageFrame {
    pub(super) owner: Owner<'static>,
    /// The page had a `links` member.
    pub(super) linked: bool,
    /// What the `self` link asks for.
    pub(super) itself: Option<Request>,
    /// There is a `next` link.
    pub(super) next: bool,
    /// The status of an envelope, or of an error object.
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
    /// Links name different owners.
    pub(super) torn: bool,
    /// The frame could not be read, or it holds rows that nobody was handed.
    pub(super) damaged: bool,
}

#[derive(Deserialize)]
struct FrameMembers<'a> {
    #[serde(borrow)]
    links: Option<Links<'a>>,
    status: Option<u16>,
    error: Option<u16>,
    #[serde(rename = "errorCode", borrow)]
    code: Option<Str<'a>>,
    results: Option<IgnoredAny>,
}

impl PageFrame {
    /// Takes in the members before `results` (`{"links":[…],`).
    pub(super) fn head(&mut self, head: &[u8]) {
        let mut members = head.trim_ascii_end().to_vec();
        if members.last() == Some(&b',') {
            members.pop();
        }
        members.push(b'}');
        self.members(&members);
    }

    /// Takes in the members behind `results` (`,"totalCount":1}`).
    pub(super) fn tail(&mut self, tail: &[u8]) {
        let rest = tail.trim_ascii();
        let rest = rest.strip_prefix(b",").unwrap_or(rest);
        if rest.is_empty() {
            return;
        }
        let mut members = vec![b'{'];
        members.extend_from_slice(rest);
        self.members(&members);
    }

    /// It says of itself that it is an error, whatever rows it has: an error answer is never a
    /// list.
    pub(super) fn is_error(&self) -> bool {
        self.code.is_some() || self.status.is_some_and(|status| status != 200)
    }

    fn members(&mut self, members: &[u8]) {
        let Ok(read) = serde_json::from_slice::<FrameMembers<'_>>(members) else {
            self.damaged = true;
            return;
        };
        // Rows that were not handed out as rows would be lost without a word.
        self.damaged |= read.results.is_some();
        if let Some(links) = read.links {
            self.linked = true;
            self.torn |= links.torn | !self.owner.merge(links.owner().into_owned());
            self.next |= links.next;
            if let Some(href) = links.itself {
                self.itself = path::read(&href);
            }
        }
        if let Some(status) = read.error.or(read.status) {
            self.status = Some(status);
        }
        if let Some(Str(code)) = read.code {
            self.code = Some(code.into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::kind::Kind;

    #[test]
    fn a_frame_is_read_from_both_sides_of_its_rows() {
        let mut frame = PageFrame::default();
        frame.head(b"{ \"status\": 200 , ");
        frame.tail(
            br#" , "links":[{"rel":"self","href":"http://h/api/atlas/v2/groups/g/clusters?pageNum=2"},
                {"rel":"next","href":"http:\/\/h\/api\/atlas\/v2\/groups\/g\/clusters?pageNum=3"}],"totalCount":9}"#,
        );
        assert!(!frame.damaged && frame.linked && frame.next);
        assert_eq!(frame.status, Some(200));
        assert_eq!(frame.owner.group.as_deref(), Some("g"));
        let itself = frame.itself.unwrap();
        assert_eq!((itself.target.kind, itself.page), (Kind::Clusters, 2));
    }

    #[test]
    fn frames_that_contradict_themselves_are_damaged() {
        for (head, tail) in [
            ("{", r#","results":[1]}"#),
            ("{\"links\":7,", "}"),
            (
                r#"{"links":[{"href":"/groups/a"},{"href":"/groups/b"}],"#,
                "}",
            ),
            (
                r#"{"links":[{"href":"/groups/a"}],"#,
                r#","links":[{"href":"/groups/b"}]}"#,
            ),
        ] {
            let mut frame = PageFrame::default();
            frame.head(head.as_bytes());
            frame.tail(tail.as_bytes());
            assert!(frame.damaged || frame.torn, "{head} {tail}");
        }
        let mut frame = PageFrame::default();
        frame.head(b"{");
        frame.tail(b"}");
        assert_eq!(frame, PageFrame::default());
    }
}

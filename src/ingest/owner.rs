//! The owner (organization, project, cluster) that any path or link names, whatever else it asks
//! for. Hosts are never looked at.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::path::Target;

/// Without scheme and host.
pub(super) fn local_part(href: &str) -> &str {
    let bytes = href.as_bytes();
    let scheme = bytes.iter().position(|byte| *byte == b':');
    match scheme {
        Some(colon) if bytes[colon..].starts_with(b"://") => {
            let rest = &href[colon + 3..];
            let slash = rest.as_bytes().iter().position(|byte| *byte == b'/');
            slash.map_or("", |slash| &rest[slash..])
        }
        Some(_) | None => href,
    }
}

/// The segments of a path up to its query. Every row has links, so this is done by hand.
struct Segments<'a>(&'a str);

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let bytes = self.0.as_bytes();
            let end = bytes
                .iter()
                .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
            let segment = &self.0[..end.unwrap_or(bytes.len())];
            self.0 = match end {
                Some(end) if bytes[end] == b'/' => &self.0[end + 1..],
                Some(_) | None => "",
            };
            if !segment.is_empty() {
                return Some(segment);
            }
            if self.0.is_empty() {
                return None;
            }
        }
    }
}

/// Who a path belongs to, as far as it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owner<'a> {
    pub(super) org: Option<Cow<'a, str>>,
    pub(super) group: Option<Cow<'a, str>>,
    pub(super) cluster: Option<Cow<'a, str>>,
    /// The cluster is named under `flexClusters` or `serverless`.
    pub(super) shared: bool,
}

impl<'a> Owner<'a> {
    /// Reads it off any URL or path.
    pub(super) fn of(href: &'a str) -> Self {
        let mut owner = Self::default();
        let mut segments = Segments(local_part(href));
        while let Some(segment) = segments.next() {
            match segment {
                "orgs" if owner.org.is_none() => owner.org = segments.next().and_then(decode),
                "groups" if owner.group.is_none() => {
                    owner.group = segments.next().and_then(decode);
                }
                "clusters" | "flexClusters" | "serverless"
                    if owner.group.is_some() && owner.cluster.is_none() =>
                {
                    owner.cluster = segments.next().and_then(decode);
                    owner.shared = owner.cluster.is_some() && segment != "clusters";
                }
                _ => {}
            }
        }
        owner
    }

    /// Detached from the text that it was read off.
    pub(super) fn into_owned(self) -> Owner<'static> {
        let own = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Owner {
            org: own(self.org),
            group: own(self.group),
            cluster: own(self.cluster),
            shared: self.shared,
        }
    }

    /// Takes over what the other says beyond this; false if they contradict each other.
    pub(super) fn merge(&mut self, other: Self) -> bool {
        let mut agree = true;
        for (mine, theirs) in [
            (&mut self.org, other.org),
            (&mut self.group, other.group),
            (&mut self.cluster, other.cluster),
        ] {
            match (mine.as_ref(), theirs) {
                (Some(mine), Some(theirs)) => agree &= *mine == theirs,
                (None, Some(theirs)) => *mine = Some(theirs),
                (_, None) => {}
            }
        }
        self.shared |= other.shared;
        agree
    }

    /// Whether it names another organisation, project or cluster than the target.
    pub(super) fn contradicts(&self, target: &Target) -> bool {
        [
            (&self.org, &target.org),
            (&self.group, &target.group),
            (&self.cluster, &target.cluster),
        ]
        .into_iter()
        .any(|(mine, theirs)| match (mine, theirs) {
            (Some(mine), Some(theirs)) => mine.as_ref() != theirs.as_str(),
            (None, _) | (_, None) => false,
        })
    }
}

/// How the links of a page's rows start. A million rows have a link each, and nearly all of them
/// differ from the one before in the last segment only: those name the same owner.
#[derive(Debug, Default)]
pub(super) struct Familiar(String);

impl Familiar {
    /// Whether the link names another organisation, project or cluster than the target; the same
    /// as reading its [`Owner`].
    pub(super) fn contradicts(&mut self, href: &str, target: &Target) -> bool {
        let last = href
            .strip_prefix(self.0.as_str())
            .and_then(|rest| rest.strip_prefix('/'));
        // A colon might make the rest of it the scheme, a slash the owner.
        if !self.0.is_empty()
            && last.is_some_and(|id| id.bytes().all(|b| b.is_ascii_alphanumeric()))
        {
            return false;
        }
        if Owner::of(href).contradicts(target) {
            return true;
        }
        if let Some((start, _)) = href.rsplit_once('/') {
            let owner = Owner::of(start);
            // What follows can name neither again, and the organization is of no interest.
            let settled = owner.group.is_some() && owner.cluster.is_some() && target.org.is_none();
            if settled && !owner.contradicts(target) {
                self.0.clear();
                self.0.push_str(start);
            }
        }
        false
    }
}

/// Without percent-encoding; `None` if what is left is no UTF-8.
pub(super) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.as_bytes().contains(&b'%') {
        return Some(Cow::Borrowed(text));
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_off_any_path() {
        let table = [
            (
                "http://localhost:1/api/atlas/v2/groups/g1/clusters/c%2F1/x?y=/groups/no",
                "-/g1/c/1",
            ),
            ("/api/public/v1.0/groups/g1", "-/g1/-"),
            (
                "https://lying.example/groups/g1/flexClusters/f/backup",
                "-/g1/f",
            ),
            ("/api/atlas/v2/orgs/o1/groups?pageNum=1", "o1/-/-"),
            ("https://cloud.mongodb.com/api/atlas", "-/-/-"),
            ("/groups", "-/-/-"),
        ];
        for (href, expected) in table {
            let owner = Owner::of(href);
            let part = |text: &Option<Cow<'_, str>>| text.as_deref().unwrap_or("-").to_owned();
            let found = [&owner.org, &owner.group, &owner.cluster]
                .map(part)
                .join("/");
            assert_eq!(found, expected, "{href}");
        }
    }

    #[test]
    fn a_familiar_start_never_hides_another_owner() {
        let target = |path| crate::ingest::path::read(path).unwrap().target;
        let targets = [
            target("/api/atlas/v2/groups/g1/clusters/c1/backup/snapshots"),
            target("/api/atlas/v2/groups/g1/flexClusters/c1/backup/snapshots"),
            target("/api/atlas/v2/orgs/o1/groups"),
        ];
        let hosts = ["", "https://h"];
        let middles = [
            "",
            "/api/atlas/v2/groups/g1/clusters/c1/backup/snapshots",
            "/api/atlas/v2/groups/g1/clusters/c2/backup/snapshots",
            "/groups/g1/clusters",
            "/groups/g1",
            "/groups/g1/clusters/c1?x=1",
            "/groups/g1/clusters/c1/orgs",
            "/orgs/o1/groups/g1/clusters/c1",
        ];
        let ends = [
            "",
            "/",
            "/a1b2",
            "/c1",
            "/o2",
            "/groups",
            "/a/b",
            "/y://h/groups/g2/clusters/c2/s",
            "/a?b",
            "x",
        ];
        let hrefs: Vec<String> = hosts
            .iter()
            .flat_map(|host| middles.iter().map(move |middle| format!("{host}{middle}")))
            .flat_map(|start| ends.iter().map(move |end| format!("{start}{end}")))
            .collect();
        for target in &targets {
            let mut familiar = 0;
            for first in &hrefs {
                for second in &hrefs {
                    let mut known = Familiar::default();
                    for href in [first, second, first] {
                        assert_eq!(
                            known.contradicts(href, target),
                            Owner::of(href).contradicts(target),
                            "{href} after {first}"
                        );
                    }
                    familiar += usize::from(!known.0.is_empty());
                }
            }
            assert_eq!(familiar > 0, target.org.is_none());
        }
    }
}

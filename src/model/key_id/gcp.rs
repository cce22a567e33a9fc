//! The Google Cloud KMS grammar: resource names of keys and key versions (Cloud KMS, "Getting a
//! Cloud KMS resource ID"; Resource Manager, "Creating and managing projects").

use std::fmt;

use super::parts::Parts;
use super::{KeyId, Match, Spelling};

/// A Cloud KMS key without a version. Names are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GcpKey {
    /// Project, location, key ring, name.
    parts: Parts<4>,
}

/// A Cloud KMS key version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GcpKeyVersion {
    key: GcpKey,
    version: u64,
}

impl GcpKey {
    /// Project id or project number.
    pub fn project(&self) -> &str {
        self.parts.get(0)
    }

    pub fn location(&self) -> &str {
        self.parts.get(1)
    }

    pub fn ring(&self) -> &str {
        self.parts.get(2)
    }

    pub fn name(&self) -> &str {
        self.parts.get(3)
    }

    /// Its name gives the project's number, not its id.
    pub fn has_project_number(&self) -> bool {
        is_number(self.project())
    }

    /// One version of it; `None` for 0, as versions count from 1.
    pub fn at_version(&self, version: u64) -> Option<GcpKeyVersion> {
        (version >= 1).then(|| GcpKeyVersion {
            key: self.clone(),
            version,
        })
    }

    /// Same, different, or possible: a project's number and its id are aliases that no text
    /// connects.
    pub(super) fn compare(&self, other: &Self) -> Match {
        let elsewhere = self.location() != other.location() || self.ring() != other.ring();
        if elsewhere || self.name() != other.name() {
            Match::Different
        } else if self.project() == other.project() {
            Match::Same
        } else if self.has_project_number() == other.has_project_number() {
            Match::Different
        } else {
            Match::Possible
        }
    }
}

impl GcpKeyVersion {
    pub fn key(&self) -> &GcpKey {
        &self.key
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// Same, different, or possible, as [`GcpKey::compare`].
    pub(super) fn compare(&self, other: &Self) -> Match {
        if self.version == other.version {
            self.key.compare(&other.key)
        } else {
            Match::Different
        }
    }
}

impl fmt::Display for GcpKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [project, location] = [self.project(), self.location()];
        let [ring, name] = [self.ring(), self.name()];
        write!(
            f,
            "projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{name}"
        )
    }
}

impl fmt::Display for GcpKeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/cryptoKeyVersions/{}", self.key, self.version)
    }
}

/// The resource name after `projects/`, whether it stands alone, is a full resource name, or a
/// URL of the service.
pub(super) fn strip_service(text: &str) -> Option<&str> {
    text.strip_prefix("//cloudkms.googleapis.com/")
        .or_else(|| text.strip_prefix("https://cloudkms.googleapis.com/v1/"))
        .unwrap_or(text)
        .strip_prefix("projects/")
}

/// Reads what follows `projects/`.
pub(super) fn read(name: &str) -> Option<Spelling> {
    let mut parts = name.split('/');
    let project = parts.next().filter(|part| is_project(part))?;
    let mut after = |collection: &str| {
        parts.next().filter(|&part| part == collection)?;
        parts.next()
    };
    let location = after("locations").filter(|part| is_location(part))?;
    let ring = after("keyRings").filter(|part| is_name(part))?;
    let name = after("cryptoKeys").filter(|part| is_name(part))?;
    let key = GcpKey {
        parts: Parts::of([project, location, ring, name])?,
    };
    match (parts.next(), parts.next(), parts.next()) {
        (None, None, None) => Some(Spelling::GcpKey(key)),
        (Some("cryptoKeyVersions"), Some(version), None) if is_number(version) => {
            let version = version.parse().ok()?;
            let version = key.at_version(version)?;
            Some(Spelling::Complete(KeyId::Gcp(version)))
        }
        (_, _, _) => None,
    }
}

/// Decimal digits without a leading zero: a project number, a key version.
fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && !text.starts_with('0')
}

/// A project number, or a project id, which starts with a letter and may be scoped by a domain
/// (`example.com:payments`).
fn is_project(text: &str) -> bool {
    let id_byte = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let (domain, id) = match text.split_once(':') {
        Some((domain, id)) => (Some(domain), id),
        None => (None, text),
    };
    let is_domain = |domain: &str| {
        domain.starts_with(|c: char| c.is_ascii_alphanumeric())
            && domain.bytes().all(|b| id_byte(b) || b == b'.')
    };
    is_number(text)
        || (text.len() <= 100
            && domain.is_none_or(is_domain)
            && id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.bytes().all(id_byte))
}

/// `global`, `us`, `us-east1`: three different places.
fn is_location(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

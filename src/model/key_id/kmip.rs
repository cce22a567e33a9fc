//! The KMIP identity: a unique identifier is an opaque string that one server assigned (OASIS KMIP
//! specification, Unique Identifier), so it is nothing without the server. Names are no identity:
//! Re-key moves a name to the replacement.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::parts::Parts;
use super::{KeyId, MAX_LEN, Spelling, is_clean};

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A KMIP object on a server that the configuration names. Both parts are byte-exact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KmipKey {
    /// Server, unique identifier.
    parts: Parts<2>,
}

impl KmipKey {
    /// `None` if a part is empty, has control characters or white space at an end, or if the
    /// canonical text would be longer than [`MAX_LEN`].
    pub fn new(server: &str, uid: &str) -> Option<Self> {
        if !is_clean(server) || !is_clean(uid) {
            return None;
        }
        let parts = Parts::of([server, uid])?;
        let key = Self { parts };
        (key.to_string().len() <= MAX_LEN).then_some(key)
    }

    /// The name that the configuration gives the server.
    pub fn server(&self) -> &str {
        self.parts.get(0)
    }

    /// The unique identifier, as the server knows it.
    pub fn uid(&self) -> &str {
        self.parts.get(1)
    }
}

impl fmt::Display for KmipKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = utf8_percent_encode(self.server(), ENCODED);
        let uid = utf8_percent_encode(self.uid(), ENCODED);
        write!(f, "kmip://{server}/{uid}")
    }
}

pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("kmip://")
}

/// Reads what follows `kmip://`: two segments.
pub(super) fn read(rest: &str) -> Option<Spelling> {
    let (server, uid) = rest.split_once('/')?;
    let key = KmipKey::new(&decode(server)?, &decode(uid)?)?;
    Some(Spelling::Complete(KeyId::Kmip(key)))
}

/// A person need not encode what is plain, but what could end the segment must be encoded, and an
/// escape must be one.
fn decode(segment: &str) -> Option<String> {
    if segment.contains(['/', '?', '#']) || segment.contains(char::is_whitespace) {
        return None;
    }
    let is_escape = |after: &str| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !segment.split('%').skip(1).all(is_escape) {
        return None;
    }
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    Some(text.into_owned())
}

//! Secrets are taken out of an answer before it is written: the value of every member whose name
//! speaks of one, and every text that is one by its look, becomes `null`. All other bytes stay as
//! they came.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::de::IgnoredAny;

/// The body without secrets; `None` if it is no JSON, so that nobody knows what it holds.
pub(super) fn strip(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    std::str::from_utf8(body).ok()?;
    serde_json::from_slice::<IgnoredAny>(body).ok()?;
    let mut scan = Scan {
        body,
        at: 0,
        kept: 0,
        stripped: Vec::new(),
        names: HashMap::new(),
    };
    scan.run();
    if scan.kept == 0 {
        return Some(Cow::Borrowed(body));
    }
    scan.stripped.extend_from_slice(body.get(scan.kept..)?);
    Some(Cow::Owned(scan.stripped))
}

/// A pass over a body that is known to be JSON. It keeps one flag per open bracket, so that depth
/// costs bytes and no stack.
struct Scan<'b> {
    body: &'b [u8],
    at: usize,
    /// Up to here the body has been copied or replaced.
    kept: usize,
    stripped: Vec<u8>,
    /// Names met so far and whether each speaks of a secret: rows repeat them.
    names: HashMap<Cow<'b, str>, bool>,
}

impl<'b> Scan<'b> {
    fn run(&mut self) {
        let mut in_object: Vec<bool> = Vec::new();
        // Whether the next string of an object is a name.
        let mut name_next = false;
        while let Some(byte) = self.byte() {
            match byte {
                b'{' => {
                    in_object.push(true);
                    name_next = true;
                    self.at += 1;
                }
                b'[' => {
                    in_object.push(false);
                    name_next = false;
                    self.at += 1;
                }
                b'}' | b']' => {
                    in_object.pop();
                    self.at += 1;
                }
                b',' => {
                    name_next = in_object.last() == Some(&true);
                    self.at += 1;
                }
                b'"' if name_next => {
                    name_next = false;
                    let name = self.string();
                    let known = self.names.get(&name).copied();
                    let is_secret = known.unwrap_or_else(|| is_secret_name(&name));
                    if known.is_none() {
                        self.names.insert(name, is_secret);
                    }
                    if is_secret {
                        self.skip_to_value();
                        self.replace_value();
                    }
                }
                b'"' => {
                    let start = self.at;
                    if looks_secret(&self.string()) {
                        self.replace(start);
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    /// Steps over a string and gives what it says.
    fn string(&mut self) -> Cow<'b, str> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        while let Some(byte) = self.byte() {
            match byte {
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                b'"' => {
                    self.at += 1;
                    break;
                }
                _ => self.at += 1,
            }
        }
        let body = self.body;
        let token = body.get(start..self.at).unwrap_or_default();
        let inner = token
            .strip_prefix(b"\"")
            .and_then(|t| t.strip_suffix(b"\""));
        let plain = std::str::from_utf8(inner.unwrap_or_default()).unwrap_or_default();
        if escaped && let Ok(text) = serde_json::from_slice::<String>(token) {
            return Cow::Owned(text);
        }
        // An escape that stands for no character leaves the text as it is spelled.
        Cow::Borrowed(plain)
    }

    fn skip_to_value(&mut self) {
        while self
            .byte()
            .is_some_and(|byte| byte == b':' || byte.is_ascii_whitespace())
        {
            self.at += 1;
        }
    }

    /// Replaces the value that starts here, whatever it is. What says nothing stays.
    fn replace_value(&mut self) {
        let start = self.at;
        match self.byte() {
            Some(b'"') => {
                self.string();
            }
            Some(b'{' | b'[') => self.skip_nested(),
            Some(_) => {
                while self.byte().is_some_and(|byte| {
                    !byte.is_ascii_whitespace() && !matches!(byte, b',' | b'}' | b']')
                }) {
                    self.at += 1;
                }
            }
            None => {}
        }
        let value = self.body.get(start..self.at).unwrap_or_default();
        if !matches!(
            value,
            b"null" | b"true" | b"false" | b"[]" | b"{}" | b"\"\""
        ) {
            self.replace(start);
        }
    }

    fn skip_nested(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }

    /// Puts `null` in the place of what stands between `start` and here.
    fn replace(&mut self, start: usize) {
        let before = self.body.get(self.kept..start).unwrap_or_default();
        self.stripped.extend_from_slice(before);
        self.stripped.extend_from_slice(b"null");
        self.kept = self.at;
    }
}

/// Members that hold credentials or one-time addresses (encryption at rest: `secretAccessKey`,
/// `secret`, `serviceAccountKey`, `accessKeyID`, `clientID`; restore jobs: `deliveryUrl`,
/// `downloadUrl`), and any other that is named like one.
fn is_secret_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    const BEGIN: [&str; 7] = [
        "accesskeyid",
        "clientid",
        "serviceaccountkey",
        "deliveryurl",
        "downloadurl",
        "credential",
        "cookie",
    ];
    const HOLD: [&str; 9] = [
        "secret",
        "token",
        "password",
        "passwd",
        "passphrase",
        "privatekey",
        "apikey",
        "authorization",
        "signature",
    ];
    BEGIN.iter().any(|word| plain.starts_with(word)) || HOLD.iter().any(|word| plain.contains(word))
}

/// Texts that are secrets wherever they stand: private keys, AWS access key ids, secrets of
/// Atlas service accounts, bearer tokens, and addresses that carry a credential.
fn looks_secret(text: &str) -> bool {
    let is_access_key = text.len() == 20
        && (text.starts_with("AKIA") || text.starts_with("ASIA"))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_access_key
        || text.starts_with("Bearer ")
        || text.contains("PRIVATE KEY-----")
        || text.contains("mdb_sa_sk_")
        || text.contains("://") && carries_credential(text)
}

fn carries_credential(address: &str) -> bool {
    let (_, rest) = address.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    authority.contains('@')
        || query.split(['&', '#', ';']).any(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            let lower = name.to_ascii_lowercase();
            is_secret_name(name)
                || lower.starts_with("x-amz-")
                || lower.starts_with("x-goog-")
                || matches!(lower.as_str(), "sig" | "key" | "session" | "code")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(body: &str) -> Option<String> {
        strip(body.as_bytes()).map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
    }

    #[test]
    fn secrets_become_null_and_the_rest_stays_byte_for_byte() {
        let table = [
            (
                r#"{ "a" : 1.50 ,"b":[ "x" ] }"#,
                r#"{ "a" : 1.50 ,"b":[ "x" ] }"#,
            ),
            (
                r#"{"awsKms":{"secretAccessKey": "s","accessKeyID":"i" , "region":"US_EAST_1"}}"#,
                r#"{"awsKms":{"secretAccessKey": null,"accessKeyID":null , "region":"US_EAST_1"}}"#,
            ),
            (
                r#"{"results":[{"deliveryUrl":["https://x","]"],"id":"j"},{"id":"k"}]}"#,
                r#"{"results":[{"deliveryUrl":null,"id":"j"},{"id":"k"}]}"#,
            ),
            (
                r#"{"serviceAccountKey":{"a":"}","b":{"c":["\"}"]}},"id":1}"#,
                r#"{"serviceAccountKey":null,"id":1}"#,
            ),
            (r#"{"sec\u0072et":"s"}"#, r#"{"sec\u0072et":null}"#),
            (r#"{"CLIENT-SECRET":12}"#, r#"{"CLIENT-SECRET":null}"#),
            // What says nothing is no secret, and a name is none either.
            (
                r#"{"deliveryUrl":[],"secret":null,"tokenDiscovered":false,"x":"secret"}"#,
                r#"{"deliveryUrl":[],"secret":null,"tokenDiscovered":false,"x":"secret"}"#,
            ),
            (
                r#"["AKIA0123456789ABCDEF","-----BEGIN PRIVATE KEY-----\nx","mdb_sa_sk_1"]"#,
                "[null,null,null]",
            ),
            (
                r#"{"href":"https:\/\/u:p@h\/x","k":"https://v.vault.azure.net/keys/n/1"}"#,
                r#"{"href":null,"k":"https://v.vault.azure.net/keys/n/1"}"#,
            ),
            (
                r#"["https://h/a?pageNum=1&itemsPerPage=5","https://h/a?X-Amz-Signature=1"]"#,
                r#"["https://h/a?pageNum=1&itemsPerPage=5",null]"#,
            ),
            (r#""Bearer x""#, "null"),
        ];
        for (body, expected) in table {
            assert_eq!(stripped(body).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_json_is_not_kept() {
        for body in [
            "",
            "{",
            "<html>",
            "{\"a\":1}{",
            "{\"secret\":\"s\"",
            "\u{feff}{}",
        ] {
            assert_eq!(stripped(body), None, "{body}");
        }
        assert_eq!(strip(b"\"\xff\""), None);
    }

    #[test]
    fn nesting_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(stripped(&deep).as_deref(), Some(deep.as_str()));
    }

    #[test]
    fn what_verdicts_are_made_of_is_never_taken_for_a_secret() {
        for name in [
            "id",
            "name",
            "orgId",
            "groupId",
            "clusterType",
            "stateName",
            "backupEnabled",
            "pitEnabled",
            "encryptionAtRestProvider",
            "customerMasterKeyID",
            "keyIdentifier",
            "keyVersionResourceID",
            "masterKeyUUID",
            "enabled",
            "region",
            "valid",
            "roleId",
            "links",
            "href",
            "rel",
            "results",
            "totalCount",
            "errorCode",
            "error",
            "status",
            "createdAt",
            "expiresAt",
            "frequencyType",
            "copySettings",
            "copyPolicyItems",
            "restoreWindowDays",
            "extraRetentionSettings",
            "eventTypeName",
            "created",
            "snapshotId",
            "deliveryType",
            "finishedAt",
            "members",
            "snapshotIds",
            "projectId",
            "keyVaultName",
            "clusterName",
            "policies",
            "replicationSpecs",
            "providerName",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}

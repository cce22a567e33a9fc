//! What a refusal means, in words: Atlas and Ops Manager tell wrong credentials, a missing role
//! and a foreign address apart by an error code, where they do at all.

use serde::Deserialize;

/// How a request was answered, for a person: the status, the error code if it gave one, and what
/// they mean. Whether the request can be done without is the caller's.
pub fn refusal(status: u16, code: Option<&str>) -> String {
    let code = code.and_then(word);
    let meaning = match (status, code) {
        (401 | 403, Some(LACKS_ROLE)) => "the credential lacks a role for this",
        (403, Some(code)) if code.contains("ACCESS_LIST") || code.contains("WHITELIST") => {
            "this machine's address is not on the API access list of the credential"
        }
        (401, _) => "the credential was refused: it is wrong, or it may not see this",
        (403, _) => {
            "the credential lacks a role for this, or its API access list does not have this machine's address"
        }
        // These speak for themselves.
        (404 | 500..=599, Some(_)) => "",
        (404, None) => "there is no such thing, or the credential may not see it",
        (406, _) => "the service does not know this version of its API",
        (410, _) => "the service has given up this version of its API",
        (429, _) => "asked too often",
        (300..=399, _) => "redirected elsewhere, where credentials are not sent",
        (500..=599, None) => "the service failed",
        _ => "not an answer",
    };
    let code = code.map_or(String::new(), |code| format!(" {code}"));
    let colon = if meaning.is_empty() { "" } else { ": " };
    format!("answered {status}{code}{colon}{meaning}")
}

/// The error body of Atlas and Ops Manager. Its `detail` is not read: it repeats what was asked.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorBody {
    error_code: Option<String>,
}

/// Atlas answers this with 401, although the login was right.
const LACKS_ROLE: &str = "USER_UNAUTHORIZED";

/// Whether the body of a 401 says that the login was right and its rights are not enough.
pub(super) fn lacks_role(body: &[u8]) -> bool {
    serde_json::from_slice::<ErrorBody>(body)
        .is_ok_and(|body| body.error_code.as_deref() == Some(LACKS_ROLE))
}

/// A code that may be repeated: one word, and not a long one.
pub(super) fn word(text: &str) -> Option<&str> {
    let is_word = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_in_words() {
        let table = [
            (
                401,
                Some("UNEXPECTED_ERROR"),
                "answered 401 UNEXPECTED_ERROR: the credential was refused: it is wrong, or it may not see this",
            ),
            (
                401,
                Some("USER_UNAUTHORIZED"),
                "answered 401 USER_UNAUTHORIZED: the credential lacks a role for this",
            ),
            (
                403,
                Some("IP_ADDRESS_NOT_ON_ACCESS_LIST"),
                "answered 403 IP_ADDRESS_NOT_ON_ACCESS_LIST: this machine's address is not on the API access list of the credential",
            ),
            (
                403,
                None,
                "answered 403: the credential lacks a role for this, or its API access list does not have this machine's address",
            ),
            (
                404,
                Some("see http://hunter2"),
                "answered 404: there is no such thing, or the credential may not see it",
            ),
            (
                404,
                Some("CLUSTER_NOT_FOUND"),
                "answered 404 CLUSTER_NOT_FOUND",
            ),
            (429, None, "answered 429: asked too often"),
            (
                302,
                None,
                "answered 302: redirected elsewhere, where credentials are not sent",
            ),
            (503, None, "answered 503: the service failed"),
        ];
        for (status, code, text) in table {
            assert_eq!(refusal(status, code), text);
        }
    }
}

//! What the HTTP library says when something fails, in words for a person: the cause and not only
//! its wrapping, and nothing that was sent.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::answer::Failure;
use super::settings::Timeouts;

/// Why an attempt failed, and whether asking again would only bring the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) failure: Failure,
    pub(super) settled: bool,
}

impl Trouble {
    pub(super) fn timed_out(after: Duration) -> Self {
        Self {
            failure: Failure::TimedOut(after.as_secs()),
            settled: false,
        }
    }

    pub(super) fn of(error: reqwest::Error, timeouts: &Timeouts) -> Self {
        let error = error.without_url();
        let cause = cause(&error);
        let failure = if error.is_connect() && error.is_timeout() {
            Failure::Unreachable(format!(
                "no connection within {} s",
                timeouts.connect.as_secs()
            ))
        } else if error.is_connect() {
            Failure::Unreachable(cause)
        } else if error.is_timeout() {
            Failure::TimedOut(timeouts.idle.as_secs())
        } else {
            Failure::Cut(cause)
        };
        Self {
            settled: error.is_builder() || (error.is_connect() && is_tls(&error)),
            failure,
        }
    }
}

fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&error| {
        // An I/O error leaves what it wraps out of its sources.
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        wrapped.map_or_else(|| error.source(), |wrapped| Some(wrapped))
    })
}

/// A refused certificate or handshake: `rustls` errors come wrapped in this kind. It will be
/// refused the next time as well.
fn is_tls(error: &reqwest::Error) -> bool {
    sources(error).any(|source| {
        source
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
    })
}

/// The innermost two texts of the chain: what is outside of them only says that a request failed.
fn cause(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for source in sources(error) {
        let text = source.to_string();
        // Wrappers often repeat what they wrap, or say no more than which library failed.
        texts.retain(|outer| !outer.contains(&text) && !outer.starts_with("client error ("));
        texts.push(text);
    }
    if texts.is_empty() {
        return error.to_string();
    }
    let inner = texts.split_off(texts.len().saturating_sub(2)).join(": ");
    if is_tls(error) && inner.contains("UnknownIssuer") {
        format!("{inner} (a private authority is named with `ca_file`)")
    } else {
        inner
    }
}

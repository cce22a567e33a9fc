//! Takes in the body of an answer, within its bound and to its end.

use reqwest::Response;
use serde::de::IgnoredAny;

use super::answer::Failure;
use super::settings::Timeouts;
use super::trouble::Trouble;

/// Reads to the end, but no more than `cap` bytes as they are after decompression.
pub(super) async fn read(
    mut response: Response,
    cap: u64,
    timeouts: &Timeouts,
) -> Result<Vec<u8>, Trouble> {
    let too_large = || Trouble {
        failure: Failure::TooLarge(cap),
        settled: true,
    };
    // What a compressed answer announces is not told here, and proves nothing anyway.
    let announced = response.content_length().unwrap_or(0);
    if announced > cap {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(usize::try_from(announced.min(1 << 20)).unwrap_or(0));
    loop {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| Trouble::of(error, timeouts))?;
        let Some(chunk) = chunk else {
            return Ok(body);
        };
        let length = u64::try_from(body.len().saturating_add(chunk.len())).unwrap_or(u64::MAX);
        if length > cap {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
}

/// Whether the whole body is one JSON text. What it says is not looked at.
pub(super) fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

//! Instants, cut to whole seconds of UTC as the contract asks. Calendar arithmetic is not here
//! but in `assess::retention`.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Timelike, Utc};

/// A whole second of UTC between the years 1970 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is no instant that snapkey works with.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("`{0}` is not an RFC 3339 time such as 2026-11-01T06:00:00Z")]
    Malformed(String),
    /// Before 1970 or after 9999: no snapshot service writes such a date on purpose.
    #[error("`{0}` is outside the years 1970 to 9999")]
    OutOfRange(String),
}

/// 9999-12-31T23:59:59Z.
const LAST: i64 = 253_402_300_799;

impl Timestamp {
    /// The first instant.
    pub const EPOCH: Self = Self(0);
    /// The last instant that can be written.
    pub const MAX: Self = Self(LAST);

    /// Reads RFC 3339 and drops fractions of a second: right for sightings.
    pub fn floor(text: &str) -> Result<Self, TimeError> {
        let read = parse(text)?;
        Self::from_unix(read.timestamp()).ok_or_else(|| TimeError::OutOfRange(text.to_owned()))
    }

    /// Reads RFC 3339 and rounds up to the next whole second: right for an `until`.
    pub fn ceil(text: &str) -> Result<Self, TimeError> {
        let read = parse(text)?;
        let up = i64::from(read.nanosecond() > 0);
        Self::from_unix(read.timestamp() + up).ok_or_else(|| TimeError::OutOfRange(text.to_owned()))
    }

    /// Seconds since 1970; `None` outside the range.
    pub const fn from_unix(seconds: i64) -> Option<Self> {
        if seconds < 0 || seconds > LAST {
            None
        } else {
            Some(Self(seconds))
        }
    }

    /// Seconds since 1970.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This instant moved by `seconds`, held inside the range.
    pub fn saturating_add(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(0, LAST))
    }

    /// Seconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The same instant for calendar arithmetic.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

fn parse(text: &str) -> Result<DateTime<Utc>, TimeError> {
    DateTime::parse_from_rfc3339(text)
        .map(|read| read.with_timezone(&Utc))
        .map_err(|_malformed| TimeError::Malformed(text.chars().take(64).collect()))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Drops fractions; instants outside the range are held at its ends.
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp().clamp(0, LAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_round_as_the_contract_says() {
        let table = [
            (
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:00:00Z",
            ),
            (
                "2026-11-01T06:00:00.000Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:00:00Z",
            ),
            (
                "2026-11-01T06:00:00.001Z",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:00:01Z",
            ),
            (
                "2026-11-01T07:30:00+01:30",
                "2026-11-01T06:00:00Z",
                "2026-11-01T06:00:00Z",
            ),
        ];
        for (text, floor, ceil) in table {
            assert_eq!(Timestamp::floor(text).unwrap().to_string(), floor, "{text}");
            assert_eq!(Timestamp::ceil(text).unwrap().to_string(), ceil, "{text}");
        }
    }

    #[test]
    fn rejects_what_is_no_instant() {
        for text in [
            "",
            "yesterday",
            "2026-11-01",
            "2026-13-01T00:00:00Z",
            "2026-11-01T06:00:00",
        ] {
            assert!(
                matches!(Timestamp::floor(text), Err(TimeError::Malformed(_))),
                "{text}"
            );
        }
        for text in ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z"] {
            assert!(
                matches!(Timestamp::floor(text), Err(TimeError::OutOfRange(_))),
                "{text}"
            );
        }
        assert!(Timestamp::ceil("9999-12-31T23:59:59.5Z").is_err());
    }
}

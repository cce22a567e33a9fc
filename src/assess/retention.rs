//! Calendar arithmetic: when something that is kept for a length of time goes away. Calendars are
//! nowhere else.

use chrono::Months;

use crate::model::Timestamp;
use crate::model::policy::DAY;
use crate::model::reading::{Retention, RetentionUnit};

/// `from` plus a retention: days and weeks of 24 hours, months and years by the calendar with the
/// day of the month clamped (31 January plus one month is the last of February).
pub(super) fn add(from: Timestamp, retention: Retention) -> Timestamp {
    let value = i64::from(retention.value);
    match retention.unit {
        RetentionUnit::Days => from.saturating_add(value.saturating_mul(DAY)),
        RetentionUnit::Weeks => from.saturating_add(value.saturating_mul(7 * DAY)),
        RetentionUnit::Months => add_months(from, retention.value),
        RetentionUnit::Years => add_months(from, retention.value.saturating_mul(12)),
    }
}

/// `from` plus whole days of 24 hours.
pub(super) fn add_days(from: Timestamp, days: u32) -> Timestamp {
    from.saturating_add(i64::from(days).saturating_mul(DAY))
}

fn add_months(from: Timestamp, months: u32) -> Timestamp {
    from.to_chrono()
        .checked_add_months(Months::new(months))
        .and_then(|at| Timestamp::from_unix(at.timestamp()))
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendars_clamp_and_days_do_not() {
        use RetentionUnit::{Days, Months, Weeks, Years};
        let table = [
            ("2026-01-31T02:00:00Z", Months, 1, "2026-02-28T02:00:00Z"),
            ("2028-01-31T02:00:00Z", Months, 1, "2028-02-29T02:00:00Z"),
            ("2026-10-31T02:00:00Z", Months, 12, "2027-10-31T02:00:00Z"),
            ("2024-02-29T02:00:00Z", Years, 1, "2025-02-28T02:00:00Z"),
            ("2026-03-28T23:00:00Z", Days, 2, "2026-03-30T23:00:00Z"),
            ("2026-10-20T02:00:00Z", Weeks, 2, "2026-11-03T02:00:00Z"),
            (
                "2026-10-20T02:00:00Z",
                Years,
                u32::MAX,
                "9999-12-31T23:59:59Z",
            ),
            (
                "2026-10-20T02:00:00Z",
                Days,
                u32::MAX,
                "9999-12-31T23:59:59Z",
            ),
        ];
        for (from, unit, value, until) in table {
            let from = Timestamp::floor(from).unwrap();
            let until_is = add(from, Retention { unit, value });
            assert_eq!(
                until_is.to_string(),
                until,
                "{from} + {value} {}",
                unit.word()
            );
        }
    }
}

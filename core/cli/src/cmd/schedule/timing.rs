//! When a pipeline is run, in the words of every scheduler.

use std::time::Duration;

use chrono::{NaiveTime, Timelike};
use glucopipe_runtime::problem::{Code, Problem};

use crate::args::Schedule;

const HOUR: u32 = 60;
const DAY: u32 = 24 * HOUR;
/// Longest time that a run is put off by chance, so that not everybody calls a server at the full hour.
const SPREAD_SECS: u32 = 300;

/// When it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// Every so many minutes, counted from midnight: a part of an hour, or hours that are a part of a day.
    Every(u32),
    /// At times of day.
    At(Vec<NaiveTime>),
}

impl When {
    /// As the arguments say: every hour unless they say otherwise.
    pub(super) fn of(args: &Schedule) -> Result<Self, Problem> {
        if !args.at.is_empty() {
            let mut times = args.at.clone();
            times.sort_unstable();
            times.dedup();
            return Ok(Self::At(times));
        }
        let every = args.every.unwrap_or(Duration::from_secs(3600));
        let seconds = every.as_secs();
        let minutes = u32::try_from(seconds / 60).unwrap_or(u32::MAX);
        let even = match minutes {
            0 => false,
            1..HOUR => HOUR.is_multiple_of(minutes),
            _ => minutes.is_multiple_of(HOUR) && DAY.is_multiple_of(minutes),
        };
        if even && seconds.is_multiple_of(60) {
            return Ok(Self::Every(minutes));
        }
        let title = "`--every` is no even part of an hour or a day";
        Err(Problem::error(Code::SCHEDULE, title)
            .cause("schedulers count from the full hour and from midnight")
            .hint("take 5m, 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h or 24h, or name times with `--at`"))
    }

    /// The moments of a day: minute, and hour unless it is every hour.
    pub(super) fn moments(&self) -> Vec<(Option<u32>, u32)> {
        match self {
            Self::Every(minutes @ 1..=HOUR) => (0..HOUR)
                .step_by(*minutes as usize)
                .map(|minute| (None, minute))
                .collect(),
            Self::Every(minutes) => {
                let hours = (*minutes / HOUR).max(1) as usize;
                (0..24).step_by(hours).map(|hour| (Some(hour), 0)).collect()
            }
            Self::At(times) => times
                .iter()
                .map(|time| (Some(time.hour()), time.minute()))
                .collect(),
        }
    }

    /// Seconds that a run may be put off by.
    pub(super) fn spread_secs(&self) -> u32 {
        match self {
            Self::Every(minutes) => (minutes * 60 / 12).min(SPREAD_SECS),
            Self::At(_) => SPREAD_SECS,
        }
    }

    /// The lines `OnCalendar=` of a timer.
    pub(super) fn on_calendar(&self) -> Vec<String> {
        match self {
            Self::Every(HOUR) => vec!["hourly".to_owned()],
            Self::Every(DAY) => vec!["daily".to_owned()],
            Self::Every(minutes @ 1..HOUR) => vec![format!("*:0/{minutes}")],
            Self::Every(minutes) => vec![format!("0/{}:00", minutes / HOUR)],
            Self::At(times) => times
                .iter()
                .map(|time| format!("*-*-* {}", time.format("%H:%M:%S")))
                .collect(),
        }
    }

    /// The first five fields of lines of a crontab.
    pub(super) fn crontab(&self) -> Vec<String> {
        match self {
            Self::Every(1) => vec!["* * * * *".to_owned()],
            Self::Every(minutes @ 1..HOUR) => vec![format!("*/{minutes} * * * *")],
            Self::Every(HOUR) => vec!["0 * * * *".to_owned()],
            Self::Every(DAY) => vec!["0 0 * * *".to_owned()],
            Self::Every(minutes) => vec![format!("0 */{} * * *", minutes / HOUR)],
            Self::At(times) => times
                .iter()
                .map(|time| format!("{} {} * * *", time.minute(), time.hour()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(times: &[(u32, u32)]) -> When {
        let times = times
            .iter()
            .filter_map(|&(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0));
        When::At(times.collect())
    }

    #[test]
    fn every_scheduler_means_the_same_times() {
        let cases = [
            (When::Every(1), 60 * 24, "*:0/1", "* * * * *"),
            (When::Every(15), 4 * 24, "*:0/15", "*/15 * * * *"),
            (When::Every(60), 24, "hourly", "0 * * * *"),
            (When::Every(360), 4, "0/6:00", "0 */6 * * *"),
            (When::Every(1440), 1, "daily", "0 0 * * *"),
            (at(&[(7, 0)]), 1, "*-*-* 07:00:00", "0 7 * * *"),
        ];
        for (when, a_day, timer, line) in cases {
            assert_eq!(when.on_calendar(), [timer]);
            assert_eq!(when.crontab(), [line]);
            let hours = |hour: Option<u32>| if hour.is_none() { 24 } else { 1 };
            let runs: usize = when
                .moments()
                .into_iter()
                .map(|(hour, _)| hours(hour))
                .sum();
            assert_eq!(runs, a_day, "{timer}");
        }
        let twice = at(&[(7, 5), (19, 30)]);
        assert_eq!(twice.moments(), [(Some(7), 5), (Some(19), 30)]);
        assert_eq!(twice.crontab(), ["5 7 * * *", "30 19 * * *"]);
        assert_eq!(twice.on_calendar(), ["*-*-* 07:05:00", "*-*-* 19:30:00"]);
    }

    #[test]
    fn no_run_is_put_off_into_the_next() {
        assert_eq!(When::Every(1).spread_secs(), 5);
        assert_eq!(When::Every(15).spread_secs(), 75);
        assert_eq!(When::Every(720).spread_secs(), 300);
    }
}

//! Which names of time zones are taken, and what is said of the others.
//!
//! Only IANA names of places: a fixed offset or an abbreviation is wrong for half of the year where
//! clocks change, and the same abbreviation means different zones in different countries.

use chrono_tz::{TZ_VARIANTS, Tz};

use super::Rejected;
use crate::problem::{Code, Problem};

/// Abbreviations that people write, and a place where they are in use.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("ACST", "Australia/Adelaide"),
    ("AEST", "Australia/Sydney"),
    ("AKST", "America/Anchorage"),
    ("AST", "America/Halifax"),
    ("AWST", "Australia/Perth"),
    ("BST", "Europe/London"),
    ("CAT", "Africa/Maputo"),
    ("CDT", "America/Chicago"),
    ("CEST", "Europe/Berlin"),
    ("CET", "Europe/Berlin"),
    ("CST", "America/Chicago"),
    ("CST6CDT", "America/Chicago"),
    ("EAT", "Africa/Nairobi"),
    ("EDT", "America/New_York"),
    ("EEST", "Europe/Athens"),
    ("EET", "Europe/Athens"),
    ("EST", "America/New_York"),
    ("EST5EDT", "America/New_York"),
    ("GB", "Europe/London"),
    ("GMT", "Europe/London"),
    ("HKT", "Asia/Hong_Kong"),
    ("HST", "Pacific/Honolulu"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("MDT", "America/Denver"),
    ("MESZ", "Europe/Berlin"),
    ("MET", "Europe/Berlin"),
    ("MEZ", "Europe/Berlin"),
    ("MSK", "Europe/Moscow"),
    ("MST", "America/Denver"),
    ("MST7MDT", "America/Denver"),
    ("NST", "America/St_Johns"),
    ("NZ", "Pacific/Auckland"),
    ("NZ-CHAT", "Pacific/Chatham"),
    ("NZDT", "Pacific/Auckland"),
    ("NZST", "Pacific/Auckland"),
    ("PDT", "America/Los_Angeles"),
    ("PKT", "Asia/Karachi"),
    ("PRC", "Asia/Shanghai"),
    ("PST", "America/Los_Angeles"),
    ("PST8PDT", "America/Los_Angeles"),
    ("ROC", "Asia/Taipei"),
    ("ROK", "Asia/Seoul"),
    ("SAST", "Africa/Johannesburg"),
    ("SGT", "Asia/Singapore"),
    ("UCT", "UTC"),
    ("W-SU", "Europe/Moscow"),
    ("WAT", "Africa/Lagos"),
    ("WEST", "Europe/Lisbon"),
    ("WET", "Europe/Lisbon"),
    ("Z", "UTC"),
];
const EXAMPLE: &str = "Europe/Athens";

/// The zone of that name.
pub(super) fn parse(key: &str, text: &str) -> Result<Tz, Rejected> {
    let name = text.trim();
    let is_place = name == "UTC"
        || name.contains('/')
        // `Japan` and `Cuba` are names; what is all capitals is an abbreviation.
        || name.chars().any(|c| c.is_ascii_lowercase());
    if let Some(zone) = name
        .parse::<Tz>()
        .ok()
        .filter(|_| is_place && !is_offset(name))
    {
        return Ok(zone);
    }
    let shown: String = name.chars().take(60).collect();
    let (what, hint) = refusal(name);
    let message = format!("expected an IANA time zone, got {what}`{shown}`");
    Err(Rejected::new(key, Code::CONFIG_ZONE, message).hint(hint))
}

fn refusal(name: &str) -> (&'static str, String) {
    let place = |zone: &str| format!("name a place instead, such as `{zone}`");
    if name.is_empty() {
        return ("", format!("write a name such as `{EXAMPLE}`"));
    }
    if is_offset(name) {
        return ("the fixed offset ", place(EXAMPLE));
    }
    // `CET/CEST` is two abbreviations.
    let head = name.split('/').next().unwrap_or(name);
    let known = ABBREVIATIONS
        .iter()
        .find(|(short, _)| head.eq_ignore_ascii_case(short));
    if let Some((short, zone)) = known {
        // `GB/London` is no abbreviation but near to a name.
        if name.len() == head.len() || name.len() <= 2 * short.len() + 2 {
            return ("the abbreviation ", place(zone));
        }
    }
    if let Some(near) = nearest(name) {
        return ("", format!("did you mean `{near}`?"));
    }
    let short = name.len() <= 5 && name.chars().all(|c| c.is_ascii_uppercase());
    (if short { "the abbreviation " } else { "" }, place(EXAMPLE))
}

/// `UTC+2`, `GMT-5`, `GMT0`, `+02:00`, `-5`.
fn is_offset(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let rest = upper
        .strip_prefix("UTC")
        .or_else(|| upper.strip_prefix("GMT"))
        .unwrap_or(&upper);
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '−' | ':' | '.' | ' ');
    rest.chars().all(digits) && rest.chars().any(|c| c.is_ascii_digit())
}

/// The name that was probably meant: the same city, or few letters away.
fn nearest(name: &str) -> Option<&'static str> {
    let fold = |text: &str| -> String {
        let lower = text.chars().take(64).flat_map(char::to_lowercase);
        lower
            .map(|c| if matches!(c, ' ' | '-') { '_' } else { c })
            .collect()
    };
    let asked = fold(name);
    let city = asked.rsplit('/').next().unwrap_or(&asked);
    let far = |zone: &Tz| {
        let known = fold(zone.name());
        let same_city = known.contains('/') && known.rsplit('/').next() == Some(city);
        let limit = (asked.chars().count().max(known.chars().count()) / 3).min(3);
        let distance = strsim::damerau_levenshtein(&asked, &known);
        if same_city {
            Some(distance.min(1))
        } else {
            Some(distance).filter(|d| *d <= limit)
        }
    };
    let near = TZ_VARIANTS
        .iter()
        .filter_map(|zone| Some((far(zone)?, zone.name())));
    near.filter(|(_, name)| parse("", name).is_ok())
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// A warning for names that are taken but mean the opposite of what they seem to.
pub(super) fn warning(zone: Tz) -> Option<Problem> {
    let name = zone.name();
    let east = name.strip_prefix("Etc/GMT")?;
    let hours = east
        .get(1..)
        .filter(|hours| *hours != "0" && !hours.is_empty())?;
    let (side, opposite) = if east.starts_with('+') {
        ("behind", "-")
    } else {
        ("ahead of", "+")
    };
    let problem =
        Problem::warning(Code::CONFIG_ZONE, format!("`{name}` is {hours} h {side} UTC"))
            .cause("the sign of these names is inverted, and they know no daylight saving")
            .kept("times were resolved in it")
            .hint(format!(
                "name a place such as `{EXAMPLE}`, or write `Etc/GMT{opposite}{hours}` if the other side was meant"
            ));
    Some(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str) -> (String, String) {
        let rejected = parse("timezone", name).unwrap_err();
        assert_eq!(
            (rejected.key.as_str(), rejected.code),
            ("timezone", Code::CONFIG_ZONE)
        );
        (rejected.message, rejected.hint.unwrap())
    }

    #[test]
    fn takes_names_of_places() {
        for name in [
            "Europe/Berlin",
            "UTC",
            "Asia/Kathmandu",
            "US/Eastern",
            "Japan",
            "Etc/GMT+5",
            "Etc/UTC",
        ] {
            assert_eq!(parse("timezone", name).unwrap().name(), name);
        }
    }

    #[test]
    fn refuses_offsets_and_abbreviations_with_a_valid_example() {
        for name in [
            "UTC+2",
            "GMT-5",
            "GMT0",
            "utc+05:30",
            "+02:00",
            "-5",
            "UTC +2",
        ] {
            let (message, hint) = refused(name);
            assert_eq!(
                message,
                format!("expected an IANA time zone, got the fixed offset `{name}`")
            );
            assert_eq!(hint, "name a place instead, such as `Europe/Athens`");
        }
        for (name, place) in [
            ("EST", "America/New_York"),
            ("CET", "Europe/Berlin"),
            ("MST", "America/Denver"),
            ("CET/CEST", "Europe/Berlin"),
            ("GMT", "Europe/London"),
            ("PST8PDT", "America/Los_Angeles"),
            ("est", "America/New_York"),
            ("XYZ", "Europe/Athens"),
        ] {
            let (message, hint) = refused(name);
            assert!(
                message.ends_with(&format!("the abbreviation `{name}`")),
                "{message}"
            );
            assert!(hint.contains(&format!("`{place}`")), "{name}: {hint}");
        }
    }

    #[test]
    fn every_place_it_names_is_a_zone() {
        for (_, zone) in ABBREVIATIONS {
            assert!(parse("", zone).is_ok(), "{zone}");
        }
    }

    #[test]
    fn finds_what_was_meant() {
        for (name, meant) in [
            ("Europe/Atens", "Europe/Athens"),
            ("europe/athens", "Europe/Athens"),
            ("utc", "UTC"),
            ("Berlin", "Europe/Berlin"),
            ("America/New York", "America/New_York"),
            ("Europe/Kolkata", "Asia/Kolkata"),
            ("Europe/Berln", "Europe/Berlin"),
        ] {
            assert_eq!(
                refused(name).1,
                format!("did you mean `{meant}`?"),
                "{name}"
            );
        }
        assert_eq!(refused("").1, "write a name such as `Europe/Athens`");
        assert_eq!(
            refused("nowhere at all").1,
            "name a place instead, such as `Europe/Athens`"
        );
    }

    #[test]
    fn warns_of_inverted_signs() {
        let of = |name: &str| warning(parse("", name).unwrap());
        assert_eq!(
            of("Etc/GMT+5").unwrap().title,
            "`Etc/GMT+5` is 5 h behind UTC"
        );
        assert_eq!(
            of("Etc/GMT-14").unwrap().title,
            "`Etc/GMT-14` is 14 h ahead of UTC"
        );
        for quiet in [
            "Etc/GMT",
            "Etc/GMT0",
            "Etc/GMT+0",
            "Etc/UTC",
            "UTC",
            "Europe/Athens",
        ] {
            assert_eq!(of(quiet), None, "{quiet}");
        }
    }
}

//! Reads the text of a `virtual:` selector.

use crate::catalog::{catalog, keys, keys_of};
use crate::civil::LocalTime;
use crate::error::ScenarioError;
use crate::family::Family;
use crate::faults::Fault;
use crate::scenario::{Align, Found, Scenario, Unit};
use crate::verio::stick::Looks;

/// Most results a meter can be asked to hold.
const MOST_RECORDS: u32 = 10_000;
/// Longest span of results.
const MOST_DAYS: u32 = 3_650;
/// Longest bare serial.
const LONGEST_SERIAL: usize = 12;
/// Longest real wait per report.
const SLOWEST_PACE_MS: u32 = 60_000;
/// Accepted years of the newest result and of the clock.
const YEARS: std::ops::RangeInclusive<u16> = 2001..=2098;

/// Parses `MODEL[?key=value&…]`, the part after `virtual:`.
pub fn parse(uri: &str) -> Result<Scenario, ScenarioError> {
    let (name, query) = uri.split_once('?').unwrap_or((uri, ""));
    let Some(family) = Family::find(name) else {
        return Err(ScenarioError::UnknownModel {
            name: name.to_owned(),
            known: catalog().iter().map(|entry| entry.key).collect(),
        });
    };
    let mut scenario = Scenario {
        family,
        records: family.records(),
        unit: family.unit(),
        seed: 1,
        serial: family.serial().to_owned(),
        end: LocalTime {
            year: 2026,
            month: 5,
            day: 30,
            hour: 18,
            minute: 5,
            second: 0,
        },
        days: 240,
        clock: None,
        pace_ms: 0,
        found: Found::Idle,
        align: Align::None,
        counter: 201,
        looks: Looks::Stick,
        faults: Vec::new(),
    };
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(known) = keys().iter().find(|entry| entry.name == key) else {
            return Err(ScenarioError::UnknownKey {
                key: key.to_owned(),
                known: keys().iter().map(|entry| entry.name).collect(),
            });
        };
        let here = keys_of(name);
        if here.iter().all(|entry| entry.name != known.name) {
            return Err(ScenarioError::NotForModel {
                what: "key",
                name: known.name,
                model: family.entry().key,
                known: here.iter().map(|entry| entry.name).collect(),
            });
        }
        if known.name != "fault" && seen.contains(&known.name) {
            return Err(ScenarioError::RepeatedKey { key: known.name });
        }
        seen.push(known.name);
        apply(&mut scenario, known.name, &decode(value))?;
    }
    Ok(scenario)
}

fn apply(scenario: &mut Scenario, key: &'static str, value: &str) -> Result<(), ScenarioError> {
    let bad = |expected| ScenarioError::BadValue {
        key,
        value: value.to_owned(),
        expected,
    };
    let number = |least: u32, most: u32, expected| {
        let parsed = value
            .parse()
            .ok()
            .filter(|n: &u32| (least..=most).contains(n));
        parsed.ok_or_else(|| bad(expected))
    };
    let time = || {
        let parsed = LocalTime::parse(value).filter(|time| YEARS.contains(&time.year));
        parsed.ok_or_else(|| bad("a local time such as 2026-05-30T18:05:00"))
    };
    match key {
        "records" => scenario.records = number(0, MOST_RECORDS, "a number from 0 to 10000")?,
        "unit" => {
            scenario.unit = match value.to_ascii_lowercase().as_str() {
                "mg/dl" | "mgdl" => Unit::MgPerDl,
                "mmol/l" | "mmoll" | "mmol" => Unit::MmolPerL,
                _ => return Err(bad("mg/dL or mmol/L")),
            }
        }
        "seed" => scenario.seed = value.parse().map_err(|_| bad("a whole number"))?,
        "serial" => {
            let usable = (1..=LONGEST_SERIAL).contains(&value.len())
                && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !usable {
                return Err(bad("one to twelve letters and digits"));
            }
            scenario.serial = value.to_owned();
        }
        "end" => scenario.end = time()?,
        "days" => scenario.days = number(1, MOST_DAYS, "a number from 1 to 3650")?,
        "clock" => scenario.clock = Some(time()?),
        "pace_ms" => scenario.pace_ms = number(0, SLOWEST_PACE_MS, "a number from 0 to 60000")?,
        "state" => {
            scenario.found = match value {
                "idle" => Found::Idle,
                "frame" => Found::Frame,
                "command" => Found::Command,
                "enq" => Found::Enq,
                _ => return Err(bad("idle, frame, command or enq")),
            }
        }
        "align" => {
            scenario.align = match value {
                "none" => Align::None,
                "first" => Align::First,
                "second" => Align::Second,
                _ => return Err(bad("none, first or second")),
            }
        }
        "counter" => {
            scenario.counter = value.parse().map_err(|_| bad("a number from 0 to 65535"))?;
        }
        "looks" => {
            scenario.looks = match value {
                "stick" => Looks::Stick,
                "inquiry" => Looks::Inquiry,
                "boot" => Looks::Boot,
                "ids" => Looks::Ids,
                "ids-inquiry" => Looks::IdsAndInquiry,
                _ => return Err(bad("stick, inquiry, boot, ids or ids-inquiry")),
            }
        }
        _ => {
            for name in value.split(['+', ' ', ',']).filter(|name| !name.is_empty()) {
                scenario.faults.push(Fault::parse(name, scenario.family)?);
            }
        }
    }
    Ok(())
}

/// Replaces `%XX`; anything else stays as it is.
fn decode(value: &str) -> String {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        match part
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or("").as_bytes());
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_the_listed_defaults() {
        let plain = parse("contour-next-usb").unwrap();
        let spelled = parse(
            "contour-next-usb?records=300&unit=mg/dL&seed=1&end=2026-05-30T18:05:00&days=240\
             &pace_ms=0&state=idle&align=none&fault=",
        )
        .unwrap();
        assert_eq!(format!("{plain:?}"), format!("{spelled:?}"));
        assert!(!plain.clock_is_explicit());
        assert_eq!(plain.clock().to_string(), "2026-05-30T18:12:00");
        let later = plain.with_clock(LocalTime::parse("2026-06-01T08:00").unwrap());
        assert!(later.clock_is_explicit());
        assert_eq!(later.clock().to_string(), "2026-06-01T08:00:00");
    }

    #[test]
    fn reads_keys_with_escapes_and_repeated_faults() {
        let text = "contour-usb?unit=mmol%2FL&end=2026-05-30%2018%3A05&fault=nak+gap:2&fault=mute";
        let scenario = parse(text).unwrap();
        assert_eq!(scenario.unit(), Unit::MmolPerL);
        assert_eq!(scenario.faults, [Fault::Nak, Fault::Gap(2), Fault::Mute]);
        assert_eq!(
            parse("contour-usb?unit=mgdl").unwrap().unit(),
            Unit::MgPerDl
        );
        assert_eq!(
            parse("contour-next-link-mmol").unwrap().unit(),
            Unit::MmolPerL
        );
    }

    #[test]
    fn names_what_is_known_when_a_name_is_not() {
        let error = parse("contour-nxt").unwrap_err();
        assert!(error.to_string().contains("contour-next-usb"), "{error}");
        let error = parse("contour-usb?recrods=3").unwrap_err();
        assert!(
            matches!(&error, ScenarioError::UnknownKey { known, .. } if known.contains(&"records"))
        );
        let error = parse("contour-usb?records=3&records=4").unwrap_err();
        assert_eq!(error, ScenarioError::RepeatedKey { key: "records" });
    }

    #[test]
    fn rejects_values_out_of_bounds() {
        for query in [
            "records=10001",
            "records=-1",
            "unit=g",
            "serial=",
            "serial=a|b",
            "end=yesterday",
            "days=0",
            "clock=2026-02-30T00:00",
            "pace_ms=x",
            "state=off",
            "align=x",
            "seed=x",
            "serial=%FF",
            "end=1999-01-01T00:00",
        ] {
            let error = parse(&format!("contour-usb?{query}")).unwrap_err();
            assert!(
                matches!(error, ScenarioError::BadValue { .. }),
                "{query}: {error}"
            );
        }
    }

    #[test]
    fn says_when_a_key_is_not_for_the_model() {
        let error = parse("verio?state=idle").unwrap_err();
        let text = "virtual meter `verio` has no key `state` (it has: records, unit, seed, serial, \
                    end, days, clock, pace_ms, counter, fault)";
        assert_eq!(error.to_string(), text);
        for uri in [
            "contour-usb?counter=1",
            "usb-stick?records=1",
            "verio?looks=boot",
        ] {
            let error = parse(uri).unwrap_err();
            assert!(
                matches!(error, ScenarioError::NotForModel { .. }),
                "{uri}: {error}"
            );
        }
        for uri in [
            "verio?counter=65536",
            "usb-stick?looks=x",
            "verio?records=10001",
        ] {
            let error = parse(uri).unwrap_err();
            assert!(
                matches!(error, ScenarioError::BadValue { .. }),
                "{uri}: {error}"
            );
        }
    }

    #[test]
    fn spells_serials_as_the_header_and_the_reader_do() {
        let link = parse("contour-next-link").unwrap();
        assert_eq!(
            (link.serial_raw().as_str(), link.serial().as_str()),
            ("6201- C12345", "6201-C12345")
        );
        let usb = parse("contour-usb?serial=7654321").unwrap();
        assert_eq!(usb.usb_serial().as_deref(), Some("0000000007654321"));
        assert_eq!(usb.serial(), "7390-7654321");
        assert_eq!(parse("contour-plus-blue").unwrap().serial(), "7951H5001234");
        assert_eq!(link.usb_serial(), None);
        let verio = parse("verio-flex?serial=zbcdf3g7").unwrap();
        assert_eq!(
            (verio.serial().as_str(), verio.serial_raw().as_str()),
            ("ZBCDF3G7", "zbcdf3g7")
        );
        assert_eq!(verio.usb_serial().as_deref(), Some("zbcdf3g7"));
        assert_eq!(verio.model_text(), Some("Verio Flex"));
        assert_eq!((usb.model_text(), usb.software_text()), (None, None));
    }
}

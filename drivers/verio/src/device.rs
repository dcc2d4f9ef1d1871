//! What the host is told about meters: the list for detection, and the one that answered.

use glucopipe_sdk::component::Device;
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::serde_json::Value;
use glucopipe_sdk::{Level, Op, Result, Status};

use crate::lifescan::epoch::Epoch;
use crate::meter::{Answer, Failure, LOG, Meter};
use crate::protocol::command::{Command, Parameter, Query};
use crate::protocol::record::is_unset;
use crate::protocol::reply::{self, ReplyError};

/// USB vendor id of LifeScan.
pub(crate) const VENDOR: &str = "2766";
/// Product id that stands for any.
const ANY: &str = "*";
/// Some of its replies were captured by others.
const CAPTURED: &str = "partly checked against captured bytes";
/// Other programs read it.
const PEERS: &str = "known from other programs";
/// Behind the name of a model that is not in the table.
const UNTESTED: &str = "(untested)";
/// Name of a model that does not say one.
const NAMELESS: &str = "OneTouch Verio family";
/// Resolution of the meters' clocks.
pub(crate) const CLOCK_RESOLUTION_S: u32 = 1;

/// Devices for detection; the last row is any other of the vendor.
pub(crate) const DEVICES: &[Device] = &[
    meter("0000", "OneTouch Verio (2015)", PEERS),
    meter("0004", "OneTouch Verio Flex", CAPTURED),
    meter("000c", "OneTouch Verio Reflect", PEERS),
    meter("000e", "OneTouch Ultra Plus Flex", PEERS),
    meter("1000", "OneTouch Select Plus", PEERS),
    meter("1004", "OneTouch Select Plus Flex", PEERS),
    meter(ANY, "OneTouch Verio family (untested)", "untested"),
];

const fn meter(product: &'static str, model: &'static str, tested: &'static str) -> Device {
    Device {
        link: "scsi",
        vendor: VENDOR,
        product,
        model,
        tested,
    }
}

/// Serial in the form in which serials are compared: no blanks, upper case.
pub(crate) fn normalised(serial: &str) -> String {
    let blankless = serial.chars().filter(|letter| !letter.is_whitespace());
    blankless.collect::<String>().to_uppercase()
}

/// Asks the meter what it is.
pub(crate) fn info(op: &Op, meter: &mut Meter) -> Result<DeviceInfo> {
    let serial_raw = meter
        .serial(op)
        .map_err(|failure| failure.into_error(Command::Query(Query::Serial)))?;
    let firmware = optional(meter.ask(op, Command::Query(Query::Software), reply::text))?;
    let unit = Command::ReadParameter(Parameter::Unit);
    let unit = optional(meter.ask(op, unit, reply::unit))?.flatten();
    let clock = required(op, meter, Command::ReadClock, reply::seconds)?;
    let read_us = op.utc_us();
    let count = required(op, meter, Command::RecordCount, reply::count)?;
    let clock = Some(clock).filter(|clock| !is_unset(*clock));
    let mut info = DeviceInfo {
        serial: normalised(&serial_raw),
        serial_raw: Some(serial_raw),
        model: model(op, meter.model())?,
        firmware: firmware
            .map(|version| version.trim().to_owned())
            .filter(|version| !version.is_empty()),
        unit: unit.map(str::to_owned),
        record_count: Some(count.into()),
        clock: clock.map(|seconds| Epoch::Year2000.civil(seconds)),
        clock_resolution_s: clock.map(|_| CLOCK_RESOLUTION_S),
        clock_read_us: clock.map(|_| read_us),
        ..DeviceInfo::default()
    };
    if clock.is_none() {
        info.extra.insert("clock".to_owned(), "never set".into());
    }
    Ok(info)
}

/// What a person may want to know of a meter, and where it says so.
const DETAILS: [(&str, Command); 6] = [
    ("date_format", Command::Query(Query::DateFormat)),
    ("time_format", Command::Query(Query::TimeFormat)),
    (
        "date_format_setting",
        Command::ReadParameter(Parameter::DateFormat),
    ),
    (
        "time_format_setting",
        Command::ReadParameter(Parameter::TimeFormat),
    ),
    ("languages", Command::Query(Query::Languages)),
    ("url", Command::Query(Query::Url)),
];

/// Asks for what no read needs. A meter that does not know a question, or falls silent at one, is described
/// without its answer.
pub(crate) fn details(op: &Op, meter: &mut Meter, info: &mut DeviceInfo) -> Result<()> {
    for (name, command) in DETAILS {
        let told = match optional(meter.ask(op, command, reply::text)) {
            Err(error) if matches!(error.status, Status::Timeout | Status::Lost | Status::Io) => {
                op.log(Level::Debug, LOG, &format!("{name}: {error}"));
                return Ok(());
            }
            told => told?.unwrap_or_default(),
        };
        if !told.trim().is_empty() {
            info.extra.insert(name.to_owned(), told.trim().into());
        }
    }
    Ok(())
}

/// Asks for something an operation cannot do without.
pub(crate) fn required<T>(
    op: &Op,
    meter: &mut Meter,
    command: Command,
    decode: fn(&[u8]) -> std::result::Result<T, ReplyError>,
) -> Result<T> {
    let answer = meter.ask(op, command, decode);
    answer
        .map(|answer| answer.value)
        .map_err(|failure| failure.into_error(command))
}

/// Does without what the meter does not say.
fn optional<T>(answer: std::result::Result<Answer<T>, Failure>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer.value)),
        Err(Failure::Bad(..)) => Ok(None),
        Err(Failure::Stop(error)) => Err(error),
    }
}

/// Names the model: as the meter says, marked when the product is not in the table.
fn model(op: &Op, said: &str) -> Result<String> {
    let device = op.describe_device()?;
    let product = device.get("product").and_then(Value::as_str);
    Ok(model_name(said, product))
}

fn model_name(said: &str, product: Option<&str>) -> String {
    let known = |product: &str| {
        let mut named = DEVICES.iter().filter(|device| device.product != ANY);
        named.any(|device| device.product.eq_ignore_ascii_case(product))
    };
    match (said, product) {
        ("", _) => format!("{NAMELESS} {UNTESTED}"),
        (said, Some(product)) if !known(product) => format!("{said} {UNTESTED}"),
        (said, _) => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_six_meters_and_behind_them_any_other_of_the_vendor() {
        let products: Vec<&str> = DEVICES.iter().map(|device| device.product).collect();
        assert_eq!(
            products,
            ["0000", "0004", "000c", "000e", "1000", "1004", "*"]
        );
        for device in DEVICES {
            assert_eq!((device.link, device.vendor), ("scsi", "2766"));
        }
    }

    #[test]
    fn readme_lists_the_same_meters() {
        let readme = include_str!("../README.md");
        for device in DEVICES {
            let Device {
                vendor,
                product,
                model,
                tested,
                ..
            } = device;
            let row = format!("| {vendor}:{product} | {model} | {tested} |");
            assert!(readme.contains(&row), "{row}");
        }
        assert_eq!(readme.matches("\n| 2766:").count(), DEVICES.len());
    }

    #[test]
    fn serials_are_compared_without_blanks_and_in_upper_case() {
        assert_eq!(normalised(" zx 12\tab\n"), "ZX12AB");
    }

    #[test]
    fn models_outside_the_table_are_marked() {
        assert_eq!(model_name("Verio Flex", Some("0004")), "Verio Flex");
        assert_eq!(model_name("Verio Reflect", Some("000C")), "Verio Reflect");
        assert_eq!(model_name("Verio Flex", None), "Verio Flex");
        assert_eq!(
            model_name("Verio Neo", Some("0abc")),
            "Verio Neo (untested)"
        );
        assert_eq!(model_name("Verio Neo", Some("*")), "Verio Neo (untested)");
        assert_eq!(
            model_name("", Some("0004")),
            "OneTouch Verio family (untested)"
        );
    }
}

//! What the host is told about meters: the list for detection, and the one that answered.

use glucopipe_sdk::chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use glucopipe_sdk::component::Device;
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::serde_json::{Map, Value, json};

use crate::protocol::command::YEARS;
use crate::protocol::header::Header;
use crate::protocol::local_time::LocalTime;
use crate::protocol::model::{Link, MODELS, VENDOR_ID};

/// Number of the meters this driver reads.
const KNOWN: usize = {
    let (mut count, mut at) = (0, 0);
    while at < MODELS.len() {
        count += is_hid(at) as usize;
        at += 1;
    }
    count
};
/// Vendor id as text.
static VENDOR: [u8; 4] = hexadecimal(VENDOR_ID);
/// Product ids of these meters as texts.
static PRODUCTS: [[u8; 4]; KNOWN] = {
    let mut texts = [[0; 4]; KNOWN];
    let (mut next, mut at) = (0, 0);
    while at < MODELS.len() {
        if is_hid(at) {
            texts[next] = hexadecimal(MODELS[at].product_id);
            next += 1;
        }
        at += 1;
    }
    texts
};
/// All meters of the table on USB HID, and behind them any other of the vendor.
static DEVICES_TABLE: [Device; KNOWN + 1] = {
    let mut devices = [const {
        Device {
            link: "hid",
            vendor: text(&VENDOR),
            product: "*",
            model: "Contour (untested)",
            tested: "untested",
        }
    }; KNOWN + 1];
    let (mut next, mut at) = (0, 0);
    while at < MODELS.len() {
        if is_hid(at) {
            devices[next].product = text(&PRODUCTS[next]);
            devices[next].model = MODELS[at].name;
            devices[next].tested = MODELS[at].evidence.words();
            next += 1;
        }
        at += 1;
    }
    devices
};
/// Devices for detection, from the one table of [`crate::protocol::model`].
pub(crate) const DEVICES: &[Device] = &DEVICES_TABLE;

const fn is_hid(at: usize) -> bool {
    matches!(MODELS[at].link, Link::Hid)
}

/// Four hexadecimal digits.
const fn hexadecimal(id: u16) -> [u8; 4] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let id = id as usize;
    [
        DIGITS[id >> 12],
        DIGITS[(id >> 8) & 15],
        DIGITS[(id >> 4) & 15],
        DIGITS[id & 15],
    ]
}

const fn text(digits: &'static [u8; 4]) -> &'static str {
    match str::from_utf8(digits) {
        Ok(text) => text,
        Err(_) => "",
    }
}

/// Key of the info list with the display unit.
const UNIT_KEY: &str = "U";
/// Key of the info list with the measuring limits.
const LIMITS_KEY: &str = "V";

/// Describes the meter of a header that arrived at this time. The password is not in it.
pub(crate) fn info(header: &Header, read_us: i64) -> DeviceInfo {
    let clock = header.clock.and_then(civil_time);
    DeviceInfo {
        serial: header.serial.to_uppercase(),
        serial_raw: Some(header.serial_raw.clone()),
        model: header.model_name(),
        firmware: Some(header.firmware()).filter(|versions| !versions.is_empty()),
        unit: header
            .info(UNIT_KEY)
            .and_then(display_unit)
            .map(str::to_owned),
        record_count: header.result_count.map(u64::from),
        clock,
        clock_resolution_s: header.clock.filter(|_| clock.is_some()).map(resolution_s),
        clock_read_us: clock.map(|_| read_us),
        extra: extra(header),
    }
}

/// Turns a time of the meter into the SDK's; missing seconds are zero.
pub(crate) fn civil_time(time: LocalTime) -> Option<NaiveDateTime> {
    NaiveDate::from_ymd_opt(time.year.into(), time.month.into(), time.day.into())?.and_hms_opt(
        time.hour.into(),
        time.minute.into(),
        time.second.unwrap_or(0).into(),
    )
}

/// Turns a time of the SDK into the meter's; `None` for a year that its clock does not know.
pub(crate) fn meter_time(local: NaiveDateTime) -> Option<LocalTime> {
    let small = |number: u32| u8::try_from(number).ok();
    Some(LocalTime {
        year: u16::try_from(local.year())
            .ok()
            .filter(|year| YEARS.contains(year))?,
        month: small(local.month())?,
        day: small(local.day())?,
        hour: small(local.hour())?,
        minute: small(local.minute())?,
        second: None,
    })
}

fn resolution_s(clock: LocalTime) -> u32 {
    clock.second.map_or(60, |_| 1)
}

/// Reads the display unit where a meter was seen with this value (captured on
/// 7390, 7410 and 7800; 311 by another program). Values of another
/// form are not taken apart, and no reading is ever interpreted by it.
fn display_unit(code: &str) -> Option<&'static str> {
    match code {
        "0" | "303" => Some("mg/dL"),
        "1" | "311" => Some("mmol/L"),
        _ => None,
    }
}

fn extra(header: &Header) -> Map<String, Value> {
    let mut extra = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            extra.insert(key.to_owned(), value);
        }
    };
    put("product_code", json!(header.product_code()));
    put("sku", json!(header.sku));
    let evidence = header
        .model()
        .map_or("untested", |model| model.evidence.words());
    put("evidence", json!(evidence));
    let limits = &header.limits;
    put(
        "limits",
        json!({
            "low": limits.low.to_f64(),
            "high": limits.high.to_f64(),
            "unit": limits.unit.ucum(),
            "source": limits.source.name(),
            "raw": header.info(LIMITS_KEY),
        }),
    );
    extra
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::samples;

    #[test]
    fn lists_every_hid_meter_of_the_table_and_any_other_of_the_vendor() {
        let hid = MODELS.iter().filter(|model| model.link == Link::Hid);
        for (device, model) in DEVICES.iter().zip(hid) {
            assert_eq!(device.product, format!("{:04x}", model.product_id));
            assert_eq!((device.vendor, device.link), ("1a79", "hid"));
            assert_eq!(
                (device.model, device.tested),
                (model.name, model.evidence.words())
            );
        }
        assert_eq!(DEVICES.len(), 10);
        let last = &DEVICES[9];
        assert_eq!((last.product, last.model), ("*", "Contour (untested)"));
        assert!(DEVICES.iter().all(|device| device.product != "6001"));
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
        assert_eq!(readme.matches("\n| 1a79:").count(), DEVICES.len());
    }

    #[test]
    fn describes_a_meter_with_a_minute_clock() {
        let header = Header::parse(samples::HEADER_6200.as_bytes()).unwrap();
        let info = info(&header, 7);
        assert_eq!(info.serial, "6201-C12345");
        assert_eq!(info.serial_raw.as_deref(), Some("6201- C12345"));
        assert_eq!(info.model, "Contour Next Link");
        assert_eq!(info.firmware.as_deref(), Some("01.22/01.13/XX.XX"));
        assert_eq!(info.record_count, Some(0));
        assert_eq!(
            info.clock.unwrap().to_string(),
            "2026-05-30 18:05:00".to_owned()
        );
        assert_eq!(
            (info.clock_resolution_s, info.clock_read_us),
            (Some(60), Some(7))
        );
        assert_eq!(info.extra["limits"]["source"], "default");
        assert_eq!(info.extra["limits"]["raw"], Value::Null);
    }

    #[test]
    fn describes_a_meter_with_a_second_clock_and_odd_unit_code() {
        let header = Header::parse(samples::HEADER_7410_SIMULATED.as_bytes()).unwrap();
        let info = info(&header, 7);
        assert_eq!(info.clock_resolution_s, Some(1));
        assert_eq!(info.unit.as_deref(), Some("mmol/L"));
        assert_eq!(info.extra["limits"]["unit"], "mg/dL");
        assert_eq!(info.extra["limits"]["raw"], "20600");
        assert_eq!(info.extra["product_code"], "7410");
    }

    #[test]
    fn leaves_out_what_a_header_does_not_say() {
        let header = Header::parse(b"H|\\^&||aB3dEf|Contour9999").unwrap();
        let info = info(&header, 7);
        assert_eq!(info.model, "Contour 9999 (untested)");
        assert_eq!(info.extra["evidence"], "untested");
        assert_eq!((info.clock, info.clock_read_us), (None, None));
        assert_eq!(
            (info.unit, info.firmware, info.record_count),
            (None, None, None)
        );
        assert!(!format!("{:?}", info.extra).contains("aB3dEf"));
    }
}

use super::super::limits::{GlucoseUnit, LimitSource};
use super::super::samples;
use super::*;

fn parse(text: &str) -> Header {
    Header::parse(text.as_bytes()).unwrap()
}

#[test]
fn reads_the_contour_usb_shape() {
    let header = parse(samples::HEADER_7390);
    assert_eq!(header.product, "Bayer7390");
    assert_eq!(header.model().unwrap().product_id, 0x6002);
    assert_eq!(header.model_name(), "Contour USB");
    assert_eq!(header.firmware(), "01.24/01.04/09.02.20");
    assert_eq!(header.serial, "7390-1234567");
    assert_eq!(header.sku.as_deref(), Some("7403-"));
    assert_eq!(header.result_count, Some(3));
    assert_eq!(header.processing_id, "P");
    assert_eq!(header.version, "1");
    assert_eq!(header.clock.unwrap().to_string(), "2026-05-30T18:05");
    assert_eq!(header.info("G"), Some("1"));
    assert_eq!(header.info("V"), Some("10600"));
    assert!(!header.suspect);
}

#[test]
fn reads_the_contour_next_shape_with_a_list_inside_an_entry() {
    let header = parse(samples::HEADER_7350);
    assert_eq!(header.model_name(), "Contour Next");
    assert_eq!(header.info("G"), Some("es,en\\es\\it\\de"));
    assert_eq!(header.versions, ["01.14", "01.03", "04.18"]);
    assert_eq!(header.limits.low.to_string(), "20");
}

#[test]
fn reads_the_next_link_shape_with_blank_in_serial_and_no_limits() {
    let header = parse(samples::HEADER_6200);
    assert_eq!(header.serial_raw, "6201- C12345");
    assert_eq!(header.serial, "6201-C12345");
    assert_eq!(header.sender_extra, ["C12345"]);
    assert_eq!(header.versions.last().map(String::as_str), Some("XX.XX"));
    assert_eq!(header.info("V"), None);
    assert_eq!(header.limits, Limits::default_for(GlucoseUnit::MgPerDl));
    assert_eq!(header.result_count, Some(0));
}

#[test]
fn reads_the_next_usb_shape_with_seconds_simulated() {
    let header = parse(samples::HEADER_7410_SIMULATED);
    assert_eq!(header.model_name(), "Contour Next USB");
    assert_eq!(header.clock.unwrap().second, Some(7));
    assert_eq!(header.info("U"), Some("311"));
}

#[test]
fn reads_the_next_one_shape_without_sku_and_with_a_last_empty_field() {
    let header = parse(samples::HEADER_7800);
    assert_eq!(header.model().unwrap().product_code, "7800");
    assert_eq!(header.sku, None);
    assert_eq!(header.clock_raw, "20260530180507");
    assert_eq!(header.info("a"), Some("1"));
    assert_eq!(header.info("A"), Some("1"));
    assert_eq!(header.info("Y"), None);
}

#[test]
fn reads_the_serial_meter_shape_without_info_and_count() {
    let header = parse(samples::HEADER_7150);
    assert_eq!(header.versions, ["1.05", "0.00"]);
    assert_eq!(header.serial, "7150-SAM1234");
    assert!(header.info.is_empty());
    assert_eq!(header.result_count, None);
    assert_eq!(header.processing_id, "P");
    assert_eq!(header.clock_raw, "202605301805");
    assert_eq!(header.limits.source, LimitSource::Default);
}

#[test]
fn serial_forms_are_kept_whole() {
    for serial in ["7390-1234567", "6301-1C2ABCD", "7830H5001234"] {
        let header = parse(&format!("H|\\^&||x|Bayer7390^1^{serial}"));
        assert_eq!(header.serial, serial);
    }
}

#[test]
fn unknown_product_is_named_and_not_refused() {
    let named = |product: &str| parse(&format!("H|\\^&||x|{product}^1^1-1")).model_name();
    assert_eq!(named("Contour9999"), "Contour 9999 (untested)");
    assert_eq!(named("Other"), "Contour (untested)");
    assert_eq!(named("Contour7390"), "Contour USB");
    assert_eq!(parse("H|\\^&").model_name(), "Contour (untested)");
}

#[test]
fn limits_ignore_the_display_unit() {
    let limits = |info: &str| parse(&format!("H|\\^&||x|Bayer7390^1^1-1|{info}")).limits;
    assert_eq!(limits("U=1^V=10600").unit, GlucoseUnit::MgPerDl);
    assert_eq!(limits("U=1^V=10600").low.to_string(), "10");
    assert_eq!(limits("U=1^V=06333").unit, GlucoseUnit::MmolPerL);
    assert_eq!(limits("U=1^V=06333").high.to_string(), "33.3");
    assert_eq!(limits("U=1").source, LimitSource::Default);
}

#[test]
fn splits_as_announced_simulated() {
    let header = Header::parse(b"H!~:?!!x!Bayer7390:1~2:7390-1234567:S!A=1:V=20600!5").unwrap();
    assert_eq!(header.delimiters.field, b'!');
    assert_eq!(header.versions, ["1", "2"]);
    assert_eq!(header.serial, "7390-1234567");
    assert_eq!(header.info("V"), Some("20600"));
    assert_eq!(header.result_count, Some(5));
}

#[test]
fn impossible_clock_and_count_are_kept_as_text_only() {
    let header = parse("H|\\^&||x|Bayer7390^1^1-1||many|||||P|1|202613301805");
    assert_eq!(header.clock, None);
    assert_eq!(header.clock_raw, "202613301805");
    assert_eq!(header.result_count, None);
}

#[test]
fn foreign_bytes_make_a_header_suspect() {
    let header = Header::parse(b"H|\\^&||x|Bayer7390^1^1\xff1").unwrap();
    assert!(header.suspect);
    assert_eq!(header.serial, "1\u{ff}1");
}

#[test]
fn refuses_what_is_no_header() {
    assert_eq!(Header::parse(b""), Err(HeaderError::NotAHeader));
    assert_eq!(Header::parse(b"P|1"), Err(HeaderError::NotAHeader));
    for bad in [
        "H", "H|\\^", "H|\\^|&", "H||||", "H|\\^&x|", "Habcd", "H|\\^^|",
    ] {
        assert_eq!(
            Header::parse(bad.as_bytes()),
            Err(HeaderError::Delimiters),
            "{bad}"
        );
    }
}

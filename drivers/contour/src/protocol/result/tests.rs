use super::super::header::Header;
use super::super::markers::Meal;
use super::super::record::Record;
use super::*;

fn decode_with(info: &str, text: &str) -> Record {
    let header = format!("H|\\^&||x|Bayer7390^1^7390-1234567|{info}");
    Decoder::new(&Header::parse(header.as_bytes()).unwrap()).decode(text.as_bytes())
}

fn result_with(info: &str, text: &str) -> ResultRecord {
    match decode_with(info, text) {
        Record::Result(result) => *result,
        other => panic!("{text}: {other:?}"),
    }
}

fn result(text: &str) -> ResultRecord {
    result_with("V=20600", text)
}

fn reason(text: &str) -> OddReason {
    match decode_with("V=20600", text) {
        Record::Odd(odd) => {
            assert!(odd.is_result);
            assert_eq!(odd.raw, text.as_bytes());
            odd.reason
        }
        other => panic!("{text}: {other:?}"),
    }
}

fn glucose(value: &str, unit: &str, markers: &str) -> String {
    format!("R|1|^^^Glucose|{value}|{unit}||{markers}||202605301805")
}

#[test]
fn reads_a_result_in_mg_per_dl() {
    let result = result("R|12|^^^Glucose|159|mg/dL^P||A/T0/M0||20260530180507");
    assert_eq!(result.number, Some(12));
    assert_eq!(result.kind, Kind::Glucose);
    assert_eq!(result.value.to_string(), "159");
    assert_eq!(result.unit.ucum(), "mg/dL");
    assert_eq!(result.reference, Some(Reference::Plasma));
    assert_eq!(result.markers.meal, Some(Meal::After));
    assert_eq!(result.markers.raw, "A/T0/M0");
    assert_eq!(result.time.to_string(), "2026-05-30T18:05:07");
    assert_eq!(result.raw_time, "20260530180507");
    assert_eq!(result.flags, Flags::default());
}

#[test]
fn reads_a_decimal_in_mmol_per_l_from_its_own_unit_field() {
    let result = result_with("U=0^V=10600", &glucose("7.9", "mmol/L^P", "B"));
    assert_eq!(result.value.to_string(), "7.9");
    assert_eq!(result.unit, Unit::Glucose(GlucoseUnit::MmolPerL));
    assert_eq!(result.markers.meal, Some(Meal::Before));
    assert!(!result.flags.outside_declared_range);
}

#[test]
fn unit_is_matched_in_any_case_and_kept_verbatim_simulated() {
    let result = result(&glucose("93", "MG/DL^C", ""));
    assert_eq!((result.unit.ucum(), &*result.raw_unit), ("mg/dL", "MG/DL"));
    assert_eq!(result.reference, Some(Reference::Capillary));
}

#[test]
fn unknown_reference_is_kept_raw_simulated() {
    let result = result(&glucose("93", "mg/dL^Q", ""));
    assert_eq!((result.reference, &*result.raw_reference), (None, "Q"));
}

#[test]
fn control_solution_is_not_glucose_simulated() {
    let control = result(&glucose("120", "mg/dL^P", "C/M0/T1"));
    assert_eq!(control.kind, Kind::Control);
    let reading = result(&glucose("120", "mg/dL^P", "A/ZC"));
    assert_eq!(reading.kind, Kind::Glucose);
}

#[test]
fn high_reading_reports_the_limit_simulated() {
    let high = result(&glucose("601", "mg/dL^P", ">"));
    assert_eq!(high.range, Range::Above(LimitSource::Device));
    assert_eq!(high.value.to_string(), "600");
    assert_eq!(high.range_limit(), Some(high.value));
    assert_eq!(high.raw_value, "601");
    let low = result_with("V=10600", &glucose("9", "mg/dL^P", "</B"));
    assert_eq!(low.range, Range::Below(LimitSource::Device));
    assert_eq!(low.value.to_string(), "10");
    assert_eq!(low.raw_value, "9");
}

#[test]
fn limits_are_those_of_the_meter_in_the_unit_of_the_record_simulated() {
    let high = |info: &str| result_with(info, &glucose("33.4", "mmol/L^P", ">"));
    let device = high("U=1^V=06333");
    assert_eq!(
        (device.value.to_string(), device.range),
        ("33.3".into(), Range::Above(LimitSource::Device))
    );
    let converted = high("U=1^V=10600");
    assert_eq!(
        (converted.value.to_string(), converted.range),
        ("33.3".into(), Range::Above(LimitSource::Device))
    );
    let low = result_with("V=10600", &glucose("0.5", "mmol/L^P", "<"));
    assert_eq!(
        (low.value.to_string(), low.range),
        ("0.6".into(), Range::Below(LimitSource::Device))
    );
    let missing = result_with("U=0", &glucose("601", "mg/dL^P", ">"));
    assert_eq!(
        (missing.value.to_string(), missing.range),
        ("600".into(), Range::Above(LimitSource::Default))
    );
}

#[test]
fn value_outside_the_limits_without_token_is_only_flagged_simulated() {
    let outside = result(&glucose("601", "mg/dL^P", "B"));
    assert_eq!(
        (outside.range, outside.value.to_string()),
        (Range::In, "601".into())
    );
    assert!(outside.flags.outside_declared_range);
    assert!(
        !result(&glucose("600", "mg/dL^P", ""))
            .flags
            .outside_declared_range
    );
    assert!(
        !result(&glucose("20", "mg/dL^P", ""))
            .flags
            .outside_declared_range
    );
    assert!(
        result(&glucose("19", "mg/dL^P", ""))
            .flags
            .outside_declared_range
    );
    let undeclared = result_with("U=0", &glucose("601", "mg/dL^P", ""));
    assert!(!undeclared.flags.outside_declared_range);
}

#[test]
fn contradicting_range_tokens_keep_the_number_simulated() {
    let result = result(&glucose("601", "mg/dL^P", "</>"));
    assert_eq!(
        (result.range, result.value.to_string()),
        (Range::In, "601".into())
    );
    assert!(result.flags.marker_conflict);
}

#[test]
fn implausible_values_are_flagged_and_not_clamped_simulated() {
    let result = |value, unit| result(&glucose(value, unit, ""));
    assert!(result("2001", "mg/dL^P").flags.implausible);
    assert!(!result("2000", "mg/dL^P").flags.implausible);
    assert!(result("111.1", "mmol/L^P").flags.implausible);
    assert!(!result("111.0", "mmol/L^P").flags.implausible);
    assert_eq!(result("99999999", "mg/dL^P").value.to_string(), "99999999");
}

#[test]
fn insulin_is_sent_in_tenths_simulated() {
    let result = result("R|2|^^^Insulin|65|1^||||202605301806");
    assert_eq!(result.kind, Kind::Insulin);
    assert_eq!(
        (result.value.to_string(), &*result.raw_value),
        ("6.5".into(), "65")
    );
    assert_eq!((result.unit.ucum(), &*result.raw_unit), ("[iU]", "1"));
    assert_eq!(result.markers.notes(), ["fast-acting insulin"]);
    assert_eq!(result.reference, None);
    assert_eq!(
        reason("R|2|^^^Insulin|6.5|1||||202605301806"),
        OddReason::Value
    );
}

#[test]
fn insulin_type_is_a_note_simulated() {
    for (code, note) in [
        ("0", "unknown"),
        ("2", "long"),
        ("3", "mixed"),
        ("9", "unknown"),
    ] {
        let result = result(&format!("R|2|^^^Insulin|10|{code}||||202605301806|"));
        assert!(result.markers.notes()[0].contains(note), "{code}");
    }
}

#[test]
fn glucose_markers_on_other_kinds_are_unknown_simulated() {
    let result = result("R|2|^^^Insulin|65|1^||C/>/X||202605301806");
    assert_eq!((result.kind, result.range), (Kind::Insulin, Range::In));
    assert_eq!(result.markers.unknown, ["C", ">"]);
    assert_eq!(result.markers.notes(), ["fast-acting insulin", "activity"]);
}

#[test]
fn carbs_are_not_always_grams_simulated() {
    for (code, unit) in [
        ("0", "{unknown}"),
        ("1", "g"),
        ("2", "{points}"),
        ("3", "{choices}"),
        ("7", "{unknown}"),
    ] {
        let result = result(&format!("R|3|^^^Carb|45|{code}^||||202605301806"));
        assert_eq!((result.kind, result.unit.ucum()), (Kind::Carbs, unit));
        assert_eq!(result.value.to_string(), "45");
    }
}

#[test]
fn odd_results_name_their_reason_simulated() {
    assert_eq!(
        reason("R|1|^^^Glucose|HI|mg/dL^P||||202605301805"),
        OddReason::Value
    );
    assert_eq!(
        reason("R|1|^^^Glucose||mg/dL^P||||202605301805"),
        OddReason::Value
    );
    assert_eq!(
        reason("R|1|^^^Glucose|-5|mg/dL^P||||202605301805"),
        OddReason::Value
    );
    assert_eq!(
        reason("R|1|^^^Glucose|1e3|mg/dL^P||||202605301805"),
        OddReason::Value
    );
    assert_eq!(
        reason("R|1|^^^Glucose|NaN|mg/dL^P||||202605301805"),
        OddReason::Value
    );
    assert_eq!(
        reason("R|1|^^^Glucose|93|g/L^P||||202605301805"),
        OddReason::Unit
    );
    assert_eq!(
        reason("R|1|^^^Glucose|93|^P||||202605301805"),
        OddReason::Unit
    );
    assert_eq!(
        reason("R|1|^^^Glucose|93|mg/dL^P||||202602301805"),
        OddReason::Time
    );
    assert_eq!(reason("R|1|^^^Glucose|93|mg/dL^P||||"), OddReason::Time);
    assert_eq!(
        reason("R|1|^^^Glucose|93|mg/dL^P"),
        OddReason::Missing("markers")
    );
    assert_eq!(reason("R|"), OddReason::Missing("test"));
    assert_eq!(
        reason("R|1|^^^Ketone|0.3|mmol/L||||202605301805"),
        OddReason::UnknownTest("Ketone".into())
    );
    assert_eq!(
        reason("R|1|Glucose|93|mg/dL^P||||202605301805"),
        OddReason::UnknownTest(String::new())
    );
}

#[test]
fn bad_number_does_not_cost_the_reading_simulated() {
    assert_eq!(
        result("R|x|^^^Glucose|93|mg/dL^P||||202605301805").number,
        None
    );
}

#[test]
fn foreign_bytes_make_a_result_suspect_simulated() {
    let record = b"R|1|^^^Glucose|93|mg/dL^P||B/\xfc||202605301805";
    let Record::Result(result) = Decoder::default().decode(record) else {
        panic!()
    };
    assert!(result.flags.suspect);
    assert_eq!(result.markers.unknown, ["\u{fc}"]);
    assert_eq!(result.raw, record);
}

#[test]
fn two_results_in_one_minute_keep_their_seconds_simulated() {
    let first = result("R|1|^^^Glucose|93|mg/dL^P||||20260530180507");
    let second = result("R|2|^^^Glucose|93|mg/dL^P||||20260530180541");
    assert!(first.time < second.time);
}

#[test]
fn order_turns_glucose_into_control_and_nothing_else() {
    let mut reading = result(&glucose("93", "mg/dL^P", ""));
    reading.mark_control();
    assert_eq!(reading.kind, Kind::Control);
    let mut carbs = result("R|3|^^^Carb|45|1||||202605301806");
    carbs.mark_control();
    assert_eq!(carbs.kind, Kind::Carbs);
}

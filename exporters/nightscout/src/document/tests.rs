use super::*;

/// 2026-05-30T16:05:00Z.
pub(super) const AT: i64 = 1_780_157_100_000;

fn stick(glucose: Option<Glucose>) -> Stick {
    Stick {
        reading_id: "6f1e7b0a-8d0c-5b6e-9b43-0c6f2e6b9a11".to_owned(),
        second_ms: AT,
        offset_min: 120,
        glucose: glucose.unwrap(),
        beyond: None,
        device: "Contour Next 1000001".to_owned(),
        notes: String::new(),
        raw_value: "118".to_owned(),
        raw_unit: "mg/dL".to_owned(),
    }
}

fn form(collection: Collection, display: Display) -> Form {
    Form {
        collection,
        app: "glucopipe".to_owned(),
        display,
    }
}

fn shown(document: Map<String, Value>) -> String {
    glucopipe_sdk::serde_json::to_string_pretty(&document).unwrap()
}

#[test]
fn an_entry_is_mbg_with_one_instant_in_both_fields() {
    let stick = stick(Glucose::from_mg_per_dl(118.0));
    // Whatever the site shows, `mbg` is mg/dL.
    let form = form(Collection::Entries, Display::MmolPerL);
    insta::assert_snapshot!(shown(form.document(&stick, AT + 123)));
    insta::assert_snapshot!("entry-v3", shown(form.document_v3(&stick, AT + 123)));
}

#[test]
fn a_treatment_is_in_the_unit_of_the_site() {
    let mut stick = stick(Glucose::from_mmol_per_l(5.5));
    (stick.raw_value, stick.raw_unit) = ("5.5".to_owned(), "mmol/L".to_owned());
    stick.notes = "before meal".to_owned();
    let treatment = |display| form(Collection::Treatments, display).document(&stick, AT + 7);
    insta::assert_snapshot!("treatment-mmol", shown(treatment(Display::MmolPerL)));
    let document = treatment(Display::MgPerDl);
    assert_eq!(
        (&document["glucose"], &document["units"]),
        (&json!(99), &json!("mg/dl"))
    );
    let form = form(Collection::Treatments, Display::MmolPerL);
    let document = form.document_v3(&stick, AT + 7);
    assert_eq!(
        (&document["date"], &document["utcOffset"]),
        (&json!(AT + 7), &json!(120))
    );
}

/// Every number of domain rule 3: one rounding, half away from zero, the factor 18.01559.
#[test]
fn glucose_is_rounded_once() {
    for (mg, mmol) in [
        (118.0, 6.5),
        (181.0, 10.0),
        (100.0, 5.6),
        (54.0, 3.0),
        (600.0, 33.3),
    ] {
        let glucose = Glucose::from_mg_per_dl(mg).unwrap();
        assert_eq!((glucose.mg_per_dl, glucose.mmol_per_l), (mg, mmol));
    }
    for (mmol, mg) in [(5.5, 99.0), (33.3, 600.0), (0.6, 11.0), (10.0, 180.0)] {
        let glucose = Glucose::from_mmol_per_l(mmol).unwrap();
        assert_eq!((glucose.mg_per_dl, glucose.mmol_per_l), (mg, mmol));
    }
    // Full precision of an earlier conversion.
    assert_eq!(Glucose::from_mg_per_dl(99.085745).unwrap().mg_per_dl, 99.0);
    assert_eq!(Glucose::from_mg_per_dl(99.5).unwrap().mg_per_dl, 100.0);
}

#[test]
fn what_is_no_value_is_no_glucose() {
    for bad in [0.0, 0.4, -3.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Glucose::from_mg_per_dl(bad), None);
    }
    assert_eq!(Glucose::from_mmol_per_l(0.01), None);
}

#[test]
fn offsets_are_written_with_their_sign_and_impossible_ones_as_utc() {
    for (minutes, text) in [
        (-300, "2026-05-30T11:05:00.001-05:00"),
        (345, "2026-05-30T21:50:00.001+05:45"),
        (0, "2026-05-30T16:05:00.001+00:00"),
        (i16::MAX, "2026-05-30T16:05:00.001+00:00"),
    ] {
        assert_eq!(date_text(AT + 1, minutes), text);
    }
    assert_eq!(utc_text(AT + 1), "2026-05-30T16:05:00.001Z");
}

/// The slot is part of the contract: another one would double what is at a site.
#[test]
fn slots_are_frozen() {
    let slot = |id: &str| {
        let mut stick = stick(Glucose::from_mg_per_dl(100.0));
        stick.reading_id = id.to_owned();
        stick.slot()
    };
    let slots = [
        slot("6f1e7b0a-8d0c-5b6e-9b43-0c6f2e6b9a11"),
        slot("00000000-0000-5000-8000-000000000001"),
        slot(""),
    ];
    assert_eq!(slots, [438, 191, 865]);
}

#[test]
fn texts_keep_what_the_filter_of_the_site_leaves_alone() {
    for (text, cleaned) in [
        ("Meter <One> & \"Two\"", "Meter One Two"),
        ("before meal; after sport", "before meal/ after sport"),
        ("  Contour Next ", "Contour Next"),
        ("mg/dL", "mg/dL"),
        ("Größe\u{0}\n5", "Gr e 5"),
        ("", ""),
    ] {
        assert_eq!(clean(text), cleaned);
    }
    assert_eq!(clean(&"x".repeat(1000)).len(), TEXT_LIMIT);
}

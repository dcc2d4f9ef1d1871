//! Readings for uploads.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int16Array, RecordBatch};
use glucopipe_sdk::testing::{Form, moments, numbers, texts};

/// 2026-05-30 18:05 in Berlin.
pub(super) const EVENING_MS: i64 = 1_780_157_100_000;
const HOUR_MS: i64 = 3_600_000;

/// A reading that may become a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stick {
    pub(super) id: String,
    pub(super) time_ms: i64,
    pub(super) has_time: bool,
    pub(super) offset_min: i16,
    pub(super) kind: &'static str,
    pub(super) range: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) serial: &'static str,
}

impl Stick {
    /// 118 mg/dL on an evening in Berlin.
    pub(super) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            time_ms: EVENING_MS,
            has_time: true,
            offset_min: 120,
            kind: "glucose",
            range: "in",
            value: 118.0,
            unit: "mg/dL",
            serial: "1000001",
        }
    }

    pub(super) fn at(mut self, time_ms: i64) -> Self {
        self.time_ms = time_ms;
        self
    }

    pub(super) fn value(mut self, value: f64, unit: &'static str) -> Self {
        (self.value, self.unit) = (value, unit);
        self
    }

    pub(super) fn of(mut self, serial: &'static str) -> Self {
        self.serial = serial;
        self
    }

    /// As another zone would have it: so many hours further east.
    pub(super) fn moved(&self, hours: i16) -> Self {
        let time_ms = self.time_ms - i64::from(hours) * HOUR_MS;
        let offset_min = self.offset_min + 60 * hours;
        Self {
            time_ms,
            offset_min,
            ..self.clone()
        }
    }

    pub(super) fn mg_per_dl(&self) -> i64 {
        #[allow(clippy::cast_possible_truncation)] // rounded
        match self.unit {
            "mmol/L" => (self.value * 18.01559).round() as i64,
            _ => self.value as i64,
        }
    }

    pub(super) fn mmol_per_l(&self) -> f64 {
        match self.unit {
            "mmol/L" => self.value,
            _ => (self.value / 18.01559 * 10.0).round() / 10.0,
        }
    }
}

/// So many sticks, one an hour, the last one on that evening.
pub(super) fn many(count: usize) -> Vec<Stick> {
    let ago = |back: usize| i64::try_from(back).expect("few") * HOUR_MS;
    (0..count)
        .map(|n| {
            let mg = u16::try_from(40 + n % 400).expect("small");
            Stick::new(&format!("stick-{n}"))
                .at(EVENING_MS - ago(count - 1 - n))
                .value(mg.into(), "mg/dL")
        })
        .collect()
}

/// The readings as the host hands them over.
pub(super) fn table(sticks: &[Stick]) -> RecordBatch {
    let of = |get: fn(&Stick) -> &str| -> ArrayRef {
        texts(
            &sticks
                .iter()
                .map(|stick| Some(get(stick)))
                .collect::<Vec<_>>(),
        )
    };
    let raw: Vec<String> = sticks.iter().map(|stick| stick.value.to_string()).collect();
    let raw: Vec<Option<&str>> = raw.iter().map(|raw| Some(raw.as_str())).collect();
    let times: Vec<_> = sticks
        .iter()
        .map(|stick| stick.has_time.then_some(stick.time_ms * 1000))
        .collect();
    let offsets: Int16Array = sticks.iter().map(|stick| Some(stick.offset_min)).collect();
    let values: Vec<_> = sticks.iter().map(|stick| Some(stick.value)).collect();
    glucopipe_sdk::testing::table(
        sticks.len(),
        Form::Words,
        &[
            ("reading_id", of(|stick| &stick.id)),
            ("time", moments(&times)),
            ("utc_offset_min", Arc::new(offsets)),
            ("kind", of(|stick| stick.kind)),
            ("range", of(|stick| stick.range)),
            ("value", numbers(&values)),
            ("unit", of(|stick| stick.unit)),
            ("raw_value", texts(&raw)),
            ("raw_unit", of(|stick| stick.unit)),
            ("device_model", of(|_| "Contour Next")),
            ("device_serial", of(|stick| stick.serial)),
        ],
    )
}

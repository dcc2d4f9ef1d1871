//! `units`: glucose in one unit, with the factor and the rounding the user chose.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
};
use arrow::datatypes::Int32Type;
use glucopipe_sdk::decimal::{Factor, Scale};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Outcome, ReadContext, Rejected, Transform, Words, parse, replace, typed, words};
use crate::config::Person;
use crate::problem::{Code, Problem};

const MG_PER_DL: &str = "mg/dL";
const MMOL_PER_L: &str = "mmol/L";

/// Schema metadata behind this transform: the unit of glucose, mg/dL per mmol/L, and the decimals that values are
/// rounded to, which is missing where they have full precision.
const UNITS_KEY: &str = "glucopipe.units";
const FACTOR_KEY: &str = "glucopipe.factor";
const DECIMALS_KEY: &str = "glucopipe.decimals";

/// Keys of a `units` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Unit of glucose values behind this transform, `mg/dL` or `mmol/L`.
    #[schemars(schema_with = "unit_schema")]
    to: String,
    /// Factor mg/dL per mmol/L; `18` matches tools that divide by 18.
    #[serde(default = "standard")]
    #[schemars(extend("enum" = [18.01559, 18]))]
    factor: f64,
    /// Decimals that values are rounded to, once, half away from zero; full precision if omitted.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3))]
    decimals: Option<u8>,
}

/// Offers the two spellings and leaves the rest to [`open`], which takes any case.
fn unit_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [{ "enum": [MG_PER_DL, MMOL_PER_L] }, { "type": "string" }],
    })
}

fn standard() -> f64 {
    Factor::Standard.number()
}

/// A unit of glucose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    MgPerDl,
    MmolPerL,
}

impl Unit {
    fn parse(text: &str) -> Option<Self> {
        let is = |name: &str| text.trim().eq_ignore_ascii_case(name);
        match text {
            _ if is(MG_PER_DL) => Some(Self::MgPerDl),
            _ if is(MMOL_PER_L) => Some(Self::MmolPerL),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::MgPerDl => MG_PER_DL,
            Self::MmolPerL => MMOL_PER_L,
        }
    }
}

/// Makes the transform.
pub(super) fn open(options: &Value, _: &[Person]) -> Result<Box<dyn Transform>, Rejected> {
    let config: Config = parse(options)?;
    let Some(to) = Unit::parse(&config.to) else {
        let message = format!(
            "expected `mg/dL` or `mmol/L`, got `{}`",
            shortened(&config.to)
        );
        let distance = |unit: &&str| {
            strsim::damerau_levenshtein(&config.to.to_lowercase(), &unit.to_lowercase())
        };
        let near = [MG_PER_DL, MMOL_PER_L].into_iter().min_by_key(distance);
        let near = near.filter(|unit| distance(unit) <= 3);
        let rejected = Rejected::new("to", Code::CONFIG_VALUE, message);
        return Err(match near {
            Some(unit) => rejected.hint(format!("did you mean `{unit}`?")),
            None => rejected,
        });
    };
    let Some(factor) = Factor::of(config.factor) else {
        let message = format!("expected `18.01559` or `18`, got `{}`", config.factor);
        let hint = "leave `factor` out for 18.01559";
        return Err(Rejected::new("factor", Code::CONFIG_VALUE, message).hint(hint));
    };
    if let Some(decimals) = config.decimals.filter(|decimals| *decimals > 3) {
        let message = format!("expected at most 3, got {decimals}");
        return Err(Rejected::new("decimals", Code::CONFIG_VALUE, message));
    }
    let convert = match to {
        Unit::MgPerDl => factor.to_mg(config.decimals),
        Unit::MmolPerL => factor.to_mmol(config.decimals),
    };
    let decimals = match config.decimals {
        None => "full precision".to_owned(),
        Some(1) => "1 decimal".to_owned(),
        Some(decimals) => format!("{decimals} decimals"),
    };
    let note = format!(
        "units: glucose in {}, factor {}, {decimals}",
        to.name(),
        config.factor
    );
    let mut says = BTreeMap::from([
        (UNITS_KEY.to_owned(), to.name().to_owned()),
        (FACTOR_KEY.to_owned(), config.factor.to_string()),
    ]);
    if let Some(decimals) = config.decimals {
        says.insert(DECIMALS_KEY.to_owned(), decimals.to_string());
    }
    Ok(Box::new(Units {
        to,
        convert,
        round: Scale::new(1, 1, config.decimals),
        note,
        says,
    }))
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

struct Units {
    to: Unit,
    /// For values in the other unit.
    convert: Scale,
    /// For values that are in the unit already.
    round: Scale,
    note: String,
    says: BTreeMap<String, String>,
}

/// What happens to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Leave,
    Round,
    Convert,
}

impl Transform for Units {
    fn apply(&mut self, batch: RecordBatch, _: &ReadContext) -> Result<Outcome, Problem> {
        let kinds = words(&batch, "kind")?;
        let units = words(&batch, "unit")?;
        let is_glucose = kinds.map(false, |kind| matches!(kind, "glucose" | "control"));
        let by_unit = units.map(Step::Leave, |unit| match Unit::parse(unit) {
            Some(unit) if unit == self.to && self.round.is_identity() => Step::Leave,
            Some(unit) if unit == self.to => Step::Round,
            Some(_) => Step::Convert,
            None => Step::Leave,
        });
        let steps: Vec<Step> = kinds
            .keys()
            .iter()
            .zip(units.keys())
            .map(|(&kind, &unit)| {
                if is_glucose.of(kind) {
                    by_unit.of(unit)
                } else {
                    Step::Leave
                }
            })
            .collect();
        let converted = steps.iter().filter(|step| **step == Step::Convert).count();
        let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
        if steps.iter().any(|step| *step != Step::Leave) {
            columns.push(("value", self.scaled(typed(&batch, "value")?, &steps)));
            let limits: &Float64Array = typed(&batch, "range_limit")?;
            if limits.null_count() < limits.len() {
                columns.push(("range_limit", self.scaled(limits, &steps)));
            }
        }
        if converted > 0 {
            columns.push(("unit", self.renamed(&units, &steps)));
        }
        let batch = if columns.is_empty() {
            batch
        } else {
            replace(&batch, columns)?
        };
        let notes = vec![format!(
            "{}; {converted} of {} converted",
            self.note,
            steps.len()
        )];
        Ok(Outcome {
            notes,
            ..Outcome::of(batch)
        })
    }

    fn says(&self) -> Option<BTreeMap<String, String>> {
        Some(self.says.clone())
    }
}

impl Units {
    fn scaled(&self, array: &Float64Array, steps: &[Step]) -> ArrayRef {
        let values: Vec<f64> = array
            .values()
            .iter()
            .zip(steps)
            .map(|(&value, step)| match step {
                Step::Leave => value,
                Step::Round => self.round.apply(value),
                Step::Convert => self.convert.apply(value),
            })
            .collect();
        Arc::new(Float64Array::new(values.into(), array.nulls().cloned()))
    }

    /// The column `unit` with the new unit where values were converted.
    fn renamed(&self, units: &Words<'_>, steps: &[Step]) -> ArrayRef {
        let name = self.to.name();
        let (key, values) = match units.values.iter().position(|unit| unit == Some(name)) {
            Some(key) => (key, units.values.clone()),
            None => {
                let more = units.values.iter().chain([Some(name)]);
                (units.values.len(), more.collect::<StringArray>())
            }
        };
        let key = i32::try_from(key).unwrap_or(i32::MAX);
        let keys: Vec<i32> = units
            .keys()
            .iter()
            .zip(steps)
            .map(|(&old, step)| if *step == Step::Convert { key } else { old })
            .collect();
        let keys = Int32Array::new(keys.into(), units.array.nulls().cloned());
        // Every key is an old one or the position just found.
        Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values)))
    }
}

#[cfg(test)]
mod tests;

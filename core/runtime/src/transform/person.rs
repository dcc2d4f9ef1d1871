//! `person`: whose a reading is, by the serial of the meter; what is nobody's is held back.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, DictionaryArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int32Type;
use glucopipe_sdk::batch::Texts;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Outcome, ReadContext, Rejected, Transform, invalid, parse, replace, words};
use crate::config::Person;
use crate::device::{normalise_serial, serial_end};
use crate::problem::{Code, Place, Problem};

/// Meters that a warning names.
const NAMED: usize = 5;

/// A `person` transform has no keys of its own: `[persons.NAME]` says whose the meters are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

/// Makes the transform.
pub(super) fn open(options: &Value, persons: &[Person]) -> Result<Box<dyn Transform>, Rejected> {
    let Config {} = parse(options)?;
    let owners = persons.iter().enumerate().flat_map(|(index, person)| {
        let serials = person.serials.iter().cloned();
        serials.map(move |serial| (serial, index))
    });
    Ok(Box::new(Assign {
        names: persons.iter().map(|person| person.name.clone()).collect(),
        owners: owners.collect(),
        held: BTreeMap::new(),
        sources: BTreeSet::new(),
    }))
}

struct Assign {
    names: Vec<String>,
    /// Which name a serial belongs to.
    owners: HashMap<String, usize>,
    /// Readings held back, by serial; a reading may come again from the journal, and is one all the same.
    held: BTreeMap<String, HashSet<u64>>,
    /// Where they came from.
    sources: BTreeSet<String>,
}

impl Transform for Assign {
    fn asks_persons(&self) -> bool {
        true
    }

    fn apply(&mut self, batch: RecordBatch, context: &ReadContext) -> Result<Outcome, Problem> {
        let serials = words(&batch, "device_serial")?;
        let owner = |serial: &str| self.owners.get(&normalise_serial(serial)).copied();
        let owners = serials.map(None, owner);
        let rows: Vec<Option<usize>> = serials.keys().iter().map(|&key| owners.of(key)).collect();
        let ids = Texts::of(&batch, "reading_id").map_err(|error| invalid(&error.message))?;
        for row in (0..rows.len()).filter(|&row| rows[row].is_none()) {
            let key = serials.array.key(row);
            let serial = key.map_or("", |key| serials.values.value(key));
            let id = fingerprint(ids.get(row));
            match self.held.get_mut(serial) {
                Some(held) => drop(held.insert(id)),
                None => drop(self.held.insert(serial.to_owned(), HashSet::from([id]))),
            }
        }
        let held = rows.iter().filter(|owner| owner.is_none()).count();
        let batch = if held == 0 {
            batch
        } else {
            self.sources.insert(context.source.clone());
            let known = BooleanArray::from_iter(rows.iter().map(|owner| Some(owner.is_some())));
            filter_record_batch(&batch, &known).map_err(|error| invalid(&error.to_string()))?
        };
        // Only names with a reading here: the others are nobody's business where this goes.
        let names: DictionaryArray<Int32Type> = rows
            .iter()
            .flatten()
            .map(|&index| self.names.get(index).map(String::as_str))
            .collect();
        let batch = replace(&batch, vec![("person", Arc::new(names) as ArrayRef)])?;
        let all = rows.len();
        Ok(Outcome {
            notes: vec![format!(
                "person: {} of {all} readings are somebody's, {held} are held back",
                all - held
            )],
            dropped: held as u64,
            ..Outcome::of(batch)
        })
    }

    fn finish(&mut self) -> Vec<Problem> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return Vec::new();
        }
        let (readings, are) = match held.values().map(HashSet::len).sum() {
            1 => ("1 reading".to_owned(), "is"),
            many => (format!("{many} readings"), "are"),
        };
        let meters = match held.len() {
            1 => "a meter that is nobody's".to_owned(),
            many => format!("{many} meters that are nobody's"),
        };
        let title = format!("{readings} of {meters} {are} held back");
        let mut problem = Problem::warning(Code::HELD_BACK, title);
        if let (Some(source), 1) = (self.sources.first(), self.sources.len()) {
            problem = problem.at(Place::Named(format!("sources.{source}")));
        }
        for (serial, readings) in held.iter().take(NAMED) {
            let which = match serial_end(serial) {
                end if end.is_empty() => "the serial of one".to_owned(),
                end => format!("the serial that ends in `{end}`"),
            };
            problem = problem.cause(format!(
                "{which} stands under no [persons.NAME]; readings: {}",
                readings.len()
            ));
        }
        if held.len() > NAMED {
            problem = problem.cause(format!("and {} more", held.len() - NAMED));
        }
        vec![
            problem
                .kept("they stay in the journal, and nobody was given them")
                .hint(
                    "`glucopipe persons` shows whole serials; add each to its person and run again",
                ),
        ]
    }
}

fn fingerprint(reading_id: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    reading_id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;

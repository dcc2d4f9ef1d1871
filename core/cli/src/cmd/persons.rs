//! `glucopipe persons`: people with their meters, and meters that are nobody's.

use chrono::DateTime;
use glucopipe_runtime::config::Person;
use glucopipe_runtime::journal::{Journal, Meter};
use glucopipe_runtime::problem::Problem;
use glucopipe_runtime::run::known::{Keep, Replay};
use glucopipe_runtime::run::plan::plan;
use serde_json::{Value, json};

use super::Done;
use super::place::{journal_path, pipeline_file};
use super::run::{Opened, open};
use crate::args::Persons;
use crate::context::Context;
use crate::exit::Exit;

/// Lists people. Serials are whole here: who asks wants to write them down.
pub(super) fn persons(context: &Context, args: &Persons) -> Done {
    let mut opened = open(context, &args.pipeline)?;
    let problems = opened.loaded.problems();
    for problem in problems {
        context.output.problem(problem);
    }
    match Exit::for_problems(problems) {
        Exit::Done => {}
        exit => return Ok(exit),
    }
    let journal = Journal::look(&journal_path(&opened.loaded)?)?;
    let meters = match journal {
        Some(journal) => known_meters(context, args, &mut opened, journal)?,
        None => Vec::new(),
    };
    let persons = &opened.loaded.pipeline.persons;
    let is_somebodys = |meter: &Meter| {
        persons
            .iter()
            .any(|person| person.serials.contains(&meter.serial))
    };
    // A meter of another pipeline is that one's concern.
    let nobodys = meters
        .iter()
        .filter(|meter| meter.here && !is_somebodys(meter));
    let nobodys: Vec<&Meter> = nobodys.collect();
    if args.json {
        let document = json!({
            "persons": persons.iter().map(|person| described(person, &meters)).collect::<Vec<_>>(),
            "unassigned": nobodys.iter().map(|meter| known(meter)).collect::<Vec<_>>(),
        });
        context.output.json(&document);
    } else {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for person in persons {
            rows.extend(lines(person, &meters));
        }
        rows.extend(nobodys.iter().map(|meter| line("(nobody)", meter)));
        if rows.is_empty() {
            context
                .output
                .note("the pipeline has no [persons], and no meter was read yet");
        } else {
            let head = ["PERSON", "SERIAL", "MODEL", "READINGS", "LAST READ"];
            context.output.table(&head, &rows);
        }
        if !nobodys.is_empty() {
            context.output.note(
                "whose are the last ones? put each serial into `serials` of a [persons.NAME], and run again",
            );
        }
    }
    Ok(Exit::Done)
}

/// The meters in the journal; those that the pipeline delivers from, read by it or not, are here.
fn known_meters(
    context: &Context,
    args: &Persons,
    opened: &mut Opened,
    mut journal: Journal,
) -> Result<Vec<Meter>, Problem> {
    let pipeline = pipeline_file(&args.pipeline.pipeline);
    let mut meters = journal.meters(&pipeline)?;
    let finder = context.finder(&opened.registry);
    // Without a plan, for lack of a secret or a plugin, what was read is known all the same.
    if let Some(plan) = plan(&mut opened.loaded, &opened.registry, &finder) {
        let keep = Keep {
            journal: &mut journal,
            pipeline,
            transcript: None,
            replay: Some(Replay::default()),
            full: false,
        };
        let delivered = keep.all_meters(&plan);
        for meter in &mut meters {
            meter.here |= delivered.contains(&meter.meter);
        }
    }
    Ok(meters)
}

/// The meters with a serial; two drivers may know the same one.
fn of<'m>(meters: &'m [Meter], serial: &'m str) -> impl Iterator<Item = &'m Meter> {
    meters.iter().filter(move |meter| meter.serial == serial)
}

fn lines(person: &Person, meters: &[Meter]) -> Vec<Vec<String>> {
    let cells = |serial: &str| {
        let cells = [&person.name, serial, "-", "0", "never"];
        cells.map(str::to_owned).to_vec()
    };
    if person.serials.is_empty() {
        let mut alone = cells("-");
        alone[3..].fill("-".to_owned());
        return vec![alone];
    }
    let mut lines = Vec::new();
    for serial in &person.serials {
        let found = of(meters, serial).map(|meter| line(&person.name, meter));
        let before = lines.len();
        lines.extend(found);
        if lines.len() == before {
            lines.push(cells(serial));
        }
    }
    lines
}

fn line(person: &str, meter: &Meter) -> Vec<String> {
    vec![
        person.to_owned(),
        meter.serial.clone(),
        meter.model.clone(),
        meter.readings.to_string(),
        last_read(meter).unwrap_or_default(),
    ]
}

fn described(person: &Person, meters: &[Meter]) -> Value {
    let serials = person.serials.iter().map(|serial| {
        let known: Vec<Value> = of(meters, serial).map(known).collect();
        json!({ "serial": serial, "meters": known })
    });
    json!({ "name": person.name, "serials": serials.collect::<Vec<_>>() })
}

fn known(meter: &Meter) -> Value {
    let mut value = serde_json::to_value(meter).unwrap_or_default();
    value["last_read"] = json!(last_read(meter));
    value
}

/// `2026-11-01T12:00:00Z`.
fn last_read(meter: &Meter) -> Option<String> {
    let read = DateTime::from_timestamp_micros(meter.last_read_us)?;
    Some(read.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

//! `glucopipe explain`: a code, or one reading's whole life.

use glucopipe_runtime::codes::{Code, Entry, all};
use glucopipe_runtime::journal::{Journal, Life};
use glucopipe_runtime::problem::Problem;
use glucopipe_runtime::render::escape;
use glucopipe_runtime::run::known::Keep;
use glucopipe_runtime::run::trace::{Effect, Step, trace};
use serde_json::{Value, json};

use super::place::{default_journal, journal_path, pipeline_file, pipeline_here};
use super::run::{open, plan_or_report};
use super::{Done, misused};
use crate::args::{Explain, Pipeline};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::plain;

/// Where a UUID has its version.
const PLACE_OF_VERSION: usize = 14;
/// Bytes of a frame in one line.
const FRAME_LINE: usize = 16;

/// Explains an error code or a reading.
pub(super) fn explain(context: &Context, args: &Explain) -> Done {
    let Some(text) = &args.what else {
        if args.json {
            let codes: Vec<Value> = all().iter().map(document).collect();
            context.output.json(&json!({ "codes": codes }));
            return Ok(Exit::Done);
        }
        let rows: Vec<Vec<String>> = all()
            .iter()
            .map(|entry| vec![entry.code.to_string(), entry.summary.into()])
            .collect();
        context.output.table(&["CODE", "MEANING"], &rows);
        return Ok(Exit::Done);
    };
    if let Some(code) = Code::parse(text) {
        let entry = code.entry();
        if args.json {
            context.output.json(&document(entry));
            return Ok(Exit::Done);
        }
        context.output.data(&format!(
            "{}: {}\n\n{}\n",
            entry.code, entry.summary, entry.page
        ));
        return Ok(Exit::Done);
    }
    if !is_reading_id(text) {
        let title = format!("`{text}` is neither a code nor the id of a reading");
        let problem = Problem::error(Code::CONFIG_NAME, title);
        let problem = problem.hint("`glucopipe explain` lists all codes");
        return Ok(misused(context, &problem));
    }
    reading(context, args, &text.to_ascii_lowercase())
}

/// A code for programs.
fn document(entry: &Entry) -> Value {
    json!({ "code": entry.code.to_string(), "summary": entry.summary, "page": entry.page })
}

/// Whether a text looks like a UUID.
fn is_reading_id(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = |c: char| c.is_ascii_hexdigit() || c == '-';
    groups == [8, 4, 4, 4, 12] && text.chars().all(digits)
}

fn reading(context: &Context, args: &Explain, id: &str) -> Done {
    let file = args.pipeline.as_deref();
    let found = file.or(pipeline_here());
    let mut planned = None;
    let mut place = None;
    if let Some(found) = found {
        let pipeline = Pipeline {
            pipeline: found.to_owned(),
            set: Vec::new(),
        };
        let mut opened = open(context, &pipeline)?;
        place = Some(journal_path(&opened.loaded)?);
        match plan_or_report(context, &mut opened) {
            Ok(plan) => planned = Some((plan, pipeline_file(found))),
            Err(exit) if file.is_some() => return Ok(exit),
            Err(_) => {}
        }
    }
    let place = match args.path.clone().or(place) {
        Some(place) => place,
        None => default_journal()?,
    };
    let unknown = || {
        let title = format!("the journal `{}` has no reading {id}", place.display());
        let problem = Problem::error(Code::JOURNAL_UNKNOWN, title);
        // `pseudonymise` alone gives ids of version 8.
        if id.as_bytes().get(PLACE_OF_VERSION) == Some(&b'8') {
            return problem
                .cause("it is a pseudonym: nothing leads from it to the id that the journal has")
                .hint("take the id from a file whose readings do not go through `pseudonymise`");
        }
        problem
            .hint("the column `reading_id` of a file has the ids; `--path` names another journal")
    };
    let mut journal = Journal::look(&place)?.ok_or_else(unknown)?;
    let life = journal.life(id)?.ok_or_else(unknown)?;
    let steps = match planned {
        None => None,
        Some((plan, pipeline)) => {
            let keep = Keep {
                journal: &mut journal,
                pipeline,
                transcript: None,
                replay: None,
                full: false,
            };
            Some(trace(plan, &context.setup(None, true)?, &keep, &life)?)
        }
    };
    if args.json {
        let mut document = serde_json::to_value(&life).unwrap_or_default();
        document["transforms"] = json!(steps);
        context.output.json(&document);
    } else {
        context.output.data(&shown(&life, steps.as_deref()));
    }
    Ok(Exit::Done)
}

/// Lines for people, none of which can steer a terminal.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(&escape(line));
        self.0.push('\n');
    }

    /// A line that begins something.
    fn head(&mut self, line: &str) {
        self.0.push('\n');
        self.line(line);
    }

    fn field(&mut self, name: &str, value: &Value) {
        self.line(&format!("  {name:<12}  {}", plain(value)));
    }
}

/// A life for people.
fn shown(life: &Life, steps: Option<&[Step]>) -> String {
    let mut page = Page::default();
    page.line(&format!("reading {}", life.reading_id));
    if let Some(frame) = &life.frame {
        page.head("frame");
        let bytes: Vec<u8> = (0..frame.len() / 2)
            .filter_map(|at| u8::from_str_radix(frame.get(2 * at..2 * at + 2)?, 16).ok())
            .collect();
        for (line, piece) in bytes.chunks(FRAME_LINE).enumerate() {
            let hex: Vec<String> = piece.iter().map(|byte| format!("{byte:02x}")).collect();
            let readable: String = piece.iter().map(|&byte| printable(byte)).collect();
            let (at, hex) = (line * FRAME_LINE, hex.join(" "));
            page.line(&format!("  {at:04x}  {hex:<47}  {readable}"));
        }
    }
    page.head("fields");
    for (name, value) in &life.fields {
        page.field(name, value);
    }
    let read = &life.read;
    page.head("read");
    page.line(&format!("  record {} of {}", read.position, read.at));
    page.line(&format!(
        "  {} {} over {}, by {}",
        read.model.as_deref().unwrap_or("meter"),
        read.serial,
        read.transport,
        read.driver
    ));
    if let Some(firmware) = &read.firmware {
        page.line(&format!("  firmware {firmware}"));
    }
    if let Some(offset) = read.clock_offset_s {
        page.line(&format!("  meter clock {offset:+} s"));
    }
    page.line(&format!("  last seen in the meter {}", life.last_seen_at));
    for conflict in &life.conflicts {
        page.head("came later under the same key");
        for (name, value) in conflict {
            if life.fields.get(name) != Some(value) {
                page.field(name, value);
            }
        }
    }
    if let Some(steps) = steps {
        page.head("transforms");
        if steps.is_empty() {
            page.line("  none in this pipeline");
        }
        for step in steps {
            page.line(&format!("  {} ({})", step.name, step.kind));
            match &step.effect {
                Effect::LeftOut => page.line("    leaves it out"),
                Effect::Failed(words) => page.line(&format!("    fails: {words}")),
                Effect::Changed(changes) if changes.is_empty() => {
                    page.line("    changes nothing");
                }
                Effect::Changed(changes) => {
                    for change in changes {
                        let show = |cell: &Option<String>| cell.clone().unwrap_or("nothing".into());
                        let (before, after) = (show(&change.before), show(&change.after));
                        page.line(&format!("    {}: {before} → {after}", change.column));
                    }
                }
            }
        }
    }
    page.head("sinks");
    if life.sinks.is_empty() {
        page.line("  none yet");
    }
    for sink in &life.sinks {
        let what = match (&sink.told_at, &sink.refused) {
            (Some(at), None) => format!("acknowledged {at}"),
            (Some(at), Some(reason)) => format!("refused {at}: {reason}"),
            (None, _) if sink.left_out => "left out by a transform".to_owned(),
            (None, _) => "not yet, or left out by a transform".to_owned(),
        };
        let (name, exporter, pipeline) = (&sink.sink, &sink.exporter, &sink.pipeline);
        page.line(&format!("  {name} ({exporter}, {pipeline}): {what}"));
    }
    page.0
}

fn printable(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' {
        char::from(byte)
    } else {
        '.'
    }
}

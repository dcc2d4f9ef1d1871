//! `glucopipe transcript`: conversations with meters as files.

use std::path::Path;

use glucopipe_runtime::capture::import;
use glucopipe_runtime::problem::{Code, Place, Problem};
use glucopipe_runtime::run::scrub::scrub;
use glucopipe_runtime::transport::record::save;

use super::{Done, misused};
use crate::args::{ImportTranscript, ScrubTranscript, Transcript};
use crate::context::Context;
use crate::exit::Exit;

/// Does what is asked for with a transcript.
pub(super) fn transcript(context: &Context, args: &Transcript) -> Done {
    match args {
        Transcript::Scrub(args) => scrubbed(context, args),
        Transcript::Import(args) => imported(context, args),
    }
}

/// Makes a transcript fit to be shared.
fn scrubbed(context: &Context, args: &ScrubTranscript) -> Done {
    if let Some(problem) = taken(&args.output) {
        return Ok(misused(context, &problem));
    }
    let registry = context.registry();
    let finder = context.finder(&registry);
    let setup = context.setup(None, false)?;
    let driver = args.driver.as_deref();
    let made = scrub(&finder, driver, (&args.file, args.seed), &setup)?;
    if let Err(problem) = save(&args.output, &made.text) {
        return Ok(misused(context, &problem));
    }
    let shown = args.output.display();
    let driver = &made.driver;
    let compared = match made.readings {
        0 => format!("`{driver}` reads none in it, so none was compared"),
        1 => format!("1 reading, read and compared with `{driver}`"),
        many => format!("{many} readings, read and compared with `{driver}`"),
    };
    context.output.note(&format!(
        "`{shown}` has another serial, other dates and other values: {compared}"
    ));
    context
        .output
        .note("what the meter is and how it is set stays: look it over before you share it");
    Ok(Exit::Done)
}

/// Makes a transcript of captured traffic.
fn imported(context: &Context, args: &ImportTranscript) -> Done {
    if let Some(problem) = taken(&args.output) {
        return Ok(misused(context, &problem));
    }
    let made = match import(&args.file, args.device) {
        Ok(made) => made,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    if let Err(problem) = save(&args.output, &made.transcript.to_text()) {
        return Ok(misused(context, &problem));
    }
    let note = |line: &str| context.output.note(line);
    let ids = match &made.transcript.usb {
        Some((vendor, product)) => format!("{vendor}:{product}"),
        None => "unknown ids".to_owned(),
    };
    note(&format!(
        "`{}` has what device {} ({ids}) says: {} events of a {} link; it may hold readings",
        args.output.display(),
        made.device,
        made.transcript.events.len(),
        made.transcript.link,
    ));
    if made.transcript.usb.is_none() {
        note(
            "warning: the capture began after the device was plugged in: name its driver to replay it",
        );
    }
    if made.cut_off {
        note("warning: the capture ends within a packet");
    }
    if made.left_out > 0 {
        note(&format!(
            "warning: SCSI commands whose end is not in the capture are left out: {}",
            made.left_out
        ));
    }
    Ok(Exit::Done)
}

/// A file that is there is noticed before the work, and not behind it.
fn taken(path: &Path) -> Option<Problem> {
    let there = path.symlink_metadata().is_ok();
    there.then(|| {
        let shown = path.display().to_string();
        Problem::error(Code::TRANSCRIPT, format!("cannot write `{shown}`"))
            .at(Place::Named(shown))
            .cause("there is a file of that name, and it is not overwritten")
            .kept("nothing was written")
    })
}

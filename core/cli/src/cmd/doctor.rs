//! `glucopipe doctor`: what stands between this computer and its meters.

use std::fmt::Write as _;
use std::path::Path;

use glucopipe_runtime::config::Component as Kind;
use glucopipe_runtime::device::{Attached, surroundings, udev};
use glucopipe_runtime::journal::{Journal, damaged};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::{escape, quoted};

use super::Done;
use super::place::{IN_PIPELINE, journal_here, with_way_out};
use crate::args::Doctor;
use crate::context::Context;
use crate::exit::Exit;

/// Most findings in a journal that are told.
const FINDINGS: usize = 5;

/// Looks at plugin folders, plugins, meters and the journal, or prints the udev rule.
pub(super) fn doctor(context: &Context, args: &Doctor) -> Done {
    let registry = context.registry();
    if args.udev {
        let drivers = registry.components(Kind::Driver);
        let devices = drivers.iter().flat_map(|driver| &driver.about.devices);
        context.output.data(&udev::rules(devices));
        return Ok(Exit::Done);
    }
    let mut well = registry.folder_problems().is_empty();
    for (path, loaded) in registry.load_all() {
        match loaded {
            Ok(components) => {
                let names: Vec<_> = components
                    .iter()
                    .map(|one| format!("{} {}", one.kind.word(), one.id))
                    .collect();
                let line = format!("plugin {}: {}", path.display(), names.join(", "));
                context.output.data(&format!("{}\n", escape(&line)));
            }
            Err(problem) => {
                well = false;
                context.output.problem(&problem);
            }
        }
    }
    let meters = context.finder(&registry).attached(None)?;
    if meters.is_empty() {
        if let Some(problem) = surroundings::no_usb() {
            context.output.problem(&problem);
        }
        context.output.data("meters: none attached\n");
    }
    for meter in &meters {
        context.output.data(&describe(meter));
        well &= meter.accessible;
    }
    if meters.iter().any(is_closed) {
        advice().lines().for_each(|line| context.output.note(line));
    }
    well &= journal(context);
    let now = context.clock.now();
    let zone = context.clock.local(now) - now.naive_utc();
    let name = context.clock.zone().unwrap_or("without a name".to_owned());
    context.output.data(&format!(
        "time zone {}: this computer is {} min east of UTC\n",
        escape(&name),
        zone.num_minutes()
    ));
    Ok(if well { Exit::Done } else { Exit::Partial })
}

/// Looks at the journal of the pipeline here, else the user's, and changes nothing; false when something is wrong.
fn journal(context: &Context) -> bool {
    let found = journal_here(None).and_then(|path| Ok((Journal::look(&path)?, path)));
    let (journal, path) = match found {
        Ok(found) => found,
        Err(problem) => {
            context.output.problem(&with_way_out(problem, IN_PIPELINE));
            return false;
        }
    };
    let shown = path.display().to_string();
    let shown = escape(&shown);
    let Some(journal) = journal else {
        let line = format!("journal {shown}: none yet, the first run makes it\n");
        context.output.data(&line);
        return true;
    };
    let mut problems: Vec<Problem> = open_to_others(&path).into_iter().collect();
    let version = Journal::versions(&path);
    let state = match journal
        .check()
        .and_then(|findings| Ok((findings, version?)))
    {
        Ok((findings, (found, ours))) => {
            if !findings.is_empty() {
                problems.push(damaged(&path, findings.into_iter().take(FINDINGS)));
            }
            match found == ours {
                true => format!("version {found}"),
                false => format!("version {found}, the next run brings it to {ours}"),
            }
        }
        Err(problem) => {
            problems.push(problem);
            "unreadable".to_owned()
        }
    };
    let word = if problems.is_empty() { ", whole" } else { "" };
    context
        .output
        .data(&format!("journal {shown}: {state}{word}\n"));
    for problem in &problems {
        context.output.problem(problem);
    }
    problems.is_empty()
}

/// A journal that is somebody else's, or that others may read.
fn open_to_others(path: &Path) -> Option<Problem> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = path.metadata().ok()?;
        let me = rustix::process::geteuid().as_raw();
        let shown = path.display();
        let typed = quoted(&shown.to_string());
        let problem = |title: String| Problem::error(Code::JOURNAL_OPEN, title);
        if found.uid() != me {
            let title = format!("the journal `{shown}` is not yours");
            let cause = format!("it belongs to uid {}, and you are uid {me}", found.uid());
            let hint = format!("run as its owner, or `sudo chown {me} {typed}`");
            return Some(problem(title).cause(cause).hint(hint));
        }
        let mode = found.mode() & 0o777;
        if mode & 0o077 != 0 {
            let title = format!("the journal `{shown}` is open to others");
            let cause = format!("its mode is {mode:04o}, and it holds readings");
            return Some(
                problem(title)
                    .cause(cause)
                    .hint(format!("chmod 600 {typed}")),
            );
        }
    }
    let _ = path;
    None
}

/// A meter with its nodes, and what is missing for it to be opened.
fn describe(meter: &Attached) -> String {
    let Attached {
        model, usb, node, ..
    } = meter;
    let access = meter.reason.as_deref().unwrap_or("accessible");
    let mut text = format!("{} at {node}: {access}\n", escape(model));
    for node in &meter.nodes {
        let open = if node.accessible {
            ""
        } else {
            ", closed to you"
        };
        let _ = writeln!(text, "  node {} {}{open}", node.path, node.state());
    }
    if meter.link == "scsi" {
        let volume = match &meter.mounted {
            Some(point) => format!("mounted at `{}`; it is better unmounted", escape(point)),
            None => "not mounted".to_owned(),
        };
        let _ = writeln!(text, "  volume {volume}");
    }
    let (vendor, product) = usb.split_once(':').unwrap_or((usb, ""));
    if let Some(rule) = udev::rule(meter.link, vendor, product).filter(|_| is_closed(meter)) {
        let _ = writeln!(text, "  missing rule {rule}, TAG+=\"uaccess\"");
    }
    text
}

/// Whether it is a node that stands in the way.
fn is_closed(meter: &Attached) -> bool {
    !meter.accessible && meter.nodes.iter().any(|node| !node.accessible)
}

/// What to do about a closed node.
fn advice() -> String {
    match udev::installed() {
        Some(path) => format!(
            "the rule file `{path}` is there: run `sudo udevadm control --reload`, then replug the meter. It serves \
             the user at the screen; over SSH, in a timer or a service, join the group that the file names"
        ),
        None => udev::hint(),
    }
}

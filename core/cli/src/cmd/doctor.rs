//! `glucopipe doctor`: what stands between this computer and its meters.

use std::fmt::Write as _;

use glucopipe_runtime::config::Component as Kind;
use glucopipe_runtime::device::{Attached, surroundings, udev};
use glucopipe_runtime::render::escape;

use super::Done;
use crate::args::Doctor;
use crate::context::Context;
use crate::exit::Exit;

/// Looks at plugin folders, plugins and meters, or prints the udev rule.
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
                context.output.data(&format!(
                    "plugin {}: {}\n",
                    path.display(),
                    names.join(", ")
                ));
            }
            Err(problem) => {
                well = false;
                context.output.problem(&problem);
            }
        }
    }
    if let Some(problem) = surroundings::no_usb() {
        context.output.problem(&problem);
    }
    let meters = context.finder(&registry).attached(None)?;
    if meters.is_empty() {
        context.output.data("meters: none attached\n");
    }
    for meter in &meters {
        context.output.data(&describe(meter));
        well &= meter.accessible;
    }
    if meters.iter().any(is_closed) {
        advice().lines().for_each(|line| context.output.note(line));
    }
    let now = context.clock.now();
    let zone = context.clock.local(now) - now.naive_utc();
    context.output.data(&format!(
        "this computer is {} min east of UTC\n",
        zone.num_minutes()
    ));
    Ok(if well { Exit::Done } else { Exit::Partial })
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

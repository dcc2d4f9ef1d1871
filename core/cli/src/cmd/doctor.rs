//! `glucopipe doctor`: what stands between this computer and its meters.

use std::fmt::Write as _;

use glucopipe_runtime::config::Component as Kind;
use glucopipe_runtime::plugin::Registry;

use super::Done;
use crate::args::Doctor;
use crate::context::Context;
use crate::exit::Exit;

/// Looks at plugin folders, plugins and meters, or prints the udev rule.
pub(super) fn doctor(context: &Context, args: &Doctor) -> Done {
    let registry = context.registry(&[]);
    if args.udev {
        context.output.data(&udev_rules(&registry));
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
    let meters = context.finder(&registry).attached(None)?;
    if meters.is_empty() {
        context.output.data("meters: none attached\n");
    }
    for meter in &meters {
        let access = meter.reason.as_deref().unwrap_or("accessible");
        context
            .output
            .data(&format!("{} at {}: {access}\n", meter.model, meter.node));
        if !meter.accessible {
            well = false;
            context.output.note(
                "install the rule that `glucopipe doctor --udev` prints, then replug the meter",
            );
        }
    }
    let now = context.clock.now();
    let zone = context.clock.local(now) - now.naive_utc();
    context.output.data(&format!(
        "this computer is {} min east of UTC\n",
        zone.num_minutes()
    ));
    Ok(if well { Exit::Done } else { Exit::Partial })
}

/// A rule file that gives the user at the screen access to the meters the drivers know.
fn udev_rules(registry: &Registry) -> String {
    // The number must be below 73, where udev hands the seat's devices out.
    let mut text = String::from(
        "# /etc/udev/rules.d/70-glucopipe.rules: glucose meters for the user at the screen\n",
    );
    for driver in registry.components(Kind::Driver) {
        for device in driver
            .about
            .devices
            .iter()
            .filter(|device| device.link == "hid")
        {
            let product = match device.product.as_str() {
                "*" => String::new(),
                product => format!(", ATTRS{{idProduct}}==\"{product}\""),
            };
            let _ = writeln!(
                text,
                "# {}\nSUBSYSTEM==\"hidraw\", ATTRS{{idVendor}}==\"{}\"{product}, TAG+=\"uaccess\"",
                device.model, device.vendor
            );
        }
    }
    text
}

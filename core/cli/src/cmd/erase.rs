//! `glucopipe erase`.

use glucopipe_runtime::device::Selector;
use glucopipe_runtime::render::escape;
use glucopipe_runtime::run::change::Change;
use serde_json::json;

use super::change::{Kept, exit_of};
use super::confirm::{About, confirm};
use super::{Done, misused};
use crate::args::Erase;
use crate::context::{Context, selector};
use crate::output::count;

/// Destroys the readings in a meter.
pub(super) fn erase(context: &Context, args: &Erase) -> Done {
    let selector = match selector(&args.meter) {
        Ok(Selector::Any) => Selector::parse(&format!("serial:{}", args.serial)),
        selected => selected,
    };
    let selector = match selector {
        Ok(selector) => selector,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let setup = match context.setup(args.meter.record.as_deref(), false) {
        Ok(setup) => setup,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let kept = Kept::open(args.journal.as_deref())?;
    let question = format!(
        "All readings in the meter {} will be destroyed, once the journal holds them.",
        args.serial
    );
    if let Some(exit) = confirm(context, About::Meter, args.yes, &question, "erase") {
        return Ok(exit);
    }
    let registry = context.registry();
    let finder = context.finder(&registry);
    let change = Change {
        finder: &finder,
        driver: args.meter.driver.as_deref(),
        selector: &selector,
        setup: &setup,
        serial: &args.serial,
    };
    let changed = change.erase(kept.keeper(context))?;
    for warning in &changed.warnings {
        context.output.problem(warning);
    }
    let records = changed.report.read + changed.report.rejected;
    if args.json {
        context.output.json(&json!({
            "driver": changed.before.driver,
            "device": changed.before.label,
            "serial": changed.before.device.serial,
            "erased": records,
            "left": changed.after.as_ref().and_then(|after| after.device.record_count),
            "journal": kept.path().display().to_string(),
        }));
    } else {
        let line = format!(
            "erased {} of {}",
            count(records, "record"),
            escape(&changed.before.label)
        );
        context.output.data(&format!("{line}\n"));
    }
    kept.tell(context);
    Ok(exit_of(&changed))
}

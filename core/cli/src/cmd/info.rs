//! `glucopipe info`.

use glucopipe_runtime::run::query::query_info;
use serde_json::{Value, json};

use super::{Done, misused};
use crate::args::Info;
use crate::context::{Context, selector};
use crate::exit::Exit;
use crate::output::{offset, plain};

/// Shows what a meter says of itself.
pub(super) fn info(context: &Context, args: &Info) -> Done {
    let selector = match selector(&args.meter) {
        Ok(selector) => selector,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let registry = context.registry();
    let setup = match context.setup(args.meter.record.as_deref(), false) {
        Ok(setup) => setup,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let finder = context.finder(&registry);
    let driver = args.meter.driver.as_deref();
    let meter = query_info(&finder, driver, &selector, &setup)?;
    let mut document = json!({
        "driver": meter.driver,
        "device": meter.label,
        "model": meter.device.model,
        "serial": meter.device.serial,
        "firmware": meter.device.firmware,
        "unit": meter.device.unit,
        "record_count": meter.device.record_count,
        "clock": meter.device.clock.map(|clock| clock.to_string().replace(' ', "T")),
        "clock_offset_s": meter.clock_offset_s,
        "extra": meter.device.extra,
    });
    if args.json {
        context.output.json(&document);
        return Ok(Exit::Done);
    }
    if let Some(seconds) = meter.clock_offset_s {
        document["clock_offset_s"] = Value::from(offset(seconds));
    }
    let extra = document["extra"].take();
    let names = [
        ("driver", "driver"),
        ("device", "device"),
        ("model", "model"),
        ("serial", "serial"),
        ("firmware", "firmware"),
        ("unit", "unit"),
        ("records", "record_count"),
        ("clock", "clock"),
        ("clock offset", "clock_offset_s"),
    ];
    let known = names
        .iter()
        .map(|(name, key)| ((*name).to_owned(), document[*key].clone()));
    let extra = extra.as_object().cloned().unwrap_or_default();
    let facts: Vec<(String, String)> = known
        .chain(extra)
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name, plain(&value)))
        .collect();
    context.output.facts(&facts);
    Ok(Exit::Done)
}

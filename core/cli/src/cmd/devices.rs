//! `glucopipe devices`.

use glucopipe_runtime::device::Attached;
use glucopipe_runtime::transport::virtual_meter::listing;
use serde_json::json;

use super::Done;
use crate::args::Devices;
use crate::context::Context;
use crate::exit::Exit;

/// Lists attached or virtual meters.
pub(super) fn devices(context: &Context, args: &Devices) -> Done {
    if args.virtual_meters {
        list_virtual(context, args.json);
        return Ok(Exit::Done);
    }
    let registry = context.registry();
    let meters = context.finder(&registry).attached(None)?;
    if args.json {
        context.output.json(&json!({ "devices": meters }));
    } else if meters.is_empty() {
        context.output.note(
            "no supported meter is attached; `glucopipe devices --virtual` lists virtual ones",
        );
    } else {
        let rows: Vec<Vec<String>> = meters
            .iter()
            .map(|meter| {
                let access = match &meter.reason {
                    None => "yes".to_owned(),
                    Some(reason) => format!("no: {reason}"),
                };
                vec![
                    meter.driver.clone(),
                    meter.model.clone(),
                    meter.serial.clone().unwrap_or_else(|| "-".into()),
                    meter.usb.clone(),
                    meter.node.clone(),
                    others(meter),
                    access,
                ]
            })
            .collect();
        context.output.table(
            &[
                "DRIVER",
                "MODEL",
                "SERIAL",
                "USB",
                "NODE",
                "OTHER NODES",
                "ACCESSIBLE",
            ],
            &rows,
        );
    }
    Ok(Exit::Done)
}

/// The nodes a meter could be reached by as well.
fn others(meter: &Attached) -> String {
    let paths = meter.nodes.iter().map(|node| node.path.as_str());
    let others: Vec<&str> = paths.filter(|path| *path != meter.node).collect();
    if others.is_empty() {
        "-".to_owned()
    } else {
        others.join(" ")
    }
}

fn list_virtual(context: &Context, as_json: bool) {
    let listing = listing();
    if as_json {
        let words = |entries: &[glucopipe_runtime::transport::virtual_meter::Key]| {
            entries
                .iter()
                .map(|key| json!({ "name": key.name, "default": key.default, "meaning": key.meaning }))
                .collect::<Vec<_>>()
        };
        let models: Vec<_> = listing
            .models
            .iter()
            .map(|model| json!({ "key": model.key, "name": model.name, "usb": model.usb.to_string(), "about": model.about }))
            .collect();
        context.output.json(&json!({
            "models": models,
            "keys": words(&listing.keys),
            "faults": words(&listing.faults),
        }));
        return;
    }
    let output = &context.output;
    let models: Vec<Vec<String>> = listing
        .models
        .iter()
        .map(|model| {
            vec![
                format!("virtual:{}", model.key),
                model.name.into(),
                model.about.into(),
            ]
        })
        .collect();
    let rows = |keys: &[glucopipe_runtime::transport::virtual_meter::Key]| {
        keys.iter()
            .map(|key| vec![key.name.into(), key.default.into(), key.meaning.into()])
            .collect::<Vec<Vec<String>>>()
    };
    let _ = output.table(&["SELECTOR", "MODEL", "ABOUT"], &models)
        && output.data("\nkeys, as in virtual:contour-next-usb?records=20&unit=mmol/L\n")
        && output.table(&["KEY", "DEFAULT", "MEANING"], &rows(&listing.keys))
        && output.data("\nfaults, as in virtual:contour-next-usb?fault=checksum:5+stall:9\n")
        && output.table(&["FAULT", "DEFAULT", "MEANING"], &rows(&listing.faults));
}

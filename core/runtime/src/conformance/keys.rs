//! Configurations: what is wrong is refused in words, whatever it is, and nothing crashes on it.

use std::ffi::CString;
use std::sync::Arc;

use glucopipe_sdk::Status;
use serde_json::{Map, Value, json};

use super::bench::Bench;
use super::raw::{Answer, Object};
use super::{Tested, fail};
use crate::host::Operation;
use crate::plugin::Component;

/// Random configurations that are tried.
const RANDOM: u32 = 80;
/// How deep the deepest configuration is.
const DEEP: usize = 20_000;

/// The schema of keys can be used, and what it says of itself is there.
pub(super) fn schema(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let about = &component.about;
    if let Err(reason) = crate::config::misfits(&about.config_schema, &json!({})) {
        return fail(format!("its `config_schema` is broken: {reason}"));
    }
    if about.name.trim().is_empty() || about.summary.trim().is_empty() {
        bench.fault("`about` has no `name` or no `summary`");
    }
    let properties = about.config_schema["properties"].as_object();
    for (key, about) in properties.into_iter().flatten() {
        if about["description"].as_str().is_none_or(str::is_empty) {
            bench.note(format!("hint: its key `{key}` has no `description`"));
        }
    }
    for device in &about.devices {
        let hex = |id: &str| id.len() == 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let model = &device.model;
        if !matches!(device.link.as_str(), "hid" | "scsi" | "serial" | "file") {
            bench.fault(format!("device `{model}`: `{}` is no link", device.link));
        }
        if !device.vendor.is_empty() && !hex(&device.vendor) {
            bench.fault(format!(
                "device `{model}`: `vendor` is not four hexadecimal digits"
            ));
        }
        if !device.product.is_empty() && device.product != "*" && !hex(&device.product) {
            bench.fault(format!(
                "device `{model}`: `product` is neither four hexadecimal digits nor `*`"
            ));
        }
    }
    Ok(())
}

/// The operation for configurations: with a meter, where there is one.
pub(super) fn operation(bench: &Bench<'_>, component: &Component) -> Arc<Operation> {
    bench.operation(bench.device(component).ok())
}

/// Texts that are no configuration at all.
pub(super) fn nonsense() -> Vec<(&'static str, Option<CString>)> {
    let text = |bytes: &[u8]| CString::new(bytes).ok();
    vec![
        ("NULL", None),
        ("an empty text", text(b"")),
        ("a blank", text(b" ")),
        ("`null`", text(b"null")),
        ("a number", text(b"7")),
        ("a text", text(b"\"path\"")),
        ("an array", text(b"[]")),
        (
            "an array in an object's place",
            text(b"[{\"path\": \"x\"}]"),
        ),
        ("an object without its end", text(b"{\"path\": \"x\"")),
        ("a half text", text(b"{\"path\": \"x")),
        ("words", text(b"path = x")),
        (
            "a byte that is not UTF-8",
            text(b"{\"path\": \"\xff\xfe\"}"),
        ),
        ("objects without an end", text(&b"{\"a\":".repeat(DEEP))),
    ]
}

/// What is no configuration, or lacks what is required, is refused as such.
pub(super) fn refused(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let op = operation(bench, &component);
    let mut wrong = nonsense();
    let empty = crate::config::misfits(&component.about.config_schema, &json!({}));
    if empty.is_ok_and(|misfits| !misfits.is_empty()) {
        let text = CString::new("{}").ok();
        wrong.push(("an object without the keys that are required", text));
    }
    for (what, text) in wrong {
        bench.step(format!("opening with {what} as configuration"));
        let (answer, object) = Object::open(&component, &op, text.as_deref());
        report(
            bench,
            &format!("with {what} as configuration, open"),
            &answer,
            object.is_some(),
        );
        if answer.code == 0 {
            bench.fault(format!("open took {what} for a configuration"));
        } else if answer.status() != Status::InvalidArgument {
            bench.fault(format!(
                "open with {what} as configuration gave {}, expected InvalidArgument",
                answer.words()
            ));
        }
    }
    Ok(())
}

/// Random keys and values are taken or refused, and a refusal says why.
pub(super) fn random(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let op = operation(bench, &component);
    let base = bench.config(&component).unwrap_or_else(|_| json!({}));
    let schema = &component.about.config_schema;
    for number in 1..=RANDOM {
        let config = any_config(bench, schema, &base);
        let fits = crate::config::misfits(schema, &config).is_ok_and(|misfits| misfits.is_empty());
        let Ok(text) = CString::new(config.to_string()) else {
            continue;
        };
        // What was given may hold a secret; a number and the seed give the rest back.
        let shown = match &bench.request.config {
            Some(_) => format!(
                "random configuration {number} of seed {}",
                bench.request.seed
            ),
            None => format!("the configuration {config}"),
        };
        bench.step(format!("opening with {shown}"));
        let (answer, object) = Object::open(&component, &op, Some(&text));
        report(
            bench,
            &format!("with {shown}, open"),
            &answer,
            object.is_some(),
        );
        let allowed = match answer.status() {
            _ if answer.code == 0 => true,
            Status::InvalidArgument => true,
            Status::Internal => false,
            // What fits may still name a file that is not there.
            _ => fits,
        };
        if !allowed {
            bench.fault(format!(
                "open with {shown} gave {}, expected InvalidArgument",
                answer.words()
            ));
        }
    }
    Ok(())
}

/// Reports what of an answer breaks the contract.
pub(super) fn report(bench: &Bench<'_>, what: &str, answer: &Answer, opened: bool) {
    for fault in &answer.faults {
        bench.fault(format!("{what}: {fault}"));
    }
    match (answer.code == 0, opened) {
        (true, false) => bench.fault(format!("{what}: it succeeded and gave nothing")),
        (false, true) => bench.fault(format!("{what}: it failed and left its out-parameter set")),
        _ => {}
    }
}

/// A configuration with some keys taken away, changed or added.
fn any_config(bench: &mut Bench<'_>, schema: &Value, base: &Value) -> Value {
    let mut keys: Map<String, Value> = base.as_object().cloned().unwrap_or_default();
    let known: Vec<String> = schema["properties"]
        .as_object()
        .map(|properties| properties.keys().cloned().collect())
        .unwrap_or_default();
    for _ in 0..=bench.dice.below(3) {
        let dice = &mut bench.dice;
        let key = match usize::try_from(dice.below(known.len() as u64 + 1)) {
            Ok(index) if index < known.len() => known[index].clone(),
            _ => ["unknown", "", "path ", "ключ"][usize::try_from(dice.below(4)).unwrap_or(0)]
                .to_owned(),
        };
        if dice.below(6) == 0 {
            keys.remove(&key);
        } else {
            let value = any_value(bench, 0);
            keys.insert(key, value);
        }
    }
    Value::Object(keys)
}

fn any_value(bench: &mut Bench<'_>, depth: u32) -> Value {
    let dice = &mut bench.dice;
    match dice.below(if depth > 2 { 10 } else { 12 }) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(1e300),
        6 => json!(""),
        7 => json!("x".repeat(usize::try_from(dice.below(5000)).unwrap_or(0))),
        8 => json!("\u{0}\u{1b}[31m\u{202e}"),
        9 => json!("πath"),
        10 => {
            let count = dice.below(4);
            (0..count).map(|_| any_value(bench, depth + 1)).collect()
        }
        _ => {
            let count = dice.below(3);
            (0..count)
                .map(|key| (format!("k{key}"), any_value(bench, depth + 1)))
                .collect()
        }
    }
}

//! `glucopipe plugins trust`.

use std::path::Path;

use glucopipe_runtime::plugin::{Component, Pin, Pins};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::escape;
use serde_json::json;

use super::{Done, absolute};
use crate::args::TrustPlugin;
use crate::cmd::confirm::{About, confirm};
use crate::cmd::misused;
use crate::context::{Context, pins_path};
use crate::exit::Exit;
use crate::output::count;

/// Pins a library, lists the pins, or takes one back.
pub(super) fn trust(context: &Context, args: &TrustPlugin, as_json: bool) -> Done {
    let path = pins_path().ok_or_else(|| {
        Problem::error(
            Code::PLUGIN_PIN,
            "there is no place for the list of pinned plugins",
        )
        .cause("neither XDG_DATA_HOME nor HOME names a folder by its whole path")
    })?;
    let pins = Pins::open(&path)?;
    match (&args.file, &args.remove) {
        (Some(file), _) => pin(context, pins, file, args.yes, as_json),
        (None, Some(name)) => remove(context, pins, name),
        (None, None) => {
            list(context, &pins, as_json);
            Ok(Exit::Done)
        }
    }
}

fn list(context: &Context, pins: &Pins, as_json: bool) {
    let all = pins.all().iter();
    if as_json {
        let path = pins.path().display().to_string();
        let all: Vec<_> = all.map(document).collect();
        context.output.json(&json!({ "pins": all, "file": path }));
        return;
    }
    let row = |pin: &Pin| [&pin.id, &pin.version, &pin.file, &pin.sha256].map(Clone::clone);
    let rows: Vec<Vec<String>> = all.map(|pin| row(pin).to_vec()).collect();
    if rows.is_empty() {
        context.output.note("no plugin is pinned");
    } else {
        let head = ["NAME", "VERSION", "FILE", "SHA256"];
        context.output.table(&head, &rows);
    }
}

fn document(pin: &Pin) -> serde_json::Value {
    json!({ "id": pin.id, "version": pin.version, "file": pin.file, "sha256": pin.sha256 })
}

fn pin(context: &Context, mut pins: Pins, file: &Path, said: bool, as_json: bool) -> Done {
    let library = match absolute(file) {
        Ok(library) => library,
        Err(problem) => {
            context.output.problem(&problem);
            return Ok(Exit::Usage);
        }
    };
    let registry = context.registry();
    let shown = library.display();
    if registry.is_own(&library) {
        let line = format!("`{shown}` came with glucopipe, and needs no pin");
        context.output.note(&line);
        return Ok(Exit::Done);
    }
    let components = registry.look_at(&library, true)?;
    let Some(found) = components.first().map(|first| &first.library) else {
        return Ok(Exit::Bug);
    };
    let name = library.file_name().unwrap_or_default();
    let pin = Pin {
        id: found.name.clone(),
        version: found.version.clone(),
        file: name.to_string_lossy().into_owned(),
        sha256: found.vetted.sha256.clone().unwrap_or_default(),
        components: components.iter().map(|one| one.named()).collect(),
    };
    if !pins.all().contains(&pin) {
        let before = pins.all().iter().find(|old| old.file == pin.file);
        let mut facts = facts(&components, &pin, &library);
        if let Some(before) = before {
            facts.push(format!(
                "instead of  {} {}, sha256 {}",
                before.id, before.version, before.sha256
            ));
        }
        let facts: Vec<_> = facts.iter().map(|fact| escape(fact)).collect();
        if !said {
            context.output.ask(&format!("{}\n", facts.join("\n")));
        }
        let question =
            "It is loaded from now on for as long as its bytes are these, with `--locked` too.";
        if let Some(exit) = confirm(context, About::Pins, said, question, "trust") {
            return Ok(exit);
        }
        pins.pin(pin.clone());
        pins.write()?;
    }
    if as_json {
        context.output.json(&document(&pin));
    } else {
        let Pin {
            id,
            version,
            sha256,
            ..
        } = &pin;
        let line = format!("`{id}` {version} is pinned to the sha256 {sha256}");
        context.output.note(&line);
    }
    Ok(Exit::Done)
}

/// What one should know before one trusts.
fn facts(components: &[std::sync::Arc<Component>], pin: &Pin, library: &Path) -> Vec<String> {
    let has = components
        .iter()
        .map(|component| format!("{} {}", component.kind.word(), component.id));
    let has: Vec<String> = has.collect();
    let manifest = components
        .first()
        .and_then(|first| first.library.vetted.manifest.as_ref());
    let manifest = match manifest {
        Some(manifest) => format!("agrees, asks for {}", manifest.needs()),
        None => "none, so it may have all that plugins of its kind may".to_owned(),
    };
    [
        ("plugin", format!("{} {}", pin.id, pin.version)),
        ("has", has.join(", ")),
        ("file", library.display().to_string()),
        ("sha256", pin.sha256.clone()),
        ("manifest", manifest),
    ]
    .map(|(what, fact)| format!("{what:12}{fact}"))
    .to_vec()
}

fn remove(context: &Context, mut pins: Pins, name: &str) -> Done {
    let removed = pins.remove(name);
    if removed.is_empty() {
        let problem = Problem::error(Code::CONFIG_NAME, format!("no plugin `{name}` is pinned"))
            .kept("nothing was changed")
            .hint("`glucopipe plugins trust` lists those that are");
        return Ok(misused(context, &problem));
    }
    pins.write()?;
    let pins = count(removed.len() as u64, "pin");
    context
        .output
        .note(&format!("{pins} of `{name}` taken back"));
    Ok(Exit::Done)
}

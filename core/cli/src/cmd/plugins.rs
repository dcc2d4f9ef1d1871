//! `glucopipe plugins`.

mod check;
mod manifest;
mod new;
mod trust;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glucopipe_runtime::plugin::{Ability, Component, ComponentKind};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::transform::builtins;
use serde_json::{Value, json};

use super::Done;
use crate::args::{Plugins, PluginsAction};
use crate::context::Context;
use crate::exit::Exit;

/// Lists plugins, or does what else is asked for with one.
pub(super) fn plugins(context: &Context, args: &Plugins) -> Done {
    match &args.action {
        None => list(context, args),
        Some(PluginsAction::New(new)) => new::new(context, new, args.json),
        Some(PluginsAction::Check(check)) => check::check(context, check, args.json),
        Some(PluginsAction::CheckOne(one)) => Ok(check::check_one(context, one)),
        Some(PluginsAction::Manifest(manifest)) => manifest::manifest(context, manifest, args.json),
        Some(PluginsAction::Trust(trust)) => trust::trust(context, trust, args.json),
    }
}

/// Lists plugins, and what is built in.
fn list(context: &Context, args: &Plugins) -> Done {
    let registry = context.registry();
    let (mut rows, mut documents, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let kinds = [
        ComponentKind::Driver,
        ComponentKind::Exporter,
        ComponentKind::Transform,
    ];
    let found: Vec<_> = kinds
        .into_iter()
        .flat_map(|kind| registry.components(kind))
        .collect();
    for (path, loaded) in registry.load_all() {
        match loaded {
            Ok(components) => {
                for component in components {
                    let is_found = found.iter().any(|one| Arc::ptr_eq(one, &component));
                    let hidden = !is_found || is_built_in(&component);
                    let file = component.library.path().display().to_string();
                    documents.push(json!({
                        "kind": component.kind.word(),
                        "id": component.id,
                        "version": component.library.version,
                        "abi": format!("1.{}", component.library.abi_minor),
                        "summary": component.about.summary,
                        "file": file,
                        "shadowed": hidden,
                        "pinned": registry.is_pinned(&component.library),
                        "devices": component.about.devices.len(),
                        "models": models(&component),
                        "can": abilities(&component),
                        "config_schema": component.about.config_schema,
                    }));
                    let summary = if hidden {
                        format!("(hidden by another one) {}", component.about.summary)
                    } else {
                        component.about.summary.clone()
                    };
                    rows.push(vec![
                        component.kind.word().to_owned(),
                        component.id.clone(),
                        component.library.version.clone(),
                        summary,
                        file,
                    ]);
                }
            }
            Err(problem) => refused.push((path, problem)),
        }
    }
    for builtin in builtins() {
        documents.push(json!({
            "kind": "transform",
            "id": builtin.kind,
            "version": env!("CARGO_PKG_VERSION"),
            "abi": Value::Null,
            "summary": builtin.summary,
            "file": Value::Null,
            "shadowed": false,
            "pinned": Value::Null,
            "config_schema": (builtin.schema)(),
        }));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        rows.push(vec![
            "transform".into(),
            builtin.kind.into(),
            version,
            builtin.summary.into(),
            "built in".into(),
        ]);
    }
    if args.json {
        let folders: Vec<Value> = registry
            .folders()
            .iter()
            .map(|folder| json!({ "path": folder.path.display().to_string(), "origin": folder.origin }))
            .collect();
        let refused: Vec<Value> = refused
            .iter()
            .map(|(path, problem)| {
                json!({
                    "file": path.display().to_string(),
                    "problem": glucopipe_runtime::render::render_json(problem),
                })
            })
            .collect();
        context
            .output
            .json(&json!({ "plugins": documents, "refused": refused, "folders": folders }));
    } else {
        context
            .output
            .table(&["KIND", "NAME", "VERSION", "SUMMARY", "FILE"], &rows);
        for folder in registry.folders() {
            context.output.note(&format!(
                "searched {} ({})",
                folder.path.display(),
                folder.origin
            ));
        }
        for (_, problem) in &refused {
            context.output.problem(problem);
        }
    }
    Ok(if refused.is_empty() {
        Exit::Done
    } else {
        Exit::Plugin
    })
}

/// The library without links on the way: the loader follows none.
fn absolute(file: &Path) -> Result<PathBuf, Problem> {
    file.canonicalize().map_err(|error| {
        let title = format!("cannot open plugin `{}`", file.display());
        Problem::error(Code::PLUGIN_LOAD, title).cause(error.to_string())
    })
}

/// The models a driver knows; for other plugins nothing.
fn models(component: &Component) -> Value {
    if component.kind != ComponentKind::Driver {
        return Value::Null;
    }
    let devices = component.about.devices.iter();
    let models = devices.map(|device| {
        json!({
            "model": device.model,
            "link": device.link,
            "vendor": device.vendor,
            "product": device.product,
            "tested": device.tested,
        })
    });
    models.collect()
}

/// The commands that need more than a driver must have.
fn abilities(component: &Component) -> Vec<&'static str> {
    let abilities = component.abilities().into_iter();
    abilities.map(Ability::word).collect()
}

/// Whether its name is one of the transforms that are built in, which are always meant.
fn is_built_in(component: &Component) -> bool {
    component.kind == ComponentKind::Transform
        && builtins().iter().any(|one| one.kind == component.id)
}

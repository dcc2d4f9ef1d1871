//! `glucopipe plugins manifest`.

use glucopipe_runtime::plugin::{ComponentKind, Manifest, Permission};
use glucopipe_runtime::problem::{Code, Problem};
use serde_json::json;

use super::{Done, absolute};
use crate::args::{ManifestPlugin, Need};
use crate::context::Context;
use crate::exit::Exit;

/// Writes the manifest of a library, as it is now.
pub(super) fn manifest(context: &Context, args: &ManifestPlugin, as_json: bool) -> Done {
    let library = match absolute(&args.file) {
        Ok(library) => library,
        Err(problem) => {
            context.output.problem(&problem);
            return Ok(Exit::Usage);
        }
    };
    let components = context.registry().look_at(&library, false)?;
    let Some(first) = components.first() else {
        return Ok(Exit::Bug);
    };
    let permissions = if args.needs.is_empty() {
        let there = Manifest::beside(&library).map_err(|problem| {
            problem.hint("say with `--needs` what it needs, and it is written anew")
        })?;
        there.map_or_else(
            || all(components.iter().map(|component| component.kind)),
            |there| there.permissions,
        )
    } else {
        named(&args.needs)
    };
    let found = &first.library;
    let facts = (found.name.as_str(), found.version.as_str(), found.abi_minor);
    let sha256 = found.vetted.sha256.clone().unwrap_or_default();
    let manifest = Manifest::new(facts, sha256, permissions);
    let written = manifest.write(&library).map_err(|error| {
        let path = Manifest::path_of(&library);
        let title = format!("cannot write the manifest `{}`", path.display());
        Problem::error(Code::PLUGIN_MANIFEST, title).cause(error.to_string())
    })?;
    if as_json {
        context.output.json(&json!({
            "file": written.display().to_string(),
            "id": manifest.id,
            "version": manifest.version,
            "abi": manifest.abi,
            "sha256": manifest.sha256,
            "permissions": manifest.permissions,
        }));
    } else {
        let needs = manifest.needs();
        context.output.note(&format!(
            "`{}` is written: {} {} may have {needs}",
            written.display(),
            manifest.id,
            manifest.version
        ));
    }
    Ok(Exit::Done)
}

/// What was named, each once.
fn named(needs: &[Need]) -> Vec<Permission> {
    let mut permissions: Vec<Permission> = needs
        .iter()
        .filter_map(|need| match need {
            Need::Devices => Some(Permission::Devices),
            Need::Network => Some(Permission::Network),
            Need::Files => Some(Permission::Files),
            Need::Nothing => None,
        })
        .collect();
    permissions.sort();
    permissions.dedup();
    permissions
}

/// All that plugins of these kinds may have.
fn all(kinds: impl Iterator<Item = ComponentKind>) -> Vec<Permission> {
    let mut permissions: Vec<Permission> = kinds
        .flat_map(|kind| match kind {
            ComponentKind::Driver => &[Permission::Devices][..],
            ComponentKind::Transform => &[],
            ComponentKind::Exporter => &[Permission::Network, Permission::Files],
        })
        .copied()
        .collect();
    permissions.sort();
    permissions.dedup();
    permissions
}

//! `glucopipe compact`: merges the small files of a data set.

use glucopipe_runtime::plugin::{Component, ComponentKind};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::query::tidy;
use serde_json::json;

use super::Done;
use crate::args::Compact;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::count;

/// Merges, by the exporter that has a key for it.
pub(super) fn compact(context: &Context, args: &Compact) -> Done {
    let registry = context.registry();
    let exporters = registry.components(ComponentKind::Exporter);
    let Some(exporter) = exporters.into_iter().find(|exporter| merges(exporter)) else {
        let problem = Problem::error(
            Code::CONFIG_UNKNOWN_PLUGIN,
            "no exporter can merge the files of a data set",
        );
        return Err(problem.hint("`glucopipe plugins` lists what was found, and where"));
    };
    let config = json!({ "path": args.path, "compact": true });
    let done = tidy(&exporter, &config, &context.setup(None, false)?)?;
    let what = if done.targets.is_empty() {
        "nothing to merge".to_owned()
    } else {
        format!("small files merged, {} written", count(done.bytes, "byte"))
    };
    context.output.note(&format!("{}: {what}", args.path));
    Ok(Exit::Done)
}

/// Whether an exporter has the keys `path` and `compact`, by its own word.
fn merges(exporter: &Component) -> bool {
    let keys = &exporter.about.config_schema["properties"];
    keys["path"].is_object() && keys["compact"]["type"] == "boolean"
}

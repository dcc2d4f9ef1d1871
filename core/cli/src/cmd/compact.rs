//! `glucopipe compact`: merges the small files of a data set.

use glucopipe_runtime::plugin::ComponentKind;
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::query::tidy;
use serde_json::json;

use super::Done;
use crate::args::Compact;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::count;

/// What an exporter has in its schema that can merge files: which key makes it do so.
const MERGES: &str = "x-merges";

/// Merges, by the exporter that has a key for it.
pub(super) fn compact(context: &Context, args: &Compact) -> Done {
    let registry = context.registry();
    let exporters = registry.components(ComponentKind::Exporter);
    let merging = exporters.iter().find_map(|exporter| {
        let key = exporter.about.config_schema.get(MERGES)?.as_str()?;
        Some((exporter, key))
    });
    let Some((exporter, key)) = merging else {
        let problem = Problem::error(
            Code::CONFIG_UNKNOWN_PLUGIN,
            "no exporter can merge the files of a data set",
        );
        return Err(problem.hint("`glucopipe plugins` lists what was found, and where"));
    };
    let config = json!({ "path": args.path, key: true });
    let done = tidy(exporter, &config, &context.setup(None, false)?)?;
    let what = if done.targets.is_empty() {
        "nothing to merge".to_owned()
    } else {
        format!("small files merged, {} written", count(done.bytes, "byte"))
    };
    context.output.note(&format!("{}: {what}", args.path));
    Ok(Exit::Done)
}

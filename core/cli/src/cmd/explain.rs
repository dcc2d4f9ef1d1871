//! `glucopipe explain`.

use glucopipe_runtime::codes::{Code, all};

use crate::args::Explain;
use crate::context::Context;
use crate::exit::Exit;

/// Explains an error code.
pub(super) fn explain(context: &Context, args: &Explain) -> Exit {
    let Some(text) = &args.code else {
        let rows: Vec<Vec<String>> = all()
            .iter()
            .map(|entry| vec![entry.code.to_string(), entry.summary.into()])
            .collect();
        context.output.table(&["CODE", "MEANING"], &rows);
        return Exit::Done;
    };
    match Code::parse(text) {
        Some(code) => {
            let entry = code.entry();
            context.output.data(&format!(
                "{}: {}\n\n{}\n",
                entry.code, entry.summary, entry.page
            ));
            Exit::Done
        }
        None => {
            context.output.note(&format!(
                "`{text}` is not a code; `glucopipe explain` lists all"
            ));
            Exit::Usage
        }
    }
}

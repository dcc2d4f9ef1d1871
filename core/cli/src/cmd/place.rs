//! Which pipeline and which journal are meant where the command line names none.

use std::path::{Path, PathBuf};

use glucopipe_runtime::config::{LoadRequest, Loaded, load, read_text};
use glucopipe_runtime::journal::default_path;
use glucopipe_runtime::problem::{Code, Problem, Severity};

use crate::args::{Command, Pipeline};

/// The pipeline that is looked for when none is named.
const PIPELINE: &str = "pipeline.toml";

/// How a pipeline names its journal.
pub(super) const IN_PIPELINE: &str = "`path` in [journal]";

/// How a command is told its journal.
pub(super) fn named_by(command: &Command) -> &'static str {
    match command {
        Command::Clock(_) | Command::Erase(_) => "`--journal`",
        Command::Journal(_) | Command::Explain(_) => "`--path`",
        _ => IN_PIPELINE,
    }
}

/// A problem with the way out of one that a journal cannot be opened: another one, `named_by` this.
pub(super) fn with_way_out(problem: Problem, named_by: &str) -> Problem {
    if problem.code != Code::JOURNAL_OPEN {
        return problem;
    }
    let hint = match &problem.hint {
        Some(hint) => format!("{hint}, or name another file, with {named_by}"),
        None => format!("name a file, with {named_by}"),
    };
    problem.hint(hint)
}

/// Reads a pipeline file.
pub(super) fn read(args: &Pipeline) -> Result<Loaded, Problem> {
    let text = read_text(&args.pipeline).map_err(|problem| *problem)?;
    Ok(load(LoadRequest {
        file: args.pipeline.display().to_string(),
        text,
        overrides: args.set.clone(),
        environment: std::env::vars_os().collect(),
    }))
}

/// The pipeline that is meant when none is named, if there is one.
pub(super) fn pipeline_here() -> Option<&'static Path> {
    Some(Path::new(PIPELINE)).filter(|path| path.exists())
}

/// The pipeline file as the journal knows it, the same from wherever it is run.
pub(super) fn pipeline_file(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole.display().to_string()
}

/// The journal of a pipeline.
pub(super) fn journal_path(loaded: &Loaded) -> Result<PathBuf, Problem> {
    let named = loaded.pipeline.journal.as_ref();
    let named = named.and_then(|journal| journal.path.clone());
    named.map_or_else(default_journal, Ok)
}

/// The journal that is named, else that of the pipeline here, else the user's.
///
/// # Errors
/// When the pipeline cannot be read, so that nobody knows which journal is its own.
pub(super) fn journal_here(named: Option<&Path>) -> Result<PathBuf, Problem> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let Some(here) = pipeline_here() else {
        return default_journal();
    };
    let pipeline = Pipeline {
        pipeline: here.to_owned(),
        set: Vec::new(),
    };
    let loaded = read(&pipeline)?;
    let mut problems = loaded.problems().iter();
    match problems.find(|problem| problem.severity == Severity::Error) {
        Some(problem) => Err(problem.clone()),
        None => journal_path(&loaded),
    }
}

/// The journal of a user.
pub(super) fn default_journal() -> Result<PathBuf, Problem> {
    default_path(|name| std::env::var_os(name)).ok_or_else(|| {
        Problem::error(Code::JOURNAL_OPEN, "there is no place for the journal")
            .cause("neither XDG_STATE_HOME nor HOME is set")
    })
}

//! What is to be run: the pipeline, the program, and what a scheduler does not know of the shell we are in.

use std::path::{Path, PathBuf};

use glucopipe_runtime::config::{LoadRequest, Loaded, Pipeline, load, read_text};
use glucopipe_runtime::journal::default_path;
use glucopipe_runtime::plugin::SearchPath;
use glucopipe_runtime::problem::{Code, Problem};
use serde_json::{Map, Value};

use super::super::place::default_journal;
use super::timing::When;
use super::unwritable;
use crate::args::{Schedule, Scheduler};
use crate::context::{Context, data_home, named_folders};
use crate::exit::Exit;

/// Overrides begin with this.
const OVERRIDE: &str = "GLUCOPIPE__";
/// Folders that a sandbox may replace by empty ones.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// A run, as a scheduler must know it. All paths are absolute.
#[derive(Clone, Debug, Default)]
pub(super) struct Job {
    /// A name for files and labels: `glucopipe` or `glucopipe-NAME`.
    pub(super) name: String,
    /// Name of the pipeline.
    pub(super) pipeline: String,
    /// This program.
    pub(super) program: String,
    /// What follows it.
    pub(super) arguments: Vec<String>,
    /// Where relative paths of the pipeline begin.
    pub(super) folder: String,
    /// When it is run; every hour by default.
    pub(super) when: When,
    /// Folders it writes into.
    pub(super) writes: Vec<String>,
    /// Those of them that are not there yet.
    pub(super) missing: Vec<String>,
    /// Secrets that systemd hands out.
    pub(super) credentials: Vec<String>,
    /// Whether it talks to a server.
    pub(super) network: bool,
    /// Who asks; `None` for root.
    pub(super) user: Option<String>,
    /// Their home.
    pub(super) home: Option<String>,
}

/// Where a secret is to come from.
#[derive(Debug, Default)]
struct Secrets {
    variables: Vec<String>,
    credentials: Vec<String>,
}

impl Job {
    /// Finds out what is to be run; prints what is wrong with the pipeline. `None` when that is an error.
    pub(super) fn find(
        context: &Context,
        args: &Schedule,
        when: When,
    ) -> Result<Option<Self>, Problem> {
        let file = &args.pipeline.pipeline;
        let text = read_text(file).map_err(|problem| *problem)?;
        // A scheduler has not the environment of this shell, so what it overrides is not looked at.
        let loaded = load(LoadRequest {
            file: file.display().to_string(),
            text,
            overrides: args.pipeline.set.clone(),
            environment: Vec::new(),
        });
        for problem in loaded.problems() {
            context.output.problem(problem);
        }
        if Exit::for_problems(loaded.problems()) != Exit::Done {
            return Ok(None);
        }
        let pipeline = &loaded.pipeline;
        let secrets = secrets(pipeline);
        for problem in remarks(&loaded, &secrets) {
            context.output.problem(&problem);
        }
        if args.scheduler != Scheduler::Systemd
            && let Some(name) = secrets.credentials.first()
        {
            return Err(Problem::error(
                Code::SCHEDULE,
                format!("only systemd can give a run the credential `{name}`"),
            )
            .hint("keep the secret in a file of yours, `{ file = \"/absolute/path\" }`"));
        }
        let folder =
            std::env::current_dir().map_err(|error| no_place("the working folder", &error))?;
        let program = std::env::current_exe().map_err(|error| no_place("this program", &error))?;
        let whole = |path: &Path| text_of(&folder.join(path));
        let mut arguments = vec!["run".to_owned(), whole(file)?];
        for set in &args.pipeline.set {
            arguments.extend(["--set".to_owned(), set.clone()]);
        }
        // A service of the system without a user has no home.
        let is_homeless = args.system && user().is_none();
        let (journal, elsewhere) = journal(pipeline, is_homeless)?;
        if elsewhere {
            arguments.extend([
                "--set".to_owned(),
                format!("journal.path={}", whole(&journal)?),
            ]);
        }
        for extra in plugin_folders(context, is_homeless) {
            arguments.extend(["--plugin-dir".to_owned(), whole(&extra)?]);
        }
        if context.locked() {
            arguments.push("--locked".to_owned());
        }
        let targets = pipeline
            .sinks
            .iter()
            .filter_map(|sink| path_of(&sink.options));
        let mut writes: Vec<PathBuf> = targets
            .map(|target| written(&folder.join(target)))
            .collect();
        writes.extend(folder.join(&journal).parent().map(Path::to_owned));
        let writes = outermost(writes);
        let missing: Vec<PathBuf> = writes
            .iter()
            .filter(|folder| !folder.exists())
            .cloned()
            .collect();
        let texts = |paths: &[PathBuf]| {
            paths
                .iter()
                .map(|path| text_of(path))
                .collect::<Result<_, _>>()
        };
        Ok(Some(Self {
            name: unit_name(&pipeline.name),
            pipeline: pipeline.name.clone(),
            program: text_of(&program)?,
            arguments,
            folder: text_of(&folder)?,
            when,
            writes: texts(&writes)?,
            missing: texts(&missing)?,
            credentials: secrets.credentials,
            network: pipeline
                .sinks
                .iter()
                .any(|sink| sink.options.contains_key("url")),
            user: user(),
            home: std::env::var("HOME")
                .ok()
                .filter(|home| Path::new(home).is_absolute()),
        }))
    }

    /// Whether it needs a folder that is another one in a sandbox.
    pub(super) fn needs_temporary(&self) -> bool {
        let paths = [&self.program, &self.folder].into_iter();
        let paths = paths.chain(&self.arguments).chain(&self.writes);
        let is_in = |path: &String| {
            TEMPORARY
                .iter()
                .any(|folder| Path::new(path).starts_with(folder))
        };
        paths.into_iter().any(is_in)
    }

    /// The folders to be made, as commands of a shell.
    pub(super) fn making(&self) -> Option<String> {
        let missing: Vec<String> = self
            .missing
            .iter()
            .map(|path| super::quoted(path))
            .collect();
        (!missing.is_empty()).then(|| format!("mkdir -p -m 700 {}", missing.join(" ")))
    }
}

impl Default for When {
    fn default() -> Self {
        Self::Every(60)
    }
}

fn no_place(what: &str, error: &std::io::Error) -> Problem {
    Problem::error(Code::SCHEDULE, format!("cannot find {what}")).cause(error.to_string())
}

/// A path as text. No format has a place for line breaks and the like.
fn text_of(path: &Path) -> Result<String, Problem> {
    let shown = path.display().to_string();
    match path.to_str() {
        None => Err(unwritable(&shown, "it is not UTF-8")),
        Some(text) if text.chars().any(char::is_control) => Err(unwritable(
            &shown,
            "it has a control character, such as a line break",
        )),
        Some(text) => Ok(text.to_owned()),
    }
}

/// `glucopipe-NAME`, of characters that every scheduler takes.
fn unit_name(pipeline: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    match pipeline {
        "pipeline" => "glucopipe".to_owned(),
        name => format!("glucopipe-{}", name.chars().map(plain).collect::<String>()),
    }
}

/// The journal, and whether it is elsewhere than where a run without this environment would look.
fn journal(pipeline: &Pipeline, is_homeless: bool) -> Result<(PathBuf, bool), Problem> {
    if let Some(path) = pipeline
        .journal
        .as_ref()
        .and_then(|journal| journal.path.clone())
    {
        return Ok((path, false));
    }
    let here = default_journal()?;
    let plain = |name: &str| std::env::var_os(name).filter(|_| name != "XDG_STATE_HOME");
    let there = default_path(plain);
    let elsewhere = is_homeless || there.as_ref() != Some(&here);
    Ok((here, elsewhere))
}

/// Plugin folders that a run finds by the arguments and the environment alone.
fn plugin_folders(context: &Context, is_homeless: bool) -> Vec<PathBuf> {
    let mut folders = context.plugin_dirs().to_vec();
    folders.extend(named_folders());
    let here = data_home(|name| std::env::var_os(name));
    let there = data_home(|name| std::env::var_os(name).filter(|_| name != "XDG_DATA_HOME"));
    let users = here.filter(|here| is_homeless || there.as_ref() != Some(here));
    folders.extend(
        users
            .map(|data| SearchPath::of_user(&data))
            .filter(|folder| folder.exists()),
    );
    folders.retain(|folder| folder.is_absolute());
    folders
}

/// The `path` of a sink that is a file or folder.
fn path_of(options: &Map<String, Value>) -> Option<&str> {
    let path = options.get("path").and_then(Value::as_str);
    path.filter(|path| !matches!(*path, "" | "-"))
}

/// The folder that is written into for a target: the one around it, in which a file is replaced and a data set is
/// prepared.
fn written(target: &Path) -> PathBuf {
    let real = target.canonicalize();
    let target = real.as_deref().unwrap_or(target);
    target.parent().unwrap_or(target).to_owned()
}

/// Folders without those that lie in another one.
fn outermost(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    folders.sort_unstable();
    let mut kept: Vec<PathBuf> = Vec::new();
    for folder in folders {
        if !kept.iter().any(|outer| folder.starts_with(outer)) {
            kept.push(folder);
        }
    }
    kept
}

/// Who asks.
fn user() -> Option<String> {
    let name = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    #[cfg(unix)]
    {
        let uid = rustix::process::geteuid();
        // Its number where nothing says the name, or what says it is somebody else's environment.
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let name =
            name.filter(|name| !name.is_empty() && name.chars().all(plain) && name != "root");
        (!uid.is_root()).then(|| name.unwrap_or_else(|| uid.as_raw().to_string()))
    }
    #[cfg(not(unix))]
    name
}

/// References to secrets in the keys of all nodes.
fn secrets(pipeline: &Pipeline) -> Secrets {
    let mut found = Secrets::default();
    let nodes = pipeline.sources.iter().map(|node| &node.options);
    let nodes = nodes.chain(pipeline.transforms.iter().map(|node| &node.options));
    for options in nodes.chain(pipeline.sinks.iter().map(|node| &node.options)) {
        for value in options.values() {
            look(value, &mut found);
        }
    }
    for names in [&mut found.variables, &mut found.credentials] {
        names.sort_unstable();
        names.dedup();
    }
    found
}

fn look(value: &Value, found: &mut Secrets) {
    match value {
        Value::Object(table) => {
            let only = table.iter().next().filter(|_| table.len() == 1);
            match only.and_then(|(key, value)| Some((key.as_str(), value.as_str()?))) {
                Some(("env", name)) => found.variables.push(name.to_owned()),
                Some(("credential", name)) => found.credentials.push(name.to_owned()),
                _ => table.values().for_each(|value| look(value, found)),
            }
        }
        Value::Array(items) => items.iter().for_each(|value| look(value, found)),
        _ => {}
    }
}

/// What works here, and will not in a scheduled run.
fn remarks(loaded: &Loaded, secrets: &Secrets) -> Vec<Problem> {
    let warning = |title: String| Problem::warning(Code::SCHEDULE, title);
    let mut remarks = Vec::new();
    for name in &secrets.variables {
        remarks.push(
            warning(format!("a scheduled run does not know the environment variable `{name}`"))
                .hint("keep the secret in a file, `{ file = \"/absolute/path\" }`, or with systemd in a credential, `{ credential = \"…\" }`"),
        );
    }
    let overrides = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    for name in overrides.filter(|name| name.starts_with(OVERRIDE)) {
        remarks.push(
            warning(format!(
                "a scheduled run does not know the override `{name}`"
            ))
            .hint("give it as `--set` instead, which is printed"),
        );
    }
    for sink in &loaded.pipeline.sinks {
        if sink.options.get("path").and_then(Value::as_str) == Some("-") {
            remarks.push(
                warning(format!(
                    "[sinks.{}] prints readings, which a scheduler keeps in a log or mails",
                    sink.name
                ))
                .at(loaded.place(&sink.name, &["path"]))
                .hint("give it a file"),
            );
        }
    }
    remarks
}

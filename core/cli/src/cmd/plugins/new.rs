//! `glucopipe plugins new`: a folder with a small plugin that builds, loads and runs, to be changed.
//!
//! What is written lies in `core/cli/templates` as code that compiles, with the name `example-name`.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use glucopipe_runtime::plugin::EXTENSION;
use glucopipe_runtime::problem::{Code, Place, Problem};
use glucopipe_runtime::transform::builtins;
use serde_json::json;

use crate::args::{Language, NewKind, NewPlugin};
use crate::cmd::{Done, misused};
use crate::context::Context;
use crate::exit::Exit;

macro_rules! template {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/", $file))
    };
}

macro_rules! header {
    ($file:literal) => {
        (
            $file,
            include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../abi/include/",
                $file
            )),
        )
    };
}

/// The contract and its helpers, for plugins in C.
const HEADERS: [(&str, &str); 4] = [
    header!("glucopipe.h"),
    header!("glucopipe_text.h"),
    header!("glucopipe_arrow.h"),
    header!("glucopipe_file.h"),
];

/// The folder that Cargo builds in, by an absolute path, as `--plugin-dir` takes it.
const BUILT: &str = "built=\"$(cd \"${CARGO_TARGET_DIR:-target}/debug\" && pwd)\"";

/// What a source says when any driver will do.
const AUTO: &str = "auto";

/// Longest name: with what is put around it, it is a file name.
const NAME_LIMIT: usize = 64;

/// Writes the folder.
pub(super) fn new(context: &Context, args: &NewPlugin, as_json: bool) -> Done {
    let written = Plan::of(args).and_then(|plan| {
        let files = plan.files();
        write(&plan.folder, &files)?;
        Ok((plan, files))
    });
    let (plan, files) = match written {
        Ok(written) => written,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    if as_json {
        let files: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        context.output.json(&json!({
            "folder": plan.folder.display().to_string(),
            "files": files,
            "library": plan.library(),
        }));
    }
    let output = &context.output;
    output.note(&format!("`{}` is begun; next:", plan.folder.display()));
    output.note(&format!("  cd {}", plan.folder.display()));
    for step in plan.steps() {
        output.note(&format!("  {step}"));
    }
    Ok(Exit::Done)
}

/// What is to be written.
struct Plan {
    kind: NewKind,
    language: Language,
    name: String,
    folder: PathBuf,
    /// The dependency on the SDK, as Cargo reads it.
    sdk: String,
}

impl Plan {
    fn of(args: &NewPlugin) -> Result<Self, Problem> {
        let name = args.name.clone();
        check_name(&name)?;
        check_free(args.kind, &name)?;
        let sdk = match (args.lang, &args.sdk) {
            (Language::C, Some(_)) => {
                let title = "`--sdk` is for plugins in Rust alone";
                return Err(Problem::error(Code::PLUGIN_NEW, title)
                    .kept("nothing was written")
                    .hint("a plugin in C needs the headers alone, and they are put beside it"));
            }
            (Language::C, None) => String::new(),
            (Language::Rust, given) => sdk(given.as_deref())?,
        };
        Ok(Self {
            kind: args.kind,
            language: args.lang,
            folder: args.path.clone().unwrap_or_else(|| name.clone().into()),
            name,
            sdk,
        })
    }

    fn kind(&self) -> &'static str {
        word(self.kind)
    }

    /// The name as an identifier.
    fn identifier(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The file name of the library, by which it is found first.
    fn library(&self) -> String {
        let (kind, name) = (self.kind(), self.identifier());
        format!(
            "{}glucopipe_{kind}_{name}.{EXTENSION}",
            std::env::consts::DLL_PREFIX
        )
    }

    /// A file that lies where it was built, as a shell reads it.
    fn built(&self, file: &str) -> String {
        match self.language {
            Language::Rust => format!("\"$built/{file}\""),
            Language::C => format!("./{file}"),
        }
    }

    /// What the author does next.
    fn steps(&self) -> Vec<String> {
        let (build, folder) = match self.language {
            Language::Rust => (&["cargo test && cargo build", BUILT][..], "$built"),
            Language::C => (&["make test && make"][..], "$PWD"),
        };
        let device = match self.kind {
            NewKind::Driver => " --device replay:session.transcript",
            NewKind::Exporter | NewKind::Transform => "",
        };
        let library = self.built(&self.library());
        let mut steps: Vec<String> = build.iter().map(|step| (*step).to_owned()).collect();
        steps.push(format!("glucopipe plugins check {library}{device}"));
        steps.push(format!("glucopipe --plugin-dir \"{folder}\" run"));
        steps
    }

    /// What the author does when it is ready.
    fn manifest(&self) -> String {
        let needs = match self.kind {
            NewKind::Driver => "devices",
            NewKind::Exporter => "files",
            NewKind::Transform => "nothing",
        };
        let library = self.built(&self.library());
        format!("glucopipe plugins manifest {library} --needs {needs}")
    }

    /// The library and its manifest.
    fn shipped(&self) -> String {
        let library = self.library();
        let manifest = Path::new(&library).with_extension("glucopipe.toml");
        let manifest = self.built(&manifest.display().to_string());
        format!("{} {manifest}", self.built(&library))
    }

    /// A template with the names filled in.
    fn filled(&self, template: &str) -> String {
        let steps: Vec<String> = self
            .steps()
            .iter()
            .map(|step| format!("$ {step}"))
            .collect();
        let built = match self.language {
            Language::Rust => {
                " `$built` is where Cargo builds; its configuration may say another folder."
            }
            Language::C => "",
        };
        template
            .replace("example-name", &self.name)
            .replace("example_name", &self.identifier())
            .replace("EXAMPLE_LIBRARY", &self.library())
            .replace("EXAMPLE_KIND", self.kind())
            .replace("EXAMPLE_STEPS", &steps.join("\n"))
            .replace("EXAMPLE_BUILT", built)
            .replace("EXAMPLE_MANIFEST", &self.manifest())
            .replace("EXAMPLE_FILES", &self.shipped())
            .replace("EXAMPLE_SDK", &self.sdk)
    }

    /// Every file with its text.
    fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![
            ("README.md".to_owned(), self.filled(template!("README.md"))),
            ("pipeline.toml".to_owned(), self.filled(self.pipeline())),
        ];
        let mut add = |name: &str, text: String| files.push((name.to_owned(), text));
        if self.kind == NewKind::Driver {
            add(
                "session.transcript",
                template!("session.transcript").to_owned(),
            );
        }
        match self.language {
            Language::Rust => {
                add(".gitignore", "/target/\n/out/\n".to_owned());
                add("Cargo.toml", self.filled(template!("rust/manifest.toml")));
                add("src/lib.rs", self.filled(self.source()));
            }
            Language::C => {
                let library = self.library();
                add(
                    ".gitignore",
                    format!("/{library}\n/tests\n/*.glucopipe.toml\n/out/\n"),
                );
                add("Makefile", self.filled(template!("c/Makefile")));
                add(
                    &format!("{}.c", self.identifier()),
                    self.filled(self.source()),
                );
                add(
                    &format!("{}_tests.c", self.identifier()),
                    self.filled(self.tests()),
                );
                for (name, text) in HEADERS {
                    add(name, text.to_owned());
                }
            }
        }
        files
    }

    fn pipeline(&self) -> &'static str {
        match self.kind {
            NewKind::Driver => template!("driver.toml"),
            NewKind::Exporter => template!("exporter.toml"),
            NewKind::Transform => template!("transform.toml"),
        }
    }

    /// The tests in C; in Rust they lie in the source.
    fn tests(&self) -> &'static str {
        match self.kind {
            NewKind::Driver => template!("c/driver_tests.c"),
            NewKind::Exporter => template!("c/exporter_tests.c"),
            NewKind::Transform => template!("c/transform_tests.c"),
        }
    }

    fn source(&self) -> &'static str {
        match (self.language, self.kind) {
            (Language::Rust, NewKind::Driver) => template!("rust/driver.rs"),
            (Language::Rust, NewKind::Exporter) => template!("rust/exporter.rs"),
            (Language::Rust, NewKind::Transform) => template!("rust/transform.rs"),
            (Language::C, NewKind::Driver) => template!("c/driver.c"),
            (Language::C, NewKind::Exporter) => template!("c/exporter.c"),
            (Language::C, NewKind::Transform) => template!("c/transform.c"),
        }
    }
}

fn word(kind: NewKind) -> &'static str {
    match kind {
        NewKind::Driver => "driver",
        NewKind::Exporter => "exporter",
        NewKind::Transform => "transform",
    }
}

/// A name must be an id of the ABI, a package of Cargo and, with `_`, an identifier of C.
fn check_name(name: &str) -> Result<(), Problem> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.len() <= NAME_LIMIT
        && name.chars().all(letters);
    if good {
        return Ok(());
    }
    let suggested: String = name
        .to_lowercase()
        .chars()
        .map(|c| if letters(c) { c } else { '-' })
        .collect();
    let suggested =
        suggested.trim_matches(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
    let suggested = suggested.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let problem = Problem::error(Code::CONFIG_NAME, format!("`{name}` is no name for a plugin"))
        .cause(format!(
            "expected a lower-case letter, then lower-case letters, digits and `-`, at most {NAME_LIMIT}"
        ))
        .kept("nothing was written");
    Err(match suggested {
        "" => problem,
        _ if suggested.len() > NAME_LIMIT => problem,
        _ => problem.hint(format!("`{suggested}` would do")),
    })
}

/// A name must not be one that a pipeline means something else by.
fn check_free(kind: NewKind, name: &str) -> Result<(), Problem> {
    let is_builtin = builtins().iter().any(|builtin| builtin.kind == name);
    let reason = match kind {
        NewKind::Transform if is_builtin => "a transform of that name is built in",
        NewKind::Driver if name == AUTO => "it stands for whichever driver knows the meter",
        _ => return Ok(()),
    };
    let title = format!("`{name}` is no name for a {}", word(kind));
    Err(Problem::error(Code::CONFIG_NAME, title)
        .cause(format!("{reason}, so a pipeline would never use another"))
        .kept("nothing was written")
        .hint(format!("`my-{name}` would do")))
}

/// The dependency on the SDK: the folder that was named, that of the source tree, or the published crate.
fn sdk(given: Option<&Path>) -> Result<String, Problem> {
    let folder = match given {
        Some(folder) if is_sdk(folder) => fs::canonicalize(folder).ok(),
        Some(folder) => {
            let shown = folder.display();
            let title = format!("`{shown}` is not the folder of the crate glucopipe-sdk");
            return Err(Problem::error(Code::PLUGIN_NEW, title)
                .at(Place::Named("--sdk".to_owned()))
                .kept("nothing was written")
                .hint("in the source tree of glucopipe it is `core/sdk`"));
        }
        None => beside_program(),
    };
    Ok(match folder {
        // JSON and TOML write such a text alike.
        Some(folder) => format!("{{ path = {} }}", json!(folder.display().to_string())),
        None => {
            let version = env!("CARGO_PKG_VERSION");
            let minor = version.rsplit_once('.').map_or(version, |(minor, _)| minor);
            format!("\"{minor}\"")
        }
    })
}

fn is_sdk(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    manifest
        .lines()
        .any(|line| line == "name = \"glucopipe-sdk\"")
}

/// The SDK of the source tree in whose `target` this program lies.
fn beside_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let folders = program.ancestors().map(|folder| folder.join("core/sdk"));
    folders.into_iter().find(|folder| is_sdk(folder))
}

/// Writes every file into a new folder, or an empty one; what could not be finished is taken away again.
fn write(folder: &Path, files: &[(String, String)]) -> Result<(), Problem> {
    let shown = folder.display();
    let failed = |what: &str, error: &io::Error| {
        Problem::error(Code::PLUGIN_NEW, format!("cannot {what} `{shown}`"))
            .cause(error.to_string())
            .kept("nothing was written")
    };
    if fs::symlink_metadata(folder).is_ok() {
        let empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if !empty {
            return Err(
                Problem::error(Code::PLUGIN_NEW, format!("`{shown}` is there already"))
                    .kept("nothing was written")
                    .hint("choose another name, or another folder with `--path`"),
            );
        }
    } else {
        let made = DirBuilder::new().recursive(true).create(folder);
        made.map_err(|error| failed("make folder", &error))?;
    }
    for (name, text) in files {
        if let Err(error) = write_one(&folder.join(name), text) {
            for (name, _) in files {
                // Only what was written here can be there: the folder was empty.
                let _ = fs::remove_file(folder.join(name));
            }
            let _ = fs::remove_dir(folder.join("src"));
            let _ = fs::remove_dir(folder);
            return Err(failed("write into", &error));
        }
    }
    Ok(())
}

fn write_one(path: &Path, text: &str) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    File::create_new(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kind: NewKind, lang: Language, name: &str) -> Result<Plan, Problem> {
        Plan::of(&NewPlugin {
            kind,
            name: name.to_owned(),
            lang,
            path: None,
            sdk: None,
        })
    }

    #[test]
    fn names_are_ids_packages_and_identifiers() {
        for good in ["a", "two-meter", "x9", "contour-next-2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for (bad, better) in [
            ("Two Meter", Some("two-meter")),
            ("9lives", Some("lives")),
            ("a_b.c-", Some("a-b-c")),
            ("../x", Some("x")),
            ("", None),
            ("-", None),
            ("ü", None),
        ] {
            let problem = check_name(bad).unwrap_err();
            let hint = better.map(|better| format!("`{better}` would do"));
            assert_eq!(problem.hint, hint, "{bad}");
        }
        assert!(check_name(&"x".repeat(65)).is_err());
    }

    #[test]
    fn names_that_a_pipeline_means_something_else_by_are_refused() {
        let mut taken: Vec<(NewKind, &str)> = builtins()
            .iter()
            .map(|builtin| (NewKind::Transform, builtin.kind))
            .collect();
        assert!(taken.contains(&(NewKind::Transform, "clock")));
        taken.push((NewKind::Driver, "auto"));
        for (kind, name) in taken {
            for lang in [Language::Rust, Language::C] {
                let problem = plan(kind, lang, name).err().expect(name);
                assert_eq!(problem.code, Code::CONFIG_NAME);
                let hint = format!("`my-{name}` would do");
                assert_eq!(problem.hint, Some(hint));
            }
            assert!(check_free(NewKind::Exporter, name).is_ok(), "{name}");
        }
        assert!(check_free(NewKind::Driver, "clock").is_ok());
        assert!(check_free(NewKind::Transform, "auto").is_ok());
    }

    #[test]
    fn nothing_of_a_template_is_left() {
        for kind in [NewKind::Driver, NewKind::Exporter, NewKind::Transform] {
            for lang in [Language::Rust, Language::C] {
                for (name, text) in plan(kind, lang, "two-meter").unwrap().files() {
                    for left in ["EXAMPLE_", "example-name", "example_name"] {
                        assert!(!text.contains(left), "{kind:?} {lang:?} {name}: {left}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_is_written_over() {
        let home = tempfile::tempdir().unwrap();
        let files = [
            ("a".to_owned(), "1".to_owned()),
            ("src/b".to_owned(), "2".to_owned()),
        ];
        let folder = home.path().join("new/folder");
        write(&folder, &files).unwrap();
        assert_eq!(fs::read_to_string(folder.join("src/b")).unwrap(), "2");
        let problem = write(&folder, &files).unwrap_err();
        assert_eq!(problem.code, Code::PLUGIN_NEW);
        let problem = write(&folder.join("a"), &files).unwrap_err();
        assert!(problem.title.ends_with("is there already"), "{problem}");
        let problem = write(&folder.join("a/below"), &files).unwrap_err();
        assert!(problem.title.starts_with("cannot make folder"), "{problem}");
        let empty = home.path().join("empty");
        fs::create_dir(&empty).unwrap();
        write(&empty, &files).unwrap();
    }

    #[test]
    fn what_could_not_be_finished_is_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("new");
        let twice = ("src/a".to_owned(), "1".to_owned());
        assert!(write(&folder, &[twice.clone(), twice]).is_err());
        assert!(!folder.exists());
    }
}

//! `plugins new`: each kind in each language builds, loads and works as it is written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_tests::{Finished, Running, Workspace};
use serde_json::Value;

use super::{cargo, column, run, succeed};
use crate::support::{shown, tree};

/// Begins a plugin, builds it, and holds it against the contract; gives its folder, and that of the library.
fn begun(workspace: &Workspace, kind: &str, language: &str) -> (PathBuf, PathBuf) {
    let name = format!("two-{kind}");
    let finished = workspace.run(&["plugins", "new", kind, &name, "--lang", language, "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let said: Value = serde_json::from_str(&finished.stdout).expect("one JSON document");
    let library = said["library"].as_str().expect("a name").to_owned();
    let folder = workspace.path().join(&name);
    let built = match language {
        "rust" => cargo(&folder),
        _ => make(&folder, &library),
    };
    // Other plugins may lie in the folder it was built in.
    let library = workspace.plugins().join(&library);
    fs::copy(built.join(library.file_name().expect("a name")), &library).expect("the library");
    let mut arguments = vec![
        "plugins",
        "check",
        "--strict",
        library.to_str().expect("UTF-8"),
    ];
    if kind == "driver" {
        arguments.extend(["--device", "replay:session.transcript"]);
    }
    let checked = Running::start(workspace.command(&arguments).current_dir(&folder)).finish();
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    (folder, workspace.plugins())
}

/// Tests and builds as the Makefile says; without `make`, by the one command in it.
fn make(folder: &Path, library: &str) -> PathBuf {
    let made = Command::new("make").arg("--version").output();
    if made.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        let source = library.split("_two_").last().expect("a name");
        let source = format!("two_{}.c", source.split('.').next().expect("a name"));
        let flags = ["-std=c99", "-fPIC", "-fvisibility=hidden", "-shared", "-o"];
        succeed(
            Command::new("cc")
                .current_dir(folder)
                .args(flags)
                .args([library, &source]),
        );
    } else {
        for targets in [&["test"][..], &[]] {
            succeed(
                Command::new("make")
                    .current_dir(folder)
                    .args(targets)
                    .arg("CFLAGS=-O1 -Werror"),
            );
        }
    }
    folder.to_owned()
}

/// Runs the pipeline of a plugin that was begun; gives the file it writes.
fn output(kind: &str, language: &str, file: &str) -> (Finished, String) {
    let workspace = Workspace::new();
    let (folder, plugins) = begun(&workspace, kind, language);
    manifest(&workspace, &folder, &plugins);
    let finished = run(&workspace, &folder, &plugins);
    let written = fs::read_to_string(folder.join(file));
    let written = written.unwrap_or_else(|_| panic!("{}", finished.stderr));
    (finished, written)
}

/// Writes the manifest as the README says, and nothing else is asked for than what it names.
fn manifest(workspace: &Workspace, folder: &Path, plugins: &Path) {
    let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
    let mut lines = readme.lines();
    let command = lines.find_map(|line| line.strip_prefix("$ glucopipe plugins manifest "));
    let words: Vec<&str> = command.expect("a command").split(' ').collect();
    let [library, needs @ ..] = words.as_slice() else {
        panic!("{readme}");
    };
    let library = Path::new(library.trim_matches('"')).file_name();
    let library = plugins.join(library.expect("a name"));
    let library = library.to_str().expect("a name in UTF-8");
    let written = workspace.run(&[&["plugins", "manifest", library], needs].concat());
    assert_eq!(written.code, 0, "{}", written.stderr);
}

fn driver(language: &str) {
    let (finished, table) = output("driver", language, "out/readings.csv");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(column(&table, "value"), ["93", "126"]);
    assert_eq!(column(&table, "device_serial"), ["D-100", "D-100"]);
    assert!(
        finished.stderr.contains("1 record set aside"),
        "{}",
        finished.stderr
    );
}

fn exporter(language: &str) {
    let (finished, lines) = output("exporter", language, "out/readings.txt");
    assert_eq!(
        (finished.code, lines.lines().count()),
        (0, 50),
        "{}",
        finished.stderr
    );
    for line in lines.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!(
            cells[1].parse::<f64>().is_ok() && cells.len() == 3,
            "{line}"
        );
    }
}

fn transform(language: &str) {
    let (finished, table) = output("transform", language, "out/readings.csv");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let kinds = column(&table, "kind");
    assert!(kinds.iter().all(|kind| kind == "glucose"), "{kinds:?}");
    assert!(
        (1..50).contains(&kinds.len()),
        "the meter has other records too"
    );
}

#[test]
fn what_a_driver_cannot_do_is_said_in_its_own_words() {
    let workspace = Workspace::new();
    let (folder, plugins) = begun(&workspace, "driver", "c");
    let session = format!("replay:{}", folder.join("session.transcript").display());
    let plugins = plugins.display().to_string();
    let meter = ["--driver", "two-driver", "--device", &session];
    let finished = workspace.run(&[&["clock", "--plugin-dir", &plugins][..], &meter].concat());
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    let said = "driver `two-driver` has no `clock`\n  cause: not written yet";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

macro_rules! scaffolds {
    ($($name:ident: $kind:ident, $language:literal;)+) => {$(
        #[test]
        fn $name() {
            $kind($language);
        }
    )+};
}

scaffolds! {
    a_driver_in_c: driver, "c";
    a_driver_in_rust: driver, "rust";
    an_exporter_in_c: exporter, "c";
    an_exporter_in_rust: exporter, "rust";
    a_transform_in_c: transform, "c";
    a_transform_in_rust: transform, "rust";
}

/// The tests of a plugin in C find a mistake in it.
#[test]
fn the_tests_in_c_can_fail() {
    for (kind, from, to) in [
        (
            "driver",
            "reading.value = mg_per_dl;",
            "reading.value = seconds;",
        ),
        ("driver", "answer[*len - 1] != sum", "0"),
        ("exporter", "microseconds / 1000000", "microseconds"),
        ("transform", "rows[kept++] = row", "rows[kept++] = 0"),
    ] {
        let workspace = Workspace::new();
        let begun = workspace.run(&["plugins", "new", kind, "meter", "--lang", "c"]);
        assert_eq!(begun.code, 0, "{}", begun.stderr);
        let source = workspace.path().join("meter/meter.c");
        let text = fs::read_to_string(&source).expect("the source");
        assert_eq!(text.matches(from).count(), 1, "{from}");
        let tests = workspace.path().join("tests");
        for (text, passes) in [(text.clone(), true), (text.replace(from, to), false)] {
            fs::write(&source, text).expect("written");
            succeed(
                Command::new("cc")
                    .current_dir(workspace.path().join("meter"))
                    .args(["-std=c99", "-DNDEBUG", "meter_tests.c", "-o"])
                    .arg(&tests),
            );
            let output = Command::new(&tests).output().expect("it runs");
            assert_eq!(output.status.success(), passes, "{kind}: {from}");
        }
    }
}

/// What the README says can be typed as it stands, wherever Cargo builds.
#[test]
fn a_readme_follows_the_folder_that_cargo_builds_in() {
    let workspace = Workspace::new();
    let begun = workspace.run(&["plugins", "new", "driver", "two-meter", "--lang", "rust"]);
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    let folder = fs::canonicalize(workspace.path().join("two-meter")).expect("a folder");
    let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
    let commands = readme.lines().filter_map(|line| line.strip_prefix("$ "));
    let commands: Vec<&str> = commands.collect();
    // What is typed is shown, and nothing is done.
    let shown =
        "cargo() { :; }; mkdir() { :; }; cp() { echo \"$@\"; }; glucopipe() { echo \"$@\"; }\n";
    let script = format!("{shown}{}", commands.join("\n"));
    for (variable, built) in [
        (None, "target/debug"),
        (Some("else where"), "else where/debug"),
    ] {
        fs::create_dir_all(folder.join(built)).expect("a folder");
        let mut shell = Command::new("sh");
        shell.current_dir(&folder).args(["-eu", "-c", &script]);
        shell.env_remove("CARGO_TARGET_DIR").env("HOME", &folder);
        shell.envs(variable.map(|folder| ("CARGO_TARGET_DIR", folder)));
        let output = shell.output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let built = folder.join(built).display().to_string();
        assert_eq!(said.lines().count(), 4, "{said}{output:?}");
        for line in said.lines() {
            assert!(line.contains(&built), "{line}");
        }
    }
}

/// What cannot be begun, with the whole message; nothing is written.
fn refused(workspace: &Workspace, arguments: &[&str]) -> String {
    let before = tree(workspace.path());
    let finished = workspace.run(&[&["plugins", "new"], arguments].concat());
    assert_eq!(finished.code, 2, "{}", finished.stderr);
    assert_eq!(tree(workspace.path()), before, "something was written");
    shown(workspace, &finished)
}

#[test]
fn what_cannot_be_begun_is_said() {
    let workspace = Workspace::new();
    let begun = workspace.run(&["plugins", "new", "exporter", "lines", "--lang", "c"]);
    assert_eq!((begun.code, begun.stdout.as_str()), (0, ""));
    let messages = [
        shown(&workspace, &begun),
        refused(&workspace, &["exporter", "lines", "--lang", "c"]),
        refused(&workspace, &["driver", "My Meter"]),
        refused(&workspace, &["driver", "x", "--path", "lines/Makefile/x"]),
        refused(&workspace, &["driver", "x", "--sdk", "lines"]),
        refused(
            &workspace,
            &["driver", "x", "--lang", "c", "--sdk", "lines"],
        ),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn a_folder_and_an_sdk_can_be_named() {
    let workspace = Workspace::new();
    let sdk = super::root().join("core/sdk");
    let sdk = sdk.to_str().expect("a name in UTF-8");
    let arguments = [
        "plugins", "new", "driver", "x", "--path", "deep/er", "--sdk", sdk,
    ];
    assert_eq!(workspace.run(&arguments).code, 0);
    let manifest = workspace.read("deep/er/Cargo.toml").expect("a manifest");
    let real = fs::canonicalize(sdk).expect("the SDK");
    let line = format!("glucopipe-sdk = {{ path = \"{}\" }}", real.display());
    assert!(manifest.contains(&line), "{manifest}");
}

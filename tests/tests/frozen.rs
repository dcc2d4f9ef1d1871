//! Plugins that were built for a released minor of the ABI, from its own header or without any of our crates: this
//! host loads and runs them. And tables of every length: shorter, longer, with poison behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_sdk::abi::{self, Table, layout};
use glucopipe_tests::Workspace;
use serde_json::Value;

use crate::support::{compile_c, compile_with};

/// The folders of released minors.
fn released() -> Vec<PathBuf> {
    let compat = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/abi/compat");
    let entries = std::fs::read_dir(compat).expect("a folder");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

/// Builds both plugins of a released minor into the plugin folder.
fn install(workspace: &Workspace, folder: &Path) -> [PathBuf; 2] {
    let in_c = compile_with(
        workspace,
        &folder.join("plugin.c"),
        folder,
        "libglucopipe_driver_frozen.so",
        &["-fvisibility=hidden"],
    );
    let in_rust = workspace
        .plugins()
        .join("libglucopipe_exporter_frozen_rust.so");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler)
        .args(["--edition", "2021", "--crate-type", "cdylib", "-o"])
        .args([&in_rust, &folder.join("plugin.rs")])
        .output()
        .expect("rustc starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    [in_c, in_rust]
}

/// A workspace with the plugins of a released minor, and the CSV exporter to see what comes out.
fn workspace(folder: &Path) -> (Workspace, [PathBuf; 2]) {
    let workspace = Workspace::new();
    workspace.install("exporter_csv");
    let libraries = install(&workspace, folder);
    (workspace, libraries)
}

const PIPELINE: &str = r#"[sources.meter]
driver = "frozen"
device = "virtual:contour-next-usb"

[transforms.first]
type = "frozen"
inputs = ["meter"]

[transforms.second]
type = "frozen-rust"
inputs = ["first"]

[sinks.counted]
exporter = "frozen"
inputs = ["second"]

[sinks.counted-in-rust]
exporter = "frozen-rust"
inputs = ["second"]

[sinks.sheet]
exporter = "csv"
inputs = ["second"]
path = "sheet.csv"
columns = ["local_time", "kind", "value", "unit", "raw_value", "record_key", "device_serial", "driver"]
"#;

const SHEET: &str = "\
local_time,kind,value,unit,raw_value,record_key,device_serial,driver
2026-05-30T07:15:00,glucose,93,mg/dL,93,glucose|1|1,FROZEN-1,frozen/1.0.0
2026-05-30T08:15:00,glucose,104,mg/dL,104,glucose|2|1,FROZEN-1,frozen/1.0.0
";

/// One pipeline through all kinds of components, in C and in Rust.
#[test]
fn plugins_of_every_released_minor_run() {
    for folder in released() {
        let (workspace, _) = workspace(&folder);
        workspace.write("pipeline.toml", PIPELINE);
        let plugins = workspace.plugins().display().to_string();
        let ran = workspace.run(&["run", "--plugin-dir", &plugins, "--report", "report.json"]);
        assert_eq!(ran.code, 0, "{}: {}", folder.display(), ran.stderr);
        assert_eq!(workspace.read("sheet.csv").as_deref(), Some(SHEET));
        let report = workspace.read("report.json").expect("a report");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        let sinks = report["sinks"].as_array().expect("a list");
        assert_eq!(sinks.len(), 3);
        for sink in sinks {
            assert_eq!(sink["delivered"], 2, "{sink:#}");
        }
    }
}

/// The calls that a run does not make.
#[test]
fn what_else_they_can_do_works() {
    for folder in released() {
        let (workspace, _) = workspace(&folder);
        let plugins = workspace.plugins().display().to_string();
        let meter = [
            "--plugin-dir",
            &plugins,
            "--driver",
            "frozen",
            "--device",
            "virtual:contour-next-usb",
        ];
        let info = workspace.run(&[&["info", "--json"], &meter[..]].concat());
        assert_eq!(info.code, 0, "{}", info.stderr);
        let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
        assert_eq!(info["serial"], "FROZEN-1");
        let clock = workspace.run(&[&["clock", "--json"], &meter[..]].concat());
        assert_eq!(clock.code, 0, "{}", clock.stderr);
        assert!(
            clock.stdout.contains("2026-05-30T07:15:00"),
            "{}",
            clock.stdout
        );
        workspace.write("pipeline.toml", PIPELINE);
        let checked = workspace.run(&["check", "--plugin-dir", &plugins]);
        assert_eq!(checked.code, 0, "{}", checked.stderr);
        let dry = workspace.run(&["run", "--dry-run", "--plugin-dir", &plugins]);
        assert_eq!(dry.code, 0, "{}", dry.stderr);
        assert!(dry.stderr.contains("nothing is kept"), "{}", dry.stderr);
    }
}

/// The conformance suite does not ask more of a plugin than its header did.
#[test]
fn they_pass_the_check() {
    for folder in released() {
        let (workspace, libraries) = workspace(&folder);
        for library in libraries {
            let library = library.display().to_string();
            // They take any object for a configuration, and never said that they parse it.
            let tests = ["file", "scan", "life", "driver", "exporter", "transform"];
            let tests = tests.iter().flat_map(|test| ["--test", test]);
            let device = ["--device", "virtual:contour-next-usb"];
            let arguments = ["plugins", "check", &library]
                .into_iter()
                .chain(tests)
                .chain(device);
            let checked = workspace.run(&arguments.collect::<Vec<_>>());
            assert_eq!(checked.code, 0, "{}", checked.stdout);
        }
    }
}

/// Runs the test that loads the library `cut.c`, with one of its tables claiming a size.
fn load(
    workspace: &Workspace,
    library: &Path,
    table: &str,
    size: usize,
) -> glucopipe_tests::Finished {
    let library = library.display().to_string();
    // A process of a test gets no variable that a plugin might find secrets in.
    let check = [
        "plugins",
        "check",
        &library,
        "--test",
        "scan.load",
        "--in-process",
    ];
    let mut command = workspace.command(&check);
    command.env("CUT", format!("{table}={size}"));
    glucopipe_tests::Running::start(&mut command).finish()
}

/// A plugin's table that ends at any field, with poison from there on: refused in words below 1.0, read to its end
/// above, whatever follows.
fn cut<T: Table>(workspace: &Workspace, library: &Path) {
    let tables = layout::STRUCTS.iter().copied().flatten();
    let found = tables.into_iter().find(|table| table.name == T::NAME);
    let table = found.expect("every table has a layout");
    let boundaries = table.fields.iter().map(|field| field.offset + field.size);
    for size in boundaries.chain([table.size + 1, table.size + 8, table.size + 64]) {
        let loaded = load(workspace, library, T::NAME, size);
        if size < T::MIN_SIZE {
            let told = format!(
                "`{}.struct_size` is {size}, expected at least {}",
                T::NAME,
                T::MIN_SIZE
            );
            assert_eq!(loaded.code, 8, "{} at {size}: {}", T::NAME, loaded.stdout);
            assert!(
                loaded.stdout.contains(&told),
                "{} at {size}: {}",
                T::NAME,
                loaded.stdout
            );
        } else {
            assert_eq!(loaded.code, 0, "{} at {size}: {}", T::NAME, loaded.stdout);
        }
    }
}

#[test]
fn tables_of_every_length_are_read_or_refused() {
    let workspace = Workspace::new();
    let library = compile_c(&workspace, "cut.c", "libcut.so", &[]);
    cut::<abi::gp_plugin>(&workspace, &library);
    cut::<abi::gp_component>(&workspace, &library);
    cut::<abi::gp_driver>(&workspace, &library);
    cut::<abi::gp_exporter>(&workspace, &library);
    cut::<abi::gp_transform>(&workspace, &library);
}

/// A plugin that needs a later host is refused before any of its components is looked at.
#[test]
fn a_later_host_is_asked_for_in_words() {
    let workspace = Workspace::new();
    let library = compile_c(&workspace, "cut.c", "libcut.so", &[]);
    let loaded = load(&workspace, &library, "min_host_minor", 7);
    assert_eq!(loaded.code, 8);
    let told = "it needs a host with plugin ABI 1.7, this one has 1.1";
    assert!(loaded.stdout.contains(told), "{}", loaded.stdout);
}

//! Commands that list: devices, virtual meters, plugins, one meter.

use glucopipe_emulator::{catalog, faults, keys};
use glucopipe_tests::Workspace;

use super::{json, names, with, workspace};
use crate::support::stable;

#[expect(
    clippy::print_stdout,
    reason = "who runs the tests should know what was skipped"
)]
/// Whether a real meter is attached, which these tests leave alone.
fn a_meter_is_attached(workspace: &Workspace) -> bool {
    let devices = json(&workspace.run(&["devices", "--json"]));
    let attached = devices["devices"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if attached {
        println!("skipped: a meter is attached");
    }
    attached
}

/// Attached meters as one JSON document, also when there are none.
#[test]
fn devices_are_listed() {
    let workspace = Workspace::new();
    let finished = workspace.run(&["devices", "--json"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    assert_eq!(names(&json(&finished)), ["devices"]);
    if !a_meter_is_attached(&workspace) {
        let finished = workspace.run(&["devices"]);
        assert_eq!((finished.code, finished.stdout.as_str()), (0, ""));
        assert!(finished.stderr.contains("no supported meter is attached"));
    }
}

/// Without a meter, whoever needs one says so: GP0201, exit code 4.
#[test]
fn no_meter_is_exit_code_4() {
    let workspace = with(
        "[sources.meter]\n[sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n",
    );
    if a_meter_is_attached(&workspace) {
        return;
    }
    for arguments in [
        &["info"][..],
        &["dump"],
        &["run"],
        &["check"],
        &["info", "--device", "serial:1234567"],
        &["dump", "--device", "usb:1a79:7410"],
        &["info", "--driver", "contour"],
        &["info", "--device", "path:/dev/hidraw99"],
    ] {
        let finished = workspace.run(arguments);
        assert_eq!(finished.code, 4, "{arguments:?}: {}", finished.stderr);
        assert!(
            finished.stderr.contains("error[GP0201]"),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
    assert_eq!(workspace.read("sheet.csv"), None);
    // Which drivers there are is no matter of this test.
    let message = workspace.run(&["info"]).stderr;
    let lines = message
        .lines()
        .filter(|line| !line.contains("cause: looked for"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

/// The listing of virtual meters has all models, keys and faults of the emulator, and the host's keys.
#[test]
fn virtual_meters_are_listed() {
    let workspace = Workspace::new();
    let list = json(&workspace.run(&["devices", "--virtual", "--json"]));
    let all = |part: &str, key: &str| -> Vec<String> {
        let entries = list[part].as_array().expect("a list");
        entries
            .iter()
            .map(|entry| entry[key].as_str().expect("a text").to_owned())
            .collect()
    };
    let models: Vec<&str> = catalog().iter().map(|model| model.key).collect();
    assert_eq!(all("models", "key"), models);
    let known: Vec<&str> = keys()
        .iter()
        .map(|key| key.name)
        .chain(["zone", "audit"])
        .collect();
    assert_eq!(all("keys", "name"), known);
    let known: Vec<&str> = faults().iter().map(|fault| fault.name).collect();
    assert_eq!(all("faults", "name"), known);
    let text = workspace.run(&["devices", "--virtual"]);
    assert_eq!((text.code, text.stderr.as_str()), (0, ""));
    for model in catalog() {
        let row = format!("virtual:{} ", model.key);
        let row = text.stdout.lines().find(|line| line.starts_with(&row));
        assert!(
            row.is_some_and(|row| row.contains(model.name)),
            "{}",
            model.key
        );
    }
}

/// What a meter says of itself, as JSON and as text.
#[test]
fn info_describes_a_meter() {
    let workspace = Workspace::new();
    let device = "virtual:contour-next-usb?records=7&clock=2026-11-01T12:02:05";
    let finished = workspace.run(&["info", "--json", "--device", device]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let info = json(&finished);
    let expected = [
        "driver",
        "device",
        "model",
        "serial",
        "firmware",
        "unit",
        "record_count",
        "clock",
        "clock_offset_s",
        "extra",
    ];
    assert_eq!(names(&info), expected);
    assert_eq!(info["record_count"], 7);
    assert_eq!(info["serial"], "7413-1234567");
    assert_eq!(info["clock_offset_s"], 125);
    let text = workspace.run(&["info", "--device", device]);
    assert_eq!((text.code, text.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(stable(&workspace, &text.stdout));
}

/// A selector that means nothing, or a driver that does not exist, is a wrong configuration.
#[test]
fn a_bad_selector_is_refused() {
    let workspace = Workspace::new();
    for (arguments, code) in [
        (["info", "--device", "contour"], "GP0203"),
        (["dump", "--device", "contour"], "GP0203"),
        (["info", "--device", "virtual:contour-nxt"], "GP0203"),
        (["info", "--driver", "contur"], "GP0107"),
    ] {
        let finished = workspace.run(&arguments);
        assert_eq!(finished.code, 2, "{}", finished.stderr);
        assert!(
            finished.stderr.contains(&format!("error[{code}]")),
            "{}",
            finished.stderr
        );
    }
}

/// Plugins beside the program and built-in transforms, with the schema of their keys.
#[test]
fn plugins_are_listed() {
    let workspace = workspace();
    let finished = workspace.run(&["plugins", "--json"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let list = json(&finished);
    assert_eq!(names(&list), ["plugins", "refused", "folders"]);
    assert_eq!(list["refused"].as_array().map(Vec::len), Some(0));
    let plugins = list["plugins"].as_array().expect("a list");
    for (kind, id) in [
        ("driver", "contour"),
        ("exporter", "csv"),
        ("exporter", "jsonl"),
        ("exporter", "parquet"),
        ("transform", "clock"),
        ("transform", "units"),
        ("transform", "filter"),
    ] {
        let found: Vec<_> = plugins
            .iter()
            .filter(|one| one["kind"] == kind && one["id"] == id)
            .collect();
        assert_eq!(found.len(), 1, "{kind} {id}");
        assert_eq!(found[0]["shadowed"], false);
        assert!(found[0]["config_schema"].is_object(), "{kind} {id}");
        let built_in = kind == "transform";
        assert_eq!(found[0]["file"].is_null(), built_in, "{kind} {id}");
    }
    assert!(
        list["folders"]
            .as_array()
            .is_some_and(|folders| !folders.is_empty())
    );

    let text = workspace.run(&["plugins"]);
    assert_eq!(text.code, 0);
    assert!(text.stdout.starts_with("KIND "), "{}", text.stdout);
    assert!(
        text.stderr
            .lines()
            .all(|line| line.starts_with("searched ")),
        "{}",
        text.stderr
    );
}

/// A library in a folder of one's own is found, and hides the one beside the program.
#[test]
fn the_first_plugin_of_a_name_hides_the_others() {
    let workspace = workspace();
    workspace.install("exporter_csv");
    let folder = workspace.plugins().display().to_string();
    let list = json(&workspace.run(&["plugins", "--json", "--plugin-dir", &folder]));
    let plugins = list["plugins"].as_array().expect("a list");
    let csv: Vec<_> = plugins.iter().filter(|one| one["id"] == "csv").collect();
    let shadowed: Vec<_> = csv.iter().map(|one| one["shadowed"].as_bool()).collect();
    assert_eq!(shadowed, [Some(false), Some(true)]);
    assert!(
        csv[0]["file"]
            .as_str()
            .is_some_and(|file| file.starts_with(&folder))
    );
}

/// A library gives only what its name says, as long as another one is named after it; and none that is not needed is
/// loaded.
#[test]
fn a_library_of_another_name_hides_nothing() {
    let workspace = with(
        "[sources.meter]\ndriver = \"contour\"\ndevice = \"virtual:contour-next-usb\"\n\
         [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n",
    );
    let theirs = workspace.install("exporter_csv");
    let other = theirs.with_file_name("libglucopipe_driver_helpful.so");
    std::fs::rename(&theirs, &other).expect("a free name");
    let folder = workspace.plugins().display().to_string();
    let list = json(&workspace.run(&["plugins", "--json", "--plugin-dir", &folder]));
    let plugins = list["plugins"].as_array().expect("a list");
    let csv: Vec<_> = plugins.iter().filter(|one| one["id"] == "csv").collect();
    let shadowed: Vec<_> = csv.iter().map(|one| one["shadowed"].as_bool()).collect();
    assert_eq!(shadowed, [Some(true), Some(false)], "{list:#}");

    // Not even looked at, or it would be refused for its bytes.
    std::fs::remove_file(&other).expect("it is there");
    std::fs::write(&other, "no library").expect("it can be written");
    let finished = workspace.run(&["run", "-q", "--plugin-dir", &folder]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    assert!(workspace.read("sheet.csv").is_some());
}

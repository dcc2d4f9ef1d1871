//! Plugins in processes of their own: nobody can tell the difference from what is delivered.

use std::fs;

use glucopipe_tests::{Finished, Workspace};

const NOTHING: &[&str] = &[];

/// Runs a pipeline with `[plugins] isolate` set to a word; gives the files it wrote.
fn run(isolate: &str, text: &str, flags: &[&str]) -> (Workspace, Finished) {
    let workspace = Workspace::new();
    let text = format!("{text}[plugins]\nisolate = \"{isolate}\"\n");
    workspace.write("pipeline.toml", &text);
    let finished = workspace.run(&[&["run"], flags].concat());
    (workspace, finished)
}

fn meter(device: &str) -> String {
    format!(
        "[sources.meter]\ndevice = \"{device}\"\n\
         [transforms.local]\ntype = \"clock\"\ninputs = [\"meter\"]\ntimezone = \"Europe/Athens\"\n\
         [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"local\"]\npath = \"out/sheet.csv\"\n\
         [sinks.lines]\nexporter = \"jsonl\"\ninputs = [\"meter\"]\npath = \"out/lines.jsonl\"\n\
         [sinks.lake]\nexporter = \"parquet\"\ninputs = [\"meter\"]\npath = \"lake\"\n"
    )
}

#[test]
fn a_child_delivers_the_same_bytes() {
    // HID reports, SCSI commands, a meter that has to be asked again, and more than one frame of readings.
    for device in [
        "virtual:contour-next-usb?records=300",
        "virtual:verio-flex?records=40",
        "virtual:contour-next-usb?records=20&fault=checksum",
    ] {
        let text = meter(device);
        let (here, one) = run("none", &text, NOTHING);
        let (apart, other) = run("all", &text, NOTHING);
        assert_eq!(one.code, other.code, "{device}\n{}", other.stderr);
        assert_eq!(
            here.filtered(&one.stderr),
            apart.filtered(&other.stderr),
            "{device}"
        );
        for file in ["out/sheet.csv", "out/lines.jsonl"] {
            let written = here.read(file);
            assert!(written.is_some(), "{device} {file}\n{}", one.stderr);
            assert_eq!(written, apart.read(file), "{device} {file}");
        }
        let files = |workspace: &Workspace| {
            let files = fs::read_dir(workspace.path().join("lake")).expect("a data set");
            files.count()
        };
        assert_eq!(files(&here), files(&apart), "{device}");
    }
}

#[test]
fn a_recording_made_through_a_child_is_the_same_and_plays_in_one() {
    let text = meter("virtual:contour-next-usb?records=30");
    let (here, _) = run("none", &text, &["--record", "session"]);
    let (apart, _) = run("all", &text, &["--record", "session"]);
    let recorded = |workspace: &Workspace| {
        let text = workspace.read("session").expect("a recording");
        // How long a driver waited is the machine's business.
        let lines = text.lines().filter(|line| !line.starts_with(". "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(recorded(&here), recorded(&apart));
    let path = apart.path().join("session");
    let (played, finished) = run(
        "all",
        &meter(&format!("replay:{}", path.display())),
        NOTHING,
    );
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let rows = |workspace: &Workspace| {
        workspace
            .read("out/sheet.csv")
            .map(|text| text.lines().count())
    };
    assert_eq!(rows(&played), rows(&apart));
}

#[test]
fn commands_for_one_meter_work_through_a_child() {
    // What is not beside the program is of a third party.
    let workspace = Workspace::new();
    for name in ["driver_contour", "driver_verio", "exporter_csv"] {
        workspace.install(name);
    }
    let plugins = workspace.plugins().display().to_string();
    let device = "virtual:contour-next-usb?records=5";
    for (arguments, words) in [
        (&["info"][..], "Contour Next USB"),
        (&["clock"], "2026"),
        (&["dump", "--format", "csv"], "record_key"),
    ] {
        let others = ["--plugin-dir", &plugins, "--device", device];
        let apart = workspace.run(&[arguments, &others].concat());
        assert_eq!(apart.code, 0, "{arguments:?}\n{}", apart.stderr);
        assert!(apart.stdout.contains(words), "{}", apart.stdout);
        let here = workspace.run(&[arguments, &["--device", device]].concat());
        assert_eq!(here.stdout, apart.stdout);
    }
}

#[test]
fn a_dry_run_and_a_check_ask_through_a_child() {
    let text = meter("virtual:contour-next-usb?records=5");
    let (here, one) = run("none", &text, &["--dry-run"]);
    let (apart, other) = run("all", &text, &["--dry-run"]);
    assert_eq!((one.code, other.code), (0, 0), "{}", other.stderr);
    assert_eq!(here.filtered(&one.stderr), apart.filtered(&other.stderr));
    assert!(!apart.path().join("out").exists(), "nothing is written");
    let (here, apart) = (here.run(&["check"]), apart.run(&["check"]));
    assert_eq!((here.code, &here.stdout), (apart.code, &apart.stdout));
}

#[test]
fn each_node_chooses_for_itself() {
    let text = meter("virtual:contour-next-usb?records=5")
        .replace(
            "exporter = \"csv\"",
            "exporter = \"csv\"\nruntime = \"process\"",
        )
        .replace(
            "exporter = \"jsonl\"",
            "exporter = \"jsonl\"\nruntime = \"in-process\"",
        );
    for isolate in ["all", "third-party", "none"] {
        let (workspace, finished) = run(isolate, &text, NOTHING);
        assert_eq!(finished.code, 0, "{isolate}\n{}", finished.stderr);
        assert!(workspace.read("out/sheet.csv").is_some());
        assert!(workspace.read("out/lines.jsonl").is_some());
    }
}

#[test]
fn an_exporter_writes_only_where_its_paths_lead() {
    let text = "[sources.meter]\ndevice = \"virtual:contour-next-usb?records=5\"\n\
                [sinks.box]\nexporter = \"mailbox\"\ninputs = [\"meter\"]\npath = \"there/link\"\n";
    let workspace = Workspace::new();
    workspace.install("test_hostile");
    for folder in ["there", "elsewhere"] {
        fs::create_dir(workspace.path().join(folder)).expect("a folder");
    }
    // The file of its log leads out of the folder.
    let out = workspace.path().join("elsewhere/log");
    std::os::unix::fs::symlink(&out, workspace.path().join("there/link.log")).expect("a link");
    workspace.write("pipeline.toml", text);
    let plugins = workspace.plugins().display().to_string();
    let finished = workspace.run(&["run", "--plugin-dir", &plugins]);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("Permission denied"),
        "{}",
        finished.stderr
    );
    assert!(!out.exists());
}

#[test]
fn the_program_says_what_the_hidden_command_is_for() {
    let finished = Workspace::new().run(&["plugin-process"]);
    assert_eq!(finished.code, 2);
    assert!(
        finished.stderr.contains("for glucopipe itself"),
        "{}",
        finished.stderr
    );
}

//! What is printed for schedulers: it runs the pipeline as it runs here, and systemd accepts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_tests::{Finished, Running, Workspace, build};

use crate::support::{shown, stable, tree};
use crate::table::csv;

/// A folder that means something to every format.
const ODD: &str = "Anna's 100% $HOME \"out\"";

const PIPELINE: &str = r#"[sources.meter]
device = "virtual:contour-next-usb?records=20"

[sinks.sheet]
exporter = "csv"
inputs = ["meter"]
path = "out/sheet.csv"

[sinks.lake]
exporter = "parquet"
inputs = ["meter"]
path = "lake"
"#;

fn with(pipeline: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", pipeline);
    workspace
}

/// What is told on standard error about one thing.
fn told(workspace: &Workspace, finished: &Finished) -> String {
    stable(workspace, &finished.stderr)
}

/// A command of a workspace that is run elsewhere in it, with another copy of the program.
fn moved(workspace: &Workspace, program: &Path, folder: &Path, arguments: &[&str]) -> Finished {
    let kept = workspace.command(arguments);
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear();
    for (name, value) in kept.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    Running::start(&mut command).finish()
}

/// The value of a key of a unit.
fn value<'u>(unit: &'u str, key: &str) -> &'u str {
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {key} in {unit}"))
}

/// A program with blanks and worse in its path, and a pipeline in a folder that is no better.
fn odd(workspace: &Workspace, pipeline: &str) -> (PathBuf, PathBuf) {
    let bin = workspace.path().join("bin 100% $x");
    let folder = workspace.path().join(ODD);
    for made in [&bin, &folder] {
        fs::create_dir(made).expect("a folder");
    }
    let program = bin.join("glucopipe");
    fs::hard_link(build().program(), &program)
        .or_else(|_| fs::copy(build().program(), &program).map(drop))
        .expect("a copy of the program");
    fs::write(folder.join("my meters.toml"), pipeline).expect("a pipeline");
    (program, folder)
}

/// systemd takes the units as they are, without a warning, and understands paths as they were meant.
#[test]
fn systemd_verifies_its_units() {
    let analyze = Command::new("systemd-analyze").arg("--version").output();
    if !analyze.is_ok_and(|done| done.status.success()) {
        println!("skipped: there is no systemd-analyze here");
        return;
    }
    let workspace = Workspace::new();
    let secret = "[transforms.study]\ntype = \"pseudonymise\"\ninputs = [\"meter\"]\nkey = { credential = \"study.key\" }\n";
    let (program, folder) = odd(
        &workspace,
        &PIPELINE
            .replace("inputs = [\"meter\"]", "inputs = [\"study\"]")
            .replace("[sinks.sheet]", &format!("{secret}[sinks.sheet]")),
    );
    let units = workspace.path().join("units");
    let runtime = workspace.path().join("runtime");
    for made in [&units, &runtime] {
        fs::create_dir(made).expect("a folder");
    }
    let scopes: [(&str, &[&str]); 2] = [
        ("--user", &[]),
        ("--system", &["--system", "--group", "root"]),
    ];
    for (scope, extra) in scopes {
        let mut files = Vec::new();
        for part in ["service", "timer"] {
            let arguments = [
                &[
                    "schedule",
                    "systemd",
                    "my meters.toml",
                    "--every",
                    "15m",
                    "--only",
                    part,
                ],
                extra,
            ]
            .concat();
            let printed = moved(&workspace, &program, &folder, &arguments);
            assert_eq!(printed.code, 0, "{}", printed.stderr);
            let file = units.join(format!("glucopipe-my-meters.{part}"));
            fs::write(&file, printed.stdout).expect("a unit");
            files.push(file);
        }
        let mut command = Command::new("systemd-analyze");
        command
            .args([scope, "verify"])
            .args(&files)
            .env("XDG_RUNTIME_DIR", &runtime);
        let verified = Running::start(&mut command).finish();
        assert_eq!(
            (verified.code, verified.stderr.as_str()),
            (0, ""),
            "{scope}"
        );

        // At this level it also prints what it has understood.
        let understood = Running::start(command.env("SYSTEMD_LOG_LEVEL", "debug"))
            .finish()
            .stdout;
        let command = understood
            .lines()
            .find_map(|line| line.trim().strip_prefix("Command Line: "));
        if let Some(command) = command {
            let plain = command.replace(r"\$", "$").replace("\\\"", "\"");
            for path in [&program, &folder.join("my meters.toml")] {
                assert!(
                    plain.contains(&format!("\"{}\"", path.display())),
                    "{command}"
                );
            }
            let folder = format!("WorkingDirectory: {}\n", folder.display());
            assert!(understood.contains(&folder), "{understood}");
        }
    }
}

/// The printed command, started as a scheduler does, without the environment of the shell, reads the same
/// plugins, and goes on with the same journal.
#[test]
fn a_scheduled_run_is_the_run_of_this_shell() {
    let workspace = Workspace::new();
    let (program, folder) = odd(&workspace, PIPELINE);
    for name in ["driver_contour", "exporter_csv", "exporter_parquet"] {
        workspace.install(name);
    }
    let plugins = workspace.plugins();
    let plugins = ["--plugin-dir", plugins.to_str().expect("text")];
    let by_hand = moved(
        &workspace,
        &program,
        &folder,
        &[&["run", "my meters.toml"], &plugins[..]].concat(),
    );
    assert_eq!(by_hand.code, 0, "{}", by_hand.stderr);
    let before = tree(workspace.path());
    let printed = moved(
        &workspace,
        &program,
        &folder,
        &[&["schedule", "cron", "my meters.toml"], &plugins[..]].concat(),
    );
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert_eq!(
        tree(workspace.path()),
        before,
        "printing has changed something"
    );

    let line = printed
        .stdout
        .lines()
        .nth(1)
        .expect("a line below the comment");
    let command = line
        .splitn(6, ' ')
        .nth(5)
        .expect("a command")
        .replace(r"\%", "%");
    // With its words for people, which cron is not mailed.
    let command = command
        .replace(" --quiet", "")
        .replace("|| [ $code -eq 4 ] ||", ";");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &command]).current_dir("/").env_clear();
    shell
        .env("HOME", workspace.path())
        .env("PATH", "/usr/bin:/bin");
    let scheduled = Running::start(&mut shell).finish();
    assert_eq!(
        scheduled.code, 0,
        "{} {}",
        scheduled.stdout, scheduled.stderr
    );
    assert!(
        scheduled
            .stdout
            .contains("20 readings from Contour Next USB, none new"),
        "{}",
        scheduled.stdout
    );
    let sheet = fs::read_to_string(folder.join("out/sheet.csv")).expect("a sheet");
    assert_eq!(csv(&sheet).rows.len(), 20);
}

/// The folders of targets and of the journal, and no others, can be written; what is missing is named.
#[test]
fn a_unit_may_write_where_the_pipeline_does() {
    let pipeline = PIPELINE.replace("\"lake\"", "\"lakes/mine\"");
    let workspace = with(&format!(
        "{pipeline}\n[journal]\npath = \"kept/journal.db\"\n"
    ));
    fs::create_dir_all(workspace.path().join("lakes/mine")).expect("a folder");
    let finished = workspace.run(&["schedule", "systemd", "--only", "service"]);
    let home = workspace.path().display().to_string();
    let writes: Vec<&str> = finished
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("ReadWritePaths="))
        .collect();
    // A data set is prepared beside its folder.
    let expected = ["kept", "lakes", "out"].map(|name| format!("{home}/{name}"));
    assert_eq!(writes, expected);
    let missing = format!("mkdir -p -m 700 {home}/kept {home}/out");
    assert!(finished.stderr.contains(&missing), "{}", finished.stderr);
    assert_eq!(value(&finished.stdout, "WorkingDirectory"), home);
    assert!(
        !finished.stdout.contains("--set"),
        "the file names the journal"
    );
}

/// What works in this shell and will not in a scheduler's run is said.
#[test]
fn what_a_scheduler_does_not_know_is_said() {
    let pipeline = PIPELINE.replace("\"out/sheet.csv\"", "\"-\"")
        + "[transforms.study]\ntype = \"pseudonymise\"\ninputs = [\"meter\"]\nkey = { env = \"STUDY_KEY\" }\n\
           [sinks.more]\nexporter = \"csv\"\ninputs = [\"study\"]\npath = \"more.csv\"\n";
    let workspace = with(&pipeline);
    let mut command = workspace.command(&["schedule", "cron"]);
    command
        .env("GLUCOPIPE__SINKS__MORE__PATH", "other.csv")
        .env("STUDY_KEY", "hunter2");
    let finished = Running::start(&mut command).finish();
    assert_eq!(finished.code, 0);
    assert!(!finished.stderr.contains("hunter2") && !finished.stdout.contains("hunter2"));
    insta::assert_snapshot!(told(&workspace, &finished));
}

/// What cannot be scheduled is refused, and nothing is printed that could be installed.
#[test]
fn what_cannot_be_scheduled_is_refused() {
    let credential = "[transforms.study]\ntype = \"pseudonymise\"\ninputs = [\"meter\"]\nkey = { credential = \"study\" }\n\
                      [sinks.more]\nexporter = \"csv\"\ninputs = [\"study\"]\npath = \"more.csv\"\n";
    let workspace = with(&format!("{PIPELINE}{credential}"));
    workspace.write("broken.toml", "[sources.meter]\n");
    let cases: [(i32, &[&str]); 6] = [
        (3, &["launchd"]),
        (2, &["cron", "--system"]),
        (2, &["launchd", "--only", "timer"]),
        (2, &["systemd", "--every", "7m"]),
        (3, &["systemd", "broken.toml"]),
        (3, &["systemd", "nowhere.toml"]),
    ];
    let mut all = String::new();
    for (code, arguments) in cases {
        let finished = workspace.run(&[&["schedule"], arguments].concat());
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (code, ""),
            "{arguments:?}"
        );
        all += &shown(&workspace, &finished);
    }
    for arguments in [
        &["systemd", "--every", "1h", "--at", "07:00"][..],
        &["at"],
        &["systemd", "--at", "7"],
        &["systemd", "--group", "x"],
    ] {
        assert_eq!(
            workspace.run(&[&["schedule"], arguments].concat()).code,
            2,
            "{arguments:?}"
        );
    }
    insta::assert_snapshot!(all);
}

/// A service of the system has no home unless it has a user, so the unit says where the journal and the plugins are;
/// a unit of the user's finds them.
#[test]
fn a_service_of_the_system_finds_what_is_in_a_home() {
    let workspace = with(PIPELINE);
    let home = workspace.path().display().to_string();
    let plugins = format!("{home}/.local/share/glucopipe/plugins");
    fs::create_dir_all(&plugins).expect("a folder");
    let unit = |more: &[&str]| {
        let arguments = [&["schedule", "systemd", "--only", "service"][..], more].concat();
        let mut command = workspace.command(&arguments);
        for name in ["XDG_STATE_HOME", "XDG_DATA_HOME"] {
            command.env_remove(name);
        }
        let finished = Running::start(&mut command).finish();
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        finished.stdout
    };
    let text = unit(&["--system"]);
    let named = [
        format!("journal.path={home}/.local/state/glucopipe/journal.db"),
        plugins,
    ];
    let all = named.iter().all(|words| text.contains(words));
    assert!(text.contains("\nUser=") || all, "{text}");
    let text = unit(&[]);
    assert!(!named.iter().any(|words| text.contains(words)), "{text}");
}

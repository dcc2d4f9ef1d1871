//! Help, completions, the manual page, explanations, and what happens on wrong usage.

use glucopipe_runtime::codes;
use glucopipe_tests::Workspace;

use crate::support::stable;

/// The commands that the help lists.
fn commands(help: &str) -> Vec<&str> {
    let indented = help.lines().filter_map(|line| line.strip_prefix("  "));
    indented
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split(' ').next())
        .filter(|word| *word != "help")
        .collect()
}

/// The help of the program and of every command, whole; no command is without.
#[test]
fn help_is_whole() {
    let workspace = Workspace::new();
    let program = workspace.run(&["--help"]);
    let mut text = stable(&workspace, &program.stdout);
    for command in commands(&program.stdout) {
        let help = workspace.run(&[command, "--help"]);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        text.push_str(&format!("\n=== {command}\n{}", help.stdout));
    }
    assert_eq!((program.code, program.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(text);
}

/// The version is the package's.
#[test]
fn version_is_the_packages() {
    let finished = Workspace::new().run(&["--version"]);
    assert_eq!(
        finished.stdout,
        concat!("glucopipe ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

/// Wrong usage ends with 2, says what is usable, and prints no data.
#[test]
fn wrong_usage_ends_with_2() {
    let workspace = Workspace::new();
    for arguments in [
        &[][..],
        &["rnu"],
        &["run", "--dryrun"],
        &["run", "a.toml", "b.toml"],
        &["dump", "--format", "excel"],
        &["info", "--device"],
        &["run", "-q", "-v"],
        &["completions", "cmd"],
        &["explain", "GP9999"],
        &["explain", "nonsense"],
    ] {
        let finished = workspace.run(arguments);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (2, ""),
            "{arguments:?}"
        );
        assert!(!finished.stderr.is_empty(), "{arguments:?}");
    }
}

/// Every code has a page; the list names them all.
#[test]
fn every_code_is_explained() {
    let workspace = Workspace::new();
    let list = workspace.run(&["explain"]);
    assert_eq!((list.code, list.stderr.as_str()), (0, ""));
    for entry in codes::all() {
        let row = list
            .stdout
            .lines()
            .find(|line| line.starts_with(&entry.code.to_string()));
        assert!(
            row.is_some_and(|row| row.ends_with(entry.summary)),
            "{}",
            entry.code
        );
    }
    let page = workspace.run(&["explain", "gp0202"]);
    assert_eq!(page.code, 0);
    insta::assert_snapshot!(page.stdout);
}

/// Completions for every shell, and a manual page, name the commands.
#[test]
fn completions_and_manual_name_the_commands() {
    let workspace = Workspace::new();
    let help = workspace.run(&["--help"]).stdout;
    let commands = commands(&help);
    assert!(
        commands.contains(&"run") && commands.contains(&"man"),
        "{help}"
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let finished = workspace.run(&["completions", shell]);
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (0, ""),
            "{shell}"
        );
        for command in &commands {
            assert!(finished.stdout.contains(command), "{shell}: {command}");
        }
    }
    let page = workspace.run(&["man"]);
    assert_eq!((page.code, page.stderr.as_str()), (0, ""));
    assert!(page.stdout.contains(".TH glucopipe 1"), "{}", page.stdout);
}

//! Help, completions, the manual page, explanations, and what happens on wrong usage.

use glucopipe_runtime::codes;
use glucopipe_tests::Workspace;

use super::{json, names};
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

/// The words of every command, those of a command in a command behind it.
fn every_command(workspace: &Workspace) -> Vec<Vec<String>> {
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = workspace
            .run(&[&arguments[..], &["--help"]].concat())
            .stdout;
        let below = commands(&help).into_iter().rev();
        open.extend(below.map(|word| [&words[..], &[word.to_owned()]].concat()));
        if !words.is_empty() {
            found.push(words);
        }
    }
    found
}

/// The help of the program and of every command, whole; no command is without.
#[test]
fn help_is_whole() {
    let workspace = Workspace::new();
    let program = workspace.run(&["--help"]);
    let mut text = stable(&workspace, &program.stdout);
    for words in every_command(&workspace) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = workspace.run(&[&words[..], &["--help"]].concat());
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{words:?}");
        text.push_str(&format!("\n=== {}\n{}", words.join(" "), help.stdout));
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
        &["man", "rnu"],
        &["man", "clock", "help"],
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

/// `--json` gives what the list and the pages say.
#[test]
fn codes_are_explained_to_programs() {
    let workspace = Workspace::new();
    let list = json(&workspace.run(&["explain", "--json"]));
    assert_eq!(names(&list), ["codes"]);
    let list = list["codes"].as_array().expect("a list");
    assert_eq!(list.len(), codes::all().len());
    for (document, entry) in list.iter().zip(codes::all()) {
        assert_eq!(names(document), ["code", "summary", "page"]);
        assert_eq!(document["code"], entry.code.to_string());
        assert_eq!(document["summary"], entry.summary);
        assert_eq!(document["page"], entry.page);
    }
    let one = workspace.run(&["explain", "--json", "GP0202"]);
    assert_eq!((one.code, one.stderr.as_str()), (0, ""));
    assert!(list.contains(&json(&one)), "{}", one.stdout);
}

/// Completions for every shell name the commands.
#[test]
fn completions_name_the_commands() {
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
}

/// Every command has a page of its own; that of the program says what holds for all.
#[test]
fn every_command_has_a_manual_page() {
    let workspace = Workspace::new();
    let page = |words: &[&str]| {
        let finished = workspace.run(&[&["man"], words].concat());
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (0, ""),
            "{words:?}"
        );
        finished.stdout
    };
    let program = page(&[]);
    assert!(program.contains(".TH glucopipe 1"), "{program}");
    for section in ["\"EXIT STATUS\"", "ENVIRONMENT", "FILES"] {
        assert!(program.contains(&format!("\n.SH {section}\n")), "{program}");
    }
    for words in every_command(&workspace) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let title = format!("\n.TH glucopipe-{} 1 ", words.join("-"));
        let synopsis = format!("\n.SH SYNOPSIS\n\\fBglucopipe {}\\fR ", words.join(" "));
        let page = page(&words);
        assert!(page.contains(&title) && page.contains(&synopsis), "{page}");
    }
}

//! `glucopipe man`: the manual pages, from the words of the command line itself.

use std::io;

use clap::CommandFactory;
use clap::error::ErrorKind;
use clap_mangen::roff::{Roff, bold, roman};

use super::{Done, print};
use crate::args::{Args, Man};
use crate::context::{CLOCK_VARIABLE, Context, PLUGIN_VARIABLE};
use crate::exit::Exit;

/// Prints the page of a command, or of the program.
pub(super) fn man(context: &Context, args: &Man) -> Done {
    // A page on each `help` would repeat the page above it.
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let source = format!("glucopipe {}", env!("CARGO_PKG_VERSION"));
    for word in &args.command {
        let Some(found) = command.find_subcommand(word).cloned() else {
            let words = args.command.join(" ");
            let error = command.error(
                ErrorKind::InvalidSubcommand,
                format!("`{words}` is no command"),
            );
            // Nobody can be told when standard error is gone.
            let _ = error.print();
            return Ok(Exit::Usage);
        };
        command = found;
    }
    let mut out = Vec::new();
    let page = clap_mangen::Man::new(command).source(source);
    let written = page
        .render(&mut out)
        .and_then(|()| match &args.command[..] {
            [] => sections(&mut out),
            _ => Ok(()),
        });
    Ok(written.map_or(Exit::Bug, |()| print(context, &out)))
}

/// What holds for every command.
fn sections(out: &mut Vec<u8>) -> io::Result<()> {
    let status = Exit::ALL.map(|exit| ((exit as u8).to_string(), exit.meaning()));
    section(out, "EXIT STATUS", &status)?;
    let environment = [
        (
            "GLUCOPIPE__SECTION__NAME__KEY",
            "a key of the pipeline, over what the file says, as in GLUCOPIPE__SINKS__SHEET__PATH",
        ),
        (
            PLUGIN_VARIABLE,
            "absolute folders to search for plugins, separated as in PATH",
        ),
        (
            CLOCK_VARIABLE,
            "an RFC 3339 time at which the clock of the program stands still, for tests",
        ),
        (
            "NO_COLOR",
            "messages have no colour, unless --color says so",
        ),
        ("XDG_STATE_HOME, HOME", "where the journal is, as below"),
        (
            "XDG_DATA_HOME, HOME",
            "where plugins of the user are, as below",
        ),
        (
            "CREDENTIALS_DIRECTORY",
            "where systemd puts the secrets that a pipeline refers to as { credential = … }",
        ),
    ];
    section(out, "ENVIRONMENT", &environment)?;
    let files = [
        ("pipeline.toml", "the pipeline, where no other is named"),
        (
            "$XDG_STATE_HOME/glucopipe/journal.db, ~/.local/state/glucopipe/journal.db",
            "the journal, unless a pipeline names another in [journal]",
        ),
        (
            "$XDG_DATA_HOME/glucopipe/plugins, ~/.local/share/glucopipe/plugins",
            "plugins of the user; `glucopipe plugins` lists all folders",
        ),
    ];
    section(out, "FILES", &files)
}

/// A section of names with their meanings.
fn section(out: &mut Vec<u8>, name: &str, entries: &[(impl AsRef<str>, &str)]) -> io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", [name]);
    for (name, meaning) in entries {
        section.control("TP", []);
        section.text([bold(name.as_ref())]);
        section.text([roman(*meaning)]);
    }
    section.to_writer(out)
}

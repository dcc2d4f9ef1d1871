//! One file per command.

mod change;
mod check;
mod clock;
mod compact;
mod confirm;
mod devices;
mod doctor;
mod dump;
mod erase;
mod explain;
mod info;
mod journal;
mod man;
mod persons;
mod place;
mod plugins;
mod printed;
mod replay;
mod run;
mod schedule;
mod transcript;

use clap::CommandFactory;
use glucopipe_runtime::problem::{Place, Problem};

use self::place::{named_by, with_way_out};
use crate::args::{Args, Command};
use crate::context::Context;
use crate::exit::Exit;

/// Runs a command.
pub(crate) fn dispatch(context: &Context, command: Command) -> Exit {
    let device = matches!(
        command,
        Command::Info(_) | Command::Clock(_) | Command::Erase(_) | Command::Dump(_)
    );
    let named_by = named_by(&command);
    let done = match command {
        Command::Run(args) => run::run(context, &args),
        Command::Replay(args) => replay::replay(context, &args),
        Command::Journal(args) => journal::journal(context, &args),
        Command::Check(args) => check::check(context, &args),
        Command::Devices(args) => devices::devices(context, &args),
        Command::Doctor(args) => doctor::doctor(context, &args),
        Command::Info(args) => info::info(context, &args),
        Command::Clock(args) => clock::clock(context, &args),
        Command::Erase(args) => erase::erase(context, &args),
        Command::Dump(args) => dump::dump(context, &args),
        Command::Compact(args) => compact::compact(context, &args),
        Command::Persons(args) => persons::persons(context, &args),
        Command::Schedule(args) => schedule::schedule(context, &args),
        Command::Plugins(args) => plugins::plugins(context, &args),
        Command::Transcript(args) => transcript::transcript(context, &args),
        Command::Explain(args) => explain::explain(context, &args),
        Command::Completions(args) => {
            let mut out = Vec::new();
            clap_complete::generate(args.shell, &mut Args::command(), "glucopipe", &mut out);
            Ok(print(context, &out))
        }
        Command::Man(args) => man::man(context, &args),
    };
    let exit = done.unwrap_or_else(|problem| {
        let problem = with_way_out(problem, named_by);
        context.output.problem(&problem);
        // What has a position in a file was not said on the command line.
        let in_file = matches!(problem.place, Some(Place::Text { .. }));
        match Exit::for_code(problem.code) {
            Exit::Config if device && !in_file => Exit::Usage,
            exit => exit,
        }
    });
    let Some(problem) = context.output.data_problem() else {
        return exit;
    };
    context.output.problem(&problem);
    match exit {
        Exit::Done => Exit::NotDelivered,
        exit => exit,
    }
}

fn print(context: &Context, text: &[u8]) -> Exit {
    context.output.data(&String::from_utf8_lossy(text));
    Exit::Done
}

/// Prints a problem with words of the command line.
fn misused(context: &Context, problem: &Problem) -> Exit {
    context.output.problem(problem);
    Exit::for_words(problem.code)
}

/// What a command ends with: an exit code, or the one problem that stopped it.
type Done = Result<Exit, Problem>;

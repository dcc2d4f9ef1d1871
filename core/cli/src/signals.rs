//! Signals: the first asks everything to stop in order; only a person who insists is obeyed at once.

#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};
use std::thread;
use std::time::{Duration, Instant};

use glucopipe_runtime::cancel::{Cancel, Reason};

use crate::exit::Exit;
use crate::output::Output;

/// Signals this soon behind the first are the same impatience, or the same event told twice.
const SAME: Duration = Duration::from_secs(1);
/// What stops sooner needs no words.
const SOON: Duration = Duration::from_millis(300);

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// A person, with Ctrl-C.
    Person,
    /// The system: a terminal that closed, a service that ends.
    #[cfg_attr(not(unix), allow(dead_code))]
    System,
}

/// What a signal leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Everything is told to stop.
    Stop,
    /// The program leaves at once.
    Leave,
    /// The program would leave at once, but a meter is being changed.
    Stay,
    /// Nothing new.
    Nothing,
}

/// What came so far.
#[derive(Debug, Default)]
struct Heard {
    first: Option<Instant>,
}

impl Heard {
    fn hear(&mut self, from: Sender, now: Instant, shielded: bool) -> Answer {
        let Some(first) = self.first else {
            self.first = Some(now);
            return Answer::Stop;
        };
        match (from, now.saturating_duration_since(first) < SAME) {
            (Sender::System, _) | (_, true) => Answer::Nothing,
            (Sender::Person, false) if shielded => Answer::Stay,
            (Sender::Person, false) => Answer::Leave,
        }
    }
}

fn obey(heard: &mut Heard, from: Sender, cancel: &Cancel, output: Output) {
    match heard.hear(from, Instant::now(), cancel.is_shielded()) {
        Answer::Stop => {
            cancel.set(Reason::Interrupted);
            let cancel = cancel.clone();
            // The program may end meanwhile, and this thread with it.
            thread::spawn(move || {
                thread::park_timeout(SOON);
                output.note(stopping(cancel.is_talking()));
            });
        }
        Answer::Leave => {
            output.note(left(cancel.is_talking()));
            #[allow(clippy::exit)] // as announced
            std::process::exit(Exit::Interrupted as i32);
        }
        Answer::Stay => output.note("a meter is being changed, which is brought to its end first"),
        Answer::Nothing => {}
    }
}

/// What is said while things come to their end; `talking` with a meter takes its time.
fn stopping(talking: bool) -> &'static str {
    match talking {
        true => {
            "stopping: a meter is left in order, which takes up to 12 s; Ctrl-C again leaves at once"
        }
        false => "stopping; Ctrl-C again leaves at once",
    }
}

/// What is said when they did not.
fn left(talking: bool) -> &'static str {
    match talking {
        true => "left at once: unplug the meter and plug it in before it is read again",
        false => "left at once",
    }
}

/// Listens to signals from now on.
#[cfg(unix)]
pub(crate) fn listen(cancel: Cancel, output: Output) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    // Fails only for signals that nobody may catch.
    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else {
        return;
    };
    thread::spawn(move || {
        let mut heard = Heard::default();
        for signal in signals.forever() {
            let from = match signal {
                SIGINT => Sender::Person,
                _ => Sender::System,
            };
            obey(&mut heard, from, &cancel, output);
        }
    });
}

/// Listens to Ctrl-C from now on.
#[cfg(not(unix))]
pub(crate) fn listen(cancel: Cancel, output: Output) {
    let mut heard = Heard::default();
    // Fails only when a handler is there already.
    let _ = ctrlc::set_handler(move || obey(&mut heard, Sender::Person, &cancel, output));
}

/// Lets signals pass: whoever started this process hears them too, and says what is to be done.
#[cfg(unix)]
pub(crate) fn ignore() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let heard = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // Fails only for signals that nobody may catch.
        let _ = signal_hook::flag::register(signal, heard.clone());
    }
}

/// Lets Ctrl-C pass: whoever started this process hears it too, and says what is to be done.
#[cfg(not(unix))]
pub(crate) fn ignore() {
    // Fails only when a handler is there already.
    let _ = ctrlc::set_handler(|| {});
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(signals: &[(Sender, u64)], shielded: bool) -> Vec<Answer> {
        let (mut heard, start) = (Heard::default(), Instant::now());
        let hear = |&(from, ms): &(Sender, u64)| {
            heard.hear(from, start + Duration::from_millis(ms), shielded)
        };
        signals.iter().map(hear).collect()
    }

    #[test]
    fn only_a_person_who_insists_is_obeyed_at_once() {
        use Answer::{Leave, Nothing, Stay, Stop};
        use Sender::{Person, System};
        let twice = [(Person, 0), (Person, 10), (Person, 999), (Person, 1000)];
        assert_eq!(answers(&twice, false), [Stop, Nothing, Nothing, Leave]);
        assert_eq!(answers(&twice, true), [Stop, Nothing, Nothing, Stay]);
        // A terminal that closes sends both, and a service manager may send its signal again.
        let closed = [(System, 0), (System, 5000), (Person, 6000)];
        assert_eq!(answers(&closed, false), [Stop, Nothing, Leave]);
        let both = [(Person, 0), (System, 1), (System, 9000)];
        assert_eq!(answers(&both, false), [Stop, Nothing, Nothing]);
    }
}

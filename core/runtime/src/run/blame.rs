//! From a plugin's error to a problem with a code, a place and advice.

use glucopipe_sdk::{Error, Status};

use crate::cancel::{Cancel, Reason};
use crate::device::udev;
use crate::host::Operation;
use crate::isolate;
use crate::plugin::{Component, Permission};
use crate::problem::{Code, Place, Problem};

/// `EPERM`, `EACCES`, `ENOSPC` and `EDQUOT` of Linux; the first three are the same on macOS.
const NOT_PERMITTED: i64 = 1;
const NO_ACCESS: i64 = 13;
const NO_SPACE: i64 = 28;
const QUOTA: i64 = 122;

/// What the SDK puts in front of the text of a panic. In a stream it is the only sign of one: an
/// `errno` cannot say it.
const PANICKED: &str = "panicked: ";

/// Whether the plugin crashed inside, whatever status came with it.
pub fn is_panic(error: &Error) -> bool {
    error.message.starts_with(PANICKED)
}

/// Whether the process of a plugin ended, whatever it had done before.
pub fn is_death(error: &Error) -> bool {
    isolate::has_died(&error.message)
}

/// Whether its process was ended because it did not stop.
pub fn is_stuck(error: &Error) -> bool {
    isolate::was_stuck(&error.message)
}

/// A crash of glucopipe itself while it served a node.
pub fn bug(node: &str, error: &Error) -> Problem {
    Problem::error(
        Code::INTERNAL,
        format!("glucopipe crashed while it served `{node}`"),
    )
    .cause(error.message.clone())
    .hint("this is a bug in glucopipe: report it")
}

/// The plugin broke the contract or crashed inside.
pub fn broken(component: &Component, what: &str) -> Problem {
    let (code, did) = if isolate::was_stuck(what) {
        (Code::PLUGIN_STUCK, "did not stop when told to")
    } else if what.starts_with(PANICKED) || isolate::has_died(what) {
        (Code::PLUGIN_PANIC, "crashed inside")
    } else {
        (Code::PLUGIN_BROKEN, "broke the plugin contract")
    };
    let title = format!("{} plugin `{}` {did}", component.kind.word(), component.id);
    let kept = if isolate::was_committing(what) {
        "whether it has delivered is not known; the readings are offered to it again"
    } else {
        "nothing of it was delivered"
    };
    Problem::error(code, title)
        .at(Place::Named(component.library.path().display().to_string()))
        .cause(what.to_owned())
        .kept(kept)
        .hint(format!(
            "this is a bug in `{}` {}: report it to its author",
            component.library.name, component.library.version
        ))
}

/// The same of a plugin that was told to stop because its time was over, which is said too.
pub fn broken_in_time(component: &Component, what: &str, over: Option<String>) -> Problem {
    let problem = broken(component, what);
    match over {
        Some(over) if isolate::was_stuck(what) => problem.cause(over),
        _ => problem,
    }
}

/// The system gave no thread for a node.
pub fn not_started(node: &str, cause: String) -> Problem {
    Problem::error(Code::INTERNAL, format!("`{node}` cannot be started")).cause(cause)
}

/// The plugin did not stop when told to; `over` says which time was over, if that is why.
pub fn stuck(component: &Component, node: &str, over: Option<String>) -> Problem {
    let title = format!(
        "{} plugin `{}` did not stop when told to",
        component.kind.word(),
        component.id
    );
    let abandoned = Problem::error(Code::PLUGIN_STUCK, title)
        .at(Place::Named(component.library.path().display().to_string()))
        .cause(format!(
            "`{node}` was abandoned; a plugin must stop within 250 ms of being cancelled"
        ));
    over.into_iter()
        .fold(abandoned, Problem::cause)
        .hint(format!(
            "this is a bug in `{}`: report it to its author",
            component.library.name
        ))
}

/// The run was stopped.
pub fn interrupted(node: &str) -> Problem {
    Problem::error(Code::INTERRUPTED, format!("interrupted at `{node}`"))
        .kept("no half file was written")
}

/// A driver failed: nothing usable was read.
pub fn driver_failed(
    component: &Component,
    error: &Error,
    op: &Operation,
    node: &str,
    label: &str,
    timeout_secs: u64,
) -> Problem {
    if is_panic(error) {
        return broken(component, &error.message);
    }
    let over = || overdue(op.cancel(), node, timeout_secs);
    let code = match (error.status, op.cancel().reason()) {
        (Status::Cancelled, Some(Reason::Deadline)) => Code::TIMEOUT,
        (Status::Cancelled, _) => {
            let kept = "no half file was written, and the meter was left in order";
            return interrupted(node).kept(kept);
        }
        (Status::Internal, _) => return broken_in_time(component, &error.message, over()),
        (Status::Timeout, _) => Code::TIMEOUT,
        (Status::Access, _) if op.was_busy() => Code::DEVICE_BUSY,
        (Status::Access, _) => Code::DEVICE_ACCESS,
        (Status::NotFound, _) => Code::NO_METER,
        (Status::Lost, _) => Code::DEVICE_LOST,
        (Status::Io, _) if error.message.starts_with("the recording") => Code::TRANSCRIPT,
        (Status::Io, _) => Code::DEVICE_IO,
        (Status::Unsupported, _) => Code::DEVICE_UNSUPPORTED,
        (Status::InvalidArgument, _) => Code::CONFIG_VALUE,
        (Status::Protocol | Status::Precondition, _) => Code::PROTOCOL,
    };
    let title = match code {
        Code::TIMEOUT => format!("{label} did not answer in time"),
        Code::DEVICE_ACCESS => format!("not allowed to open {label}"),
        Code::DEVICE_BUSY => format!("{label} is in use"),
        Code::NO_METER => format!("{label} is not there"),
        Code::DEVICE_LOST => format!("{label} was disconnected"),
        Code::PROTOCOL if error.status == Status::Precondition => {
            format!("{label} is no meter of driver `{}`", component.id)
        }
        Code::PROTOCOL => format!("{label} answered outside its protocol"),
        Code::DEVICE_UNSUPPORTED => format!("{label} cannot be read by driver `{}`", component.id),
        Code::CONFIG_VALUE => format!(
            "driver `{}` refused {}",
            component.id,
            at_fault(error, node)
        ),
        _ => format!("the connection to {label} failed"),
    };
    let cause = if code == Code::TIMEOUT && error.status == Status::Cancelled {
        read_too_long(node, timeout_secs)
    } else {
        error.message.clone()
    };
    let problem = Problem::error(code, title).cause(cause);
    let problem = match code {
        Code::PROTOCOL if error.status == Status::Precondition => {
            problem.kept("nothing was written")
        }
        Code::TIMEOUT | Code::DEVICE_LOST | Code::PROTOCOL => problem
            .kept("nothing was delivered; the readings are still in the meter")
            .hint(
                "unplug the meter, plug it in, wait until it shows that it is connected, run again",
            ),
        Code::CONFIG_VALUE => problem,
        Code::DEVICE_ACCESS => problem
            .kept("nothing was read or written")
            .hint(udev::hint()),
        Code::DEVICE_BUSY => problem
            .kept("nothing was read or written")
            .hint("close the other program, or wait until it is done, then run again"),
        _ => problem.kept("nothing was read"),
    };
    off_the_record(problem, op)
}

/// Adds where the driver left the recording that it failed at, if it did.
pub fn off_the_record(problem: Problem, op: &Operation) -> Problem {
    match op.departure() {
        Some(departure) => problem.cause(departure).hint(
            "a recording answers what was said to the meter: let the driver say that, or record a meter anew",
        ),
        None => problem,
    }
}

/// Why a read was given up.
pub fn read_too_long(node: &str, timeout_secs: u64) -> String {
    format!("the read took longer than {timeout_secs} s (`timeout_secs` of `{node}`)")
}

/// That the time of a node was over, if that is why it was told to stop.
pub fn overdue(cancel: &Cancel, node: &str, timeout_secs: u64) -> Option<String> {
    let over = cancel.reason() == Some(Reason::Deadline);
    over.then(|| took_too_long(node, timeout_secs))
}

/// Why a delivery was given up.
pub fn took_too_long(node: &str, timeout_secs: u64) -> String {
    format!("it took longer than {timeout_secs} s (`timeout_secs` of `{node}`)")
}

/// An exporter failed: nothing of this run is visible at the destination.
pub fn exporter_failed(
    component: &Component,
    error: &Error,
    cancel: &Cancel,
    node: &str,
    timeout_secs: u64,
) -> Problem {
    if is_panic(error) {
        return broken(component, &error.message);
    }
    let problem = match (error.status, cancel.reason()) {
        (Status::Cancelled, Some(Reason::Deadline)) => {
            Problem::error(Code::SINK_WRITE, format!("`{node}` took too long"))
                .cause(took_too_long(node, timeout_secs))
        }
        (Status::Cancelled, _) => return interrupted(node),
        (Status::Internal, _) => {
            let over = overdue(cancel, node, timeout_secs);
            return broken_in_time(component, &error.message, over);
        }
        (Status::InvalidArgument, _) => return configuration_refused(component, error, node),
        (status, _) => {
            let title = format!("`{node}` could not deliver");
            let problem = Problem::error(Code::SINK_WRITE, title).cause(error.message.clone());
            match (status, error.native) {
                (Status::Io, NO_SPACE | QUOTA) => problem.hint("make room there, then run again"),
                (Status::Access, NOT_PERMITTED | NO_ACCESS) => match held_to(component) {
                    Some(permissions) => problem.cause(format!(
                        "its manifest asks for {permissions}, and it gets no more"
                    )),
                    None => problem
                        .hint("give yourself the right to write there, or choose another place"),
                },
                _ => problem,
            }
        }
    };
    problem.kept("what was there before is intact")
}

/// What an exporter may have, if its manifest asks for less than it could.
fn held_to(component: &Component) -> Option<String> {
    let apart = component.apart()?;
    let manifest = apart.library.manifest.as_ref()?;
    let all = [Permission::Network, Permission::Files];
    let less = all.iter().any(|one| !manifest.permissions.contains(one));
    less.then(|| manifest.needs())
}

/// An exporter refused what it was configured with.
pub fn configuration_refused(component: &Component, error: &Error, node: &str) -> Problem {
    if is_panic(error) || error.status == Status::Internal {
        return broken(component, &error.message);
    }
    let title = format!(
        "exporter `{}` refused {}",
        component.id,
        at_fault(error, node)
    );
    Problem::error(Code::SINK_CONFIG, title)
        .cause(error.message.clone())
        .kept("what was there before is intact")
}

/// The key that an error names, or the whole configuration of the node.
fn at_fault(error: &Error, node: &str) -> String {
    match &error.key {
        Some(key) => format!("`{key}` of `{node}`"),
        None => format!("the configuration of `{node}`"),
    }
}
